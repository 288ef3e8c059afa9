"""Truth and forecast side by side: checked to be about the same positions, then read in chunks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from foretell.base.errors import DistributionError, VocabularyError
from foretell.distributions.block import Block, concatenate
from foretell.distributions.folder import Distributions

#: Rows read at once; with a vocabulary of 50,000 two dense blocks of these take 100 MB.
_CHUNK_ROWS = 256


@dataclass(frozen=True)
class Chunk:
    """The rows of some prompts in truth and forecast: prompt indices of the truth, and one block of each."""

    prompts: tuple[int, ...]
    truth: Block
    forecast: Block


def check_same_questions(truth: Distributions, forecast: Distributions) -> list[int]:
    """The forecast's index of each of the truth's prompts.

    Raises:
        VocabularyError: another tokenizer, vocabulary size, or other tokens for a prompt.
        DistributionError: a prompt or position is missing, or is there that was not asked.
    """
    where = f"{forecast.folder} against {truth.folder}"
    mine, yours = truth.vocabulary, forecast.vocabulary
    if (mine.digest, mine.size) != (yours.digest, yours.size):
        raise VocabularyError(
            "another vocabulary",
            where=where,
            got=f"{yours.size} tokens of tokenizer {yours.digest[:19]}…",
            expected=f"{mine.size} tokens of tokenizer {mine.digest[:19]}…",
            fix="Make the forecast with --like TRUTH; vocabularies are never aligned by guess.",
        )
    index = {prompt.id: i for i, prompt in enumerate(forecast.prompts)}
    missing = [prompt.id for prompt in truth.prompts if prompt.id not in index]
    extra = sorted(set(index) - {prompt.id for prompt in truth.prompts})
    if missing or extra:
        raise DistributionError(
            "other prompts",
            where=where,
            got=f"{len(missing)} missing (first: {missing[:1]}), {len(extra)} not asked (first: {extra[:1]})",
            expected=f"the {len(truth.prompts)} prompts of the truth",
            fix="Forecast the suite that the truth was collected on.",
        )
    for prompt in truth.prompts:
        other = forecast.prompts[index[prompt.id]]
        if prompt.token_ids != other.token_ids:
            raise VocabularyError(
                "other tokens",
                where=f"{where}, prompt {prompt.id!r}",
                got=f"{len(other.token_ids)} tokens {other.token_ids[:6]}…",
                expected=f"{len(prompt.token_ids)} tokens {prompt.token_ids[:6]}…",
                fix="The prompt's text was changed: forecast the suite that the truth was collected on.",
            )
        if prompt.positions != other.positions:
            raise DistributionError(
                "missing or unasked positions",
                where=f"{where}, prompt {prompt.id!r}",
                got=str(list(other.positions)),
                expected=str(list(prompt.positions)),
                fix="Forecast exactly the positions that the suite scores.",
            )
    return [index[prompt.id] for prompt in truth.prompts]


def paired_chunks(truth: Distributions, forecast: Distributions) -> Iterator[Chunk]:
    """Chunks of at most some hundred rows (or one prompt), in the order of the truth's shards."""
    theirs = check_same_questions(truth, forecast)
    pending: list[int] = []
    rows = 0
    for index in truth.storage_order():
        size = len(truth.prompts[index].positions)
        if pending and rows + size > _CHUNK_ROWS:
            yield _chunk(truth, forecast, pending, theirs)
            pending, rows = [], 0
        pending.append(index)
        rows += size
    if pending:
        yield _chunk(truth, forecast, pending, theirs)


def _chunk(truth: Distributions, forecast: Distributions, prompts: list[int], theirs: list[int]) -> Chunk:
    return Chunk(
        tuple(prompts),
        concatenate([truth.block(index) for index in prompts]),
        concatenate([forecast.block(theirs[index]) for index in prompts]),
    )
