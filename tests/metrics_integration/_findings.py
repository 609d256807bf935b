"""A finding, written by hand."""

from tpukit.metrics_integration import Finding


def finding(**changes: object) -> Finding:
    return Finding(**({"what": "w", "value": 1.0, "unit": "s", "goal": 2.0, "note": ""} | changes))
