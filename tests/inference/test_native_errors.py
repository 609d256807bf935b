"""What native code says, in plain words; the texts are those that were seen, or that the sources hold."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.inference import _models
from tpukit.inference import Holder, PluggedEdgeTPU
from tpukit.inference._interpreter import one_line, stderr_collected
from tpukit.inference._native_errors import in_plain_words, not_created, not_opened, one_reason, refused_by_edge_tpu

UNRESOLVED = (
    "Encountered unresolved custom op: edgetpu-custom-op.\nSee instructions: "
    "https://www.tensorflow.org/lite/guide/ops_custom Node number 0 (edgetpu-custom-op) failed to prepare."
)
NEWER = "Package requires runtime version (14), which is newer than this runtime version (13)."
USB = PluggedEdgeTPU(kind="usb", path="/sys/bus/usb/devices/2-1", node="/dev/bus/usb/002/003", openable=True)

OURS = "(EdgeTpuDelegateForCustomOp) failed to"
KNOWN = {
    # Linux, macOS and Windows, of a library that is missing
    "libedgetpu.so.1: cannot open shared object file: No such file or directory": "is not installed.*libedgetpu1-std",
    "dlopen(libedgetpu.1.dylib, 0x0006): tried: '/usr/lib/libedgetpu.1.dylib'": "^libedgetpu.1.dylib is not installed",
    "Could not find module 'edgetpu.dll' (or one of its dependencies).": "^edgetpu.dll is not installed",
    "libusb-1.0.so.0: cannot open shared object file: No such file or directory": "libusb-1.0.so.0, which is missing",
    "/lib/libedgetpu.so.1: wrong ELF class: ELFCLASS32": "^/lib/libedgetpu.so.1 is no library for this processor",
    "/lib/x.so: invalid ELF header": "no library for this processor",
    "/x.so: undefined symbol: tflite_plugin_create_delegate": "is no TFLite delegate.*give the path of libedgetpu",
    "dlsym(0x7f8, tflite_plugin_create_delegate): symbol not found": "is no TFLite delegate",
    "function 'tflite_plugin_create_delegate' not found": "is no TFLite delegate",
    # the model and the runtime
    f"Internal: Unsupported data type in custom op handler: 6Node number 2 {OURS}": "does not fit the runtime",
    f"batches * single_input_size != input->bytes (150528 != 12544)Node number 1 {OURS}": "does not fit the runtime",
    f"Failed precondition: {NEWER}Node number 0 (edgetpu-custom-op) failed to prepare.": (
        "runtime 14, and the libedgetpu here has 13: update libedgetpu.*--min_runtime_version 13"
    ),
    UNRESOLVED: "compiled for the Edge TPU, and LiteRT alone cannot run that.*--device edgetpu",
    "Didn't find custom op for name 'edgetpu-custom-op' with version 1": "compiled for the Edge TPU",
    f"Deadline exceeded: USB transfer error 2 [LibUsbDataOutCallback]Node number 1 {OURS} invoke.": "plug it in again",
    "Not found: USB transfer error 5 [LibUsbDataInCallback]": "stopped answering",
    # files and data
    "Could not open 'nope.tflite'.": r"^nope\.tflite cannot be opened: give the path",
    "The model is not a valid Flatbuffer buffer": "no whole .tflite file: convert or copy it again",
    "Model provided has model identifier 'o wo', should be 'TFL3'": "no whole .tflite file",
    "Model provided is schema version 0 not equal to supported version 3.": "no whole .tflite file",
    "Cannot set tensor: Got value of type FLOAT64 but expected type FLOAT32 for input 0, name: x ": (
        "^input 0 takes float32, and was given float64: convert the data to float32$"
    ),
    "Cannot set tensor: Dimension mismatch. Got 9 but expected 8 for dimension 1 of input 0.": (
        "^axis 1 of input 0 has 8 elements, and was given 9: give data of its shape$"
    ),
    "Invoke called on model that is not ready.": "load the model again",
}


@pytest.mark.parametrize(("text", "words"), KNOWN.items(), ids=[text[:40] for text in KNOWN])
def test_a_known_error_is_one_sentence_with_what_to_do(text: str, words: str) -> None:
    said = in_plain_words(" ".join(text.split())) or ""
    assert re.search(words, said)
    assert ": " in said
    assert not re.search(r"[{}\n]|Node number|Traceback", said)


@pytest.mark.parametrize("text", ["", "Node number 7 (CONV_2D) failed to prepare.", "no space left", "custom op: Erf."])
def test_an_unknown_error_is_not_explained(text: str) -> None:
    assert in_plain_words(text) is None
    assert refused_by_edge_tpu(text) is None


def test_the_runtime_that_said_it_is_named() -> None:
    assert "tflite-runtime alone" in (in_plain_words(UNRESOLVED, runtime="tflite-runtime") or "")


def test_where_the_device_took_part_the_unresolved_operator_is_its_refusal() -> None:
    assert "took none of its operators" in (refused_by_edge_tpu(UNRESOLVED) or "")
    said = refused_by_edge_tpu(f"Internal: no parameters cached{UNRESOLVED}") or ""
    assert said.startswith("libedgetpu refuses it: Internal: no parameters cached: ")
    assert "unresolved" not in said
    # what is known of the reason says more
    assert "runtime 14" in (refused_by_edge_tpu(NEWER + UNRESOLVED) or "")


def test_what_the_interpreter_adds_is_taken_off() -> None:
    assert one_reason("Internal: x.Node number 12 (EdgeTpuDelegateForCustomOp) failed to invoke.") == "Internal: x."
    assert one_reason(f"why {UNRESOLVED}") == "why"
    assert one_reason("nothing to take off") == "nothing to take off"


def test_a_delegate_that_gave_a_reason_is_explained_by_it() -> None:
    said = not_created("Failed to load delegate from libedgetpu.so.1\nFailed to parse device", (USB,))
    assert said == "libedgetpu opens no Edge TPU: Failed to parse device"
    needs = "Failed to load delegate from x\nlibusb-1.0.so.0: cannot open shared object file"
    assert "libusb-1.0-0" in not_created(needs, ())


REASONLESS = "Failed to load delegate from libedgetpu.so.1\n"
HELD = PluggedEdgeTPU(
    kind="usb", path=USB.path, node=USB.node, openable=True, holders=(Holder(pid=4711, name="frigate"),)
)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "gives no reason: see that it is plugged in, that no other process uses it and that this user may open"),
        ((), "no Edge TPU is plugged in: plug one in; into a container"),
        ((PluggedEdgeTPU(kind="pci", path="/sys/bus/pci/devices/0"),), "kernel module apex is not loaded.*gasket-dkms"),
        ((PluggedEdgeTPU(kind="usb", path="/p", node="/n"),), "may not open /n.*plugdev"),
        ((HELD,), r"held by process 4711 \(frigate\): end it"),
        ((USB,), "although /sys/bus/usb/devices/2-1 may be opened: .*another user.*plug it in again"),
        ((HELD, PluggedEdgeTPU(kind="pci", path="/sys/bus/pci/devices/0")), "4711.*; .*gasket-dkms"),
    ],
    ids=["nothing is known", "none", "no driver", "no permission", "held", "nothing shows", "two"],
)
def test_a_delegate_that_gave_no_reason_is_explained_by_what_is_plugged_in(
    found: tuple[PluggedEdgeTPU, ...] | None, words: str
) -> None:
    assert re.search(words, not_created(REASONLESS, found))
    assert not_created(REASONLESS, found) == not_opened(found)


def _interpreter(content: bytes) -> Interpreter:
    return Interpreter(model_content=content)


def _given(array: np.ndarray) -> None:
    interpreter = _interpreter(_models.dense(n=8, m=4))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], array)


@pytest.mark.parametrize(
    ("fail", "words"),
    [
        (lambda: Interpreter(model_path="/nowhere/x.tflite"), r"^/nowhere/x\.tflite cannot be opened"),
        (lambda: _interpreter(b"hello world this is not a model"), r"no whole \.tflite file"),
        (lambda: _interpreter(_models.dense()[:100]), r"no whole \.tflite file"),
        (lambda: _interpreter(_models.compiled()).allocate_tensors(), "LiteRT alone cannot run that"),
        (lambda: _interpreter(_models.dense()).invoke(), "load the model again"),
        (lambda: _given(np.zeros((1, 8))), "input 0 takes float32, and was given float64"),
        (lambda: _given(np.zeros((1, 9), np.float32)), "axis 1 of input 0 has 8 elements, and was given 9"),
    ],
    ids=["no file", "no model", "truncated", "no delegate", "not allocated", "type", "shape"],
)
def test_what_this_litert_says_is_known(fail: Callable[[], object], words: str) -> None:
    """Its words as they are today: a table of texts would not tell that a release changed them."""
    with stderr_collected(), pytest.raises((RuntimeError, ValueError)) as caught:
        fail()
    assert re.search(words, in_plain_words(one_line(caught.value)) or f"not known: {caught.value}")
