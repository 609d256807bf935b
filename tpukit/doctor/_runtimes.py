"""Checks of what runs models: LiteRT, tflite-runtime, Google's pycoral, JAX."""

from tpukit.doctor._facts import Facts
from tpukit.doctor._finding import Finding, not_applicable, ok, trouble, warning
from tpukit.inference import pycoral_obstacle, tflite_obstacle

# the newest Python that each has wheels for: tflite-runtime 2.14 on the public index, pycoral 2.0 on Coral's
_TFLITE_PYTHON = (3, 11)
_PYCORAL_PYTHON = (3, 9)
_CUDA = ("jax-cuda12-plugin", "jax-cuda13-plugin")


def litert(facts: Facts) -> Finding:
    """Whether LiteRT can be imported and runs a bundled model."""
    trial, versions = facts.python.litert, facts.python.versions
    if "ai-edge-litert" not in versions:
        return trouble("ai-edge-litert is not installed", "pip install ai-edge-litert")
    if trial.error:
        return trouble(
            f"ai-edge-litert {versions['ai-edge-litert']} does not run a model: {trial.error}",
            "pip install --force-reinstall ai-edge-litert; where that does not help, install another version of it",
        )
    return ok(f"ai-edge-litert {versions['ai-edge-litert']} {trial.said or 'is installed; not tried'}")


def tflite_runtime(facts: Facts) -> Finding:
    """Whether tflite-runtime, where it is installed, has the NumPy that it was built for."""
    python, versions = facts.python.version, facts.python.versions
    if "tflite-runtime" not in versions:
        return _no_tflite_runtime(python)
    if reason := tflite_obstacle({**versions, "python": _dotted(python)}):
        found, _, remedy = reason.partition(": ")
        return trouble(found, f"{remedy}, or pip uninstall tflite-runtime: LiteRT takes its place")
    return ok(f"tflite-runtime {versions['tflite-runtime']} with NumPy {versions.get('numpy', 'missing')}")


def _no_tflite_runtime(python: tuple[int, int]) -> Finding:
    if python <= _TFLITE_PYTHON:
        return not_applicable("not installed", "pip install 'tpukit[tflite]' to compare LiteRT with it")
    return not_applicable(
        f"not installed; its wheels end at Python {_dotted(_TFLITE_PYTHON)}, this is {_dotted(python)}",
        f"LiteRT takes its place; to compare the two, make an environment with Python {_dotted(_TFLITE_PYTHON)} and "
        "pip install 'tpukit[tflite]' there",
    )


def pycoral(facts: Facts) -> Finding:
    """Whose pycoral is installed: Google's, or the unrelated package of that name on the public index."""
    installed = facts.python.pycoral
    if installed is None:
        return _no_pycoral(facts.python.version)
    if reason := pycoral_obstacle(installed):
        found, _, remedy = reason.partition("; ")
        return warning(found, f"pip uninstall pycoral; {remedy}")
    return ok(f"Google's pycoral {installed.version or 'of unknown version'}")


def _no_pycoral(python: tuple[int, int]) -> Finding:
    if python <= _PYCORAL_PYTHON:
        return not_applicable("not installed")
    return not_applicable(
        f"not installed; Google's wheels end at Python {_dotted(_PYCORAL_PYTHON)}, this is {_dotted(python)}",
        "none is needed: device edgetpu talks to libedgetpu itself; code of your own that imports pycoral needs an "
        f"environment with Python {_dotted(_PYCORAL_PYTHON)}",
    )


def jax(facts: Facts) -> Finding:
    """Whether JAX is installed, and with what it needs for the accelerators of this machine."""
    versions, machine = facts.python.versions, facts.machine
    installed = versions.get("jax")
    if installed is None:
        return _no_jax(facts)
    if "jaxlib" not in versions:
        return trouble(f"jax {installed} is installed without jaxlib", "pip install --upgrade 'jax[cpu]'")
    if _numbers(versions["jaxlib"]) > _numbers(installed):
        return trouble(
            f"jax {installed} refuses the newer jaxlib {versions['jaxlib']}",
            f"pip install 'jaxlib=={installed}', or pip install --upgrade jax",
        )
    if machine.cloud_tpus and "libtpu" not in versions:
        return trouble(
            f"{_chips(machine.cloud_tpus)} here, and jax {installed} without libtpu sees none of them",
            "pip install 'jax[tpu]'",
        )
    if machine.nvidia and not _cuda(facts):
        return warning(
            f"an NVIDIA card is here, and jax {installed} without its CUDA plugin runs on the CPU",
            "pip install 'jax[cuda13]', or 'jax[cuda12]' for an older driver",
        )
    return ok(f"jax {installed} for {_backends(facts)}{_asked(facts)}")


def _no_jax(facts: Facts) -> Finding:
    chips = facts.machine.cloud_tpus
    if chips:
        return trouble(f"{_chips(chips)} here, and jax is not installed", "pip install 'jax[tpu]'")
    return not_applicable("not installed", "pip install 'tpukit[jax]' to measure with it")


def _backends(facts: Facts) -> str:
    found = ["the CPU"]
    if _cuda(facts):
        found.append("NVIDIA cards" if facts.machine.nvidia else "NVIDIA cards, of which none is here")
    if "libtpu" in facts.python.versions:
        chips = facts.machine.cloud_tpus
        found.append(_chips(chips) if chips else "TPU chips, of which none is here")
    return ", ".join(found)


def _asked(facts: Facts) -> str:
    platforms = facts.python.jax_platforms
    return f"; JAX_PLATFORMS={platforms} restricts it" if platforms else ""


def _cuda(facts: Facts) -> bool:
    return any(name in facts.python.versions for name in _CUDA)


def _chips(count: int) -> str:
    return f"{count} TPU chip{'' if count == 1 else 's'}"


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: 2.5.0.post1 is (2, 5, 0)."""
    found = []
    for part in version.split("."):
        if not part.isdecimal():
            break
        found.append(int(part))
    return tuple(found)
