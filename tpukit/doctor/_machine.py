"""Checks of the machine: what makes numbers noisy, and where tpukit keeps its state."""

import shlex

from tpukit.doctor._facts import Facts
from tpukit.doctor._finding import Finding, not_applicable, ok, trouble, warning

# of the processors: from here on a run of one thread is likely to share its core
_BUSY = 0.5
# shares of time
_STOLEN = 0.01
_STALLED = 0.01
_THROTTLED = 0.01
_LITTLE_MEMORY = 0.1
_GIB = 2**30


def governor(facts: Facts) -> Finding:
    """Whether the processor keeps its frequency: Linux's governors other than performance follow the load."""
    governors = facts.machine.governors
    if not governors:
        return not_applicable("the system shows no frequency governor")
    if governors == ("performance",):
        return ok("performance")
    return warning(
        f"{' and '.join(governors)}: the clock follows the load, so that a run's first queries are slower",
        "sudo cpupower frequency-set -g performance (until the next start)",
    )


def load(facts: Facts) -> Finding:
    """Whether other processes keep the processors busy."""
    machine = facts.machine
    if machine.load_1m is None:
        return not_applicable("the system shows no load average")
    found = f"load average {machine.load_1m:.2f} on {_processors(machine.processors)}"
    if machine.load_1m <= _BUSY * machine.processors:
        return ok(found)
    return warning(found, "stop what else runs (top shows it), or wait; a run says how busy others kept the cores")


def quota(facts: Facts) -> Finding:
    """Whether a container, a cpuset or an affinity grants less than the processors there are."""
    machine = facts.machine
    throttled = "" if not machine.throttled else f", which held it back in {machine.throttled:.0%} of its periods"
    if machine.quota is not None and machine.quota < machine.allowed:
        return warning(
            f"the container grants {machine.quota:g} of {_processors(machine.allowed)}{throttled}",
            f"measure with at most {_counted(max(1, int(machine.quota)), 'thread')}, or give the container more "
            "(docker run --cpus, a pod's cpu limit)",
        )
    if machine.throttled is not None and machine.throttled > _THROTTLED:
        return warning(
            f"a quota around this container{throttled}", "give it more (docker run --cpus, a pod's cpu limit)"
        )
    if machine.allowed < machine.processors:
        return ok(f"this process may use {machine.allowed} of {_processors(machine.processors)}")
    return ok(f"all {_processors(machine.processors)} may be used")


def memory(facts: Facts) -> Finding:
    """Whether processes wait for memory, or soon will."""
    machine = facts.machine
    if machine.memory_stalled is not None and machine.memory_stalled > _STALLED:
        return warning(
            f"processes waited for memory in {machine.memory_stalled:.0%} of the last minute",
            "stop what takes memory (top, then M), or give the container more",
        )
    if machine.memory_bytes is None or machine.memory_available_bytes is None:
        return not_applicable("the system does not show its memory")
    total, free = machine.memory_bytes / _GIB, machine.memory_available_bytes / _GIB
    found = f"{free:.1f} of {total:.1f} GiB available"
    if free >= _LITTLE_MEMORY * total:
        return ok(found)
    return warning(found, "stop what takes memory (top, then M), or give the container more")


def stolen(facts: Facts) -> Finding:
    """Whether the host of this virtual machine ran others in its time."""
    share = facts.machine.stolen
    if share is None:
        return not_applicable("the system does not count stolen time")
    found = f"{share:.2%} of the processors' time since the start was taken by this machine's host"
    if share <= _STOLEN:
        return ok(found)
    return warning(
        found, "measure on a machine of your own or with dedicated processors; repeat runs (--repeat) and compare"
    )


def home(facts: Facts) -> Finding:
    """Whether tpukit can keep its state, and keep it to its owner."""
    state = facts.home
    if state.odd:
        return trouble(f"{state.odd} is no folder", "set TPUKIT_HOME to a folder that you may write")
    if not state.writable:
        return trouble(f"{state.path} cannot be written", "set TPUKIT_HOME to a folder that you may write")
    if state.open_to_others:
        return warning(
            f"others may use {' and '.join(state.open_to_others)}", f"chmod go-rwx {shlex.join(state.open_to_others)}"
        )
    return ok(f"{state.path}, for you alone" if state.exists else f"{state.path} will be made when it is needed")


def _processors(count: float) -> str:
    return _counted(count, "processor")


def _counted(count: float, what: str) -> str:
    return f"{count:g} {what}{'' if count == 1 else 's'}"
