"""Which runs are compared with which, and what is said of them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from tests.history._frames import Frames, measured, together
from tpukit import schema
from tpukit.errors import ConfigError, IncomparableRunsError, UnknownNameError
from tpukit.history import History

NOISE = [1.0, 1.004, 0.997, 1.002, 0.999, 1.006, 0.995, 1.003]
IN_TURN, APART = 1, 100


def sets(ratio: float, *, runs: int = 8, order: int = IN_TURN, **new: Any) -> list[Frames]:
    """Return runs named before and after, the latter `ratio` times the value and with other changes, in an order."""
    found = []
    for at in range(runs):
        base, drift = 0.001 * NOISE[at], 1 + 0.05 * at * (order == IN_TURN)
        found.append(measured(f"b{at}", at=2 * at, value=base * drift, name="before"))
        later = 2 * at + 1 if order == IN_TURN else order + at
        found.append(measured(f"n{at}", at=later, value=base * drift * ratio * NOISE[-at], name="after", **new))
    return found


def compared(history: History, runs: Sequence[Frames], **options: float) -> dict[str, Any]:
    """Store runs, and return the only row of their comparison."""
    history.append(*together(*runs))
    table = schema.check(history.compare("before", "after", **options), schema.COMPARISON)
    (row,) = table.to_dict("records")
    return row


@pytest.mark.parametrize(
    ("ratio", "verdict"), [(1.08, "slower"), (0.93, "faster"), (1.0, "same"), (1.004, "same"), (1.017, "cannot tell")]
)
def test_runs_measured_in_turn_are_compared_in_pairs(history: History, ratio: float, verdict: str) -> None:
    """The machine slows down by a third meanwhile, which two sets would not get over."""
    row = compared(history, sets(ratio))
    assert (row["base"], row["new"], row["model"], row["metric"]) == ("before", "after", "digits", "p50_s")
    assert (row["base_runs"], row["new_runs"], row["design"]) == (8, 8, "8 pairs measured in turn")
    assert row["verdict"] == verdict
    assert row["ratio"] == pytest.approx(ratio, rel=0.005)
    assert row["ratio_lo"] < row["ratio"] < row["ratio_hi"]
    assert row["new_value"] / row["base_value"] == pytest.approx(ratio, rel=0.2)


@pytest.mark.parametrize(("ratio", "verdict"), [(1.08, "slower"), (0.9, "faster"), (1.0, "same")])
def test_runs_measured_apart_are_compared_as_two_sets(history: History, ratio: float, verdict: str) -> None:
    row = compared(history, sets(ratio, order=APART))
    assert (row["design"], row["verdict"]) == ("8 and 8 runs measured apart", verdict)
    assert ("what the machine changed by itself" in str(row["reason"])) == (verdict != "same")


def test_apart_a_difference_that_the_machine_may_have_made_is_none(history: History) -> None:
    row = compared(history, sets(1.025, order=APART))
    assert (row["verdict"], row["ratio_lo"] > 1) == ("cannot tell", True)
    assert row["reason"] == (
        "the machine itself may have changed by 0.02 between sets measured apart: 6 runs of each side, measured in "
        "turn, would do"
    )
    assert history.compare("before", "after", margin=0.01)["verdict"].item() == "slower"


def test_a_pair_that_lost_its_partner_is_left_out(history: History) -> None:
    runs = sets(1.08)
    runs[5] = measured("n2", at=5, name="after", verdict="INVALID", value=9.0)
    row = compared(history, runs)
    assert (row["base_runs"], row["new_runs"], row["design"]) == (8, 7, "7 pairs measured in turn")
    assert row["reason"] == "of 8 runs of the new side, 1 left out: INVALID"
    assert row["verdict"] == "slower"


@pytest.mark.parametrize("runs", [1, 3])
def test_a_few_runs_say_nothing_but_how_many_would_do(history: History, runs: int) -> None:
    row = compared(history, sets(1.5, runs=runs))
    assert (row["verdict"], pd.isna(row["ratio_lo"])) == ("cannot tell", True)
    assert row["ratio"] == pytest.approx(1.5, rel=0.01)
    assert row["reason"] == f"{runs} and {runs} runs allow no interval: 6 runs of each side, measured in turn, would do"


def test_a_wide_interval_says_how_many_runs_would_narrow_it(history: History) -> None:
    row = compared(history, [*sets(1.0, runs=7), measured("n7", at=14, value=0.002, name="after")])
    assert row["verdict"] == "same"
    assert row["design"] == "7 pairs measured in turn"
    wide = [measured(f"w{at}", at=100 + at, value=0.001 * (1 + 0.1 * (at % 3)), name="wide") for at in range(7)]
    history.append(*together(*wide))
    row = history.compare("before", "wide").iloc[0]
    assert row["verdict"] == "cannot tell"
    assert row["reason"].startswith("the interval is too wide: ")


def test_a_throughput_that_falls_is_slower(history: History) -> None:
    rates = {"metric": "throughput_per_s", "scenario": "offline"}
    runs = [
        measured(f"{name}{at}", at=2 * at + side, value=rate * NOISE[at], name=name, **rates)
        for at in range(8)
        for side, (name, rate) in enumerate((("before", 1000.0), ("after", 900.0)))
    ]
    row = compared(history, runs)
    assert (row["verdict"], row["ratio"]) == ("slower", pytest.approx(10 / 9))
    assert (row["base_value"], row["new_value"]) == (pytest.approx(1000.0, rel=0.01), pytest.approx(900.0, rel=0.01))


@pytest.mark.parametrize(
    ("field", "base", "new", "said"),
    [
        ("model_sha256", "ab" * 32, "cd" * 32, "abababababab… of digits, cdcdcdcdcdcd… of digits"),
        ("device", "cpu", "reference", "cpu, reference"),
        ("scenario", "single_stream", "multi_stream", "single_stream, multi_stream"),
        ("threads", 1, 2, "1, 2"),
        ("batch", 1, 8, "1, 8"),
        ("samples_per_query", 1, 4, "1, 4"),
        ("rate_hz", 100.0, 200.0, "100.0, 200.0"),
        ("latency_bound_s", 0.01, 0.02, "0.01, 0.02"),
        ("percentile", 0.9, 0.99, "0.9, 0.99"),
        ("data", "digits_test", "random", "digits_test, random"),
        ("host", "here", "there", "here, there"),
        ("cpu", "one", "two", "one, two"),
    ],
)
def test_what_keeps_runs_apart_is_named(history: History, field: str, base: object, new: object, said: str) -> None:
    runs = [measured("a", name="before", **{field: base}), measured("b", name="after", **{field: new})]
    history.append(*together(*runs))
    with pytest.raises(IncomparableRunsError) as caught:
        history.compare("before", "after")
    assert str(caught.value) == (
        f"before and after have no runs that can be compared: the nearest differ in {field} ({said}); measure both "
        "alike"
    )


def test_the_nearest_of_several_is_named(history: History) -> None:
    far, near = {"threads": 2, "device": "reference"}, {"threads": 2}
    runs = [measured("a", name="before"), measured("b", name="after", **far), measured("c", name="after", **near)]
    history.append(*together(*runs))
    with pytest.raises(IncomparableRunsError, match=r"the nearest differ in threads \(1, 2\); measure both alike$"):
        history.compare("before", "after")


def test_a_column_that_an_older_version_did_not_have_keeps_nothing_apart(history: History) -> None:
    row = compared(history, sets(1.0, samples_per_query=None, percentile=0.9))
    assert (row["verdict"], row["base_runs"], row["new_runs"]) == ("same", 8, 8)


def test_what_else_differs_is_told(history: History) -> None:
    new = {"governor": "powersave", "versions": '{"numpy": "2.2", "tpukit": "0.1"}', "runtime": "LiteRT 2.1"}
    row = compared(history, sets(1.08, **new))
    assert row["differs"] == "numpy 2.1 → 2.2; governor performance → powersave"
    assert row["verdict"] == "slower"


def test_every_cell_has_its_row_and_what_one_side_lacks_is_named(history: History) -> None:
    more = [
        measured("t", at=50, name="before", threads=2),
        *[
            measured(f"{name}-o{at}", at=60 + 2 * at + side, value=0.5 * (1 + side), name=name, device="reference")
            for at in range(6)
            for side, name in enumerate(("before", "after"))
        ],
        measured("m", at=90, name="after", model="resnet8", model_sha256="ef" * 32),
    ]
    history.append(*together(*sets(1.0), *more))
    table = history.compare("before", "after")
    assert [tuple(row) for row in table[["model", "device", "threads", "verdict"]].to_numpy().tolist()] == [
        ("digits", "cpu", 1, "same"),
        ("digits", "reference", 1, "slower"),
        ("digits", "cpu", 2, "cannot tell"),
        ("resnet8", "cpu", 1, "cannot tell"),
    ]
    assert table[["base_runs", "new_runs"]].to_numpy().tolist() == [[8, 8], [6, 6], [1, 0], [0, 1]]
    assert table["reason"][2] == "only before has it; the other side's nearest differs in threads (2, 1)"
    assert table["reason"][3].startswith("only after has it; the other side's nearest differs in model_sha256 (efef")


def test_runs_of_which_none_counts_are_no_comparison(history: History) -> None:
    runs = [measured("a", name="before"), measured("b", name="after", verdict="INVALID")]
    history.append(*together(*runs))
    with pytest.raises(
        IncomparableRunsError,
        match=r"^before and after cannot be compared: of 1 runs of the new side, 1 left out: INVALID$",
    ):
        history.compare("before", "after")


def test_a_run_without_the_metric_does_not_count(history: History) -> None:
    row = compared(history, [*sets(1.0), measured("x", at=90, name="after", p50_s=None)])
    assert row["reason"] == "of 9 runs of the new side, 1 left out: without p50_s"


def test_a_run_is_not_compared_with_itself(history: History) -> None:
    history.append(*together(measured("a", name="before"), measured("b", at=1, name="before")))
    with pytest.raises(ConfigError, match=r"^before and latest are both run b: name runs that are on one side only$"):
        history.compare("before", "latest")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"margin": -0.1}, "margin is -0.1"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"level": 1.0}, "level is 1.0"),
        ({"level": 0.0}, "level is 0.0"),
    ],
)
def test_a_limit_that_is_none_is_refused(history: History, options: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigError, match=f"^{says}: expected a share"):
        history.compare("before", "after", **options)


def test_an_unknown_side_is_an_unknown_name(history: History) -> None:
    history.append(*measured("a", name="before"))
    with pytest.raises(UnknownNameError, match="unknown run, name or model 'after'"):
        history.compare("before", "after")
