"""The functions of pycoral.utils.edgetpu over LiteRT: for what is compiled, it runs `uncompiled`."""

from typing import Any

from ai_edge_litert import interpreter as tflite

listed = [
    {"type": "pci", "path": "/dev/apex_0"},
    {"type": "usb", "path": "/sys/bus/usb/devices/2-1"},
    {"type": "usb", "path": "/sys/bus/usb/devices/2-2"},
]
#: What each interpreter was opened on.
opened: list[str | None] = []
uncompiled = b""


def get_runtime_version() -> str:
    return "BuildLabel(COMPILER=6.3.0 20170516,DATE=redacted,TIME=redacted,CL_NUMBER=338495000), RuntimeVersion(14)"


def list_edge_tpus() -> list[dict[str, str]]:
    return listed


def load_edgetpu_delegate(options: dict[str, Any] | None = None) -> object:
    opened.append((options or {}).get("device"))
    return object()


def make_interpreter(model_path_or_content: str | bytes, device: str | None = None, delegate: object = None) -> Any:
    if not delegate:
        load_edgetpu_delegate({"device": device} if device else {})
    assert isinstance(model_path_or_content, bytes)
    return tflite.Interpreter(model_content=uncompiled)
