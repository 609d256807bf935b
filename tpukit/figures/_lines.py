"""Lines of many runs that can be told apart: a model has its colour and symbol, a variant its dash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tpukit.figures._cells import SETTINGS, models, variants
from tpukit.figures._text import escaped
from tpukit.figures._theme import COLOURS, DASHES, GREY, SYMBOLS, log_axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The look of each line, by model and variant; the legend has one entry for each of both, not for each pair."""

    models: tuple[str, ...]
    variants: tuple[str, ...]
    first: frozenset[str]

    @classmethod
    def of(cls, rows: Sequence[Mapping[Any, Any]], settings: Sequence[str] = SETTINGS) -> "Lines":
        """Return the looks for `named` rows, one of them for each line; a model's first line shows it in the legend."""
        table = pd.DataFrame(list(rows))
        return cls(
            models=tuple(models(table)),
            variants=tuple(variants(table, settings)),
            first=frozenset(table.drop_duplicates("model")["label"]),
        )

    @property
    def legend(self) -> list[str]:
        """The legend's labels; none where there is one line only."""
        entries = [escaped(model) for model in self.models] + (list(self.variants) if len(self.variants) > 1 else [])
        return entries if len(entries) > 1 else []

    def name(self, row: Mapping[Any, Any]) -> str:
        """Return what a hover label calls a run."""
        return f"{row['label']}{'' if row['verdict'] == 'VALID' else ', INVALID'}<br>run {escaped(row['run_id'])}"

    def colour(self, row: Mapping[Any, Any]) -> str:
        """Return the colour of a row's model."""
        return COLOURS[self.models.index(row["model"]) % len(COLOURS)]

    def line(self, row: Mapping[Any, Any]) -> dict[str, Any]:
        """Return the line of a row: its model's colour, its variant's dash."""
        return {"color": self.colour(row), "dash": DASHES[self.variants.index(row["variant"]) % len(DASHES)]}

    def marker(self, row: Mapping[Any, Any], *, hollow: Sequence[bool]) -> dict[str, Any]:
        """Return the markers of a row: its model's colour and symbol, hollow where told so."""
        symbol = SYMBOLS[self.models.index(row["model"]) % len(SYMBOLS)]
        return {
            "color": self.colour(row),
            "line": {"color": self.colour(row), "width": 1},
            "size": 7,
            "symbol": [f"{symbol}-open" if each else symbol for each in hollow],
        }

    def entry(self, row: Mapping[Any, Any]) -> dict[str, Any]:
        """Return what places a row's trace in the legend."""
        return {
            "legendgroup": row["model"],
            "name": escaped(row["model"]),
            "showlegend": row["label"] in self.first,
        }

    def keys(self) -> list[go.Scatter]:
        """Return the legend's entries for the variants; none where there is one variant only."""
        if len(self.variants) < 2:  # noqa: PLR2004 fewer than two need no key
            return []
        return [
            key(variant, line={"color": GREY, "dash": DASHES[place % len(DASHES)]})
            for place, variant in enumerate(self.variants)
        ]


def key(name: str, *, line: Mapping[str, Any]) -> go.Scatter:
    """Return a trace that draws nothing and explains a kind of line in the legend."""
    return go.Scatter(
        hoverinfo="skip", legendgroup=f"key {name}", line=line, mode="lines", name=name, x=[None], y=[None]
    )


def p50_axis(rows: pd.DataFrame, lo_ms: float) -> dict[str, Any]:
    """Return the axis of p50 in ms for rows of RESULTS, with room for their intervals and for `lo_ms`."""
    lo, hi = float(rows["p50_lo_s"].min()) * 1e3, float(np.nanmax(rows[["p50_s", "p50_hi_s"]])) * 1e3
    return log_axis(min(lo_ms, lo) if lo > 0 else lo_ms, hi, most_decades=6)


def error_bars(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the bars of the 95 % interval of p50, in ms; a missing end has none."""
    above, below = rows["p50_hi_s"] - rows["p50_s"], rows["p50_s"] - rows["p50_lo_s"]
    return {
        "array": list(above.fillna(0) * 1e3),
        "arrayminus": list(below.fillna(0) * 1e3),
        "symmetric": False,
        "thickness": 1,
        "width": 3,
    }
