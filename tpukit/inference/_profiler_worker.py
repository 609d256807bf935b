"""A process that runs a model under LiteRT's profiler and writes what that saw.

`python -P _profiler_worker.py < MODEL` writes a list of the events of each inference, as JSON. It ends with 1 and a
line on standard error where a call of the C interface fails, and may be ended by a signal.
"""

import ctypes
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tpukit.clock import Clock, SystemClock

_WARM_UP, _FEWEST, _MOST = 3, 5, 100
_BUDGET_S = 1.0
_CPU = 1  # of LiteRT's enumeration LiteRtHwAccelerators
_TENSOR_TYPE_BYTES = 512  # LiteRtRankedTensorType has less than half of that
_FIRST = ctypes.c_size_t(0)
_OPTIONS = {b"runtime_options_string": b"enable_profiling = true\n", b"xnnpack": b"num_threads = 1\n"}


class _Event(ctypes.Structure):
    """ProfiledEventData of litert/c/litert_profiler_event.h."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory_before", ctypes.c_size_t * 3),
        ("memory_after", ctypes.c_size_t * 3),
        ("node", ctypes.c_uint64),
        ("subgraph", ctypes.c_uint64),
        ("source", ctypes.c_int),
    )


class _LiteRT:
    """The C interface of LiteRT; each call that does not return 0 ends the process."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function."""
        status = getattr(self._library, name)(*arguments)
        if status:
            sys.exit(f"{name} returned status {status}")

    def made(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """Return the handle that a function writes where its last argument points."""
        handle = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(handle))
        return handle


def library() -> Path:
    """Return where LiteRT's wheel has its library; ends the process where there is none."""
    spec = find_spec("ai_edge_litert")
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    found = [path for place in places for path in Path(place).glob("libLiteRt.*")]
    return found[0] if found else sys.exit("ai-edge-litert comes without libLiteRt")


def profile(content: bytes, clock: Clock) -> Iterator[list[dict[str, Any]]]:
    """Yield the events of one inference after the other, for about a second and at least five times."""
    litert = _LiteRT(library())
    compiled = _Compiled(litert, content)
    for _ in range(_WARM_UP):
        compiled.run()
    profiler = litert.made("LiteRtCompiledModelGetProfiler", compiled.handle)
    end = clock.now() + _BUDGET_S
    for n in range(_MOST):
        if n >= _FEWEST and clock.now() > end:
            break
        litert.call("LiteRtResetProfiler", profiler)
        litert.call("LiteRtStartProfiler", profiler)
        compiled.run()
        litert.call("LiteRtStopProfiler", profiler)
        yield _events(litert, profiler)


class _Compiled:
    """A model made ready to run, with a buffer of zeros for each input and output."""

    def __init__(self, litert: _LiteRT, content: bytes) -> None:
        self._litert, self._content = litert, ctypes.create_string_buffer(content, len(content))
        self._environment = litert.made("LiteRtCreateEnvironment", 0, None)
        size = ctypes.c_size_t(len(content))
        model = litert.made("LiteRtCreateModelFromBuffer", self._environment, self._content, size)
        self.handle = litert.made("LiteRtCreateCompiledModel", self._environment, model, _options(litert))
        self._signature = litert.made("LiteRtGetModelSignature", model, _FIRST)
        self._buffers = [*self._numbered("Input"), *self._numbered("Output")]

    def run(self) -> None:
        """Run one inference."""
        self._litert.call("LiteRtRunCompiledModel", self.handle, _FIRST, *self._buffers)

    def _numbered(self, kind: str) -> tuple[ctypes.c_size_t, Any]:
        count = ctypes.c_size_t()
        self._litert.call(f"LiteRtGetNumSignature{kind}s", self._signature, ctypes.byref(count))
        buffers = [self._buffer(kind, ctypes.c_size_t(place)) for place in range(count.value)]
        return count, (ctypes.c_void_p * count.value)(*(buffer.value for buffer in buffers))

    def _buffer(self, kind: str, place: ctypes.c_size_t) -> ctypes.c_void_p:
        made, tensor_type = self._litert.made, ctypes.create_string_buffer(_TENSOR_TYPE_BYTES)
        tensor = made(f"LiteRtGetSignature{kind}TensorByIndex", self._signature, place)
        self._litert.call("LiteRtGetRankedTensorType", tensor, tensor_type)
        needs = made(f"LiteRtGetCompiledModel{kind}BufferRequirements", self.handle, _FIRST, place)
        buffer = made("LiteRtCreateManagedTensorBufferFromRequirements", self._environment, tensor_type, needs)
        # what the memory happens to hold may be numbers that are slow to compute with
        self._litert.call("LiteRtClearTensorBuffer", buffer)
        return buffer


def _options(litert: _LiteRT) -> ctypes.c_void_p:
    options = litert.made("LiteRtCreateOptions")
    litert.call("LiteRtSetOptionsHardwareAccelerators", options, _CPU)
    c = ctypes.CDLL(None)
    c.strdup.restype = ctypes.c_void_p
    for name, text in _OPTIONS.items():
        # the options own their text, and free it by the function that is given
        payload, free = ctypes.c_void_p(c.strdup(text)), ctypes.cast(c.free, ctypes.c_void_p)
        litert.call("LiteRtAddOpaqueOptions", options, litert.made("LiteRtCreateOpaqueOptions", name, payload, free))
    return options


def _events(litert: _LiteRT, profiler: ctypes.c_void_p) -> list[dict[str, Any]]:
    count = ctypes.c_int()
    litert.call("LiteRtGetNumProfilerEvents", profiler, ctypes.byref(count))
    if not count.value:
        return []
    events = (_Event * count.value)()
    litert.call("LiteRtGetProfilerEvents", profiler, count, events)
    return [
        {
            "tag": (event.tag or b"").decode(errors="replace"),
            "type": event.type,
            "node": event.node,
            "subgraph": event.subgraph,
            "elapsed_us": event.elapsed_us,
        }
        for event in events
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(list(profile(sys.stdin.buffer.read(), SystemClock()))))
