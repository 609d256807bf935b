"""What somebody may call a run."""

import pytest

from tests.history._frames import measured
from tpukit.errors import ConfigError, UnknownNameError
from tpukit.history import History

IDS = [f"20261123T10{at:02d}00-{at:02d}" for at in range(7)]


@pytest.fixture
def five(history: History) -> History:
    """Two unnamed runs of resnet8, then two of digits and one of resnet8 that are named before; and a run named so."""
    about = [("resnet8", None), ("resnet8", None), ("digits", "before"), ("digits", "before"), ("resnet8", "before")]
    # stored in another order than started
    for at in (3, 1, 4, 0, 2):
        model, name = about[at]
        history.append(*measured(IDS[at], at=at, model=model, name=name))
    return history


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        (IDS[2], [2]),
        ("latest", [4]),
        ("latest~0", [4]),
        ("latest~4", [0]),
        ("before", [2, 3, 4]),
        ("digits", [2, 3]),
        ("resnet8", [4]),
        (IDS[1][:13], [1]),
    ],
)
def test_runs_are_found_by_id_age_name_model_and_the_beginning_of_an_id(
    five: History, reference: str, found: list[int]
) -> None:
    assert five.find(reference) == [IDS[at] for at in found]


def test_of_a_model_without_names_the_newest_run_is_meant(five: History) -> None:
    five.append(*measured(IDS[5], at=5, model="resnet8"))
    assert five.find("resnet8") == [IDS[5]]


def test_a_name_goes_before_a_model_and_an_id_before_both(five: History) -> None:
    five.append(*measured(IDS[5], at=5, model="digits", name="resnet8"))
    assert five.find("resnet8") == [IDS[5]]
    five.append(*measured("resnet8", at=6, name=IDS[0]))
    assert five.find("resnet8") == ["resnet8"]
    assert five.find(IDS[0]) == [IDS[0]]


def test_the_beginning_of_several_ids_is_refused_with_the_newest_of_them(five: History) -> None:
    with pytest.raises(ConfigError, match=rf"^'20261123' begins the ids of 5 runs, the newest .*{IDS[4]}: write more"):
        five.find("20261123")


@pytest.mark.parametrize(
    ("reference", "offer"),
    [
        ("befor", "did you mean before?"),
        ("digit", "did you mean digits?"),
        (IDS[3][:-1] + "x", f"did you mean {IDS[3]}"),
        ("2026112", "did you mean 2026"),
        ("latest~x", "choose one of"),
    ],
)
def test_what_nothing_is_called_is_met_with_an_offer(five: History, reference: str, offer: str) -> None:
    with pytest.raises(UnknownNameError, match=f"^unknown run, name or model '{reference}': ") as caught:
        five.find(reference)
    assert offer in str(caught.value)


def test_nothing_is_older_than_the_oldest(five: History) -> None:
    with pytest.raises(ConfigError, match=r"^latest~5 is beyond the oldest run: the history holds 5$"):
        five.find("latest~5")


def test_in_an_empty_history_nothing_is_known(history: History) -> None:
    with pytest.raises(UnknownNameError, match="none is known"):
        history.find("before")
    with pytest.raises(ConfigError, match="the history holds 0"):
        history.find("latest")
