"""Every result table of tpukit."""

from tpukit.schema._frame import Column, Table


def _text(name: str, doc: str) -> Column:
    return Column(name=name, dtype="str", doc=doc)


def _count(name: str, doc: str) -> Column:
    return Column(name=name, dtype="Int64", doc=doc)


def _number(name: str, doc: str, unit: str = "") -> Column:
    return Column(name=name, dtype="float64", doc=doc, unit=unit)


_RUN_ID = _text("run_id", "the run; sorts by time of start")
_SETTINGS = (
    _text("model", "the model's name"),
    _text("device", "the device it ran on"),
    _text("scenario", "how queries arrive: single_stream, multi_stream, server or offline"),
    _count("threads", "threads of the device's runtime; 1 with JAX, which shares out all cores of the process itself"),
    _count("batch", "samples that the device takes at once"),
    _count("samples_per_query", "samples in a query"),
    _number("rate_hz", "queries that arrive per second on average; missing where the device sets the pace", "Hz"),
)

RUNS = Table(
    name="RUNS",
    row="one run: what was measured, with what, on which machine",
    columns=(
        _RUN_ID,
        _text("name", "what the user calls it, alike for runs that repeat each other; missing without"),
        Column(name="started", dtype="datetime64[us, UTC]", doc="when the run began", unit="UTC"),
        Column(name="steady_started", dtype="datetime64[us, UTC]", doc="when its steady state began", unit="UTC"),
        *_SETTINGS,
        _number("percentile", "the share of queries that the verdict is about, as 0.99; missing in offline"),
        _number("latency_bound_s", "the latency that this share must not exceed; missing outside server", "s"),
        _number("duration_s", "the steady state asked for", "s"),
        _count("min_queries", "the fewest queries asked for"),
        _count("seed", "seed of the random inputs, and of the arrivals in server"),
        _text("data", "where the inputs come from: a data set's name, or random"),
        _text("model_sha256", "the model's identity"),
        _count("model_size_bytes", "size of the model's file"),
        _text("inputs", "JSON: name, shape, dtype and quantisation of each input"),
        _text("outputs", "JSON: the same of each output"),
        _text("runtime", "what executed the model, with its version"),
        _count("ops", "operators that the runtime was given; missing where it does not tell"),
        _count("ops_on_device", "those of them that the device ran, and not the processor beside it"),
        _text("host", "the machine's name"),
        _text("cpu", "the processor's model"),
        _count("cores", "logical processors that this process may use"),
        _count("memory_bytes", "memory of the machine"),
        _text("governor", "the processor's frequency governor; missing where the system shows none"),
        _number("load_average_1m", "load average over the minute before the run"),
        _text("os", "operating system and release"),
        _text("versions", "JSON: version of Python, tpukit and the libraries that matter"),
        _text("git_revision", "revision of the working folder's repository, with + where it has changes"),
    ),
)

SAMPLES = Table(
    name="SAMPLES",
    row="one query; times count from the run's first query",
    columns=(
        Column(name="run_id", dtype="category", doc="the run"),
        _number("scheduled_s", "when it was due; in a closed loop that is when it was issued", "s"),
        _number("start_s", "when it was issued", "s"),
        _number("end_s", "when its outputs were there", "s"),
        _number("latency_s", "end_s - scheduled_s", "s"),
        Column(name="status", dtype="category", doc="ok, error, or unserved: due, but the run ended before"),
        Column(name="error", dtype="category", doc="what went wrong; missing where nothing did"),
    ),
)


def _quantile(name: str) -> tuple[Column, ...]:
    return (
        _number(f"{name}_s", f"nearest-rank {name} of latency; missing in offline", "s"),
        _number(
            f"{name}_lo_s",
            "its 95 % interval within this run, by ranks, from; missing where n is too small",
            "s",
        ),
        _number(f"{name}_hi_s", "the same, to", "s"),
    )


RESULTS = Table(
    name="RESULTS",
    row="one measured cell: the summary of one run's samples",
    columns=(
        _RUN_ID,
        *_SETTINGS,
        _text("verdict", "VALID or INVALID"),
        _text("reasons", "why it is INVALID, and why a number is missing"),
        _text("warnings", "why its numbers may be unstable, or are not the device's alone; the run stays VALID"),
        _number("load_s", "building the session from the model in memory", "s"),
        _number("compile_s", "the part of it that compiled for the device; missing where nothing is compiled", "s"),
        _number("first_s", "the first inference", "s"),
        _number("warmup_s", "warming up, the first inference not counted", "s"),
        _count("warmup_queries", "queries of the warm-up"),
        _count("n", "queries of the steady state that ended well"),
        _number("steady_s", "the steady state, from the first query's start to the last one's end", "s"),
        _number("min_s", "the shortest latency", "s"),
        *_quantile("p50"),
        *_quantile("p90"),
        *_quantile("p99"),
        _number("max_s", "the longest latency", "s"),
        _number("percentile", "the share of queries that the verdict is about, as 0.99; missing in offline"),
        _number("percentile_s", "latency at that percentile, by LoadGen's rank", "s"),
        _number("early_stopping_s", "LoadGen's conservative estimate of it; missing where n is too small", "s"),
        _number("latency_bound_s", "the latency that this share must not exceed; missing outside server", "s"),
        _count(
            "over_bound",
            "queries above that bound, unserved ones included, those never issued not; missing outside server",
        ),
        _number("throughput_per_s", "samples per second of the steady state", "1/s"),
        _number("drift", "relative change of latency over the run; missing where a rank test sees no trend"),
        _number("accuracy", "share of the data set's labels that were met; missing without data"),
        _number("accuracy_lo", "its Wilson 95 % interval, from"),
        _number("accuracy_hi", "the same, to"),
        _count("accuracy_n", "labels compared"),
        _text("energy_source", "what measured energy, or why nothing did"),
        _number("energy_j", "energy of the steady state, as measured", "J"),
        _number("idle_power_w", "power of the same source before the run, at rest", "W"),
        _number("net_energy_j", "energy_j less what the steady state's time takes at rest", "J"),
        _text("temperature_source", "the sensor, or why there is none"),
        _number("temperature_before_c", "temperature before the run", "°C"),
        _number("temperature_after_c", "temperature after it", "°C"),
        _number("temperature_max_c", "the highest one seen between queries, before and after included", "°C"),
        _count("throttled", "times that the processor throttled for heat in the run; missing where nothing counts"),
        _text("metric", "the column that the scenario is judged by: p50_s, percentile_s or throughput_per_s"),
        _text("baseline", "what the metric is compared with, or why with nothing"),
        _number("baseline_value", "the baseline's metric, from the same sweep"),
        _number("baseline_lo", "its 95 % interval, from; missing for a throughput"),
        _number("baseline_hi", "the same, to"),
        _number("speedup", "how many times better than the baseline"),
        _text("limit", "what bounds the metric, or why no limit is known"),
        _number("limit_value", "the metric that nothing can beat under that limit"),
        _number("fraction_of_peak", "share of what that limit allows, in server of throughput; 1 where it is reached"),
    ),
)

OPS = Table(
    name="OPS",
    row="one operator of a model, in order of execution",
    columns=(
        _text("model", "the model's name"),
        _count("op", "place in the order of execution"),
        _text("type", "the operator's name in the TFLite schema"),
        _text("shape", "shape of its first output"),
        _text("dtype", "type of its first output"),
        _count("macs", "multiply-accumulates; 0 for operators that do none, missing where unknown"),
        _count("parameters", "constants it reads, in elements"),
        _count("parameter_bytes", "the same, in bytes"),
        _count("activation_bytes", "bytes it reads and writes that are not constants"),
        _count("moved_bytes", "bytes it reads and writes, constants among them"),
        _number("intensity", "operations per byte moved, two for each multiply-accumulate; missing where unknown"),
        Column(
            name="mapped",
            dtype="boolean",
            doc="whether an Edge TPU is predicted, or by the compiler known, to run it; missing where that is unknown",
        ),
        _text("reason", "why that is predicted to stay on the processor; missing where it is mapped"),
        _number("time_s", "its time on the processor, from LiteRT's profiler; missing where it was not measured", "s"),
    ),
)

COMPILED = Table(
    name="COMPILED",
    row="one type of operator of a model: how many the Edge TPU's compiler mapped, beside the prediction",
    columns=(
        _text("model", "the model's name"),
        _text("type", "the operator's name in the TFLite schema; CUSTOM for all of that kind"),
        _count("ops", "operators of this type"),
        _count("predicted", "those of them that were predicted to be mapped"),
        _count("compiled", "those that the compiler mapped; missing where its log does not tell"),
        _text("status", "what the compiler says of the others, with their number"),
    ),
)

LEAST_TIMES = Table(
    name="LEAST_TIMES",
    row="one piece of hardware: the least time that one inference of a model takes on it",
    columns=(
        _text("hardware", "what it is"),
        _number("least_s", "time of one inference that nothing on it can beat; missing where there is none", "s"),
        _text("limit", "what sets that time, or why none is given"),
    ),
)

DEVICES = Table(
    name="DEVICES",
    row="one device that tpukit knows",
    columns=(
        _text("device", "the name to give as device"),
        Column(name="usable", dtype="bool", doc="whether it can run a model here"),
        _text("runtime", "what executes the model, with its version"),
        _text("about", "what it is"),
        _text("reason", "why it is not usable; missing where it is"),
    ),
)

SUITE = Table(
    name="SUITE",
    row="one thing that tpukit claims of itself, measured beside its baseline and its limit",
    columns=(
        _text("cell", "the cell of the suite that measured it"),
        _text("what", "what was measured"),
        _number("value", "the measured value"),
        _text("unit", "its unit"),
        _text("baseline", "what a sceptic would compare with, from the same run"),
        _number("baseline_value", "the baseline's value, in the same unit"),
        _text("limit", "what nothing can beat"),
        _number("limit_value", "the limit's value, in the same unit"),
        _number("goal", "the value to reach"),
        _text("better", "lower or higher: on which side of the goal it holds"),
        _text("verdict", "holds, does not hold, not measured, or failed"),
        _text("note", "how it was measured, or why it was not"),
    ),
)

FRONTIER = Table(
    name="FRONTIER",
    row="one setting of a sweep: what it serves, and how late",
    columns=(
        *_SETTINGS,
        _number("latency_bound_s", "the latency that the verdict held the runs against; missing outside server", "s"),
        _count("runs", "VALID runs, which the numbers are of"),
        _number("throughput_per_s", "median over them of samples per second", "1/s"),
        _number("p99_s", "median over them of the nearest-rank p99 of a query's latency", "s"),
        _number("p99_lo_s", "the least p99 of several runs; of one run, where its 95 % interval begins", "s"),
        _number("p99_hi_s", "the largest p99 of several runs; of one run, where its 95 % interval ends", "s"),
        Column(
            name="on_frontier",
            dtype="bool",
            doc="whether no setting of its model, device and loop beats it: as much, as soon, and more or sooner",
        ),
        _number("offline_per_s", "best VALID offline throughput of its model and device; missing without one", "1/s"),
        _text("reasons", "why runs do not count or a number is missing"),
    ),
)

PEAKS = Table(
    name="PEAKS",
    row="one search for the highest rate of server that keeps its bound",
    columns=(
        *(column for column in _SETTINGS if column.name in ("model", "device", "threads", "batch")),
        _number("latency_bound_s", "the latency that the percentile must not exceed", "s"),
        _number("percentile", "the share of queries that the bound is about, as 0.99"),
        _number("tolerance", "how far apart, relative to rate_hz, the two rates may be"),
        _number("rate_hz", "highest rate with a VALID run below too_high_hz; missing without one", "Hz"),
        _number("too_high_hz", "lowest rate that was too high; missing where none was seen", "Hz"),
        _number("capacity_hz", "queries per second of single_stream; missing where it was not measured", "Hz"),
        _count("runs", "runs of the search, single_stream included"),
        _text("reason", "why the search ended before both rates were close enough; missing where they are"),
    ),
)

CROSS_CHECK = Table(
    name="CROSS_CHECK",
    row="one run by one harness: tpukit's, and the same by MLPerf's LoadGen",
    columns=(
        _RUN_ID,
        *_SETTINGS,
        _text("harness", "what issued, timed and judged the queries: tpukit, or LoadGen with its version"),
        _text("verdict", "VALID or INVALID"),
        _text("reasons", "why it is INVALID"),
        _count("n", "queries that ended; LoadGen's offline is one query"),
        _number("p50_s", "median latency of the queries; missing in offline", "s"),
        _number("p90_s", "the same at 0.9", "s"),
        _number("p99_s", "the same at 0.99", "s"),
        _number("early_stopping_s", "conservative estimate of the judged percentile; missing where n is small", "s"),
        _number("throughput_per_s", "samples per second; missing where LoadGen gives none", "1/s"),
        _number("alone_per_s", "the same without LoadGen's own time between queries, where it gives that", "1/s"),
    ),
)

COMPARISON = Table(
    name="COMPARISON",
    row="one cell of two sets of runs: whether it became slower",
    columns=(
        _text("base", "the runs compared with, as they were called"),
        _text("new", "the runs compared, as they were called"),
        *_SETTINGS,
        _text("metric", "the column of RESULTS that the scenario is judged by; missing where no run counts"),
        _count("base_runs", "VALID runs of the base"),
        _count("new_runs", "the same of the new side"),
        _number("base_value", "median of the metric over the base's runs, in its unit"),
        _number("new_value", "the same over the new runs"),
        _number("ratio", "how many times as long the new runs take for a query or a sample: above 1 is slower"),
        _number("ratio_lo", "its interval, from; missing where so few runs allow none"),
        _number("ratio_hi", "the same, to"),
        _number("p", "two-sided p value of the rank test for a ratio of 1"),
        _number(
            "p_holm", "the same, corrected by Holm for the number of cells; missing where so few runs tell nothing"
        ),
        _text(
            "design", "which runs were compared with which: in pairs measured in turn, or as two sets measured apart"
        ),
        _text("verdict", "faster, slower, same or cannot tell"),
        _text("differs", "what else differs between the sides, which may be the cause"),
        _text("reason", "why it cannot be told, which runs do not count, what speaks against the verdict"),
    ),
)

ACCELERATORS = Table(
    name="ACCELERATORS",
    row="one type of arithmetic of one accelerator: what its maker states of one chip",
    columns=(
        _text("hardware", "what it is, for people"),
        _text("kinds", "what a runtime calls it, several apart by |"),
        _text("dtype", "the type of the arithmetic"),
        _number("ops_per_s", "operations of that type, two for each multiply-accumulate", "1/s"),
        _number("bytes_per_s", "bytes read and written, of its memory or of the link to its host", "1/s"),
        _count("resident_bytes", "constants that stay on the chip from run to run, in bytes"),
        _count("memory_bytes", "its memory; missing where models stay on the chip"),
        _text("source", "who states it, and where"),
    ),
)

EDGE_TPUS = Table(
    name="EDGE_TPUS",
    row="one Edge TPU that is plugged in, as the kernel shows it",
    columns=(
        _text("kind", "how it is connected: usb or pci"),
        _text("path", "what libedgetpu calls it"),
        _text("usb_id", "vendor and product, which change once its firmware is loaded; missing on PCI"),
        _number("link_bits_per_s", "speed of the USB link; missing on PCI", "1/s"),
        _text("node", "the file that a process opens to use it; missing where the kernel has no driver for it"),
        Column(name="openable", dtype="bool", doc="whether this process may open that file"),
        _text("held_by", "processes that have it open, as number:program; missing where none is seen"),
        _number("temperature_c", "its temperature; missing on USB, which does not tell", "°C"),
        _text("driver", "version of the kernel's driver; missing on USB, which needs none"),
        _text("status", "what that driver says of it; missing on USB"),
        _text("note", "what keeps this process from using it, or makes it slow, and what to do"),
    ),
)

REFERENCES = Table(
    name="REFERENCES",
    row="one published latency: what somebody measured of a model, with what and on which machine",
    columns=(
        _text("architecture", "the model, as its publisher calls it"),
        _text("stem", "a file's name without its marks of quantisation; missing where no name is surely of this model"),
        _count("resolution_px", "side of the square input, in pixels; missing where it is not stated"),
        _text("dtype", "type of the arithmetic; missing where it is not stated"),
        _text("publisher", "who published it: Coral's page, or Google's pycoral"),
        _text("hardware", "what executed the model: Edge TPU or CPU"),
        _text("host", "the machine, as far as it is stated; missing where it is not"),
        _text("link", "how an Edge TPU hangs on its host; missing where it is not stated, and of a CPU"),
        _text("harness", "what timed it, and what it timed; missing where it is not stated"),
        _text("statistic", "what the value is over how many inferences; missing where it is not stated"),
        _number("latency_s", "one inference", "s"),
        _text("source", "where it is published"),
        _text("retrieved", "the day on which its text was read"),
        _text("note", "what is not certain; missing where nothing is known to be"),
    ),
)

PUBLISHED = Table(
    name="PUBLISHED",
    row="one published latency of a model that was measured here",
    columns=(_text("model", "the model's name in RESULTS"), *REFERENCES.columns),
)

CHECKS = Table(
    name="CHECKS",
    row="one thing that the doctor looked at",
    columns=(
        _text("part", "what it belongs to: Edge TPU, runtimes, this machine or models"),
        _text("check", "what was looked at"),
        _text("subject", "which Edge TPU or model; missing where there is one thing to look at"),
        _text("verdict", "ok, warning (numbers or compatibility suffer), trouble (it does not work) or not applicable"),
        _text("found", "what is there"),
        _text("remedy", "what to do about it, a step a line; missing where nothing is to be done"),
    ),
)
