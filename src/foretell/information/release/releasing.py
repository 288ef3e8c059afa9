"""Read a truth and a panel of forecasts prompt by prompt, and measure what each release rule leaks and costs."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError
from foretell.base.interval import Unscored
from foretell.base.progress import Progress, quiet
from foretell.distributions import Block, Distributions, TokenizedPrompt, TopKBlock, rows
from foretell.distributions.release import Exact, ReleaseRule, TopK, full_logprobs
from foretell.information.layer.hidden_width import Rank
from foretell.information.layer.width_report import measure_width
from foretell.information.release.channel import Bits, Channel
from foretell.information.release.release_error import LEVEL, changes, score_error, smallest_judgeable
from foretell.information.release.release_layer import recovered_bits
from foretell.information.release.release_sample import MOST_POSITIONS, Sample
from foretell.information.release.release_table import ITSELF, Release, Releases, told
from foretell.information.undeclared.inspection import Known
from foretell.scoring import ScoreSettings, divergences
from foretell.scoring.partial import PartialTruth, kl_interval
from foretell.scoring.positions import to_dense
from foretell.scoring.summary import Losses, weighted_mean
from foretell.verdicts.named_models import named_models

Float64 = NDArray[np.float64]
#: ε of the forecast that is scored, as in a score by default.
FLOOR = ScoreSettings().floor
#: Probabilities that are held at once of each forecast, in float64: 8 MiB.
_CELLS = 2**20
_SEED = 0


@dataclass
class _Taken:
    """What is kept of one rule, a number a prompt: each forecast's losses, and the distortion where all is released.

    Attributes:
        lo, hi: (prompts, forecasts).
    """

    rule: ReleaseRule
    rng: np.random.Generator
    lo: list[Float64] = field(default_factory=list)
    hi: list[Float64] = field(default_factory=list)
    distortion: list[float] = field(default_factory=list)
    largest: float = 0.0

    @classmethod
    def of(cls, rule: ReleaseRule) -> _Taken:
        """With a seed of the rule's own: its noise is the same whatever other rules are measured."""
        return cls(rule, np.random.default_rng([_SEED, zlib.crc32(rule.spec.encode())]))


def measure_releases(
    truth: Distributions,
    rules: Sequence[ReleaseRule],
    panel: Sequence[Known],
    *,
    positions: int = MOST_POSITIONS,
    notes: Sequence[str] = (),
    progress: Progress = quiet,
) -> Releases:
    """Measure each rule on a truth: bits, score errors of the panel and of the target itself, judgeable tolerances.

    Args:
        panel: forecasts whose scores are compared; those that are models are a family to tell the target from.
        positions: that bits are measured on at most.

    Raises:
        InputError: no rule, or one twice; a truth that lists its likeliest tokens only; a list longer than the
            vocabulary.
    """
    check_rules(truth, rules)
    for known in panel:
        known.prepare(truth.prompts)
    sample = Sample.of(truth, positions, np.random.default_rng(_SEED))
    taken, exact = [_Taken.of(rule) for rule in rules], []
    order = truth.storage_order()
    for done, index in enumerate(order):
        exact.append(_read_prompt(truth, index, panel, taken, sample))
        progress("releasing by each rule", done + 1, len(order))
    prompts = [truth.prompts[index] for index in order]
    whole, ranks = _ranks(truth, rules, positions, progress)
    measured = _Measured(truth, prompts, panel, np.array(exact), sample, sample.channel(), whole, ranks)
    made = []
    for place, one in enumerate(taken):
        made.append(measured.release(one))
        progress("counting what changes", place + 1, len(taken))
    return Releases(
        truth.name,
        len(prompts),
        len({prompt.document for prompt in prompts}),
        len(truth),
        truth.vocabulary.size,
        measured.noise,
        len(sample.documents),
        tuple(made),
        tuple(notes),
    )


def check_rules(truth: Distributions, rules: Sequence[ReleaseRule]) -> None:
    """Refuse rules that cannot be compared on a truth, before anything is worked out.

    Raises:
        InputError: see `measure_releases`.
    """
    specs = [rule.spec for rule in rules]
    if not specs or len(set(specs)) < len(specs):
        raise InputError(
            "nothing to compare",
            where="--rule",
            got="a rule twice" if specs else "no rule",
            expected="different release rules",
            fix="Name each rule once: --rule round:2 --rule topk:20.",
        )
    if "noise_floor" not in truth.manifest:
        raise InputError(
            "not a truth",
            where=str(truth.folder),
            got=f"a {truth.manifest.get('role', 'folder')} without a noise floor",
            expected="a folder written by `foretell collect`",
            fix="Name the truth with --truth, forecasts with --forecast.",
        )
    if truth.kind == "topk":
        raise InputError(
            "a truth that was cut already",
            where=str(truth.folder),
            got="its likeliest tokens only",
            expected="a truth with every probability, to compare what is released with",
            fix="Collect the truth again from a target that tells every probability.",
        )
    for rule in rules:
        if isinstance(rule, TopK):
            rule.check(truth.vocabulary.size)


def _ranks(
    truth: Distributions, rules: Sequence[ReleaseRule], positions: int, progress: Progress
) -> tuple[Rank, dict[str, Rank]]:
    """The rank of the exact log-probabilities, and what each rule leaves of it."""
    altering = [rule.spec for rule in rules if not isinstance(rule, Exact)]
    report = measure_width(truth, positions=positions, rules=altering, fewest=False, progress=progress)
    ranks = {one.rule: one.found for one in report.precisions}
    # Where too little of the truth itself is there to look at, no rule is looked at.
    return report.width.found, {rule.spec: ranks.get(rule.spec, report.width.found) for rule in rules}


def _read_prompt(
    truth: Distributions, index: int, panel: Sequence[Known], taken: Sequence[_Taken], sample: Sample
) -> Float64:
    """Release one prompt by each rule and score everything; returns the exact losses, (1 + forecasts,)."""
    prompt, vocabulary = truth.prompts[index], truth.vocabulary.size
    block = truth.block(index)
    forecasts = [block, *(one.answers(prompt) for one in panel)]
    exact = np.zeros(len(forecasts))
    lo, hi = np.zeros((len(taken), len(forecasts))), np.zeros((len(taken), len(forecasts)))
    distortion = np.zeros(len(taken))
    step = max(1, _CELLS // vocabulary)
    for start in range(0, len(block), step):
        part = rows(block, start, start + step)
        logs = full_logprobs(part, "exact")
        sample.add(index, prompt.document, logs, start)
        log_q = np.stack([_scored(rows(one, start, start + step), vocabulary) for one in forecasts])
        exact += _full_sums(logs, log_q)
        for place, one in enumerate(taken):
            out = part if isinstance(one.rule, Exact) else one.rule.release(logs, one.rng)
            if isinstance(out, TopKBlock):
                low, high = _list_sums(out, log_q)
            else:
                read = full_logprobs(out, "exact")
                low = high = _full_sums(read, log_q)
                apart = divergences.kl_nats(logs, read)
                distortion[place] += apart.sum()
                one.largest = max(one.largest, float(apart.max()))
            lo[place] += low
            hi[place] += high
    for place, one in enumerate(taken):
        one.lo.append(lo[place] / len(block))
        one.hi.append(hi[place] / len(block))
        one.distortion.append(float(distortion[place] / len(block)))
    return exact / len(block)


def _scored(forecast: Block, vocabulary: int) -> Float64:
    """Log-probabilities of what is scored of a forecast: with the score's floor."""
    return divergences.floored(divergences.normalised(to_dense(forecast, vocabulary).logprobs), FLOOR)


def _full_sums(logs: Float64, log_q: Float64) -> Float64:
    """The sum over positions of Σ p (log p − log q) for each forecast, (forecasts,).

    Args:
        logs: log p, (positions, vocabulary); log_q: finite, (forecasts, positions, vocabulary).
    """
    p = np.exp(logs)
    own = float((p * np.where(p > 0, logs, 0.0)).sum())
    return np.asarray(own - np.einsum("rv,frv->f", p, log_q))


def _list_sums(truth: TopKBlock, log_q: Float64) -> tuple[Float64, Float64]:
    """Lower and upper ends of the same sum where the truth is a list, as the score has them."""
    lo, hi = np.zeros(len(log_q)), np.zeros(len(log_q))
    for row in range(len(truth)):
        ids, p = truth.token_ids[row], np.exp(truth.logprobs[row].astype(np.float64))
        rest = 0.0 if np.isneginf(truth.rest_logprob[row]) else max(0.0, 1.0 - float(p.sum()))
        for place in range(len(log_q)):
            q = np.exp(log_q[place, row])
            found = kl_interval(PartialTruth(p, q[ids], np.delete(q, ids), rest), f"released row {row}")
            lo[place] += found.lo
            hi[place] += found.hi
    return lo, hi


@dataclass(frozen=True)
class _Measured:
    """A truth that was read, with the exact losses (prompts, 1 + forecasts) of the target itself and of the panel."""

    truth: Distributions
    prompts: Sequence[TokenizedPrompt]
    panel: Sequence[Known]
    exact: Float64
    sample: Sample
    channel: Channel
    whole_rank: Rank
    ranks: Mapping[str, Rank]

    @property
    def noise(self) -> float:
        """The truth's own noise floor, in nats."""
        return float(self.truth.manifest["noise_floor"]["kl_nats"])

    @property
    def _most(self) -> float:
        """The cap of a loss, as in a verdict by default."""
        return float(np.log(self.truth.vocabulary.size))

    def release(self, one: _Taken) -> Release:
        """Everything about one rule."""
        lo, hi = np.array(one.lo), np.array(one.hi)
        names = [ITSELF, *(known.name for known in self.panel)]
        before = [self._losses(self.exact[:, place], self.exact[:, place]) for place in range(len(names))]
        after = [self._losses(lo[:, place], hi[:, place]) for place in range(len(names))]
        errors = tuple(score_error(*three) for three in zip(names, before, after, strict=True))
        models = [place for place, known in enumerate(self.panel, 1) if named_models(dict(known.source))]
        weights = np.array([prompt.weight for prompt in self.prompts])
        return Release(
            one.rule.spec,
            one.rule.meaning(),
            one.rule.normalised,
            Unscored("a list says nothing of most tokens")
            if isinstance(one.rule, TopK)
            else (weighted_mean(np.array(one.distortion), weights), one.largest),
            errors,
            changes(before, after, self.noise),
            smallest_judgeable(errors, self.noise),
            self.sample.state_bits(one.rule, self.channel, one.rng),
            self._layer_bits(one.rule),
            recovered_bits(
                self.sample.rows, one.rule, self.truth.head, self.whole_rank, zlib.crc32(one.rule.spec.encode())
            ),
            self.sample.size_bits(one.rule),
            told(hi[:, 0], lo[:, models].T, self.noise, LEVEL),
            self.ranks[one.rule.spec],
            self._most,
        )

    def _layer_bits(self, rule: ReleaseRule) -> Bits:
        if isinstance(rule, TopK):
            reason = Unscored("a list shows other tokens at each position; no closed form is known")
            return Bits(reason, reason)
        return self.channel.layer_bits(self.sample.noise_variance(rule))

    def _losses(self, lo: Float64, hi: Float64) -> Losses:
        keys = [(prompt.id, prompt.slice, prompt.document, prompt.weight) for prompt in self.prompts]
        return Losses.of(keys, lo, hi, self._most)
