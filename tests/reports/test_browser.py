"""The report in a real browser with every network request blocked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests._browser import ARGUMENTS, browser_path
from tpukit.reports import Report

pytestmark = pytest.mark.browser


@pytest.fixture
def page() -> Iterator[tuple[Page, list[str], list[str]]]:
    """A page that may fetch nothing, what it tried to fetch, and what went wrong in it."""
    wanted: list[str] = []
    errors: list[str] = []

    def refuse(route: Any) -> None:
        wanted.append(route.request.url)
        route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        opened = browser.new_page(viewport={"width": 1200, "height": 1400})
        opened.route("http*://**/*", refuse)
        opened.on("pageerror", lambda error: errors.append(str(error)))
        yield opened, wanted, errors
        browser.close()


def test_every_figure_is_drawn_without_a_request(
    report: Report, page: tuple[Page, list[str], list[str]], tmp_path: Path
) -> None:
    opened, wanted, errors = page
    opened.goto(report.html.as_uri())
    plots = opened.locator(".js-plotly-plot")
    opened.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length > 0")
    assert plots.count() == 9
    for index in range(plots.count()):
        plot = plots.nth(index)
        assert plot.locator(".main-svg").count() > 0
        assert plot.locator(".trace, .point, .box, .bars").count() > 0
        assert len((plot.locator(".gtitle").text_content() or "").split()) > 5
    assert (wanted, errors) == ([], [])


def test_tables_stay_inside_the_page(report: Report, page: tuple[Page, list[str], list[str]]) -> None:
    opened, _, _ = page
    opened.goto(report.html.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
