"""Where Chromium is, and how tests start it."""

import os
import shutil
from pathlib import Path

from playwright.sync_api import Page

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: A folder for pictures of pages on which a test failed; without it none is kept.
SHOTS = "TPUKIT_TEST_SCREENSHOTS"


def browser_path() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert found, f"none of {BROWSERS} is installed"
    return found


def keep_picture(page: Page, name: str) -> None:
    if folder := os.environ.get(SHOTS):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")
