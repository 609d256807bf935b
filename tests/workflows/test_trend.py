"""Sets of runs in a row: each is compared with the one before it."""

from pathlib import Path

import pytest

from tests.history._frames import measured, together
from tpukit import History
from tpukit.errors import UnknownNameError
from tpukit.workflows import trend

NOISE = [1.0, 1.004, 0.997, 1.002, 0.999, 1.006]


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Three nights of six runs: as before, then 10 % slower; and a fourth of another model."""
    nights = [("mon", "digits", 1.0), ("tue", "digits", 1.001), ("wed", "digits", 1.1), ("thu", "other", 1.0)]
    runs = [
        measured(
            f"{name}{turn}",
            at=60 * night + turn,
            value=0.001 * ratio * NOISE[turn],
            name=name,
            model=model,
            model_sha256=model,
        )
        for night, (name, model, ratio) in enumerate(nights)
        for turn in range(6)
    ]
    store = History(tmp_path / "history.db")
    store.append(*together(*runs))
    return store


def test_each_set_is_compared_with_the_one_before_it(history: History) -> None:
    table = trend(history, ["mon", "tue", "wed"])
    found = table[["base", "new", "verdict"]].to_records(index=False).tolist()
    assert found == [("mon", "tue", "same"), ("tue", "wed", "slower")]
    assert table["ratio"].iloc[1] == pytest.approx(1.1, rel=0.01)


def test_sets_that_cannot_be_compared_are_a_row_that_says_why(history: History) -> None:
    table = trend(history, ["tue", "wed", "thu"])
    assert table["verdict"].tolist() == ["slower", "cannot tell"]
    assert "wed and thu have no runs that can be compared" in table["reason"].iloc[1]


def test_the_margin_is_the_callers(history: History) -> None:
    assert trend(history, ["tue", "wed"], margin=0.2)["verdict"].tolist() == ["same"]


def test_one_set_has_nothing_before_it_and_an_unknown_one_is_named(history: History) -> None:
    assert trend(history, ["mon"]).empty
    with pytest.raises(UnknownNameError, match="fri"):
        trend(history, ["mon", "fri"])
