"""What exact log-probabilities give away: traces of a model that nobody declared."""

from foretell.information.inspection import Known, inspect
from foretell.information.layer_trace import TracedWidth, traced_width
from foretell.information.tracking import Tracking, cross_moments, tracking
from foretell.information.undeclared import Inspection, Suspicion

__all__ = [
    "Inspection",
    "Known",
    "Suspicion",
    "TracedWidth",
    "Tracking",
    "cross_moments",
    "inspect",
    "traced_width",
    "tracking",
]
