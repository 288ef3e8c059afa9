"""Rows that others give, a function's answers or a saved table: checked one by one, then put together as a block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import DistributionError, ForetellError, VocabularyError
from foretell.distributions import Block, DenseBlock, TopKBlock, check_block
from foretell.distributions.checks import SUM_TOLERANCE


@dataclass(frozen=True)
class RowRules:
    """What a row has to be.

    Attributes:
        vocabulary: number of token ids.
        renormalise: divide rows by their sum instead of refusing those that are off.
    """

    vocabulary: int
    renormalise: bool = False


def full_row(values: Any, rules: RowRules, where: str) -> DenseBlock:
    """One position's log-probabilities of all tokens, checked: a block of one row, float32.

    Half precision, whose sums are off by up to 1%, is read as logits, as it is where distributions are stored so.

    Raises:
        DistributionError: NaN, +inf, a sum that is not 1.
        VocabularyError: another number of tokens.
    """
    logprobs = _numbers(values, where, "log-probabilities")
    if rules.renormalise and len(logprobs) == rules.vocabulary:
        logprobs = logprobs - _log_total(logprobs, where)
    _check(DenseBlock(logprobs[None]), rules, where)
    if logprobs.dtype == np.float16:
        logprobs = logprobs.astype(np.float32) - _log_total(logprobs, where)
    return DenseBlock(logprobs[None].astype(np.float32))


def listed_row(ids: Any, values: Any, rest: float | None, rules: RowRules, where: str) -> TopKBlock:
    """One position's listed tokens and the mass of all others, checked: a block of one row.

    Args:
        rest: log of the mass that is not listed; None means 1 minus the listed.

    Raises:
        DistributionError: as in `full_row`, or as many ids as log-probabilities.
        VocabularyError: an unknown token id, or one twice.
    """
    tokens, logprobs = _token_ids(ids, where), _numbers(values, where, "log-probabilities")
    if len(tokens) != len(logprobs):
        raise DistributionError(
            "columns of different length",
            where=where,
            got=f"{len(tokens)} token ids and {len(logprobs)} probabilities",
            expected="as many of one as of the other",
            fix="Give one probability a token id.",
        )
    if rest is None:
        rest = _remaining(logprobs, len(tokens) == rules.vocabulary)
    if rules.renormalise:
        total = _log_total(np.append(logprobs, rest), where)
        logprobs, rest = logprobs - total, rest - total
    _check(TopKBlock(tokens[None], logprobs[None], np.array([rest], np.float64)), rules, where)
    if logprobs.dtype == np.float16:
        total = _log_total(np.append(logprobs, rest), where)
        logprobs, rest = logprobs.astype(np.float32) - total, rest - total
    return TopKBlock(tokens[None].astype(np.int32), logprobs[None].astype(np.float32), np.array([rest], np.float32))


def log_of(probabilities: Any, where: str) -> NDArray[np.floating]:
    """Logs of probabilities.

    Raises:
        DistributionError: a negative one, or NaN.
    """
    values = _numbers(probabilities, where, "probabilities")
    bad = ~(values >= 0)
    if bad.any():
        entry = int(np.argmax(bad))
        raise DistributionError(
            "not probabilities",
            where=f"{where}, entry {entry}",
            got="NaN" if np.isnan(values[entry]) else f"a negative probability ({values[entry]:.6g})",
            expected="numbers from 0 to 1",
            fix="Give probabilities, or name the column `logprobs` if they are logarithms.",
        )
    with np.errstate(divide="ignore"):  # the log of probability zero is -inf, which is allowed
        return np.asarray(np.log(values))


def one_number(value: Any, where: str) -> float:
    """A single number, where a list would be a mistake.

    Raises:
        DistributionError: it is none.
    """
    return float(_numbers([value], where, "log-probabilities")[0])


def stack_listed(blocks: Sequence[TopKBlock]) -> TopKBlock:
    """Rows of different lengths as one block, padded with token id -1.

    >>> one = TopKBlock(np.array([[4]]), np.array([[0.0]]), np.array([-np.inf]))
    >>> two = TopKBlock(np.array([[1, 2]]), np.log([[0.5, 0.5]]), np.array([-np.inf]))
    >>> stack_listed([one, two]).token_ids.tolist()
    [[4, -1], [1, 2]]
    """
    width = max(block.token_ids.shape[1] for block in blocks)
    ids = np.full((len(blocks), width), -1, np.int32)
    logprobs = np.full((len(blocks), width), -np.inf, np.float32)
    for row, block in enumerate(blocks):
        length = block.token_ids.shape[1]
        ids[row, :length], logprobs[row, :length] = block.token_ids[0], block.logprobs[0]
    return TopKBlock(ids, logprobs, np.concatenate([block.rest_logprob for block in blocks]))


def _remaining(logprobs: NDArray[np.floating], complete: bool) -> float:
    """Log of 1 − Σ listed; -inf where the listed are everything (whether their sum is too large is checked later)."""
    total = float(np.exp(logprobs, dtype=np.float64).sum())
    if complete or not total < 1:
        return -np.inf
    return float(np.log1p(-total))


def _log_total(logprobs: NDArray[np.floating], where: str) -> float:
    """Log of the sum, for dividing by it."""
    top = float(np.max(logprobs, initial=-np.inf))
    if np.isnan(logprobs).any() or not np.isfinite(top):
        raise DistributionError(
            "cannot renormalise",
            where=where,
            got="NaN" if np.isnan(logprobs).any() else f"a largest log-probability of {top}",
            expected="finite log-probabilities, and -inf only where others are finite",
            fix="Correct this row.",
        )
    return top + float(np.log(np.exp(logprobs.astype(np.float64) - top).sum()))


def _numbers(values: Any, where: str, what: str) -> NDArray[np.floating]:
    return _one_dimension(values, where, what, lambda array: array.dtype.kind in "fiu")


def _token_ids(values: Any, where: str) -> NDArray[np.int64]:
    array = _one_dimension(values, where, "token ids", lambda array: array.dtype.kind in "iu" or not array.size)
    tokens = array.astype(np.int64)
    if (tokens < 0).any():
        raise VocabularyError(
            "unknown token id",
            where=where,
            got=str(int(tokens.min())),
            expected="ids from 0",
            fix="Use the token ids of the truth's tokenizer (its folder has a tokenizer.json).",
        )
    return tokens


def _one_dimension(values: Any, where: str, what: str, fits: Callable[[NDArray[Any]], bool]) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError:  # ragged
        array = np.asarray(None)
    if array.ndim != 1 or not fits(array):
        raise DistributionError(
            f"no list of {what}",
            where=where,
            got=f"{type(values).__name__} that reads as {array.dtype} of shape {array.shape}",
            expected=f"one flat list of {what}",
            fix="Give numbers, one a token; probability zero is -inf in log-probabilities.",
        )
    if what != "token ids" and array.dtype.name not in SUM_TOLERANCE:
        array = array.astype(np.float64)
    return array


def _check(block: Block, rules: RowRules, where: str) -> None:
    """check_block for one row, whose number the place names already."""
    try:
        check_block(block, rules.vocabulary, where)
    except ForetellError as error:
        place = error.where.replace(f"{where}, row 0", where)
        raise type(error)(
            error.what, where=place, got=error.got, expected=error.expected, fix=error.fix
        ) from error.__cause__
