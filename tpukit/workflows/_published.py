"""What others published of the models that were measured."""

from collections.abc import Mapping

import pandas as pd

from tpukit import schema
from tpukit.errors import UnknownNameError
from tpukit.workloads import reference_latencies, references_of


def published(
    results: pd.DataFrame, *, of: Mapping[str, str] | None = None, references: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the PUBLISHED table of the models of a RESULTS table: no rows for a model of which nothing is published.

    A model is known by its file's name, as `tpukit.workloads.references_of` tells; `of` names the architecture of those
    whose names say nothing, by model. `references` is a REFERENCES table, by default the one that comes with tpukit.

    Raises SchemaError for other tables, UnknownNameError for a model or an architecture in `of` that there is not.

    >>> results = schema.frame([{"model": "mobilenet_v2_1.0_224_quant_edgetpu"}, {"model": "mine"}], schema.RESULTS)
    >>> len(published(results)), len(published(results, of={"mine": "SSD MobileNet v2 face"}))
    (9, 15)
    """
    models = list(schema.check(results, schema.RESULTS)["model"].dropna().unique())
    known, meant = reference_latencies() if references is None else references, of or {}
    for name in meant:
        if name not in models:
            raise UnknownNameError("model", name, models)
    found = [references_of(model, known, of=meant.get(model)).assign(model=model) for model in models]
    return schema.concat([rows[schema.PUBLISHED.names] for rows in found], schema.PUBLISHED)


def quoted(published: pd.DataFrame) -> list[str]:
    """Return a line for each model of a PUBLISHED table: its first latency on each kind of hardware, and what it is.

    >>> row = {"model": "a", "publisher": "Coral", "hardware": "Edge TPU", "host": "desktop", "link": "USB 3.0"}
    >>> quoted(schema.frame([row | {"harness": "C++, model alone", "latency_s": 0.0026}], schema.PUBLISHED))
    ['a: Coral published 2.6 ms (Edge TPU, USB 3.0, desktop); C++, model alone']
    """
    by_model = schema.check(published, schema.PUBLISHED).groupby("model", sort=False)
    return [_line(str(model), rows) for model, rows in by_model]


def _line(model: str, rows: pd.DataFrame) -> str:
    first = rows[rows["publisher"] == rows["publisher"].iloc[0]].drop_duplicates("hardware")
    values = [f"{_ms(row['latency_s'])} ({_joined(row, 'hardware', 'link', 'host')})" for _, row in first.iterrows()]
    said = _joined(first.iloc[0], "harness", "statistic") or "how is not stated"
    return f"{model}: {first['publisher'].iloc[0]} published {' and '.join(values)}; {said}"


def _joined(row: "pd.Series[str]", *names: str) -> str:
    return ", ".join(str(row[name]) for name in names if pd.notna(row[name]))


def _ms(seconds: float) -> str:
    # as published: two digits of a source are no three
    return f"{float(f'{seconds * 1e3:.4g}'):g} ms"
