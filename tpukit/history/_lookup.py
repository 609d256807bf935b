"""Which runs somebody means: by id, by name, by model, or by how new they are."""

import re

import pandas as pd

from tpukit.errors import ConfigError, UnknownNameError

_NEWEST = re.compile(r"latest(?:~(\d{1,9}))?")
_PREFIX_MIN = 8
_OFFERED = 10


def find(reference: str, runs: pd.DataFrame) -> list[str]:
    """Return what `History.find` does, of `runs` in order of start with the columns of RUNS.

    >>> from tpukit import schema
    >>> rows = [{"run_id": "r1", "name": "before", "model": "a"}, {"run_id": "r2", "name": "before", "model": "a"}]
    >>> runs = schema.frame(rows, schema.RUNS)
    >>> find("before", runs), find("a", runs), find("latest~1", runs)
    (['r1', 'r2'], ['r1', 'r2'], ['r1'])
    """
    for meaning in (_by_id, _by_age, _by_name, _by_model, _by_prefix):
        if found := meaning(reference, runs):
            return found
    raise UnknownNameError("run, name or model", reference, _known(runs))


def _by_id(reference: str, runs: pd.DataFrame) -> list[str]:
    return _ids(runs, runs["run_id"] == reference)


def _by_age(reference: str, runs: pd.DataFrame) -> list[str]:
    match = _NEWEST.fullmatch(reference)
    if not match:
        return []
    back = int(match[1] or 0)
    if back >= len(runs):
        raise ConfigError(f"{reference} is beyond the oldest run: the history holds {len(runs)}")
    return [str(runs["run_id"].iloc[-1 - back])]


def _by_name(reference: str, runs: pd.DataFrame) -> list[str]:
    return _ids(runs, runs["name"] == reference)


def _by_model(reference: str, runs: pd.DataFrame) -> list[str]:
    of_model = runs["model"] == reference
    if not of_model.any():
        return []
    newest = runs[of_model].iloc[-1]
    if pd.isna(newest["name"]):
        return [str(newest["run_id"])]
    return _ids(runs, of_model & (runs["name"] == newest["name"]))


def _by_prefix(reference: str, runs: pd.DataFrame) -> list[str]:
    if len(reference) < _PREFIX_MIN:
        return []
    found = _ids(runs, runs["run_id"].str.startswith(reference))
    if len(found) > 1:
        shown = ", ".join(found[-3:])
        raise ConfigError(f"{reference!r} begins the ids of {len(found)} runs, the newest {shown}: write more of it")
    return found


def _ids(runs: pd.DataFrame, meant: "pd.Series[bool]") -> list[str]:
    return [str(run_id) for run_id in runs.loc[meant, "run_id"]]


def _known(runs: pd.DataFrame) -> list[str]:
    return [*{*runs["name"].dropna(), *runs["model"].dropna()}, *runs["run_id"].tail(_OFFERED)]
