"""Which runs are compared with which, and what is said of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.history._frames import Frames, measured, together
from tpukit import schema
from tpukit.errors import ConfigError, IncomparableRunsError, UnknownNameError
from tpukit.history import History

NOISE = [1.0, 1.004, 0.997, 1.002, 0.999, 1.006, 0.995, 1.003]
IN_TURN_WOULD_DO = "6 runs of each side, measured in turn (base, new, new, base, …), would do"
IN_TURN, BASE_FIRST, APART = "in turn", "base first", "apart"


def minutes(at: int, order: str) -> tuple[int, int]:
    """Return when the two runs of a number begin."""
    if order == APART:
        return 2 * at, 100 + 2 * at
    return (2 * at + 1, 2 * at) if order == IN_TURN and at % 2 else (2 * at, 2 * at + 1)


def sets(ratio: float, *, runs: int = 8, order: str = IN_TURN, drift: float = 0.0, **new: Any) -> list[Frames]:
    """Return runs named before and after, the latter `ratio` times the value and with other changes, in an order.

    The machine becomes slower by `drift` each minute.
    """
    found = []
    for at in range(runs):
        base, later = minutes(at, order)
        values = [0.001 * NOISE[at] * (1 + drift * base), 0.001 * NOISE[at] * NOISE[-at] * (1 + drift * later) * ratio]
        found.append(measured(f"b{at}", at=base, value=values[0], name="before"))
        found.append(measured(f"n{at}", at=later, value=values[1], name="after", **new))
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
    """The machine slows down by 8 % meanwhile, which adds as much to a pair as it takes from the next."""
    row = compared(history, sets(ratio, drift=0.005))
    assert (row["base"], row["new"], row["model"], row["metric"]) == ("before", "after", "digits", "p50_s")
    assert (row["base_runs"], row["new_runs"], row["design"]) == (8, 8, "8 pairs measured in turn")
    assert row["verdict"] == verdict
    assert row["ratio"] == pytest.approx(ratio, rel=0.01)
    assert row["ratio_lo"] < row["ratio"] < row["ratio_hi"]
    assert row["new_value"] / row["base_value"] == pytest.approx(ratio, rel=0.05)


@pytest.mark.parametrize("order", [IN_TURN, BASE_FIRST])
@pytest.mark.parametrize("drift", [-0.03, -0.01, 0.01, 0.025, 0.05, 0.2])
def test_a_machine_that_drifts_makes_no_model_slower(history: History, order: str, drift: float) -> None:
    """The new run of each pair is a minute later in one order: by signed ranks it would be slower beyond doubt."""
    row = compared(history, sets(1.0, order=order, drift=drift))
    assert row["verdict"] in {"same", "cannot tell"}


def test_runs_of_which_the_base_is_always_first_are_no_pairs(history: History) -> None:
    row = compared(history, sets(1.015, order=BASE_FIRST))
    assert (row["design"], row["verdict"]) == ("8 and 8 runs measured apart", "cannot tell")
    assert row["reason"].endswith("6 runs of each side, measured in turn (base, new, new, base, …), would do")


@pytest.mark.parametrize(("ratio", "verdict"), [(1.08, "slower"), (0.9, "faster"), (1.0, "same")])
def test_runs_measured_apart_are_compared_as_two_sets(history: History, ratio: float, verdict: str) -> None:
    row = compared(history, sets(ratio, order=APART))
    assert (row["design"], row["verdict"]) == ("8 and 8 runs measured apart", verdict)
    assert ("what the machine changed by itself" in str(row["reason"])) == (verdict != "same")


@pytest.mark.parametrize("margin", [0.0, 0.005, 0.02])
def test_apart_a_difference_that_the_machine_may_have_made_is_none(history: History, margin: float) -> None:
    """However little somebody asks for, the machine does not change by less."""
    row = compared(history, sets(1.025, order=APART), margin=margin)
    assert (row["verdict"], row["ratio_lo"] > 1) == ("cannot tell", True)
    assert row["reason"] == (
        "the machine itself may have changed by 0.022 between sets measured apart: 6 runs of each side, measured in "
        "turn (base, new, new, base, …), would do"
    )


def test_apart_more_than_the_margin_is_asked_for_where_that_is_wide(history: History) -> None:
    row = compared(history, sets(1.08, order=APART), margin=0.1)
    assert row["verdict"] == "same"
    assert history.compare("before", "after", margin=0.076)["verdict"].item() == "cannot tell"


def test_where_nothing_changed_many_cells_are_no_more_often_different_than_one(history: History) -> None:
    """22 cells of noise alone: by their own p values two would differ, corrected by Holm none."""
    rng = np.random.default_rng(3)
    runs = [
        measured(f"{name}-{cell}-{at}", at=minutes(at, IN_TURN)[side], value=value, name=name, threads=cell + 1)
        for cell in range(22)
        for at in range(8)
        for side, (name, value) in enumerate(zip(("before", "after"), rng.lognormal(sigma=0.1, size=2), strict=True))
    ]
    history.append(*together(*runs))
    table = history.compare("before", "after", margin=0.0)
    assert (table["p"] <= 0.05).sum() == 2
    assert set(table["verdict"]) == {"cannot tell"}
    least = table.loc[table["p"].idxmin()]
    assert least["p_holm"] == pytest.approx(22 * least["p"])
    assert least["design"] == "8 pairs measured in turn, p for one of 22 cells"
    assert least["reason"] == (
        f"of 22 cells one may differ so by chance, p is {least['p_holm']:.2g} by Holm's correction: 10 runs of each "
        "side, measured in turn (base, new, new, base, …), would do"
    )


def test_cells_with_too_few_runs_to_differ_do_not_count_as_tests(history: History) -> None:
    few = [measured(f"few{name}", at=80, name=name, threads=2) for name in ("before", "after")]
    history.append(*together(*sets(1.08), *few))
    table = history.compare("before", "after")
    assert table["verdict"].tolist() == ["slower", "cannot tell"]
    assert table["p_holm"][0] == table["p"][0]
    assert pd.isna(table["p_holm"][1])


def test_a_pair_that_lost_its_partner_is_left_out(history: History) -> None:
    runs = sets(1.08)
    runs[5] = measured("n2", at=5, name="after", verdict="INVALID", value=9.0)
    row = compared(history, runs)
    # the base's runs at minutes 3 and 4 are neighbours now: one waits in vain, and a pair of the same order follows
    assert (row["base_runs"], row["new_runs"], row["design"]) == (8, 7, "6 pairs measured in turn")
    assert row["reason"] == "of 8 runs of the new side, 1 left out: INVALID"
    assert row["verdict"] == "slower"


@pytest.mark.parametrize("runs", [1, 3])
def test_a_few_runs_say_nothing_but_how_many_would_do(history: History, runs: int) -> None:
    row = compared(history, sets(1.5, runs=runs))
    assert (row["verdict"], pd.isna(row["ratio_lo"])) == ("cannot tell", True)
    assert row["ratio"] == pytest.approx(1.5, rel=0.01)
    assert row["reason"] == f"{runs} and {runs} runs allow no interval: {IN_TURN_WOULD_DO}"


def test_a_wide_interval_says_how_many_runs_would_narrow_it(history: History) -> None:
    row = compared(history, sets(1.0, runs=7))
    assert (row["design"], row["verdict"]) == ("7 pairs measured in turn", "same")
    wide = [measured(f"w{at}", at=100 + at, value=0.001 * (1 + 0.1 * (at % 3)), name="wide") for at in range(7)]
    history.append(*together(*wide))
    row = history.compare("before", "wide").iloc[0]
    assert row["verdict"] == "cannot tell"
    assert row["reason"].startswith("the interval is too wide: ")


def test_a_throughput_that_falls_is_slower(history: History) -> None:
    rates = {"metric": "throughput_per_s", "scenario": "offline"}
    runs = [
        measured(f"{name}{at}", at=minutes(at, IN_TURN)[side], value=rate * NOISE[at], name=name, **rates)
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
    new = {"governor": "powersave", "versions": '{"numpy": "2.2", "tpukit": "0.1"}', "host": "another"}
    row = compared(history, sets(1.08, **new))
    assert row["differs"] == "numpy 2.1 → 2.2; governor performance → powersave; host here → another"
    assert row["verdict"] == "slower"


def test_every_cell_has_its_row_and_what_one_side_lacks_is_named(history: History) -> None:
    more = [
        measured("t", at=50, name="before", threads=2),
        *[
            measured(
                f"{name}-o{at}", at=minutes(at, IN_TURN)[side], value=0.5 * (1 + side), name=name, device="reference"
            )
            for at in range(8)
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
    assert table[["base_runs", "new_runs"]].to_numpy().tolist() == [[8, 8], [8, 8], [1, 0], [0, 1]]
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
