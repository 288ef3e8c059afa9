"""What exact log-probabilities give away: traces of a model that nobody declared, and which models N prompts leave."""

from foretell.information.family_members import Member
from foretell.information.inspection import Known, inspect
<<<<<<< HEAD
from foretell.information.member_losses import MemberLosses, member_losses
from foretell.information.output_width import Width, output_width
from foretell.information.surviving import VersionSpace
=======
from foretell.information.layer_trace import TracedWidth, traced_width
>>>>>>> wt-release
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
<<<<<<< HEAD
    "VersionSpace",
    "Width",
    "cross_moments",
    "inspect",
    "member_losses",
    "output_width",
=======
    "cross_moments",
    "inspect",
    "traced_width",
>>>>>>> wt-release
    "tracking",
    "version_space",
]
