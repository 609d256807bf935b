"""What a notebook shows of a sweep."""

from IPython.display import Markdown
from pandas.io.formats.style import Styler

from tpukit import schema
from tpukit.widgets import run_table

RUN = {"run_id": "1", "model": "m", "device": "cpu", "verdict": "VALID", "n": 3, "p50_s": 0.002}
FAILED = {"model": "m", "device": "edgetpu", "verdict": "INVALID", "reasons": "nothing is plugged in"}


def test_runs_are_shown_with_the_columns_asked_for() -> None:
    shown = run_table(schema.frame([RUN], schema.RESULTS), ["device", "p50 ms"])
    assert isinstance(shown, Styler)
    assert shown.data.to_dict("records") == [{"device": "cpu", "p50 ms": "2.00"}]


def test_what_could_not_be_measured_is_a_sentence() -> None:
    shown = run_table(schema.frame([RUN, FAILED], schema.RESULTS), ["device"])
    assert isinstance(shown, Markdown)
    assert shown.data == "`edgetpu`: nothing is plugged in"
