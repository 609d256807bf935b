"""The one look of all figures: colours, fonts, room for the title and the legend."""

import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

# M. A. Petroff, "Accessible Color Sequences for Data Visualization", arXiv:2107.02270: ten colours chosen to differ for
# the colour-blind and, by lightness, in print
COLOURS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
# seven symbols beside ten colours: seventy lines differ by at least one of them
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "star")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
GREY, INK, FAINT = "#717581", "#222222", "#e4e6e9"

_HALF_DECADE, _LEAST_DECADES = 0.5, 0.1

# seven hundred pixels is the narrowest a figure is meant for: a notebook beside a side bar
_NARROW_PX = 700
_EDGE_PX, _BELOW_PX = 12, 56
_TITLE_PX, _TITLE_LINE_PX, _TITLE_CHARS = 16, 21, 76
_NOTE_PX, _NOTE_LINE_PX, _NOTE_CHARS = 12, 16, 104
_LEGEND_ROW_PX, _LEGEND_SYMBOL_PX, _LOWER_PX, _UPPER_PX = 20, 46, 7, 8.5
# a legend is no wider than the plot, to whose left stand the ticks
_LEGEND_PX = _NARROW_PX - 112

_AXIS = {
    "automargin": True,
    "gridcolor": FAINT,
    "linecolor": GREY,
    "showline": True,
    "tickcolor": GREY,
    "ticks": "outside",
    "title": {"font": {"size": 13}, "standoff": 8},
    "zeroline": False,
}

TEMPLATE = go.layout.Template(
    layout={
        "colorway": COLOURS,
        "font": {"family": "Helvetica Neue, Helvetica, Arial, sans-serif", "size": 12, "color": INK},
        "hoverlabel": {"align": "left", "namelength": -1},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "title": {
            "font": {"size": _TITLE_PX},
            "pad": {"l": _EDGE_PX, "t": _EDGE_PX},
            "subtitle": {"font": {"size": _NOTE_PX, "color": GREY}},
            "x": 0,
            "xanchor": "left",
            "xref": "container",
            "y": 1,
            "yanchor": "top",
            "yref": "container",
        },
        "xaxis": _AXIS,
        "yaxis": _AXIS,
    }
)


def style(
    fig: go.Figure, *, finding: str, note: str = "", plot_px: int = 380, head_px: int = 0, legend: Sequence[str] = ()
) -> go.Figure:
    """Give `fig` the theme, `finding` as its title, `note` below it, and a legend of the given labels, if any.

    `head_px` is room between them and the plot. The title is wrapped, and the height grows with it and with the legend,
    so that the plot keeps `plot_px` pixels at any width from 700 pixels on.
    """
    title, title_lines = _wrapped(finding, _TITLE_CHARS)
    below, note_lines = _wrapped(note, _NOTE_CHARS)
    top = 2 * _EDGE_PX + title_lines * _TITLE_LINE_PX + note_lines * _NOTE_LINE_PX + (8 if note else 0) + head_px
    legend_px = _legend(fig, legend) if legend else 0
    fig.update_layout(
        template=TEMPLATE,
        title={"text": title, "subtitle": {"text": below or None}},
        height=top + plot_px + _BELOW_PX + legend_px,
        margin={"l": _EDGE_PX, "r": 2 * _EDGE_PX, "t": top, "b": _BELOW_PX},
        showlegend=bool(legend),
    )
    return fig


def log_axis(lo: float, hi: float, *, most_decades: float, pad: float = 0.04) -> dict[str, Any]:
    """Return a logarithmic axis from `lo` to `hi`, with `pad` of its length added at both ends.

    Its ticks are 1, 2, 5, 10, …; the powers of ten alone where it spans more than `most_decades`, beyond which there is
    no room for the others, and what Plotly finds best where it spans less than half a decade.
    """
    start, end = math.log10(lo), math.log10(hi)
    # a single value, and the nanoseconds between two, are no range to look into
    more = max(pad * (end - start), (_LEAST_DECADES - (end - start)) / 2)
    axis: dict[str, Any] = {"range": [start - more, end + more], "tickformat": "~g", "type": "log"}
    if end - start > most_decades:
        return axis | {"dtick": 1, "minor": {"dtick": "D1", "ticks": "outside"}}
    return axis | {"dtick": "D2"} if end - start + 2 * more > _HALF_DECADE else axis


def nothing(why: str) -> go.Figure:
    """Return a figure that says that there is nothing to show, and why."""
    fig = style(go.Figure(), finding=f"Nothing to show: {why}", plot_px=40)
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    return fig


def _wrapped(text: str, width: int) -> tuple[str, int]:
    # a number stays with its unit: textwrap does not break at a non-breaking space
    kept = re.sub(r"(?<=\d) (?=\w|%)", "\N{NO-BREAK SPACE}", text)
    # a model's name is not to be broken either
    lines = textwrap.wrap(kept, width, break_long_words=False, break_on_hyphens=False)
    return "<br>".join(lines).replace("\N{NO-BREAK SPACE}", " "), len(lines)


def _legend(fig: go.Figure, labels: Sequence[str]) -> int:
    """Put the legend at the bottom, in columns; return its height in the narrowest figure."""
    entry_px = max(sum(_UPPER_PX if char.isupper() else _LOWER_PX for char in label) for label in labels)
    columns = max(1, int(_LEGEND_PX // (entry_px + _LEGEND_SYMBOL_PX)))
    height = math.ceil(len(labels) / columns) * _LEGEND_ROW_PX + _EDGE_PX
    fig.update_layout(
        legend={
            "entrywidth": entry_px,
            "orientation": "h",
            "tracegroupgap": 0,
            "traceorder": "normal",
            "x": 0,
            "xanchor": "left",
            "xref": "container",
            "y": 0,
            "yanchor": "bottom",
            "yref": "container",
        }
    )
    return height
