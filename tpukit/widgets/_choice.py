"""Which cells of a sweep can be chosen, and what is shown of one that was not measured. No widget here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd

from tpukit import schema
from tpukit.errors import ConfigError

_VALID, _INVALID = "VALID", "INVALID"
_TOLD = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A cell by the labels of its settings; `load` is the scenario, with rate and batch where it has them."""

    model: str
    device: str
    threads: str
    load: str


AXES = tuple(field.name for field in fields(Choice))


def options(results: pd.DataFrame) -> dict[str, list[str]]:
    """Return the labels of each axis, in the order of `results`; threads by their number.

    Raises SchemaError where it is no RESULTS table, and ConfigError where it is empty.
    """
    if schema.check(results, schema.RESULTS).empty:
        raise ConfigError("there are no results to explore: measure at least one cell")
    labels = _labels(results)
    by_threads = labels.loc[results["threads"].sort_values(kind="stable").index]
    return {axis: list((by_threads if axis == "threads" else labels)[axis].unique()) for axis in AXES}


def first(results: pd.DataFrame) -> Choice:
    """Return the choice of the first row."""
    return Choice(**_label(results.iloc[0].to_dict()))


def cell(results: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """Return the row of `results` that is meant: of several runs the newest VALID one, else the newest.

    Where that combination was not measured, the row says so, and what was measured of the model.
    """
    labels = _labels(results)
    meant = (labels == pd.Series(asdict(choice))).all(axis="columns")
    if not meant.any():
        return schema.frame([_not_measured(labels, choice)], schema.RESULTS)
    rows = results[meant]
    ranked = rows.assign(counts=rows["verdict"] == _VALID).sort_values(
        ["counts", "run_id"], na_position="first", kind="stable"
    )
    return ranked.tail(1)[schema.RESULTS.names]


def _labels(results: pd.DataFrame) -> pd.DataFrame:
    rows = results.to_dict("records")
    return pd.DataFrame([_label(row) for row in rows], index=results.index, columns=list(AXES), dtype="str")


def _label(row: Mapping[Any, Any]) -> dict[str, str]:
    threads, rate_hz, batch = row["threads"], row["rate_hz"], row["batch"]
    load = [str(row["scenario"])]
    load += [f"{rate_hz:.4g}/s"] if pd.notna(rate_hz) else []
    load += [f"batch {batch}"] if pd.notna(batch) and batch > 1 else []
    counted = "unknown" if pd.isna(threads) else str(threads)
    return {"model": str(row["model"]), "device": str(row["device"]), "threads": counted, "load": " ".join(load)}


def _not_measured(labels: pd.DataFrame, choice: Choice) -> dict[str, Any]:
    of_model = labels[labels["model"] == choice.model]
    known = [
        f"{part['load'].iloc[0]} ({', '.join(part['threads'].unique())}) on {part['device'].iloc[0]}"
        for _, part in of_model.groupby(["device", "load"], sort=False)
    ]
    more = f" and {len(known) - _TOLD} more" if len(known) > _TOLD else ""
    return {
        "model": choice.model,
        "device": choice.device,
        "scenario": choice.load,
        "threads": int(choice.threads) if choice.threads.isdigit() else None,
        "verdict": _INVALID,
        "n": 0,
        "reasons": "It is not among these results. Of this model there are, with the numbers of threads: "
        f"{'; '.join(known[:_TOLD])}{more}.",
    }
