"""Whether the measured peaks are peaks: no bundled model may beat the limit that follows from them."""

from collections.abc import Iterator

from tpukit import host
from tpukit.inference import Peaks, benchmark, cpu_peaks, inspect_model, limit, work
from tpukit.metrics_integration._suite import SUITE, Cell, Effort, Finding
from tpukit.workloads import bundled_models

_DURATION_S = 0.3


def _roofline(effort: Effort) -> Iterator[Finding]:
    for threads in host.thread_counts():
        peaks, shares = cpu_peaks(threads), {}
        for name in bundled_models():
            effort.keep_on()
            shares[name] = _share(name, threads, peaks)
        nearest = max(shares, key=lambda name: shares[name][0])
        value, text = shares[nearest]
        yield Finding(
            what=f"largest share of its roofline that a bundled model reaches, threads: {threads}",
            value=value,
            unit="ratio",
            goal=1.0,
            baseline="none: a ceiling is judged by what comes up to it",
            limit="the least time that the measured peaks allow",
            limit_value=1.0,
            note=f"p50 of {len(shares)} models, {_DURATION_S} s each; {nearest}, {text}",
        )


def _share(name: str, threads: int, peaks: Peaks) -> tuple[float, str]:
    found = limit(work(inspect_model(name)), peaks)
    result = benchmark(name, duration_s=_DURATION_S, threads=threads)
    return found.seconds / result.summary["p50_s"].item(), found.text


SUITE.add("inference/roofline", Cell(part="inference", measure=_roofline))
