"""One's own runs beside published latencies."""

from typing import Any

import pandas as pd
import pytest

from tests.figures._frames import axis_titles, note, offline, result, results, title
from tpukit import figures, schema
from tpukit.errors import SchemaError

NET, OTHER = "net_224_quant_edgetpu", "other_224_quant_edgetpu"
NAN = float("nan")


def row(model: str = NET, **columns: Any) -> dict[str, Any]:
    """A PUBLISHED record of 2 ms on an Edge TPU."""
    given = {"model": model, "publisher": "Coral", "hardware": "Edge TPU", "host": "desktop", "link": "USB 3.0"}
    return given | {"harness": "C++, model alone", "latency_s": 2e-3, "source": "https://a.example"} | columns


def published(*records: dict[str, Any]) -> pd.DataFrame:
    return schema.frame(records, schema.PUBLISHED)


BOTH = (
    row(),
    row(hardware="CPU", link=None, latency_s=50e-3),
    row(publisher="pycoral", host="Pi", link=None, harness="Python", statistic="mean of 200", latency_s=4e-3),
)


def traces(fig: Any) -> dict[str, dict[str, float]]:
    """What each trace shows: milliseconds by label."""
    return {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in fig.data}


def test_a_run_stands_beside_what_was_published_of_its_model_fastest_on_top() -> None:
    fig = figures.plot_references(results(result(NET, device="edgetpu:usb", p50_s=2.6e-3)), published(*BOTH))
    assert traces(fig) == {
        "measured here": {"here: edgetpu:usb": pytest.approx(2.6)},
        "Coral (C++, model alone)": {"Edge TPU, USB 3.0, desktop": 2.0, "CPU, desktop": 50.0},
        "pycoral (Python)": {"Edge TPU, Pi": 4.0},
    }
    # Plotly draws the last category on top
    assert list(fig.layout.yaxis.categoryarray) == [
        "CPU, desktop", "Edge TPU, Pi", "here: edgetpu:usb", "Edge TPU, USB 3.0, desktop",
    ]  # fmt: skip
    assert title(fig) == (
        f"{NET} on edgetpu:usb takes 2.6 ms at p50, 1.3 times as long as the 2 ms that Coral published "
        "(Edge TPU, USB 3.0, desktop)"
    )
    assert axis_titles(fig) == {"latency of one inference (ms)"}
    lo, hi = (10**edge for edge in fig.layout.xaxis.range)
    assert lo < 2
    assert hi > 50


def test_the_note_says_what_differs() -> None:
    fig = figures.plot_references(results(result(NET, device="edgetpu")), published(*BOTH))
    assert note(fig).startswith("Measured here: p50 of whole queries, input and output copied, on edgetpu, 1 thread.")
    assert "matched by the file's name: Coral: C++, model alone; pycoral: Python, mean of 200." in note(fig)
    assert "Hosts and software differ from those here." in note(fig)
    assert "Without a bar" not in note(fig)


def test_p50_bears_its_interval_where_it_has_one() -> None:
    runs = [result(NET, run=1, threads=1, p50_s=3e-3, p50_lo_s=2.8e-3, p50_hi_s=3.5e-3)]
    runs += [result(NET, run=2, threads=2, p50_s=2e-3, p50_lo_s=NAN, p50_hi_s=NAN)]
    fig = figures.plot_references(results(*runs), published(*BOTH))
    own = fig.data[0]
    assert list(own.error_x.array) == pytest.approx([0.5, 0.0])
    assert list(own.error_x.arrayminus) == pytest.approx([0.2, 0.0])
    assert "Without a bar: too few queries for an interval." in note(fig)


@pytest.mark.parametrize(
    ("device", "compared"),
    [
        ("edgetpu", "2 ms that Coral published (Edge TPU, USB 3.0, desktop)"),
        ("edgetpu:pci:1", "2 ms that Coral published (Edge TPU, USB 3.0, desktop)"),
        ("edgetpu,performance=low", "2 ms that Coral published (Edge TPU, USB 3.0, desktop)"),
        ("pycoral:usb", "2 ms that Coral published (Edge TPU, USB 3.0, desktop)"),
        ("cpu", "50 ms that Coral published (CPU, desktop)"),
        ("tflite", "50 ms that Coral published (CPU, desktop)"),
    ],
)
def test_the_finding_compares_hardware_of_one_kind(device: str, compared: str) -> None:
    assert title(figures.plot_references(results(result(NET, device=device)), published(*BOTH))).endswith(compared)


@pytest.mark.parametrize(("device", "hardware"), [("cpu", "Edge TPU"), ("edgetpu", "CPU"), ("jax:tpu", "CPU")])
def test_without_hardware_of_the_kind_nothing_is_compared_and_all_is_drawn(device: str, hardware: str) -> None:
    fig = figures.plot_references(results(result(NET, device=device)), published(row(hardware=hardware)))
    assert title(fig) == f"Of {NET} nothing is published for hardware of the kind that was measured here"
    assert list(traces(fig)) == ["measured here", "Coral (C++, model alone)"]


def test_the_finding_is_of_the_fastest_setting_and_a_device_without_batches_counts() -> None:
    runs = [result(NET, run=1, threads=1, p50_s=6e-3, batch=None), result(NET, run=2, threads=2, p50_s=3e-3)]
    fig = figures.plot_references(results(*runs), published(row(hardware="CPU", link=None)))
    assert sorted(traces(fig)["measured here"].values()) == pytest.approx([3.0, 6.0])
    assert "takes 3 ms at p50, 1.5 times as long" in title(fig)


def test_a_latency_of_which_nobody_says_how_it_was_measured_says_so() -> None:
    bare = row(host=None, link=None, harness=None)
    fig = figures.plot_references(results(result(NET, device="edgetpu", p50_s=3e-3)), published(bare))
    assert traces(fig)["Coral"] == {"Edge TPU": 2.0}
    assert title(fig).endswith("1.5 times as long as the 2 ms that Coral published (Edge TPU)")
    assert "Coral: how is not stated." in note(fig)


def test_an_invalid_run_is_drawn_as_such_and_supports_no_finding() -> None:
    good = result(NET, run=1, device="edgetpu:usb", p50_s=3e-3)
    bad = result(NET, run=2, device="edgetpu:pci", p50_s=1e-3, verdict="INVALID")
    fig = figures.plot_references(results(good, bad), published(row()))
    invalid = next(trace for trace in fig.data if trace.name == "measured here, INVALID")
    assert invalid.marker.symbol == "circle-open"
    assert list(invalid.y) == ["here: edgetpu:pci"]
    assert "takes 3 ms at p50, 1.5 times as long" in title(fig)
    alone = figures.plot_references(results(bad), published(row()))
    assert title(alone) == "The only run is INVALID, so it supports no finding"


def test_each_of_several_models_has_a_panel_and_the_finding_its_extremes() -> None:
    runs = (result(NET, device="edgetpu", p50_s=3e-3), result(OTHER, run=1, device="edgetpu", p50_s=8e-3))
    fig = figures.plot_references(results(*runs), published(*BOTH, row(OTHER, latency_s=2e-3)))
    assert title(fig) == f"2 models take from 1.5 times as long as published ({NET}) to 4 times ({OTHER})"
    assert [each.text for each in fig.layout.annotations] == [NET, OTHER]
    assert [trace.showlegend for trace in fig.data if trace.name == "measured here"] == [True, False]
    upper, lower = ({trace.name for trace in fig.data if trace.yaxis == axis} for axis in ("y", "y2"))
    assert upper == {"measured here", "Coral (C++, model alone)", "pycoral (Python)"}
    assert lower == {"measured here", "Coral (C++, model alone)"}


def test_other_models_scenarios_and_batches_are_left_out_and_counted() -> None:
    runs = [result(NET), result("digits", run=1), result(NET, run=2, batch=8, p50_s=1e-3), offline(NET)]
    fig = figures.plot_references(results(*runs), published(*BOTH))
    assert traces(fig)["measured here"] == {"here: cpu": 1.0}
    assert "Left out: 2 results of other scenarios or batches and 1 model of which nothing is published." in note(fig)


def test_a_name_cannot_bring_markup() -> None:
    fig = figures.plot_references(results(result("<b>")), published(row("<b>", hardware="CPU", host="a<i>", link=None)))
    assert "<b>" not in title(fig)
    assert list(fig.data[1].y) == ["CPU, a&lt;i&gt;"]


def test_nothing_to_show_says_why() -> None:
    none = published(row("another"))
    assert title(figures.plot_references(results(result(NET)), none)) == (
        f"Nothing to show: nothing is published of {NET}, run with a batch of 1"
    )
    assert "there are no results" in title(figures.plot_references(results(), none))
    assert "latency is judged in single_stream" in title(figures.plot_references(results(offline(NET)), none))


def test_other_tables_are_refused() -> None:
    with pytest.raises(SchemaError, match="a PUBLISHED table needs the columns"):
        figures.plot_references(results(), results())
    with pytest.raises(SchemaError, match="a RESULTS table needs the columns"):
        figures.plot_references(published(), published())
