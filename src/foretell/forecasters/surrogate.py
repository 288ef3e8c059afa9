"""`model:TARGET`: another model as forecaster; the reader's own small model, say, for somebody's large one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foretell.base.errors import ContextError, VocabularyError
from foretell.distributions import Block, TokenizedPrompt, Vocabulary
from foretell.targets.composite import part_records
from foretell.targets.target import Target


class SurrogateForecaster:
    """A target's own next-token distributions, as a forecast of another target's.

    Args:
        name: the spec, such as 'model:tiny@768'.
        target: opened by the caller; it has to read text with the same tokenizer.
        kind: what to ask the target for, as in `Target.distributions`: 'dense', 'factored' (small on disk, where the
            target has a head) or 'topk' (servers); what the target gives best where None.

    Raises:
        VocabularyError: the tokenizers differ, or the number of token ids.
    """

    def __init__(self, name: str, target: Target, vocabulary: Vocabulary, kind: str | None = None) -> None:
        own = target.vocabulary
        if (own.digest, own.size) != (vocabulary.digest, vocabulary.size):
            raise VocabularyError(
                "a model with another vocabulary",
                where=name,
                got=f"{own.digest} with {own.size} ids",
                expected=f"{vocabulary.digest} with {vocabulary.size} ids",
                fix="Choose a model with the target's own tokenizer; vocabularies are never aligned by guess.",
            )
        self.name, self.target, self.kind = name, target, kind or target.kinds[0]

    def describe(self) -> dict[str, Any]:
        parts = part_records(self.target)
        model = self.target.identity.record() | ({"parts": parts} if parts else {})
        return {"forecaster": "model", "model": model, "kind": self.kind}

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Check that the model can read every prompt.

        Raises:
            ContextError: one is too long for it.
        """
        for prompt in prompts:
            if len(prompt.token_ids) > self.target.context:
                raise ContextError(
                    "a prompt longer than the model can read",
                    where=f"{self.name} (prompt {prompt.id!r})",
                    got=f"{len(prompt.token_ids)} tokens",
                    expected=f"at most {self.target.context}",
                    fix="Shorten the prompt, or forecast with a model of a longer context.",
                )

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        return self.target.distributions([prompt.token_ids], [prompt.positions], self.kind)[0]
