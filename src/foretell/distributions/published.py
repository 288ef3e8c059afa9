"""A released truth on disk: an ordinary distributions folder whose manifest says by which rule it was altered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from foretell.base.canonical import digest_file
from foretell.base.errors import InputError
from foretell.base.files import MANIFEST
from foretell.base.progress import Progress, quiet
from foretell.distributions.block import concatenate
from foretell.distributions.folder import Distributions, DistributionWriter, TokenizedPrompt
from foretell.distributions.release import Exact, Float16, ReleaseRule, released

#: A shard holds at most so many log-probabilities: 128 MiB in float32.
_SHARD_CELLS = 2**25


def publish(
    truth: Distributions,
    rule: ReleaseRule,
    out: Path,
    *,
    noise_floor: Mapping[str, Any],
    measured: Mapping[str, Any],
    rng: np.random.Generator,
    progress: Progress = quiet,
) -> Distributions:
    """Write what a rule releases of a truth; stopped at any moment, the same call goes on.

    The target's name says that the truth was altered, so that every table and page made from it does. Numbers are
    stored as the rule gives them, and read as logits.

    Args:
        noise_floor: of the released truth, with what the rule distorts.
        measured: what the release costs, for the manifest.
        rng: for noise; whoever can guess its seed can take the noise off again.

    Raises:
        InputError: the rule alters nothing, or is not for this truth; the folder holds something else.
    """
    check_alters(truth, rule, out)
    source = truth.manifest["source"]
    facts = {
        "role": "truth",
        "source": source | {"name": f"{source['name']} released by {rule.spec}"},
        "suite": truth.manifest["suite"],
        "dtype": "float16" if isinstance(rule, Float16) else "float32",
        "release": {
            "rule": rule.spec,
            "meaning": rule.meaning(),
            "normalised": rule.normalised,
            "of": digest_file(truth.folder / MANIFEST),
        },
    }
    plan = _plan(truth.prompts, truth.vocabulary.size)
    writer = DistributionWriter(out, truth.prompts, plan, truth.vocabulary, facts)
    if writer.finished:
        return Distributions(out)
    for shard, indices in enumerate(plan):
        if not writer.has(shard):
            try:
                block = concatenate([released(rule, truth.block(index), rng) for index in indices])
            except InputError:
                writer.discard()
                raise
            writer.write(shard, block)
        progress(f"releasing by {rule.spec}", shard + 1, len(plan))
    writer.finish(noise_floor=dict(noise_floor), measured=dict(measured))
    return Distributions(out)


def check_alters(truth: Distributions, rule: ReleaseRule, out: Path) -> None:
    """Refuse a rule that would publish the truth as it is under another name.

    Raises:
        InputError: as said.
    """
    if isinstance(rule, Exact):
        raise InputError(
            "nothing to alter",
            where="release rule exact",
            got=f"--out {out}",
            expected="a rule that alters the truth",
            fix=f"Publish {truth.folder} itself.",
        )


def _plan(prompts: Sequence[TokenizedPrompt], vocabulary: int) -> list[list[int]]:
    """Prompts in their order, in shards of bounded size."""
    plan: list[list[int]] = []
    cells = 0
    for index, prompt in enumerate(prompts):
        own = len(prompt.positions) * vocabulary
        if not plan or cells + own > _SHARD_CELLS:
            plan.append([])
            cells = 0
        plan[-1].append(index)
        cells += own
    return plan
