"""A truth and known models as the fingerprint wants them: positions drawn at random, output layers, one vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import VocabularyError
from foretell.distributions import DenseBlock, Distributions, FactoredBlock, TopKBlock, Vocabulary, rows
from foretell.distributions.combining import log_normalised
from foretell.information.fingerprint.fingerprint import Listed
from foretell.information.fingerprint.precision import Precision, precision_of

#: Positions that are drawn where nobody says how many.
POSITIONS = 4
_SEED = 0
#: Where a truth's own record says how far its numbers may be off (`foretell information rebuild`).
_MEASURED, ERROR = "measured", "error_nats"


def check_one_vocabulary(truth: Distributions, name: str, vocabulary: Vocabulary) -> None:
    """Refuse a known model that speaks of other tokens.

    Raises:
        VocabularyError: as said.
    """
    mine = truth.vocabulary
    if (mine.digest, mine.size) != (vocabulary.digest, vocabulary.size):
        raise VocabularyError(
            "another vocabulary",
            where=f"--known {name} against {truth.folder}",
            got=f"{vocabulary.size} tokens of tokenizer {vocabulary.digest[:19]}…",
            expected=f"{mine.size} tokens of tokenizer {mine.digest[:19]}…",
            fix="Give known models with the truth's own tokenizer; vocabularies are never aligned by guess.",
        )


def drawn_rows(truth: Distributions, count: int) -> list[Listed]:
    """The log-probabilities that are listed at some positions, drawn at random over prompts; all where there are fewer.

    Positions that list the same tokens come together.
    """
    places = [(index, at) for index, prompt in enumerate(truth.prompts) for at in range(len(prompt.positions))]
    chosen = np.random.default_rng(_SEED).permutation(len(places))[:count]
    by_tokens: dict[bytes, list[tuple[NDArray[np.intp], NDArray[np.floating]]]] = {}
    for place in sorted(int(one) for one in chosen):
        tokens, logprobs = _listed(truth, *places[place])
        by_tokens.setdefault(tokens.tobytes(), []).append((tokens, logprobs))
    return [Listed(group[0][0], np.stack([logprobs for _, logprobs in group])) for group in by_tokens.values()]


def _listed(truth: Distributions, index: int, at: int) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """Tokens in ascending order and their finite log-probabilities."""
    match rows(truth.block(index), at, at + 1):
        case DenseBlock(logprobs):
            own = logprobs[0]
            tokens = np.flatnonzero(np.isfinite(own))
        case FactoredBlock(hidden, head):
            own = log_normalised(head.logits(hidden))[0].astype(np.float32)  # as a dense truth would have it
            tokens = np.arange(len(own))
        case TopKBlock(ids, logprobs, _):
            listed = np.flatnonzero((ids[0] >= 0) & np.isfinite(logprobs[0]))
            order = listed[np.argsort(ids[0][listed])]
            return ids[0][order].astype(np.intp), logprobs[0][order]
    return tokens.astype(np.intp), own[tokens]


def stated_error_nats(truth: Distributions) -> float:
    """How far the truth's own record says that its log-probabilities may be off; 0 where it says nothing.

    An error that the record does not know is no error of zero: the numbers' own rounding counts in any case.
    """
    stated = truth.manifest.get(_MEASURED, {}).get(ERROR)
    return float(stated) if isinstance(stated, int | float) else 0.0


def common_precision(listed: Sequence[Listed], error_nats: float = 0.0) -> Precision:
    """The precision of all rows together: the finest, so that no number is taken for coarser than it is written."""
    found = [precision_of(row.logprobs) for row in listed]
    digits = [one.digits for one in found]
    coarse = None if None in digits else max((one for one in digits if one is not None), default=None)
    return Precision(max((one.mantissa_bits for one in found), default=0), coarse, error_nats)
