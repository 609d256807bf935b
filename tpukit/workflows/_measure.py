"""A sweep: every model on every device under every scenario, each run stored before the next begins."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tpukit.errors import ConfigError
from tpukit.history import History
from tpukit.inference import Cancel, Device, Model, check_name, get_device, read_models
from tpukit.workflows._cells import Load, cells
from tpukit.workflows._sweep import Measured, Step, run_cells
from tpukit.workloads import Data


def measure(  # noqa: PLR0913 what to measure, where to keep it, and who looks on
    models: Sequence[str | Path | Model],
    *,
    history: History,
    devices: Sequence[str | Device] = ("cpu",),
    load: Load | None = None,
    name: str | None = None,
    data: Data | None = None,
    baseline: str | Device | None = "reference",
    progress: Callable[[Step], None] | None = None,
    cancel: Cancel | None = None,
) -> Measured:
    """Measure every combination of models, devices and what `load` varies, and store each run as soon as it ends.

    Before a model's cells, `baseline` runs it on one thread for a tenth of the time and as many queries, so that every
    number has its baseline from the same sweep; None leaves that out. `name` is kept with each run. A cell that cannot
    be measured becomes a row, and the sweep goes on; Ctrl-C, `cancel` or a store that fails end it, and what was
    measured is returned. Models of one name are told apart by their sha256. In the place of `reference`, a JAX export
    is compared with `jax:reference`.

    Raises ConfigError, UnknownNameError, ModelLoadError and StorageError for what can be known before measuring.
    """
    load = load or Load()
    read, on = check_sweep(models, devices=devices, load=load)
    against = None if baseline is None else get_device(baseline)
    if name is not None:
        for model in read:
            check_name(name, model.name)
    history.check()
    return run_cells(
        cells(read, on, load, against), history=history, name=name, data=data, progress=progress, cancel=cancel
    )


def check_sweep(
    models: Sequence[str | Path | Model], *, devices: Sequence[str | Device], load: Load
) -> tuple[list[Model], list[Device]]:
    """Return a sweep's models and devices, or raise what `measure` would raise for its arguments."""
    for name, axis in {"model": models, "device": devices}.items():
        if not axis:
            raise ConfigError(f"no {name} was given: name at least one")
    load.settings()
    return read_models(models), [get_device(device) for device in devices]
