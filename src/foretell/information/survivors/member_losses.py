"""What every member of a family loses against a target's truth: models are asked one after the other, and let go.

This file reads and writes; what is made of the losses (`version_space`) is pure. A member's losses are kept as soon as
they are known, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell import __version__
from foretell.base.canonical import digest_file, digest_value, read_json
from foretell.base.errors import InputError, VocabularyError
from foretell.base.files import MANIFEST, damaged, write_text_atomically
from foretell.base.interval import Unscored
from foretell.base.progress import Progress, quiet
from foretell.distributions import Block, Distributions, TokenizedPrompt, concatenate
from foretell.forecasters.forecaster import Forecaster
from foretell.information.survivors.family_members import Member, names_files
from foretell.information.survivors.version_space import Family, Rule
from foretell.scoring import ScoreSettings, score_positions
from foretell.scoring.losses import loss_metric
from foretell.targets import collection
from foretell.targets.target import Target
from foretell.verdicts.noise import implied_noise

Float64 = NDArray[np.float64]
#: From prompts to one block each.
Answers = Callable[[Sequence[TokenizedPrompt]], list[Block]]
#: Folder of the members' losses, a file each.
MEMBERS = "members"
#: So little of every member's answer is replaced by uniform that members near the target stay apart: the usual 1e-6
#: alone makes a model lose up to 6e-7 nats against itself.
FLOOR = 1e-12
#: Two float32 computations of one model are held to be the same within 1e-4 nats of log-probability
#: (`collection.HEAD_TOLERANCE_NATS`), which is a KL divergence of half its square.
LEAST_NOISE_NATS = collection.HEAD_TOLERANCE_NATS**2 / 2


@dataclass(frozen=True)
class MemberLosses:
    """Losses of a family on a suite.

    Attributes:
        members: beside the target, in the order of the rows.
        weights_digests: who each member is: the digest of its weights with what was done to them.
        losses: (members, prompts), capped.
        prompts: the different ones, in the truth's order.
        noise: of the truth in the metric, for each rule: of a mean, and of a single prompt.
        notes: what was left out, and why.
    """

    members: tuple[Member, ...]
    weights_digests: tuple[str, ...]
    losses: Float64
    prompts: tuple[TokenizedPrompt, ...]
    metric: str
    cap: float
    noise: dict[Rule, float]
    notes: tuple[str, ...]

    def family(self) -> Family:
        """For `version_space`."""
        return Family(
            tuple(member.name for member in self.members),
            tuple(member.kind for member in self.members),
            self.losses,
            tuple(prompt.document for prompt in self.prompts),
            np.array([prompt.weight for prompt in self.prompts]),
        )

    def record(self) -> list[dict[str, Any]]:
        """The members for JSON: who they are, and their mean loss on the suite."""
        shares = np.array([prompt.weight for prompt in self.prompts])
        means = self.losses @ shares / shares.sum()
        return [
            {"name": member.name, "kind": member.kind, "weights": weights, "mean": float(mean), "worst": float(worst)}
            for member, weights, mean, worst in zip(
                self.members, self.weights_digests, means, self.losses.max(axis=1, initial=0.0), strict=True
            )
        ]


def member_losses(
    truth: Distributions,
    members: Sequence[Member],
    folder: Path,
    open_member: Callable[[str], Target],
    *,
    metric: str = "kl_nats",
    progress: Progress = quiet,
) -> MemberLosses:
    """Each member's loss at each prompt of a truth, mean over the prompt's positions, at most the metric's cap.

    A prompt that stands twice (the same tokens, the same positions) counts once.

    Args:
        folder: members' losses are kept here and found again.
        open_member: from a member's spec to a target, opened when its turn comes.

    Raises:
        InputError: a truth that lists its top tokens only, a member twice or the target among them, a metric in which
            the truth's noise is unknown, a member that gives its top tokens only.
        VocabularyError: a member with another vocabulary than the target.
    """
    if truth.kind == "topk":
        raise _unfit(str(truth.folder), "a truth that lists its likeliest tokens only", "full distributions")
    _check_once(members)
    chosen, notes = _different(truth.prompts)
    prompts = [truth.prompts[index] for index in chosen]
    cap = loss_metric(metric).cap(truth.vocabulary.size)
    settings = ScoreSettings(FLOOR)

    def ask(answers: Answers) -> Float64:
        return prompt_losses(truth, chosen, answers, settings, metric, cap)

    place = {prompt.id: index for index, prompt in enumerate(truth.prompts)}
    noise = _noise(truth, metric, ask(lambda asked: [truth.block(place[prompt.id]) for prompt in asked]))
    rows, digests = [], []
    for number, member in enumerate(members):
        key = [digest_file(truth.folder / MANIFEST), member.spec, metric, cap, FLOOR, __version__]
        file = folder / MEMBERS / f"{digest_value(key).removeprefix('sha256:')[:_DIGITS]}.json"
        opened = None if file.is_file() and not names_files(member.spec) else _opened(truth, member, open_member)
        found = _kept(file, len(prompts), None if opened is None else opened.identity.weights)
        if found is None:
            opened = opened or _opened(truth, member, open_member)
            found = {
                "member": member.name,
                "weights": opened.identity.weights,
                "losses": ask(answers_of(opened)).tolist(),
            }
            write_text_atomically(file, json.dumps(found) + "\n")
        rows.append(found["losses"])
        digests.append(str(found["weights"]))
        progress("asking the family", number + 1, len(members))
    losses = np.array(rows, np.float64).reshape(len(members), len(prompts))
    return MemberLosses(tuple(members), tuple(digests), losses, tuple(prompts), metric, cap, noise, tuple(notes))


_DIGITS = 16


def prompt_losses(
    truth: Distributions, chosen: Sequence[int], answers: Answers, settings: ScoreSettings, metric: str, cap: float
) -> Float64:
    """The loss at each chosen prompt of a full truth, (prompts,), streamed in batches of similar length.

    Args:
        chosen: indices of the truth's prompts.
        answers: of prompts in one batch.
    """
    found = np.zeros(len(chosen))
    lengths = truth.vocabulary.token_lengths
    prompts = [truth.prompts[index] for index in chosen]
    row_bytes = 4 * truth.vocabulary.size
    for batch in collection.batches_by_length(prompts, _BATCH_TOKENS, row_bytes):
        asked = [prompts[place] for place in batch]
        known = concatenate([truth.block(chosen[place]) for place in batch])
        scored = score_positions(known, concatenate(answers(asked)), lengths, settings, where=str(truth.folder))
        starts = np.cumsum([0, *(len(prompt.positions) for prompt in asked)])[:-1]
        sizes = np.array([len(prompt.positions) for prompt in asked])
        found[batch] = np.add.reduceat(scored.hi[metric], starts) / sizes
    # Rounding may put a loss of nothing just below 0.
    return np.clip(found, 0.0, cap)


#: Tokens (padding included) of one batch.
_BATCH_TOKENS = 2048


def reference_loss(truth: Distributions, losses: MemberLosses, forecaster: Forecaster) -> float:
    """Mean loss of a forecaster on the same prompts, in the same metric, at the usual floor of a score."""
    asked = {prompt.id for prompt in losses.prompts}
    chosen = [index for index, prompt in enumerate(truth.prompts) if prompt.id in asked]
    forecaster.prepare(losses.prompts)

    def answer(prompts: Sequence[TokenizedPrompt]) -> list[Block]:
        return [forecaster.forecast(prompt) for prompt in prompts]

    found = prompt_losses(truth, chosen, answer, ScoreSettings(), losses.metric, losses.cap)
    weights = np.array([prompt.weight for prompt in losses.prompts])
    return float(weights @ found / weights.sum())


def answers_of(target: Target) -> Answers:
    """A target asked in batches that it does well with."""
    kind = target.kinds[0]
    if kind == "topk":
        raise _unfit(
            target.identity.name, "a member that gives its top tokens only", "log-probabilities of every token"
        )

    def answer(prompts: Sequence[TokenizedPrompt]) -> list[Block]:
        blocks: dict[int, Block] = {}
        for batch in collection.batches_by_length(
            prompts, target.batch_tokens, collection.row_bytes(target, kind, "float32")
        ):
            for place, block in zip(batch, collection.ask(target, [prompts[i] for i in batch], kind), strict=True):
                blocks[place] = block
        return [blocks[place] for place in range(len(prompts))]

    return answer


def _opened(truth: Distributions, member: Member, open_member: Callable[[str], Target]) -> Target:
    target = open_member(member.spec)
    mine, yours = truth.vocabulary, target.vocabulary
    if (mine.digest, mine.size) != (yours.digest, yours.size):
        raise VocabularyError(
            "a family with mixed vocabularies",
            where=f"member {member.name}",
            got=f"{yours.size} tokens of tokenizer {yours.digest[:19]}…",
            expected=f"{mine.size} tokens of tokenizer {mine.digest[:19]}…, as the target {truth.name} has",
            fix="Leave the member out: distributions over different tokens are never aligned by guess.",
        )
    if target.identity.weights == truth.manifest["source"]["weights"]:
        raise _unfit(f"member {member.name}", "the target itself", "other models; the target is counted anyway")
    return target


def _kept(file: Path, prompts: int, weights: str | None) -> dict[str, Any] | None:
    """What was kept of a member, None where nothing is, or where its weights are others by now."""
    if not file.is_file():
        return None
    try:
        found = read_json(file.read_bytes())
        losses = np.array(found["losses"], np.float64)
        whole = losses.shape == (prompts,) and bool(np.isfinite(losses).all()) and isinstance(found["weights"], str)
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(file, str(error), "a member's losses") from error
    if not whole:
        raise damaged(file, f"losses of shape {losses.shape}", f"{prompts} numbers")
    return dict(found) if weights in (None, found["weights"]) else None


def _different(prompts: Sequence[TokenizedPrompt]) -> tuple[list[int], list[str]]:
    """Indices of the prompts that ask something of their own, and a note on the others."""
    first: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
    for index, prompt in enumerate(prompts):
        first.setdefault((prompt.token_ids, prompt.positions), index)
    again = len(prompts) - len(first)
    note = f"{again} prompt{'s' if again > 1 else ''} with the tokens and positions of another counted once with it."
    return sorted(first.values()), [note] if again else []


def _noise(truth: Distributions, metric: str, own: Float64) -> dict[Rule, float]:
    """The truth's noise in the metric: measured by asking again, at least what float32 leaves open, and the floor's."""
    measured, found = truth.manifest["noise_floor"], {}
    rules: tuple[tuple[Rule, str, float], ...] = (
        ("mean", "kl_nats", float(own.mean())),
        ("every", "max_kl_nats", float(own.max())),
    )
    for rule, name, floor in rules:
        implied = implied_noise(metric, max(float(measured[name]), LEAST_NOISE_NATS))
        if isinstance(implied, Unscored):
            raise _unfit(f"--metric {metric}", implied.reason, "a metric in which the truth's noise is known")
        found[rule] = max(implied[0], floor)
    return found


def _check_once(members: Sequence[Member]) -> None:
    seen: set[str] = set()
    for member in members:
        if member.spec in seen or member.name in seen:
            raise _unfit(f"member {member.name}", "the same member again", "different ones")
        seen |= {member.spec, member.name}


def _unfit(where: str, got: str, expected: str) -> InputError:
    return InputError(
        "no family to count in",
        where=where,
        got=got,
        expected=expected,
        fix="Collect the truth with full distributions, and name each other model once with --member.",
    )
