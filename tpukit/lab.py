"""JupyterLab on the notebooks that come with tpukit."""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from tpukit import paths
from tpukit.errors import MissingDependencyError, StorageError

# Jupyter's news pop-up would be the first thing that a new user sees, and it asks the network
_OVERRIDES = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    }
}
_OTHER_FOLDER = ("--notebook-dir", "--ServerApp.root_dir")


def notebooks_folder() -> Path:
    """Return a folder of notebooks to work in: the checkout's own, or a copy of the installed ones in TPUKIT_HOME.

    Notebooks that stand there already are left as they are. Raises StorageError.
    """
    bundled = paths.bundled("notebooks")
    if "_data" not in bundled.parts:
        return bundled
    mine = paths.home() / "notebooks"
    paths.make_private_folder(mine)
    for source in bundled.rglob("*.ipynb"):
        target = mine / source.relative_to(bundled)
        if not target.exists():
            paths.make_private_folder(target.parent)
            with _writing(target):
                shutil.copyfile(source, target)
    return mine


def run_lab(arguments: list[str]) -> NoReturn:
    """Replace this process by JupyterLab on the notebooks, with `arguments` passed on.

    It listens on loopback and asks for its token, as Jupyter does unless told otherwise; `--notebook-dir` among the
    arguments opens another folder. Raises MissingDependencyError without the extra `lab`, and StorageError where
    TPUKIT_HOME cannot be written.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingDependencyError("jupyterlab", "lab")
    settings = paths.home() / "lab"
    paths.make_private_folder(settings)
    overrides = settings / "overrides.json"
    with _writing(overrides):
        overrides.write_text(json.dumps(_OVERRIDES))
    os.execv(  # noqa: S606 no shell: the program is this Python
        sys.executable,
        [
            sys.executable,
            "-m",
            "jupyterlab",
            *_folder(arguments),
            f"--LabApp.app_settings_dir={settings}",
            *arguments,
        ],
    )


def _folder(arguments: list[str]) -> list[str]:
    # Jupyter takes the folder once only
    if any(argument.startswith(_OTHER_FOLDER) for argument in arguments):
        return []
    return [f"--notebook-dir={notebooks_folder()}"]


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {paths.reason(error)}; free it, or set TPUKIT_HOME elsewhere"
        ) from error
