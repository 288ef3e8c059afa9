"""Whether distributions answer the sealed prompts: the same tokens and positions, and a distribution at each."""

from __future__ import annotations

from typing import Any

from foretell.base.errors import ForgeryError
from foretell.distributions import Distributions, check_block
from foretell.suites import Suite
from foretell.targets.collection import tokenize


def check_questions(distributions: Distributions, suite: Suite, tokenizer: str) -> None:
    """Check that distributions are about a suite's prompts, as a tokenizer reads them, and nothing else.

    Args:
        tokenizer: digest of the charter's tokenizer.json.

    Raises:
        ForgeryError: another tokenizer, other prompts, tokens or positions, or a manifest that counts otherwise.
        DistributionError, VocabularyError: numbers that are no distribution.
    """
    where, vocabulary = distributions.folder.name, distributions.vocabulary
    if vocabulary.digest != tokenizer:
        raise _forged("distributions over another vocabulary", where, vocabulary.digest, tokenizer)
    expected = tokenize(suite, vocabulary.encode, None)
    got = list(distributions.prompts)
    if got != expected:
        wrong = next((e.id for g, e in zip(got, expected, strict=False) if g != e), f"{len(got)} prompts")
        raise _forged("distributions about other prompts or positions", where, wrong, "the sealed prompts")
    positions = sum(len(prompt.positions) for prompt in got)
    if len(distributions) != positions:
        raise _forged("a manifest that counts other positions", where, len(distributions), positions)
    for index, prompt in enumerate(got):
        block = distributions.block(index)
        if len(block) != len(prompt.positions):
            raise _forged("rows that are not there", where, f"{len(block)} of prompt {prompt.id!r}", "one a position")
        check_block(block, vocabulary.size, f"{where}, prompt {prompt.id!r}")


def _forged(what: str, where: str, got: Any, expected: Any) -> ForgeryError:
    fix = "Ask for the distributions of the prompts that were sealed."
    return ForgeryError(what, where=where, got=str(got), expected=str(expected), fix=fix)
