"""What a check answers."""

from dataclasses import dataclass

OK = "ok"
WARNING = "warning"
TROUBLE = "trouble"
NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found, and what to do about it; `remedy` has a step a line, and is None where nothing is to be done."""

    verdict: str
    found: str
    remedy: str | None = None


def ok(found: str) -> Finding:
    """Return that all is well."""
    return Finding(verdict=OK, found=found)


def warning(found: str, remedy: str) -> Finding:
    """Return that it works, but not as well as it could, or that it may not work."""
    return Finding(verdict=WARNING, found=found, remedy=remedy)


def trouble(found: str, remedy: str) -> Finding:
    """Return that it does not work."""
    return Finding(verdict=TROUBLE, found=found, remedy=remedy)


def not_applicable(found: str, remedy: str | None = None) -> Finding:
    """Return why there is nothing to judge; with a remedy where somebody may want that there were."""
    return Finding(verdict=NOT_APPLICABLE, found=found, remedy=remedy)
