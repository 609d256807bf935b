"""What the command line's options are called, and what its help says of them."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Models = Annotated[list[str] | None, typer.Argument(help="Model files, or names of bundled ones. Default: all.")]
Devices = Annotated[list[str] | None, typer.Option("--device", "-d", help="Device; repeat for more. Default: cpu.")]
Scenarios = Annotated[
    list[str] | None,
    typer.Option("--scenario", "-s", help="single_stream, multi_stream, server or offline; repeat for more."),
]
Threads = Annotated[list[int] | None, typer.Option("--threads", "-t", help="Threads; repeat to measure several.")]
Batches = Annotated[
    list[int] | None, typer.Option("--batch", "-b", help="Samples that the device takes at once; repeat for several.")
]
Rates = Annotated[
    list[float] | None, typer.Option("--rate", "-r", help="server: queries per second; repeat for several.")
]
Bound = Annotated[
    float | None, typer.Option("--latency-bound", help="server: seconds that the percentile may take. Default: 0.01.")
]
Percentile = Annotated[
    float | None,
    typer.Option(help="Share of queries that the verdict is about. Default: 0.9 in single_stream, else 0.99."),
]
PerQuery = Annotated[int | None, typer.Option(help="multi_stream: samples in a query. Default: 8.")]
Profile = Annotated[str, typer.Option(help="Length of runs: default (10 s) or mlperf (600 s).")]
Repeats = Annotated[int, typer.Option("--repeat", help="Runs of each combination, all of them in turn.")]
Duration = Annotated[float | None, typer.Option("--duration", help="Seconds of each run. Default: by profile.")]
MinQueries = Annotated[
    int | None,
    typer.Option("--min-queries", help="Fewest queries of each run. Default: what the rules need, 100 at least."),
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of random inputs, and of server's arrivals.")]
CrossCheck = Annotated[
    bool, typer.Option("--cross-check", help="Run the same under MLPerf's LoadGen too, and show both.")
]
HistoryFile = Annotated[
    Path | None, typer.Option("--history", help="History file. Default: history.db under TPUKIT_HOME.")
]
ReferenceOf = Annotated[
    str | None,
    typer.Option(help="Published model to quote beside yours, where its file's name tells none: MobileNet v2."),
]
FindPeak = Annotated[bool, typer.Option("--find-peak", help="Search the highest rate of server that keeps its bound.")]
Tolerance = Annotated[
    float | None, typer.Option(help="With --find-peak: how close to come, as a share. Default: 0.05.")
]
