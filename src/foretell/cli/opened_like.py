"""Targets and forecasters that commands open to be held against distributions on disk, with their vocabulary."""

from __future__ import annotations

from functools import partial

from foretell.base.progress import Progress
from foretell.cli.console import say
from foretell.distributions import Distributions
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.specs import open_forecaster
from foretell.targets.specs import OpenOptions, open_target
from foretell.targets.target import Target


def target_like(like: Distributions, spec: str) -> Target:
    """A target; one without a tokenizer of its own reads as the distributions say."""
    return open_target(spec, OpenOptions(spare_tokenizer=like.folder, say=say))


def forecaster_like(like: Distributions, spec: str, progress: Progress) -> Forecaster:
    """A forecaster for the distributions' vocabulary."""
    return open_forecaster(
        spec,
        like.vocabulary,
        open_target=partial(target_like, like),
        progress=partial(progress, "reading the corpus"),
    )
