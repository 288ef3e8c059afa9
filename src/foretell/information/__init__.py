"""What exact log-probabilities give away: traces of undeclared models, widths, layers, and which models remain."""

from foretell.information.survivors.family_members import Member
from foretell.information.survivors.member_losses import MemberLosses, member_losses
from foretell.information.survivors.surviving import VersionSpace
from foretell.information.survivors.version_space import Family, version_space
from foretell.information.undeclared.inspection import Known, inspect
from foretell.information.undeclared.layer_trace import TracedWidth, traced_width
from foretell.information.undeclared.tracking import Tracking, cross_moments, tracking
from foretell.information.undeclared.undeclared import Inspection, Suspicion

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
