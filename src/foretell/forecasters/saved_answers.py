"""One forecaster's saved answers to several suites, such as practice and judged prompts, as a forecaster again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foretell.base.canonical import digest_file
from foretell.base.errors import DistributionError, InputError, VocabularyError
from foretell.base.files import MANIFEST
from foretell.distributions import Block, Distributions, TokenizedPrompt, Vocabulary

_MOST_NAMED = 5


class SavedAnswers:
    """Distributions folders of one forecaster, each prompt found by its id; prompts that nobody asks for may be there.

    Args:
        folders: at least one; no prompt is in two.
        vocabulary: that of the questions.

    Raises:
        InputError: folders of different forecasters, or a prompt in two of them.
        VocabularyError: made for another tokenizer.
    """

    def __init__(self, folders: Sequence[Path], vocabulary: Vocabulary) -> None:
        self.parts = [Distributions(folder) for folder in folders]
        self.name = self.parts[0].name
        self._places: dict[str, tuple[Distributions, int]] = {}
        for part in self.parts:
            own = part.vocabulary
            if (own.digest, own.size) != (vocabulary.digest, vocabulary.size):
                raise VocabularyError(
                    "a forecast for another vocabulary",
                    where=str(part.folder),
                    got=f"{own.digest} with {own.size} ids",
                    expected=f"{vocabulary.digest} with {vocabulary.size} ids",
                    fix="Forecast again in the truth's vocabulary (--like TRUTH); vocabularies are never aligned by "
                    "guess.",
                )
            for index, prompt in enumerate(part.prompts):
                if part.name != self.name or prompt.id in self._places:
                    twice = f"prompt {prompt.id!r} again" if part.name == self.name else f"a forecast by {part.name}"
                    raise InputError(
                        "folders that are not one forecast",
                        where=str(part.folder),
                        got=twice,
                        expected=f"other prompts, by {self.name}",
                        fix="Give each forecaster's folders once.",
                    )
                self._places[prompt.id] = (part, index)

    def describe(self) -> dict[str, Any]:
        # Not which suites: a forecaster that was saved for practice and judgement is one.
        return {
            "forecaster": "saved distributions",
            "manifests": [digest_file(part.folder / MANIFEST) for part in self.parts],
            "source": self.parts[0].manifest["source"],
        }

    def missing(self, prompts: Sequence[TokenizedPrompt]) -> list[str]:
        """Ids of the prompts that were not answered.

        Raises:
            DistributionError: a prompt was answered with other tokens or at other positions.
        """
        for prompt in prompts:
            if prompt.id not in self._places:
                continue
            part, index = self._places[prompt.id]
            saved = part.prompts[index]
            if (saved.token_ids, saved.positions) != (prompt.token_ids, prompt.positions):
                raise DistributionError(
                    "another prompt under the same id",
                    where=f"{part.folder} (prompt {prompt.id!r})",
                    got=f"{len(saved.token_ids)} tokens, positions {list(saved.positions)}",
                    expected=f"the {len(prompt.token_ids)} tokens asked, positions {list(prompt.positions)}",
                    fix="Forecast the suite again: it changed since.",
                )
        return [prompt.id for prompt in prompts if prompt.id not in self._places]

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Check that every prompt was answered.

        Raises:
            DistributionError: as `missing`, or some are missing.
        """
        absent = self.missing(prompts)
        if absent:
            raise DistributionError(
                "missing prompts",
                where=", ".join(str(part.folder) for part in self.parts),
                got=f"no answer to {len(absent)} of {len(prompts)} prompts: {', '.join(absent[:_MOST_NAMED])}"
                + (" …" if len(absent) > _MOST_NAMED else ""),
                expected="an answer to every prompt that is asked",
                fix="Forecast the whole suite.",
            )

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        part, index = self._places[prompt.id]
        return part.block(index)
