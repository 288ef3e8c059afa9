"""What exact log-probabilities give away: traces of a model that nobody declared."""

from foretell.information.inspection import Known, inspect
from foretell.information.output_width import Width, output_width
from foretell.information.tracking import Tracking, cross_moments, tracking
from foretell.information.undeclared import Inspection, Suspicion

__all__ = [
    "Inspection",
    "Known",
    "Suspicion",
    "Tracking",
    "Width",
    "cross_moments",
    "inspect",
    "output_width",
    "tracking",
]
