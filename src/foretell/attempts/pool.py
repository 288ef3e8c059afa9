"""A pool's commitment: a card for every prompt, and one root that a charter can name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from foretell.base.errors import SuiteError
from foretell.ledger import SecretKey, salt_of
from foretell.suites import Prompt, Suite
from foretell.verifier.prompts import Cards, Opening


@dataclass(frozen=True)
class PoolCommitment:
    """A pool as its evaluator sees it: the public cards, and an opening for each.

    Attributes:
        root: what a charter commits to, hex.
    """

    root: str
    prompts: int
    slices: dict[str, int]
    cards: Cards
    openings: tuple[Opening, ...]


def commit_pool(suite: Suite, secret: SecretKey) -> PoolCommitment:
    """Commit to a pool with salts that follow from the evaluator's key, so that nothing else has to be kept.

    Raises:
        SuiteError: two prompts have the same text.
    """
    texts = Counter(prompt.text for prompt in suite)
    if twice := [prompt.id for prompt in suite if texts[prompt.text] > 1]:
        raise SuiteError(
            "the same text twice in a pool",
            where=suite.name,
            got=f"prompts {twice[0]!r} and {twice[1]!r}",
            expected="different texts: none may be asked twice",
            fix="Remove one of them.",
        )
    salts = secret.derive(f"foretell pool {suite.digest}")
    openings = tuple(Opening(index, salt_of(salts, index).hex(), _plain(prompt)) for index, prompt in enumerate(suite))
    cards = Cards(suite.name, tuple(p.slice for p in suite), tuple(opening.commitment for opening in openings))
    return PoolCommitment(cards.root, len(suite), suite.slices, cards, openings)


def _plain(prompt: Prompt) -> Prompt:
    """The prompt as its record reads back: its document named."""
    return Prompt(prompt.id, prompt.text, prompt.slice, prompt.weight, prompt.cluster, prompt.scored)
