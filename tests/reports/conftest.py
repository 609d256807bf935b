"""One small report, rendered once for all tests that look at it."""

import pytest

from tpukit.reports import Report, render_report

PARAMETERS = {
    "models": ["digits_cnn_int8", "autoencoder_int8"],
    "threads": [1, 2],
    "duration_s": 0.1,
}


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("report")
    return render_report("benchmark", PARAMETERS | {"history_path": str(folder / "h.db")}, folder / "out")
