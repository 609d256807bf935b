"""The file in which edgetpu_compiler says what it did."""

from pathlib import Path

from tpukit import paths
from tpukit.errors import ConfigError
from tpukit.inference._compiler_check import confirmed
from tpukit.inference._compiler_log import parse_compiler_log
from tpukit.inference._inspect import ModelInfo


def with_compiler_log(info: ModelInfo, path: str | Path) -> ModelInfo:
    """Return `info` with what edgetpu_compiler did in the place of the prediction, and a comparison of both.

    The file is the `_edgetpu.log` that the compiler writes, or what it printed; with `-s` that tells more. Of a log
    of several models that of this one is taken, by its name. Raises ConfigError for a file that cannot be read, that is
    no such log, or that is one of another model.
    """
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read compiler log {paths.printable(path)}: {paths.reason(error)}") from error
    try:
        return confirmed(info, parse_compiler_log(text))
    except ConfigError as error:
        raise ConfigError(f"compiler log {paths.printable(path)}: {error}") from error
