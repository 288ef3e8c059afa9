"""The hidden width that a truth gives away: how surely, after how many prompts, and at which precision no longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell import __version__
from foretell.base.progress import Progress, quiet
from foretell.distributions import DenseBlock, Distributions
from foretell.distributions.combining import log_normalised
from foretell.distributions.release import Noise, ReleaseRule, TopK, parse_rule
from foretell.information.layer.hidden_width import HiddenWidth, Rank, fewest_positions, rank_of_first, width_of
from foretell.information.layer.spectrum import Computed, SpectrumReader
from foretell.information.layer.truth_rows import TruthRows, truth_rows

SCHEMA = "foretell.width/1"
#: Positions that are looked at where nobody says how many: enough for widths up to 1,016.
POSITIONS = 1024
#: How the truth is released in the table of precisions, where nobody says how.
RULES = ("float16", "round:4", "round:3", "round:2", "round:1", "round:0", "topk:20")
#: Released log-probabilities are kept in so many bits once they are sketched: their own rounding is far coarser.
_COARSE = np.float32
_LISTED = "the likeliest tokens only, others at each position; rebuild them all first (foretell information rebuild)"


@dataclass(frozen=True)
class AtPrecision:
    """What is left of the rank when the truth is released by a rule.

    Attributes:
        fewest: the smallest number of positions with which the same is found.
    """

    rule: str
    found: Rank
    fewest: int | None

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {"rule": self.rule, **vars(self.found), "fewest_positions": self.fewest}


@dataclass(frozen=True)
class WidthReport:
    """All about one truth.

    Attributes:
        truth: whose distributions these are.
        kind: dense, topk or factored.
        stated: the width that a factored folder has by its format, whatever the log-probabilities say.
        repeated: contexts that came again and were passed over.
        left_out: tokens that are never possible somewhere, or never change.
        fewest_positions, fewest_prompts: the first so many give the same rank as all; None where there is none.
        prompts: of which the positions are.
    """

    truth: str
    kind: str
    width: HiddenWidth
    stated: int | None
    repeated: int
    left_out: int
    prompts: int
    fewest_positions: int | None
    fewest_prompts: int | None
    precisions: tuple[AtPrecision, ...]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        names = ("truth", "kind", "stated", "repeated", "left_out", "prompts", "fewest_positions", "fewest_prompts")
        return {
            "schema": SCHEMA,
            "made_by": f"foretell {__version__}",
            **{name: getattr(self, name) for name in names},
            "width": self.width.record(),
            "precisions": [one.record() for one in self.precisions],
            "sentences": self.sentences(),
        }

    def sentences(self) -> list[str]:
        """What was found, in words."""
        told = self.width.sentences()
        if self.fewest_positions is not None:
            told.append(
                f"The first {self.fewest_positions:,} positions give it already, those of {self.fewest_prompts:,} of "
                f"{self.prompts:,} prompts."
            )
        if self.repeated:
            told.append(f"{self.repeated:,} positions repeat a context and count once.")
        if self.left_out:
            told.append(f"{self.left_out:,} tokens were left out: impossible somewhere, or never changing.")
        if self.stated is not None:
            told.append(f"The folder says so itself: it is stored as hidden states of width {self.stated:,}.")
        return told


def measure_width(
    truth: Distributions,
    *,
    positions: int = POSITIONS,
    rules: Sequence[str] = RULES,
    computed: Computed = "float32",
    error_nats: float = 0.0,
    fewest: bool = True,
    progress: Progress = quiet,
    rng: np.random.Generator | None = None,
) -> WidthReport:
    """Read the hidden width from a truth's log-probabilities, as they are and as each rule releases them.

    Args:
        positions: different contexts, the first in the order of prompts, that are looked at, at most.
        rules: release rules (see `foretell.distributions.release`).
        computed: the arithmetic that the log-probabilities come from.
        error_nats: standard deviation of noise that was added to them.
        fewest: whether to search for the smallest numbers of positions, which takes some ten times as long; None is
            given for them otherwise.
        rng: for the rule `noise`.
    """
    parsed = [parse_rule(rule) for rule in rules]
    stated = None if truth.head is None else int(truth.head.weight.shape[1])
    if truth.kind == "topk":
        return _undetermined(truth, "the truth lists " + _LISTED, None, 0)
    given = truth_rows(truth, positions, progress)
    left_out = truth.vocabulary.size - len(given.tokens)
    if len(given) < 2 or len(given.tokens) < 2:
        few = f"{len(given)} different positions and {len(given.tokens)} tokens that are possible everywhere and change"
        return _undetermined(truth, f"{few} are too few", given, left_out)
    readers = _readers(parsed, given, computed, error_nats)
    _read(given, parsed, readers, rng or np.random.default_rng(0), progress)
    spectrum = readers[0].spectrum()
    width = width_of(spectrum)
    least = fewest_positions(spectrum, width.found.rank) if fewest and width.found.rank is not None else None
    until = None if least is None else given.prompts_until(int(spectrum.kept[least - 1]) + 1)
    del spectrum
    table: list[AtPrecision] = []
    for rule, reader in zip(parsed, readers[1:], strict=True):
        progress("singular values", len(table) + 1, len(readers))
        table.append(_at(rule, reader, fewest))
    progress("singular values", 1, 1)
    return WidthReport(
        truth.name, truth.kind, width, stated, given.repeated, left_out, len(truth.prompts), least, until, tuple(table)
    )


def _readers(
    rules: Sequence[ReleaseRule], given: TruthRows, computed: Computed, error_nats: float
) -> list[SpectrumReader]:
    """One for the truth as it is, and one a rule."""
    size, count = len(given.tokens), len(given)
    readers = [SpectrumReader(size, count, computed, error_nats)]
    for rule in rules:
        noise = float(np.hypot(error_nats, rule.sigma_nats)) if isinstance(rule, Noise) else error_nats
        readers.append(SpectrumReader(size, count, computed, noise, _COARSE))
    return readers


def _read(
    given: TruthRows,
    rules: Sequence[ReleaseRule],
    readers: Sequence[SpectrumReader],
    rng: np.random.Generator,
    progress: Progress,
) -> None:
    for rows in given.blocks(progress, "reading log-probabilities"):
        readers[0].add(rows)
        logprobs = log_normalised(rows) if rules else None
        for rule, reader in zip(rules, readers[1:], strict=True):
            if not isinstance(rule, TopK) and logprobs is not None:
                reader.add(_dense(rule, logprobs, rng))


def _dense(rule: ReleaseRule, logprobs: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.floating]:
    block = rule.release(logprobs, rng)
    assert isinstance(block, DenseBlock)
    return block.logprobs


def _at(rule: ReleaseRule, reader: SpectrumReader, fewest: bool) -> AtPrecision:
    if isinstance(rule, TopK):
        return AtPrecision(rule.spec, Rank("not determined", reason="lists " + _LISTED), None)
    spectrum = reader.spectrum()
    found = rank_of_first(spectrum, len(spectrum))
    least = fewest_positions(spectrum, found.rank) if fewest and found.rank is not None else None
    return AtPrecision(rule.spec, found, least)


def _undetermined(truth: Distributions, reason: str, given: TruthRows | None, left_out: int) -> WidthReport:
    count, repeated, tokens = (0, 0, 0) if given is None else (len(given), given.repeated, len(given.tokens))
    width = HiddenWidth(Rank("not determined", reason=reason), None, count, count, tokens, "any precision")
    stated = None if truth.head is None else int(truth.head.weight.shape[1])
    return WidthReport(truth.name, truth.kind, width, stated, repeated, left_out, len(truth.prompts), None, None, ())
