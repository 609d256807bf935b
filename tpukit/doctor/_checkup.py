"""Look at this machine, and judge it."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from tpukit import paths
from tpukit.doctor._examine import examine
from tpukit.doctor._facts import Facts, Trial
from tpukit.doctor._gather_edgetpu import seen_library
from tpukit.doctor._gather_home import seen_home
from tpukit.doctor._gather_machine import seen_driver, seen_machine
from tpukit.doctor._gather_models import seen_model
from tpukit.doctor._gather_python import seen_python, tried
from tpukit.inference import Model, plugged, read_models

#: Tries `litert` or `libedgetpu`, and tells what came of it.
Tries = Callable[[str], Trial]


def checkup(
    models: Iterable[str | Path | Model] = (), *, root: Path = Path("/"), home: Path | None = None, tries: Tries = tried
) -> pd.DataFrame:
    """Return the CHECKS table of this machine and of some models.

    `root` is where the system's files stand, `home` the folder of tpukit's state (default: `paths.home()`), `tries`
    what uses a library for once, by default in a process of its own: LiteRT runs a bundled model, libedgetpu tells its
    version, both at a time, which takes two seconds. What is installed is this Python's. Raises UnknownNameError or
    ModelLoadError for a model that does not exist; a damaged one is a row of the table.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as empty:
    ...     table = checkup(root=Path(empty), home=Path(empty), tries=lambda what: Trial(said="runs"))
    >>> table.set_index("check").verdict["governor"]
    'not applicable'
    """
    return examine(gather(models, root=root, home=home, tries=tries))


def gather(
    models: Iterable[str | Path | Model] = (), *, root: Path = Path("/"), home: Path | None = None, tries: Tries = tried
) -> Facts:
    """Return what is seen of this machine and of some models; arguments and errors as of `checkup`."""
    read = read_models(models)
    with ThreadPoolExecutor() as side_by_side:
        litert, library = side_by_side.map(tries, ("litert", "libedgetpu"))
    return Facts(
        python=seen_python(litert),
        edge_tpus=plugged(root),
        library=seen_library(root, library),
        driver=seen_driver(root),
        machine=seen_machine(root),
        home=seen_home(paths.home() if home is None else home),
        models=tuple(map(seen_model, read)),
    )
