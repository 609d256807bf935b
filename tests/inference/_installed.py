"""Packages that look installed: their metadata, and modules that must not be imported."""

from pathlib import Path


def distribution(folder: Path, name: str, version: str, *, summary: str = "") -> None:
    """Write the metadata of a distribution into a folder of `sys.path`."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {summary}\n")


def untouchable(folder: Path, *modules: str) -> None:
    """Write modules that fail as soon as anybody imports them."""
    for module in modules:
        path = folder / module
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("raise AssertionError(f'{__name__} was imported')\n")
