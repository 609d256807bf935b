"""The least time of a TFLite model on hardware that runs such models, without measuring any."""

from pathlib import Path
from typing import Any

import pandas as pd

from tpukit import schema
from tpukit.inference._hardware import accelerators, own_accelerators, peaks_of
from tpukit.inference._inspect import ModelInfo
from tpukit.inference._peaks import kept_peaks
from tpukit.inference._roofline import Peaks, Work, limit, work

_EDGE_TPU = "edgetpu"


def least_times(info: ModelInfo, *, home: Path | None = None) -> pd.DataFrame:
    """Return a LEAST_TIMES table: this machine's processor, what the user states, Edge TPUs by their link.

    What runs no TFLite model here, as a Cloud TPU, is left out, and the processor has a time where its peaks are kept.
    An Edge TPU has a least time only where all of the model is predicted to run on it, or does by its compiler's log.
    `home` holds what was measured and the user's own table of accelerators, by default `tpukit.paths.home()`.

    >>> from tpukit.inference import inspect_model
    >>> table = least_times(inspect_model("mobilenet_v1_025_int8")).set_index("hardware")
    >>> table.loc["Edge TPU, USB 3", "limit"].partition(":")[0]
    'memory'
    """
    wanted, table = work(info), accelerators(home)
    own, edge_tpus = set(own_accelerators(home)["hardware"]), table["kinds"].str.startswith(_EDGE_TPU)
    rows = [_processor(wanted, kept_peaks(home))]
    for hardware, stated in table[edge_tpus | table["hardware"].isin(own)].groupby("hardware", sort=False):
        why = _unfit(info) if edge_tpus[stated.index[0]] else None
        found = {"limit": f"none: {why}"} if why else _bound(wanted, peaks_of(stated))
        rows.append({"hardware": hardware} | found)
    return schema.frame(rows, schema.LEAST_TIMES)


def _processor(wanted: Work, peaks: Peaks | None) -> dict[str, Any]:
    if peaks is None:
        return {"hardware": "this processor", "limit": "none: its peaks are measured by the first run of bench"}
    return {"hardware": "this processor"} | _bound(wanted, peaks)


def _unfit(info: ModelInfo) -> str | None:
    if info.mapping.compiled:
        return "what was compiled cannot be counted"
    if info.compiler is not None:
        whole = info.compiler["compiled"].fillna(0).eq(info.compiler["ops"]).all()
        return None if whole else "its compiler left operators to the processor"
    mapped, ops = sum(info.mapping.mapped), len(info.mapping.mapped)
    return f"{mapped} of {ops} operators are predicted to run on it" if mapped < ops else None


def _bound(wanted: Work, peaks: Peaks) -> dict[str, Any]:
    found = limit(wanted, peaks)
    if not found.seconds > 0:
        return {"limit": "none: nothing is known of the model's work"}
    return {"least_s": found.seconds, "limit": found.text}
