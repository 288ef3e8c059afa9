"""Is this a distribution? The checks that every block passes before it is written."""

from __future__ import annotations

import numpy as np

from foretell.base.errors import DistributionError, VocabularyError
from foretell.distributions.block import Block, DenseBlock, FactoredBlock, TopKBlock

#: How far probabilities may sum from 1, by the precision that they come in.
SUM_TOLERANCE = {"float64": 1e-6, "float32": 1e-5, "float16": 1e-2}


def check_block(block: Block, vocabulary: int, where: str) -> None:
    """Raise unless every row is a distribution over the vocabulary.

    Args:
        where: what the rows are, for the message (a file and row, a prompt).

    Raises:
        DistributionError: NaN, +inf, a positive log-probability, or a sum that is not 1.
        VocabularyError: another vocabulary size, an unknown token id or one that is listed twice.
    """
    match block:
        case DenseBlock(logprobs):
            _check_width(logprobs.shape[1], vocabulary, where)
            _check_numbers(logprobs, where)
            _check_sums(np.exp(logprobs, dtype=np.float64).sum(axis=1), logprobs.dtype, where)
        case TopKBlock(ids, logprobs, rest):
            _check_ids(ids, vocabulary, where)
            listed = np.where(ids >= 0, logprobs, -np.inf)
            _check_numbers(np.column_stack([listed, rest]), where)
            total = np.exp(listed, dtype=np.float64).sum(axis=1) + np.exp(rest, dtype=np.float64)
            _check_sums(total, logprobs.dtype, where)
            _check_rest(ids, rest, vocabulary, where)
        case FactoredBlock(hidden, head):
            _check_width(head.weight.shape[0], vocabulary, where)
            if not np.isfinite(hidden).all():
                raise DistributionError(
                    "bad hidden states",
                    where=where,
                    got="NaN or infinity",
                    expected="finite numbers",
                    fix="The model's own output is broken here: try float32, or leave this prompt out of the suite.",
                )


def _check_width(got: int, vocabulary: int, where: str) -> None:
    if got != vocabulary:
        raise VocabularyError(
            "another vocabulary",
            where=where,
            got=f"{got} probabilities a position",
            expected=f"{vocabulary}",
            fix="Forecast in the truth's vocabulary (--like TRUTH); vocabularies are never aligned by guess.",
        )


def _check_numbers(logprobs: np.ndarray, where: str) -> None:
    for name, bad, limit in (
        ("NaN", np.isnan(logprobs), "numbers"),
        ("+inf", np.isposinf(logprobs), "finite log-probabilities, or -inf for probability zero"),
        ("a probability above 1", logprobs > SUM_TOLERANCE[_precision(logprobs.dtype)], "log-probabilities up to 0"),
    ):
        if bad.any():
            row, column = (int(index) for index in np.argwhere(bad)[0])
            raise DistributionError(
                "not log-probabilities",
                where=f"{where}, row {row}, entry {column}",
                got=f"{name} ({logprobs[row, column]})",
                expected=limit,
                fix="Give natural-log probabilities that are normalised (a log_softmax of logits).",
            )


def _check_sums(sums: np.ndarray, dtype: np.dtype, where: str) -> None:
    tolerance = SUM_TOLERANCE[_precision(dtype)]
    off = np.abs(sums - 1) > tolerance
    if off.any():
        row = int(np.argmax(off))
        raise DistributionError(
            "not a distribution",
            where=f"{where}, row {row}",
            got=f"probabilities that sum to {sums[row]:.6g}",
            expected=f"1 ± {tolerance:g}",
            fix="Save log-probabilities in float64, or pass --renormalise (the report will say so).",
        )


def _check_ids(ids: np.ndarray, vocabulary: int, where: str) -> None:
    unknown = (ids >= vocabulary) | (ids < -1)
    if unknown.any():
        row, column = (int(index) for index in np.argwhere(unknown)[0])
        raise VocabularyError(
            "unknown token id",
            where=f"{where}, row {row}",
            got=str(ids[row, column]),
            expected=f"ids from 0 to {vocabulary - 1}",
            fix="Use the token ids of the truth's tokenizer (its folder has a tokenizer.json).",
        )
    for row, listed in enumerate(ids):
        present = listed[listed >= 0]
        if len(np.unique(present)) < len(present):
            raise VocabularyError(
                "a token id twice",
                where=f"{where}, row {row}",
                got=f"{sorted(int(i) for i in present)[:12]}",
                expected="each token once",
                fix="Add the probabilities of the doubled token together.",
            )


def _check_rest(ids: np.ndarray, rest: np.ndarray, vocabulary: int, where: str) -> None:
    full = ((ids >= 0).sum(axis=1) == vocabulary) & (rest > np.log(SUM_TOLERANCE["float32"]))
    if full.any():
        raise DistributionError(
            "mass for no token",
            where=f"{where}, row {int(np.argmax(full))}",
            got="every token listed, and a rest",
            expected="a rest of -inf where all tokens are listed",
            fix="Give the rest's mass to tokens.",
        )


def _precision(dtype: np.dtype) -> str:
    return dtype.name if dtype.name in SUM_TOLERANCE else "float64"
