"""The command line: thin, each command calls one library function.

Exit codes: 0 on success, 1 where the answer is "no", 2 on bad usage or input, with one line that says why.
"""

import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from tpukit import results_terminal, terminal
from tpukit.doctor_commands import doctor
from tpukit.errors import ConfigError, ReportStoppedError, TpukitError
from tpukit.history_commands import history_app
from tpukit.interrupts import terminate_as_interrupt
from tpukit.options import (
    AsJson,
    Batches,
    Bound,
    CrossCheck,
    Devices,
    Duration,
    FindPeak,
    HistoryFile,
    MinQueries,
    Models,
    Percentile,
    PerQuery,
    Profile,
    Rates,
    ReferenceOf,
    Repeats,
    Scenarios,
    Seed,
    Threads,
    Tolerance,
)
from tpukit.terminal import BAD, NO

_INTERRUPTED = 130
_OPTIONS = {
    "rate_hz": "--rate",
    "latency_bound_s": "--latency-bound",
    "samples_per_query": "--samples-per-query",
    "min_queries": "--min-queries",
    "repeats": "--repeat",
    "find_peak": "--find-peak",
}
_ARGUMENTS = re.compile(rf"\b({'|'.join(_OPTIONS)})\b")
_REFERENCE = "reference"
_IN_REPORT = ["single_stream", "offline", "server"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # the boxes of rich would cost 0.15 s of every start
)
app.add_typer(history_app, name="history")
app.command()(doctor)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(version("tpukit"))
        raise typer.Exit


@app.callback()
def _program(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Measure TFLite models, every number with its baseline from the same sweep."""


@app.command()
def bench(  # noqa: PLR0913, PLR0917 options, which nobody gives by position
    models: Models = None,
    device: Devices = None,
    scenario: Scenarios = None,
    duration: Duration = None,
    threads: Threads = None,
    batch: Batches = None,
    rate: Rates = None,
    latency_bound: Bound = None,
    percentile: Percentile = None,
    samples_per_query: PerQuery = None,
    profile: Profile = "default",
    repeat: Repeats = 1,
    min_queries: MinQueries = None,
    seed: Seed = 0,
    data: Annotated[Path | None, typer.Option(help="A .npz with inputs x and labels y: counts accuracy.")] = None,
    baseline: Annotated[str, typer.Option(help="Device to compare with, or none.")] = _REFERENCE,
    name: Annotated[str | None, typer.Option(help="What to call these runs, to find them by.")] = None,
    find_peak: FindPeak = False,
    tolerance: Tolerance = None,
    cross_check: CrossCheck = False,
    reference_of: ReferenceOf = None,
    history: HistoryFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure models on devices under scenarios, and store the runs."""
    from tpukit.history import History
    from tpukit.inference import loadgen_version
    from tpukit.workflows import Load, measure, measure_by_loadgen, measure_peak, published
    from tpukit.workloads import bundled_models, read_data, reference_latencies, references_of

    if cross_check:
        loadgen_version()  # what is missing is said before anything is measured
    names = models or list(bundled_models())
    if reference_of is not None:
        _check_reference(names, find_peak=find_peak)
        references_of("", reference_latencies(), of=reference_of)  # an unknown one is said before anything is measured
    load = Load(
        scenarios=scenario or ["server" if find_peak else "single_stream"],
        threads=threads or [1],
        batches=batch or [1],
        rates_hz=rate or [],
        repeats=repeat,
        profile=profile,
        duration_s=duration,
        min_queries=min_queries,
        samples_per_query=samples_per_query,
        latency_bound_s=latency_bound,
        percentile=percentile,
        seed=seed,
    )
    _check_peak(find_peak=find_peak, tolerance=tolerance, baseline=baseline, cross_check=cross_check)
    with terminal.progress("bench") as progress:
        what: dict[str, Any] = {
            "models": names,
            "devices": device or ["cpu"],
            "load": load,
            "data": read_data(data) if data else None,
            "progress": progress,
        }
        kept: dict[str, Any] = {"history": History(history), "name": name}
        if find_peak:
            found = measure_peak(**what, **kept, tolerance=0.05 if tolerance is None else tolerance)
        else:
            measured = measure(**what, **kept, baseline=None if baseline == "none" else baseline)
            checked = measure_by_loadgen(measured, **what) if cross_check and not measured.cut_short else None
    if find_peak:
        raise typer.Exit(results_terminal.show_peaks(found, as_json=as_json))
    of = None if reference_of is None else dict.fromkeys(measured.results["model"], reference_of)
    quoted = published(measured.results, of=of)
    raise typer.Exit(results_terminal.show_measured(measured, quoted, checked, as_json=as_json))


def _check_peak(*, find_peak: bool, tolerance: float | None, baseline: str, cross_check: bool) -> None:
    """Raise ConfigError where an option of bench has no meaning beside the others."""
    if find_peak and baseline != _REFERENCE:
        raise ConfigError("--baseline does not go with --find-peak, whose baseline is single_stream: leave it out")
    if find_peak and cross_check:
        raise ConfigError("--cross-check does not go with --find-peak, whose rates are its own: leave one of them out")
    if tolerance is not None and not find_peak:
        raise ConfigError("--tolerance does not go without --find-peak: add that, or leave it out")


def _check_reference(models: Sequence[str], *, find_peak: bool) -> None:
    """Raise ConfigError where --reference-of has nothing to be quoted beside, or is not of every model."""
    if find_peak:
        raise ConfigError("--reference-of does not go with --find-peak, which quotes nothing: leave one of them out")
    if len(models) > 1:
        raise ConfigError(f"--reference-of is of one model, and {len(models)} are to be measured: give that one alone")


@app.command()
def devices(as_json: AsJson = False) -> None:
    """List the devices that can run a model, and why others cannot."""
    from tpukit.inference import devices as table
    from tpukit.inference import edge_tpus

    results_terminal.show_devices(table(), edge_tpus(), as_json=as_json)


@app.command()
def inspect(
    model: Annotated[str, typer.Argument(help="A model file, or the name of a bundled model.")],
    times: Annotated[bool, typer.Option("--times", help="Time each operator on this processor: a second.")] = False,
    compiler_log: Annotated[Path | None, typer.Option(help="What edgetpu_compiler printed of it, or its log.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a model consists of, and what an Edge TPU is predicted to run of it."""
    from tpukit.inference import inspect_model, least_times, read_model, with_compiler_log, with_op_times
    from tpukit.inspect_terminal import show_model

    read = read_model(model)
    info = inspect_model(read)
    if compiler_log is not None:
        info = with_compiler_log(info, compiler_log)
    if times:
        info = with_op_times(info, read)
    show_model(info, least_times(info), as_json=as_json)


@app.command()
def report(  # noqa: PLR0913, PLR0917 options, which nobody gives by position
    out: Annotated[Path, typer.Option(help="Folder of report.html and report.ipynb.")] = Path("report"),
    quick: Annotated[bool, typer.Option("--quick", help="Half a second for each run: a first look.")] = False,
    models: Annotated[list[str] | None, typer.Option("--model", "-m", help="Model; default: all bundled.")] = None,
    device: Devices = None,
    scenario: Scenarios = None,
    threads: Threads = None,
    repeat: Repeats = 1,
    latency_bound: Bound = None,
    duration: Annotated[float | None, typer.Option(help="Seconds of each run. Default: 3, with --quick 0.5.")] = None,
    seed: Seed = 0,
    name: Annotated[str | None, typer.Option(help="What to call these runs. Default: report and the time.")] = None,
    history: HistoryFile = None,
    as_json: AsJson = False,
) -> None:
    """Measure, and render one HTML report that needs no network."""
    from tpukit.history import History
    from tpukit.host import thread_counts
    from tpukit.reports import render_report
    from tpukit.workflows import Load, check_sweep
    from tpukit.workloads import bundled_models

    wanted = scenario or _IN_REPORT
    _check_server(wanted)
    sweep: dict[str, Any] = {
        "scenarios": wanted,
        "threads": threads or thread_counts(),
        "duration_s": duration if duration is not None else (0.5 if quick else 3.0),
        "seed": seed,
        "repeats": repeat,
    }
    what = {"models": models or list(bundled_models()), "devices": device or ["cpu"]}
    # here it takes a second, and the message names no cell of a notebook; each model gets a rate of its own
    check_sweep(**what, load=Load(**sweep, rates_hz=[1.0] * ("server" in wanted), latency_bound_s=latency_bound))
    parameters = what | sweep | {"history_path": str(History(history).path), "name": name or ""}
    if latency_bound is not None:
        parameters["latency_bound_s"] = latency_bound
    with terminal.progress("report") as progress:
        rendered = render_report("benchmark", parameters, out, on_output=terminal.notebook_progress(progress))
    if rendered.interrupted:
        terminal.fail("stopped early: the report shows what was measured until then", NO)
    if as_json:
        terminal.print_json({"html": str(rendered.html), "notebook": str(rendered.notebook)})
    else:
        typer.echo(f"Report: {rendered.html.resolve()}")


def _check_server(scenarios: list[str]) -> None:
    """Raise ConfigError where server lacks what its rates are shares of."""
    if "server" in scenarios and "single_stream" not in scenarios:
        raise ConfigError("server is measured at shares of single_stream's rate: add --scenario single_stream")


@app.command()
def suite(
    only: Annotated[list[str] | None, typer.Option("--only", help="Part of the suite; repeat for more.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer repetitions; slow cells are left out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure what tpukit claims of itself."""
    from tpukit.metrics_integration import run_cells

    with terminal.progress("suite") as progress:
        table = run_cells(only=only, quick=quick, progress=progress)
    raise typer.Exit(results_terminal.show_suite(table, as_json=as_json))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(context: typer.Context) -> None:
    """Open JupyterLab on the notebooks.

    Further options go to JupyterLab.
    """
    from tpukit.lab import run_lab

    run_lab(context.args)


def main() -> None:
    """Run the command line; the entry point of the `tpukit` program."""
    if sys.stdout is not None:
        # a terminal without the multiplication sign gets a ? instead of a traceback
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    terminate_as_interrupt()
    sys.exit(_flushed(run(sys.argv[1:])))


def _flushed(code: int) -> int:
    """Write what is left of the output, and return the exit code."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        # or Python would try once more at its exit, and say so
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError) and code == 0:
            return terminal.fail(f"cannot write the output: {error.strerror}", BAD)
    return code


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every expected failure is one line on standard error."""
    try:
        code = _answer(arguments)
    except TpukitError as error:
        stopped = isinstance(error, ReportStoppedError)
        return terminal.fail(_by_option(str(error)), NO if stopped else BAD)
    except typer.TyperException as error:
        message = error.format_message()
        if message.startswith("Usage:"):  # no command was given: typer's answer is the help, of many lines
            typer.echo(message, err=True)
            return BAD
        return terminal.fail(" ".join(message.split()), BAD)
    except OSError as error:
        # an error of standard output has no file's name
        what = "write the output" if error.filename is None else f"use {error.filename}"
        return terminal.fail(f"cannot {what}: {error.strerror or error}", BAD)
    except (KeyboardInterrupt, typer.Abort, ImportError) as error:
        code = _interrupted(error)
    if code == _INTERRUPTED:  # typer's own answer to Ctrl-C
        return terminal.fail("stopped; what was measured before is in the history", NO)
    return code if isinstance(code, int) else 0


def _by_option(message: str) -> str:
    """Return a message of the library with the options that were typed in the place of its arguments."""
    return _ARGUMENTS.sub(lambda found: _OPTIONS[found[0]], message)


def _interrupted(error: BaseException) -> int:
    """Return typer's answer to Ctrl-C, or raise an ImportError behind which there is none.

    A library written in C that is interrupted while it is imported says that it cannot be.
    """
    if isinstance(error, ImportError) and not _is_interrupt(error):
        raise error
    return _INTERRUPTED


def _is_interrupt(error: BaseException | None) -> bool:
    return error is not None and (
        isinstance(error, KeyboardInterrupt) or _is_interrupt(error.__cause__) or _is_interrupt(error.__context__)
    )


def _answer(arguments: Sequence[str]) -> object:
    """Return what the command ends with; that a reader of its output has read enough, as head does, is no failure."""
    try:
        return app(args=list(arguments), prog_name="tpukit", standalone_mode=False)
    except BrokenPipeError:
        return 0
    except SystemExit as ended:
        # typer and rich make an exit with 1 of it
        if isinstance(ended.__context__, BrokenPipeError):
            return 0
        raise
