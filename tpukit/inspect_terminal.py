"""What `tpukit inspect` shows: the facts of a model, what is said of it, its least times, its operators."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from tpukit import terminal
from tpukit.paths import printable

if TYPE_CHECKING:
    import pandas as pd

    from tpukit.inference import ModelInfo

# left out, in this order, where the terminal is too narrow
_LEAST_WANTED = ("dtype", "op/B", "bytes", "shape")


def show_model(info: "ModelInfo", least: "pd.DataFrame", *, as_json: bool) -> None:
    """Show what a model consists of; `least` is the LEAST_TIMES table of it."""
    facts, tensors = _facts(info), _tensors(info)
    if as_json:
        mapping = {"mapping": asdict(info.mapping), "notes": list(info.notes)}
        compiler = None if info.compiler is None else terminal.records(info.compiler)
        tables = {"compiler": compiler, "least_times": terminal.records(least), "ops": terminal.records(info.ops)}
        terminal.print_json(facts | tensors | mapping | tables)
        return
    for name, value in facts.items():
        typer.echo(f"{name:15} {'unknown' if value is None else printable(str(value))}")
    for name, each in tensors.items():
        for tensor in each:
            typer.echo(f"{name[:-1]:15} {printable(_tensor(tensor))}")
    typer.echo()
    terminal.say(" ".join(info.notes))
    typer.echo()
    if info.compiler is not None:
        shown = info.compiler.drop(columns="model").rename(columns={"status": "about"})
        terminal.show_table(shown)
        typer.echo()
    terminal.show_table(_least(least))
    typer.echo()
    terminal.show_table(_ops(info.ops), _LEAST_WANTED)


def _facts(info: "ModelInfo") -> dict[str, Any]:
    return {
        "model": info.name,
        "sha256": info.sha256,
        "size_bytes": info.size_bytes,
        "weights": info.weights,
        "parameters": info.parameters,
        "parameter_bytes": info.parameter_bytes,
        "macs": info.macs,
    }


def _tensors(info: "ModelInfo") -> dict[str, list[dict[str, Any]]]:
    return {
        "inputs": [tensor.as_dict() for tensor in info.inputs],
        "outputs": [tensor.as_dict() for tensor in info.outputs],
    }


def _tensor(tensor: dict[str, Any]) -> str:
    shape = "x".join(map(str, tensor["shape"]))
    scale = f", scale {tensor['scale']:.4g}, zero point {tensor['zero_point']}" if tensor["scale"] else ""
    return f"{tensor['name']}: {tensor['dtype']} {shape}{scale}"


def _least(least: "pd.DataFrame") -> "pd.DataFrame":
    """Return the least times for people, without who states what: the hardware stands in its own column."""
    about = [
        limit.removesuffix(f", {hardware} (as stated by its maker)")
        for hardware, limit in zip(least["hardware"], least["limit"], strict=True)
    ]
    shown = least.drop(columns="limit").assign(least_s=least["least_s"].map(_span), about=about)
    return shown.rename(columns={"least_s": "least time"})


def _span(seconds: float) -> str:
    """Return a time with three digits; empty where it is not known.

    >>> _span(0.0111844), _span(3.7e-7)
    ('11.2 ms', '0.37 µs')
    """
    if not seconds > 0:
        return ""
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"  # noqa: PLR2004 1 ms


def _ops(ops: "pd.DataFrame") -> "pd.DataFrame":
    columns = ["op", "type", "shape", "dtype", "macs", "moved_bytes", "intensity", "mapped", "reason", "time_s"]
    waiting = ops["reason"].str.startswith("after op ", na=False)
    reason = ops["reason"].mask(waiting, ops["reason"].str.partition(",")[0])
    shown = ops[columns].assign(
        reason=reason, intensity=ops["intensity"].round(1), time_s=(ops["time_s"] * 1e6).round(1)
    )
    return shown.rename(columns={"macs": "MACs", "moved_bytes": "bytes", "intensity": "op/B", "time_s": "time µs"})
