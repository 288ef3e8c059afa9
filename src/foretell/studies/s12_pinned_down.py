"""Study 12, pinned down (D13): do 200 distributions, within a tolerance, single out the model that gave them?

Globally: how many models of a family stay within the tolerance after N prompts. Locally: in how many directions of its
own weights the target could be moved unnoticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from foretell.distributions import Distributions
from foretell.forecasters.specs import TINY
from foretell.information.directions.direction_settings import DirectionSettings, Effort
from foretell.information.directions.local_curves import last_only, local_curves
from foretell.information.directions.local_results import LocalInformation
from foretell.information.survivors.direction_files import direction_files
from foretell.information.survivors.family_members import CHECKPOINT, DIRECTIONS, OTHER, Member, relatives
from foretell.information.survivors.member_losses import MemberLosses, member_losses, reference_loss
from foretell.information.survivors.surviving import VersionSpace
from foretell.information.survivors.tolerance_ladder import tolerance_ladder
from foretell.information.survivors.version_space import PROMPTS, Family, Rule, version_space
from foretell.studies.many_prompts import many_prompts
from foretell.studies.pinned_words import ASKED, REFERENCE, SIZE, Found, findings
from foretell.studies.study import Findings, Study
from foretell.studies.workshop import Workshop
from foretell.suites import draw
from foretell.targets.specs import OpenOptions, open_target

QUESTION = "Do 200 distributions, each within a tolerance, pin down the model that gave them?"
_ORGANISMS = ("twin", "sibling")
#: Where weights are moved: tolerances in nats, and numbers of distributions.
_TOLERANCES, _COUNTS = (0.01, 0.1, 0.5), (1, 5, 20, 50, ASKED)
_QUICK_PROMPTS, _QUICK_MEMBERS, _SEED = 24, 12, 0
#: Kinds of members that are models of their own, no altered copies of the target.
_APART = (CHECKPOINT, OTHER)


def run(workshop: Workshop) -> Findings:
    """Ask the target and every member of the family, and measure the target's Fisher information."""
    suite = many_prompts()
    if workshop.quick:
        suite = draw(suite, _QUICK_PROMPTS, _SEED)
    truth = workshop.truth(TINY, suite)
    losses = _losses(workshop, truth)
    with workshop.timed(f"what {REFERENCE} loses"):
        reference = reference_loss(truth, losses, workshop.opened(REFERENCE, truth))
    family = losses.family()
    on_average = _space(workshop, family, losses.noise["mean"], reference, "mean")
    everywhere = _space(workshop, family, losses.noise["every"], reference, "every")
    apart = _space(workshop, _only(family, _APART), losses.noise["mean"], reference, "mean")
    return findings(Found(on_average, everywhere, apart, reference, _local(workshop, truth), _nearest(losses)))


def _losses(workshop: Workshop, truth: Distributions) -> MemberLosses:
    with workshop.timed("sensitive directions"):
        folder = workshop.folder / "directions"
        files = direction_files(truth, workshop.target(TINY), folder, DIRECTIONS, progress=workshop.progress)
    members = relatives(TINY, [str(file) for file in files])
    if workshop.quick:
        members = members[:: len(members) // _QUICK_MEMBERS]
    else:
        members += [Member(kind, OTHER, f"hf:{workshop.organism(kind)}") for kind in _ORGANISMS]
    opener = partial(open_target, options=OpenOptions(spare_tokenizer=truth.folder, say=workshop.say))
    with workshop.timed("asking the family"):
        return member_losses(truth, members, workshop.folder, opener, progress=workshop.progress)


def _only(family: Family, kinds: Sequence[str]) -> Family:
    """The members of some kinds."""
    chosen = [place for place, kind in enumerate(family.kinds) if kind in kinds]
    return replace(
        family,
        names=tuple(family.names[place] for place in chosen),
        kinds=tuple(family.kinds[place] for place in chosen),
        losses=family.losses[chosen],
    )


def _space(workshop: Workshop, family: Family, noise: float, reference: float, rule: Rule) -> VersionSpace:
    count = len(family.documents)
    with workshop.timed(f"drawing prompts, {rule}, {family.size} models"):
        return version_space(
            family,
            tolerance_ladder(noise, reference),
            noise=noise,
            rng=np.random.default_rng(_SEED),
            rule=rule,
            prompts=[number for number in PROMPTS if number <= count],
            progress=workshop.progress,
        )


def _local(workshop: Workshop, truth: Distributions) -> LocalInformation:
    full = DirectionSettings(prompts=_COUNTS, tolerances=_TOLERANCES, sizes=(SIZE,))
    settings = workshop.pick(full, replace(full, prompts=_COUNTS[:2], draws=1, effort=Effort(steps=6)))
    with workshop.timed("Fisher information"):
        return local_curves(
            workshop.target(TINY),
            last_only(truth.prompts),
            settings,
            np.random.default_rng(_SEED),
            progress=workshop.progress,
        )


def _nearest(losses: MemberLosses) -> dict[str, float]:
    """The least mean loss of each kind of member."""
    found: dict[str, float] = {}
    for member in losses.record():
        found[member["kind"]] = min(member["mean"], found.get(member["kind"], float("inf")))
    return found


STUDY = Study(
    number=12,
    name="pinned-down",
    question=QUESTION,
    claims=("D13",),
    limits=(
        "One target of a million weights; the family is what its makers thought of. A model that nobody thought of, "
        "near on every prompt and built otherwise, is not counted.",
        "The target is asked at the last position of short passages of source code; other prompts single out others.",
        "The local answer holds near the target: how far is measured for each figure, and what does not hold is left "
        "out. It counts directions, and does not say which of them matter.",
        "Tolerances here are exact statements about known truths; a forecasting team meets them only as far as bounds "
        "over a finite number of prompts let a verdict say so.",
    ),
    minutes=25,
    run=run,
)
