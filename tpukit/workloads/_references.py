"""Latencies that others published, and which of them are of a given model."""

import re
from functools import cache
from pathlib import Path

import pandas as pd

from tpukit import paths, schema
from tpukit.errors import UnknownNameError

_FILE = "datasets/reference_latencies.csv"
_TEXT = {column.name: "str" for column in schema.REFERENCES.columns if column.dtype == "str"}

# what follows a name that two files share, and what Google's compiler adds
_SHA, _COMPILED = re.compile(r"@[0-9a-f]{8}$"), re.compile(r"_edgetpu$")
# a model of TensorFlow 2 has the layers of its elder; how it was quantised leaves its arithmetic as it is
_SECOND, _QUANTISED = re.compile(r"^tf2_"), re.compile(r"_(quant|ptq|qat|u?int8)(?=$|_postprocess$)")


def reference_latencies() -> pd.DataFrame:
    """Return the REFERENCES table: latencies that Coral and pycoral published, each with its source.

    Of one architecture the row that is quoted first comes first. `datasets/README.md` tells where the rows are from.

    >>> table = reference_latencies()
    >>> table.query("architecture == 'MobileNet v2' and host == 'desktop'")["latency_s"].tolist()
    [0.0026, 0.051]
    """
    return _read(paths.bundled(_FILE)).copy()


def references_of(model: str, references: pd.DataFrame, *, of: str | None = None) -> pd.DataFrame:
    """Return the rows of REFERENCES that are of `model`, the name that RESULTS has: none where none is of it.

    A file's name must say all that decides the latency, and say it as Coral and TensorFlow do: the architecture, its
    width and resolution, and that it is quantised. `_edgetpu` at its end, `tf2_` before it and the `@` with which
    tpukit tells files of one name apart are no matter. What the file holds is not looked at. `of` names the
    architecture where the file's name does not, in upper or lower case.

    Raises SchemaError where `references` is no REFERENCES table, UnknownNameError where it has no architecture `of`.

    >>> table = reference_latencies()
    >>> [len(references_of(f"mobilenet_v2_{size}_quant_edgetpu", table)) for size in ("1.0_224", "0.5_224", "1.0_192")]
    [9, 0, 0]
    >>> len(references_of("mine", table, of="MobileNet v2"))
    9
    """
    rows = schema.check(references, schema.REFERENCES)
    if of is not None:
        return _of_architecture(of, rows)
    stem = _stem(model)
    return rows[rows["stem"].str.casefold() == stem] if stem else rows.head(0)


def _of_architecture(of: str, rows: pd.DataFrame) -> pd.DataFrame:
    found = rows[rows["architecture"].str.casefold() == of.casefold()]
    if found.empty:
        raise UnknownNameError("reference model", of, rows["architecture"].unique())
    return found


def _stem(model: str) -> str:
    """Return a name without its marks of quantisation and compilation; empty where it has none of the former."""
    name = _COMPILED.sub("", _SHA.sub("", model).casefold())
    stem, quantised = _QUANTISED.subn("", _SECOND.sub("", name))
    return stem if quantised else ""


@cache
def _read(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, dtype=_TEXT)
    return schema.frame({str(name): column for name, column in table.items()}, schema.REFERENCES)
