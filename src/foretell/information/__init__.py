"""What exact log-probabilities give away: traces of undeclared models, widths, layers, and which models remain."""

from foretell.information.family_members import Member
from foretell.information.inspection import Known, inspect
from foretell.information.layer_trace import TracedWidth, traced_width
from foretell.information.member_losses import MemberLosses, member_losses
from foretell.information.surviving import VersionSpace
from foretell.information.tracking import Tracking, cross_moments, tracking
from foretell.information.undeclared import Inspection, Suspicion
from foretell.information.version_space import Family, version_space

__all__ = [
    "Family",
    "Inspection",
    "Known",
    "Member",
    "MemberLosses",
    "Suspicion",
    "TracedWidth",
    "Tracking",
    "VersionSpace",
    "cross_moments",
    "inspect",
    "member_losses",
    "traced_width",
    "tracking",
    "version_space",
]
