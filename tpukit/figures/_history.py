"""What changed from run to run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from tpukit import schema
from tpukit.errors import SchemaError
from tpukit.figures._cells import SETTINGS, named, no_latency, none_valid, valid
from tpukit.figures._lines import Lines, error_bars, p50_axis
from tpukit.figures._text import count, escaped, ms, percent, sentence
from tpukit.figures._theme import nothing, style
from tpukit.figures._verdicts import Verdicts, verdicts

_NEEDED = (
    "run_id", "name", "started", "model", "device", "scenario", "threads", "batch", "model_sha256", "host",
    "verdict", "p50_s", "p50_lo_s", "p50_hi_s",
)  # fmt: skip
_DECLARED = {column.name: column for column in (*schema.RUNS.columns, *schema.RESULTS.columns)}
_TABLE = schema.Table(name="history", row="one run with its result", columns=tuple(_DECLARED[name] for name in _NEEDED))
_LINE = (*SETTINGS, "host", "version")
_SAME = 0.005


def plot_history(runs: pd.DataFrame, comparison: pd.DataFrame | None = None) -> go.Figure:
    """Return p50 of latency over the time of measuring, a line for each model file, device, threads, batch and host.

    `runs` has one row a run with the columns of RUNS and of RESULTS, as `History.to_frame` returns it. The title names
    the line whose newest run differs most from the median of its earlier ones.

    With `comparison`, a COMPARISON table in order of time as `workflows.trend` returns it, the newest run of each set
    bears the verdict against the set before it, and the title says what the newest set changed. Raises SchemaError
    where a column that the figure needs is missing or of another type.
    """
    rows = _checked(runs)
    single = rows[rows["scenario"] == "single_stream"]
    if single.empty:
        return nothing("no run was recorded" if rows.empty else no_latency(rows))
    measured = single[single["p50_s"] > 0].sort_values(["started", "run_id"], kind="stable")
    if measured.empty:
        return nothing(f"no query of {count(len(single), 'single_stream run')} has a latency")
    measured, common = named(_with_version(measured), _LINE)
    by_line = [part for _, part in measured.groupby("label", sort=False)]
    lines = Lines.of([part.iloc[-1].to_dict() for part in by_line], _LINE)
    fig = go.Figure([_line(part, lines) for part in by_line])
    fig.add_traces(lines.keys())
    judged = verdicts(measured, schema.frame([], schema.COMPARISON) if comparison is None else comparison)
    fig.add_traces(judged.traces())
    fig.update_xaxes(title_text="start of the run (UTC)", type="date", range=_around(measured["started"]))
    fig.update_yaxes(title_text="p50 of latency (ms)", **p50_axis(measured, measured["p50_s"].min() * 1e3))
    return style(
        fig,
        finding=judged.finding() or _finding(by_line, len(measured)),
        note=sentence(
            f"All on {common}." if common else "",
            "Bars: 95 % intervals.",
            "" if valid(measured).all() else "Hollow: INVALID runs.",
            judged.note,
        ),
        legend=_legend(lines, judged),
    )


def _legend(lines: Lines, judged: Verdicts) -> list[str]:
    # a single line's own entry is shown too where there is a legend at all
    alone = [] if lines.legend else [escaped(model) for model in lines.models]
    return [*lines.legend, *alone, *judged.legend] if judged.legend else lines.legend


def _checked(runs: pd.DataFrame) -> pd.DataFrame:
    if missing := [name for name in _NEEDED if name not in runs.columns]:
        raise SchemaError(f"a history table needs the columns {', '.join(missing)}: History.to_frame() gives it")
    return schema.check(runs[list(_NEEDED)], _TABLE)


def _with_version(rows: pd.DataFrame) -> pd.DataFrame:
    """Add `version`, which tells model files of the same name apart and is empty where there is one."""
    several = rows.groupby("model")["model_sha256"].transform("nunique") > 1
    short = "file " + rows["model_sha256"].str[:8]
    return rows.assign(version=short.where(several & short.notna(), ""))


def _line(part: pd.DataFrame, lines: Lines) -> go.Scatter:
    first = part.iloc[-1].to_dict()
    called = part["name"].fillna("run " + part["run_id"])
    counts = ["" if ok else ", INVALID" for ok in valid(part)]
    return go.Scatter(
        error_y=error_bars(part),
        hovertemplate=f"{first['label']}<br>p50 %{{y:.3~g}} ms<br>%{{text}}<extra></extra>",
        line=lines.line(first) | {"width": 1.5},
        marker=lines.marker(first, hollow=list(~valid(part))),
        mode="lines+markers",
        text=[f"{escaped(name)}{counted}" for name, counted in zip(called, counts, strict=True)],
        x=_stamps(part["started"]),
        y=list(part["p50_s"] * 1e3),
        **lines.entry(first),
    )


def _stamps(times: Iterable[pd.Timestamp]) -> list[str]:
    return [time.strftime("%Y-%m-%dT%H:%M:%S.%f") for time in times]


def _around(started: "pd.Series[pd.Timestamp]") -> list[str] | None:
    """Return the range of time where there is but one, which Plotly would show by the microsecond."""
    hour = pd.Timedelta(hours=1)
    return _stamps([started.min() - hour, started.max() + hour]) if started.nunique() == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """The newest VALID run of a line against the median of the earlier VALID ones."""

    label: str
    newest_s: float
    before_s: float
    earlier: int

    @property
    def relative(self) -> float:
        """The change as a share of the median."""
        return self.newest_s / self.before_s - 1

    @property
    def factor(self) -> float:
        """How many times one is the other, whichever is larger: halving and doubling are equal changes."""
        return max(self.newest_s / self.before_s, self.before_s / self.newest_s)


def _finding(by_line: Sequence[pd.DataFrame], drawn: int) -> str:
    counted = [part[valid(part)] for part in by_line]
    if not any(len(part) for part in counted):
        return none_valid(drawn)
    changes = [_change(part) for part in counted if len(part) > 1]
    word = " VALID" if sum(map(len, counted)) < drawn else ""
    if not changes:
        return _no_earlier([part for part in counted if len(part)], word)
    most = max(changes, key=lambda change: change.factor)
    earlier = (
        f"the median of {count(most.earlier, f'earlier{word} run')}"
        if most.earlier > 1
        else f"its one earlier{word} run"
    )
    of = f", the largest change of {count(len(changes), 'setting')}" if len(changes) > 1 else ""
    takes = f"The newest{word} run of {most.label} takes {ms(most.newest_s)} at p50"
    if abs(most.relative) < _SAME:
        return f"{takes}, within 0.5 % of {earlier}{of}"
    return f"{takes}, {percent(most.relative)} {'more' if most.relative > 0 else 'less'} than {earlier}{of}"


def _change(part: pd.DataFrame) -> _Change:
    p50_s = part["p50_s"]
    return _Change(
        label=str(part["label"].iloc[0]),
        newest_s=float(p50_s.iloc[-1]),
        before_s=float(p50_s.iloc[:-1].median()),
        earlier=len(part) - 1,
    )


def _no_earlier(parts: Sequence[pd.DataFrame], word: str) -> str:
    if len(parts) == 1:
        part = parts[0]
        return f"{part['label'].iloc[0]} has one{word} run, {ms(part['p50_s'].iloc[0])} at p50, and no earlier one"
    return f"Each of {len(parts)} settings has one{word} run, so there is no earlier one to compare with"
