"""What TFLite runtimes and libedgetpu say when something fails, in plain words: what is wrong, and what to do.

The texts are those of LiteRT 2, of tflite-runtime 2.14, and of google-coral/libedgetpu (tflite/custom_op.cc,
driver/usb): the latter as its source and the issues of its users show them. Pure.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpukit.inference._edgetpu_plugged import PluggedEdgeTPU

_BUILDS = "github.com/feranick/libedgetpu/releases"
_INSTALL = (
    "install it (Debian: libedgetpu1-std of packages.cloud.google.com/apt coral-edgetpu-stable; for a newer "
    f"TensorFlow: {_BUILDS})"
)
_MISFIT = (
    "libedgetpu does not fit the runtime that loads it, for it is built against the structures of one TensorFlow: "
    f"install one that is built against a newer TensorFlow ({_BUILDS}), or a runtime as old as it"
)
_ENTRY_POINT = "tflite_plugin_create_delegate"

# What a text is known by, with what can be read off it as named groups, and the words; the first that is found counts.
_LOADING = {
    r"(?P<library>lib(?!edgetpu)[\w.+-]+): cannot open shared object": (
        "libedgetpu needs {library}, which is missing: install it (Debian: libusb-1.0-0 has libusb-1.0.so.0)"
    ),
    # Linux, macOS, Windows
    r"(?P<library>[^\s('\"]*edgetpu[^\s,:'\"]*)"
    r"(: cannot open shared object file: No such file|, 0x\w+\): (tried|image not found)|' \(or one of its dep)": (
        "{library} is not installed, or not where libraries are searched: " + _INSTALL
    ),
    r"(?P<library>[^\s:]+): (?P<why>invalid ELF header|wrong ELF class|file too short)": (
        "{library} is no library for this processor ({why}): " + _INSTALL
    ),
    rf"(undefined symbol: |function '|dlsym.*[ ,]){_ENTRY_POINT}": (
        f"this library is no TFLite delegate, for it lacks {_ENTRY_POINT}: give the path of libedgetpu"
    ),
}
_PREPARING = {
    r"requires runtime version \((?P<needed>\d+)\), which is newer than this runtime version \((?P<has>\d+)\)": (
        "the model is compiled for Edge TPU runtime {needed}, and the libedgetpu here has {has}: update libedgetpu, or "
        "compile the model again with `edgetpu_compiler --min_runtime_version {has}`"
    ),
    r"Unsupported (layer )?data type in custom op handler": _MISFIT,
    r"single_(in|out)put_size != (in|out)put->bytes": _MISFIT,
    r"USB transfer error|Deadline exceeded": (
        "the Edge TPU stopped answering: see that it is plugged in, with a cable and a port that give it power, and "
        "plug it in again"
    ),
    r"(unresolved custom op: |find custom op for name '|find op for builtin opcode 'CUSTOM'.*)edgetpu-custom-op": (
        "it is compiled for the Edge TPU, and {runtime} alone cannot run that: measure it with --device edgetpu, and "
        "elsewhere the model that it was compiled from (as its baseline too, where x.tflite lies beside "
        "x_edgetpu.tflite)"
    ),
}
_USING = {
    r"Could not open '(?P<file>.*?)'": "{file} cannot be opened: give the path of a .tflite file",
    r"not a valid Flatbuffer|model identifier '|schema version \d+ not equal": (
        "it is no whole .tflite file: convert or copy it again"
    ),
    r"Got value of type (?P<given>\w+) but expected type (?P<wanted>\w+) for input (?P<at>\d+)": (
        "input {at} takes {wanted}, and was given {given}: convert the data to {wanted}"
    ),
    r"Got (?P<given>\d+) but expected (?P<wanted>\d+) for dimension (?P<axis>\d+) of input (?P<at>\d+)": (
        "axis {axis} of input {at} has {wanted} elements, and was given {given}: give data of its shape"
    ),
    r"Invoke called on model that is not ready": "its tensors were not allocated: load the model again",
}
_WORDS = {re.compile(pattern): words for pattern, words in (_LOADING | _PREPARING | _USING).items()}

_UNRESOLVED = re.compile(r"\s*Encountered unresolved custom op: .*")
_NODE = re.compile(r"\s*Node number \d+ \(\w[\w-]*\) failed to (prepare|invoke)\.?")
_REASONLESS = re.compile(r"Failed to load delegate from (?P<library>.*?)(\n|$)\s*(?P<why>.*)", re.DOTALL)


def in_plain_words(text: str, *, runtime: str = "LiteRT") -> str | None:
    """Return a native error in one plain sentence with what to do, None for one that is not known.

    `runtime` is what people call the interpreter that said it.

    >>> in_plain_words("Invoke called on model that is not ready.")
    'its tensors were not allocated: load the model again'
    >>> in_plain_words("Node number 7 (CONV_2D) failed to prepare.") is None
    True
    """
    for pattern, words in _WORDS.items():
        if found := pattern.search(text):
            return words.format(runtime=runtime, **_lower_types(found.groupdict()))
    return None


def refused_by_edge_tpu(text: str) -> str | None:
    """Return in plain words why a model could not be prepared although libedgetpu was loaded; None where not for that.

    The interpreter names the operator that libedgetpu did not take as unresolved, whatever the reason was.

    >>> refused_by_edge_tpu("Encountered unresolved custom op: edgetpu-custom-op.")
    'libedgetpu took none of its operators, and gave no reason: compile it again with edgetpu_compiler'
    """
    why = one_reason(text)
    if known := in_plain_words(why):
        return known
    if "edgetpu-custom-op" not in text and "EdgeTpuDelegateForCustomOp" not in text:
        return None
    if not why:
        return "libedgetpu took none of its operators, and gave no reason: compile it again with edgetpu_compiler"
    return f"libedgetpu refuses it: {why}: compile it again with edgetpu_compiler, or update libedgetpu"


def one_reason(text: str) -> str:
    """Return what a library said, without what the interpreter adds to it.

    >>> one_reason("Internal: no memory.Node number 1 (EdgeTpuDelegateForCustomOp) failed to prepare.")
    'Internal: no memory.'
    """
    return " ".join(_NODE.sub("", _UNRESOLVED.sub("", " ".join(text.split()))).split())


def not_created(text: str, found: "Sequence[PluggedEdgeTPU] | None") -> str:
    """Return in plain words why libedgetpu created no delegate: from its text, and from what is plugged in.

    It mostly gives no reason. `found` are the devices that were asked for, as the kernel shows them, None where it
    shows nothing.

    >>> not_created("Failed to load delegate from libedgetpu.so.1\\n", ())
    'no Edge TPU is plugged in: plug one in; into a container or virtual machine, pass /dev/bus/usb or /dev/apex_0'
    """
    given = _REASONLESS.search(text)
    why = " ".join((given["why"] if given else text).split())
    if why:
        return in_plain_words(why) or f"libedgetpu opens no Edge TPU: {why}"
    return not_opened(found)


def not_opened(found: "Sequence[PluggedEdgeTPU] | None") -> str:
    """Return in plain words why no Edge TPU can be opened, where libedgetpu gives no reason."""
    if found is None:
        return (
            "libedgetpu opens no Edge TPU and gives no reason: see that it is plugged in, that no other process uses "
            "it and that this user may open it"
        )
    if not found:
        return (
            "no Edge TPU is plugged in: plug one in; into a container or virtual machine, pass /dev/bus/usb or "
            "/dev/apex_0"
        )
    troubles = [trouble for each in found if (trouble := each.trouble())]
    if troubles:
        return "; ".join(troubles)
    return (
        f"libedgetpu opens no Edge TPU and gives no reason, although {' and '.join(each.path for each in found)} may "
        "be opened: it may be held by a process of another user, or hang: stop that, or plug it in again"
    )


def _lower_types(found: dict[str, str]) -> dict[str, str]:
    # the text names types in capitals, numpy in small letters
    return {name: value.lower() if name in ("given", "wanted") else value for name, value in found.items()}
