"""What is wrong with a machine and its models, and what to do about it.

| name | what |
|---|---|
| `checkup(models)` | the CHECKS table of this machine and of some models |
| `examine(facts)` | the same of what was seen elsewhere: decides from values alone |
| `gather(models)` | what is seen of this machine, as `Facts` |
| `Facts` | all that the checks decide from, of the other values listed below |
| `OK`, `WARNING`, `TROUBLE`, `NOT_APPLICABLE` | the verdicts |
"""

from tpukit.doctor._checkup import checkup, gather
from tpukit.doctor._examine import examine
from tpukit.doctor._facts import Driver, Facts, Home, Library, Machine, ModelFacts, Python, Trial
from tpukit.doctor._finding import NOT_APPLICABLE, OK, TROUBLE, WARNING

__all__ = [
    "NOT_APPLICABLE",
    "OK",
    "TROUBLE",
    "WARNING",
    "Driver",
    "Facts",
    "Home",
    "Library",
    "Machine",
    "ModelFacts",
    "Python",
    "Trial",
    "checkup",
    "examine",
    "gather",
]
