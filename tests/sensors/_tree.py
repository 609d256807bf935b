"""A sysfs of our own."""

from pathlib import Path


def write(root: Path, files: dict[str, object]) -> Path:
    """Write files below `root` as sysfs shows them: a value and a line feed."""
    for name, value in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    return root


def package(number: int, energy_uj: int, *, name: str = "", range_uj: int = 262_143_328_850) -> dict[str, object]:
    """Return the files of a RAPL package with its cores, which the package holds."""
    folder = f"class/powercap/intel-rapl:{number}"
    return {
        f"{folder}/name": name or f"package-{number}",
        f"{folder}/energy_uj": energy_uj,
        f"{folder}/max_energy_range_uj": range_uj,
        f"{folder}:0/name": "core",
        f"{folder}:0/energy_uj": energy_uj // 2,
        f"{folder}:0/max_energy_range_uj": range_uj,
    }


def monitor(number: int, **files: object) -> dict[str, object]:
    """Return the files of a chip of hwmon."""
    return {f"class/hwmon/hwmon{number}/{name}": value for name, value in files.items()}


def processor(number: int, *, package: int, count: int) -> dict[str, object]:
    """Return the files of a logical processor that counts throttling."""
    folder = f"devices/system/cpu/cpu{number}"
    return {
        f"{folder}/topology/physical_package_id": package,
        f"{folder}/thermal_throttle/package_throttle_count": count,
    }
