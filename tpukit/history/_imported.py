"""What an imported run must be, or comparing it and showing it would fail later."""

import json

import pandas as pd

from tpukit import paths
from tpukit.errors import SchemaError
from tpukit.history._cells import METRICS

_YEARS = range(2000, 2100)
_SHOWN = 40


def check(runs: pd.DataFrame, results: pd.DataFrame, path: object) -> None:
    """Raise SchemaError where a run's id, start, metric or versions are none; `path` says where they come from."""
    for what, values, is_one, expected in (
        ("run_id", runs["run_id"], _is_id, "text that can be printed"),
        ("started", runs["started"], _is_start, "a stamp of this century"),
        ("metric", results["metric"], METRICS.__contains__, f"one of {', '.join(METRICS)}"),
        ("versions", runs["versions"], _is_versions, "a JSON object of texts"),
    ):
        if bad := [value for value in values.dropna().unique() if not is_one(value)]:
            shown = paths.printable(str(bad[0])[:_SHOWN])
            raise SchemaError(f"{path} cannot be imported: {what} is {shown!r}, expected {expected}")


def _is_id(text: str) -> bool:
    return bool(text) and text.isprintable()


def _is_start(stamp: pd.Timestamp) -> bool:
    return stamp.year in _YEARS


def _is_versions(text: str) -> bool:
    try:
        versions = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(versions, dict) and all(isinstance(each, str) for each in versions.values())
