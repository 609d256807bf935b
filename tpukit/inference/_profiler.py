"""How long each operator of a model takes on the processor: by LiteRT's own profiler, in a process of its own.

The profiler is part of LiteRT's C interface, which comes with its wheel but is documented for nobody who installs that:
its structs may change with any version, and a mistake in them ends a process. So another process calls it, and times
that are not to be had are missing, with a reason.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from signal import Signals

from tpukit.inference._model import Model
from tpukit.inference._op_times import Event, OpTimes, not_timed, op_times

#: The versions of LiteRT whose C interface is known; others are not asked.
KNOWN_VERSIONS = ("2.3.",)
# -P: no module out of the working folder, nor of this one; as a file it starts without the rest of this package
_WORKER = (sys.executable, "-P", str(Path(__file__).with_name("_profiler_worker.py")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiler:
    """The process that profiles: a command that reads a model and writes its events, and how long it may take."""

    command: tuple[str, ...] = _WORKER
    patience_s: float = 120.0

    def __call__(self, model: Model, types: Sequence[str]) -> OpTimes:
        """Return the time of each operator of a model, whose types are given in order of execution.

        The inputs are zeros. It takes about a second beside loading, and says nothing about latency: an inference that
        is profiled takes longer. Where there is no answer, every time is NaN and `reason` says why.
        """
        if refused := _unknown_version():
            return not_timed(len(types), refused)
        try:
            done = subprocess.run(  # noqa: S603 this Python
                self.command, input=model.content, capture_output=True, check=False, timeout=self.patience_s
            )
        except subprocess.TimeoutExpired:
            return not_timed(len(types), f"LiteRT's profiler did not end within {self.patience_s:g} s")
        if done.returncode:
            return not_timed(len(types), f"LiteRT's profiler failed: {_why(done)}")
        try:
            runs = _events(done.stdout)
        except (ValueError, TypeError):
            return not_timed(len(types), "LiteRT's profiler answered what is no list of events")
        return op_times(types, runs)


def _unknown_version() -> str | None:
    try:
        version = metadata.version("ai-edge-litert")
    except metadata.PackageNotFoundError:
        return "ai-edge-litert is not installed, whose profiler gives the times of operators"
    if version.startswith(KNOWN_VERSIONS):
        return None
    known = " or ".join(f"{each}x" for each in KNOWN_VERSIONS)
    return f"the profiler of ai-edge-litert {version} is not known, only that of {known}"


def _events(answer: bytes) -> list[list[Event]]:
    return [[Event(**event) for event in events] for events in json.loads(answer)]


def _why(done: "subprocess.CompletedProcess[bytes]") -> str:
    if done.returncode < 0:
        return f"its process was ended by {Signals(-done.returncode).name}"
    lines = done.stderr.decode(errors="replace").split("\n")
    said = [" ".join(line.split()) for line in lines if line.strip()]
    return said[-1] if said else f"its process ended with {done.returncode}"
