"""The checks in order, and the table that they make."""

from collections.abc import Callable, Iterator

import pandas as pd

from tpukit import schema
from tpukit.doctor import _edgetpu, _machine, _models, _runtimes
from tpukit.doctor._facts import Facts, ModelFacts
from tpukit.doctor._finding import Finding, not_applicable
from tpukit.inference import PluggedEdgeTPU

EDGE_TPU, RUNTIMES, MACHINE, MODELS = "Edge TPU", "runtimes", "this machine", "models"

#: What is judged once: part of the page, name, check.
ONCE: tuple[tuple[str, str, Callable[[Facts], Finding]], ...] = (
    (EDGE_TPU, "plugged in", _edgetpu.plugged_in),
    (EDGE_TPU, "libedgetpu", _edgetpu.library),
    (EDGE_TPU, "libedgetpu and runtime", _edgetpu.pair),
    (EDGE_TPU, "kernel driver", _edgetpu.driver),
    (RUNTIMES, "LiteRT", _runtimes.litert),
    (RUNTIMES, "tflite-runtime", _runtimes.tflite_runtime),
    (RUNTIMES, "pycoral", _runtimes.pycoral),
    (RUNTIMES, "JAX", _runtimes.jax),
    (MACHINE, "governor", _machine.governor),
    (MACHINE, "load", _machine.load),
    (MACHINE, "processors", _machine.quota),
    (MACHINE, "memory", _machine.memory),
    (MACHINE, "stolen time", _machine.stolen),
    (MACHINE, "TPUKIT_HOME", _machine.home),
)

#: What is judged of each Edge TPU.
OF_EDGE_TPUS: tuple[tuple[str, Callable[[PluggedEdgeTPU], Finding]], ...] = (
    ("permission", _edgetpu.permission),
    ("USB speed", _edgetpu.usb_speed),
    ("firmware", _edgetpu.firmware),
    ("processes", _edgetpu.holder),
    ("status", _edgetpu.status),
    ("temperature", _edgetpu.temperature),
)

#: What is judged of each model.
OF_MODELS: tuple[tuple[str, Callable[[Facts, ModelFacts], Finding]], ...] = (
    ("file", _models.readable),
    ("compiled", _models.compiled),
    ("runtime", _models.runtime),
    ("quantised", _models.quantised),
    ("shapes", _models.fixed),
)


def examine(facts: Facts) -> pd.DataFrame:
    """Return the CHECKS table of what was seen: one row a check, or a check and Edge TPU or model.

    A check that has neither bears one row, not applicable. Decides from `facts` alone.
    """
    return schema.frame(
        [*_once(facts, EDGE_TPU), *_of_edge_tpus(facts), *_rest(facts), *_of_models(facts)], schema.CHECKS
    )


def _rest(facts: Facts) -> Iterator[dict[str, str | None]]:
    yield from _once(facts, RUNTIMES)
    yield from _once(facts, MACHINE)


def _once(facts: Facts, wanted: str) -> Iterator[dict[str, str | None]]:
    for part, check, judge in ONCE:
        if part == wanted:
            yield _row(part, check, None, judge(facts))


def _of_edge_tpus(facts: Facts) -> Iterator[dict[str, str | None]]:
    if not facts.edge_tpus:
        for check, _ in OF_EDGE_TPUS:
            yield _row(EDGE_TPU, check, None, not_applicable(_edgetpu.NONE_PLUGGED_IN))
    for tpu in facts.edge_tpus:
        for check, judge in OF_EDGE_TPUS:
            yield _row(EDGE_TPU, check, _edgetpu.shown_as(tpu), judge(tpu))


def _of_models(facts: Facts) -> Iterator[dict[str, str | None]]:
    if not facts.models:
        for check, _ in OF_MODELS:
            yield _row(MODELS, check, None, not_applicable("no model was given"))
    for model in facts.models:
        for check, judge in OF_MODELS:
            yield _row(MODELS, check, model.name, judge(facts, model))


def _row(part: str, check: str, subject: str | None, finding: Finding) -> dict[str, str | None]:
    return {
        "part": part,
        "check": check,
        "subject": subject,
        "verdict": finding.verdict,
        "found": finding.found,
        "remedy": finding.remedy,
    }
