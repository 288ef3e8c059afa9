"""A text-only forecaster that looks at one token, as a table of what follows each token; no torch here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError
from foretell.distributions import Vocabulary
from foretell.forecasters.ngram import NgramForecaster
from foretell.forecasters.specs import open_forecaster


def bigram_logprobs(spec: str, vocabulary: Vocabulary) -> NDArray[np.float32]:
    """Natural-log probabilities of each next token after each token, (vocabulary, vocabulary).

    Args:
        spec: ngram:2:CORPUS or unigram:CORPUS.

    Raises:
        InputError: another forecaster, or a table over another vocabulary.
    """
    found = open_forecaster(spec, vocabulary, open_target=_no_target)
    if not isinstance(found, NgramForecaster) or found.model.order > 2:
        raise _other(spec, type(found).__name__)
    tokens = list(range(vocabulary.size))
    return np.asarray(found.model.at(tokens, tokens, np.float32))


def _no_target(spec: str) -> Any:
    raise _other(spec, "a model")


def _other(spec: str, got: str) -> InputError:
    return InputError(
        "not a table of bigrams",
        where=spec,
        got=got,
        expected="ngram:2:CORPUS or unigram:CORPUS",
        fix="Give one of these as the recipe's bigram.",
    )
