"""Parameterised reports: a notebook is executed with parameters and becomes one HTML file that needs no network."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import papermill
import plotly.io
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from markupsafe import Markup
from nbclient.exceptions import DeadKernelError
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError
from plotly.offline import get_plotlyjs
from traitlets import default
from traitlets.config import Config
from zmq.error import ZMQError

from tpukit import paths
from tpukit.errors import ReportError, ReportStoppedError, StorageError, UnknownNameError

_PLOTLY = "application/vnd.plotly.v1+json"
_START_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Where a report lies: as one HTML file, and as the executed notebook.

    `interrupted` says that Ctrl-C was passed on to the notebook while it ran.
    """

    html: Path
    notebook: Path
    interrupted: bool = False


def render_report(
    notebook: str,
    parameters: Mapping[str, Any],
    out: Path,
    *,
    on_output: Callable[[str], None] | None = None,
) -> Report:
    """Execute the bundled notebook `notebooks/reports/<notebook>.ipynb` and write `report.html` and `report.ipynb`.

    `parameters` override those of the cell tagged `parameters`; one that the notebook does not have raises
    UnknownNameError (papermill itself would only log it and run with the default). `on_output` is given what cells
    print, as they print it. The notebook runs in this Python, whatever kernels are installed.

    Raises StorageError where `out` cannot be written, and ReportError where a cell fails or its kernel is stopped. A
    report that stands there already is then left as it is, and the notebook is kept as `failed.ipynb` up to there.

    >>> render_report("benchmark", {"durations": 1}, Path("out"))
    Traceback (most recent call last):
    tpukit.errors.UnknownNameError: unknown parameter of benchmark.ipynb 'durations': did you mean duration_s?
    """
    source = paths.bundled(f"notebooks/reports/{notebook}.ipynb")
    _check_parameters(source, parameters)
    report = Report(html=out / "report.html", notebook=out / "report.ipynb")
    failed = out / "failed.ipynb"
    _check_writable(out, report.html, report.notebook)
    try:
        # beside the target, so that both files are replaced at once, and whole ones only
        with tempfile.TemporaryDirectory(prefix=".tpukit-", dir=out) as folder:
            executed, page = Path(folder) / report.notebook.name, Path(folder) / report.html.name
            interrupted = _execute(source, parameters, executed, on_output, failed=failed)
            _write_page(executed, page, failed)
            executed.replace(report.notebook)
            page.replace(report.html)
            failed.unlink(missing_ok=True)  # of an earlier try
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"cannot write the report into {out}: {paths.reason(error)}; what was measured is in the history, "
            "give another folder"
        ) from error
    return replace(report, interrupted=interrupted)


def _write_page(executed: Path, page: Path, failed: Path) -> None:
    try:
        page.write_text(_to_html(executed), encoding="utf-8")
    except BaseException:
        executed.replace(failed)  # Ctrl-C and a full disk must not take the measurements' notebook along
        raise


def _check_parameters(source: Path, parameters: Mapping[str, Any]) -> None:
    known = papermill.inspect_notebook(str(source))
    for name in parameters:
        if name not in known:
            raise UnknownNameError(f"parameter of {source.name}", name, known)


def _check_writable(out: Path, *files: Path) -> None:
    for file in files:
        if file.is_dir():
            raise StorageError(f"cannot write {file}: it is a folder; move it away or give another folder with --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".tpukit-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StorageError(f"cannot write into {out}: {paths.reason(error)}: give another folder") from error


def _execute(
    source: Path,
    parameters: Mapping[str, Any],
    target: Path,
    on_output: Callable[[str], None] | None,
    *,
    failed: Path,
) -> bool:
    """Execute into `target`, or as far as it comes into `failed`; return whether Ctrl-C was passed on."""
    kernels: list[AsyncKernelManager] = []
    # in a thread of its own nbclient leaves Ctrl-C alone; it would kill the kernel and lose the run in progress
    with tempfile.TemporaryDirectory(prefix="tpukit-") as private, ThreadPoolExecutor(max_workers=1) as executor:
        done = executor.submit(
            _in_own_loop,
            source,
            target,
            parameters=dict(parameters),
            progress_bar=False,
            stdout_file=_Sink(on_output) if on_output else None,
            start_timeout=_START_TIMEOUT_S,
            kernel_manager_class=_this_python(kernels, Path(private)),
            # a widget would store all of plotly.js in the notebook
            store_widget_state=False,
        )
        try:
            return _wait(done, kernels)
        except PapermillExecutionError as error:
            target.replace(failed)
            kind = ReportStoppedError if error.ename == "KeyboardInterrupt" else ReportError
            raise kind(_why(error, failed)) from error
        except DeadKernelError as error:
            target.replace(failed)
            raise ReportError(
                f"the notebook's process was killed; its runs are in the history, see {failed}"
            ) from error
        except (RuntimeError, ZMQError) as error:
            raise ReportError(f"the notebook's process cannot be started: {error}") from error


def _why(error: PapermillExecutionError, target: Path) -> str:
    if error.ename == "KeyboardInterrupt":
        return f"stopped before the last cell; what was measured is in the history, see {target}"
    return f"{error.evalue or error.ename} (cell {error.cell_index} of {target})"


def _in_own_loop(*arguments: Any, **options: Any) -> None:
    # papermill leaves the loop of its thread open
    with closing(ensure_event_loop()):
        papermill.execute_notebook(*arguments, **options)


def _wait(done: "Future[Any]", kernels: list[AsyncKernelManager]) -> bool:
    """Wait for the notebook; pass Ctrl-C on to it, so that a sweep ends early and the report shows what it has.

    Return whether there was one.
    """
    interrupted = False
    while True:
        try:
            done.result()
        except KeyboardInterrupt:
            interrupted = True
            asyncio.run(_interrupt(kernels))
        else:
            return interrupted


async def _interrupt(kernels: list[AsyncKernelManager]) -> None:
    for kernel in kernels:
        if kernel.has_kernel:
            await kernel.interrupt_kernel()


def _this_python(started: list[AsyncKernelManager], private: Path) -> type[AsyncKernelManager]:
    """Return a manager that starts kernels in the running Python, and notes itself in `started`.

    A kernel found by its name may belong to another environment. It talks over sockets in the folder `private`, not
    over TCP, where every local user could connect.
    """

    class ThisPython(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            started.append(self)

        async def _async_interrupt_kernel(self) -> None:
            # jupyter_client interrupts a kernel before it asks it to end: one that is about to end by itself can abort
            if not self.shutting_down:
                await super()._async_interrupt_kernel()

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(
                argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                env={"PLOTLY_RENDERER": "plotly_mimetype"},
                display_name="tpukit",
                language="python",
            )

        @default("transport")
        def _no_tcp(self) -> str:
            return "ipc" if os.name == "posix" else "tcp"

        @default("ip")
        def _sockets(self) -> str:
            # jupyter_client's own default would be files in the working folder
            return str(private / "kernel") if os.name == "posix" else "127.0.0.1"

    return ThisPython


@dataclass(frozen=True, slots=True)
class _Sink:
    """The part of a text file that papermill writes to."""

    take: Callable[[str], None]

    def write(self, text: str) -> None:
        self.take(text)

    def flush(self) -> None:
        """Nothing is held back."""


def _to_html(notebook: Path) -> str:
    config = Config()
    config.NbConvertBase.display_data_priority = [_PLOTLY, "text/html", "text/markdown", "image/png", "text/plain"]
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_all_outputs_tags = {"hide-output"}
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        config=config,
        template_name="tpukit",
        extra_template_basedirs=[str(paths.bundled("notebooks/reports/templates"))],
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        filters={"plotly_div": _plotly_div},
    )
    body, _ = exporter.from_filename(str(notebook), resources={"plotlyjs": get_plotlyjs()})
    return str(body)


def _plotly_div(figure: Mapping[str, Any]) -> Markup:
    # figures of our own making, as JSON: plotly escapes what could end the script element
    return Markup(  # noqa: S704
        plotly.io.to_html(
            dict(figure), include_plotlyjs=False, include_mathjax=False, full_html=False, config={"responsive": True}
        )
    )
