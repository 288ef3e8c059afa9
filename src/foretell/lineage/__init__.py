"""Who helped: systems and what they are made of, and which of them may help to forecast a model. Pure: no files here.

`system.py` says what a system is, `registry.py` holds them, `strictness.py` compares two tests, `approval.py` decides,
and `standing.py` is what a judged attempt says to others.
"""

from foretell.lineage.approval import Approval, Help, World, fallen, objections, rests_on, why_not
from foretell.lineage.registry import Registry, Step
from foretell.lineage.standing import Standing
from foretell.lineage.strictness import Strictness, shortfalls
from foretell.lineage.system import Compute, Kind, System

__all__ = [
    "Approval",
    "Compute",
    "Help",
    "Kind",
    "Registry",
    "Standing",
    "Step",
    "Strictness",
    "System",
    "World",
    "fallen",
    "objections",
    "rests_on",
    "shortfalls",
    "why_not",
]
