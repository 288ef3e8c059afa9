"""`file:DIR`: a forecast that exists already, as a distributions folder or as rows that another team wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foretell.base.canonical import digest_file
from foretell.base.errors import DistributionError, ForetellError, InputError, VocabularyError
from foretell.base.files import MANIFEST
from foretell.distributions import Block, Distributions, TokenizedPrompt, Vocabulary
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.rows import RowRules
from foretell.forecasters.saved_rows import ROW_FILES, RowTable

_MOST_NAMED = 5


def open_saved(name: str, folder: Path, vocabulary: Vocabulary, renormalise: bool = False) -> Forecaster:
    """The forecaster of a folder: with a manifest it is distributions, else it holds rows.parquet or rows.jsonl.

    Raises:
        InputError: the folder holds neither, or both kinds of rows.
        DistributionError, VocabularyError: a row is no distribution over the vocabulary.
    """
    if (folder / MANIFEST).is_file():
        return SavedDistributions(name, folder, vocabulary)
    found = [folder / file for file in ROW_FILES if (folder / file).is_file()]
    if len(found) != 1:
        raise InputError(
            "no forecast",
            where=str(folder),
            got=" and ".join(path.name for path in found) if found else "none of these files",
            expected=f"one of {MANIFEST}, {', '.join(ROW_FILES)}",
            fix="Give a folder that `foretell forecast` wrote, or one with a single file of rows (prompt, position, "
            "logprobs or probabilities, and token_ids where not all are listed).",
        )
    return SavedRows(name, found[0], RowRules(vocabulary.size, renormalise))


class SavedDistributions:
    """A distributions folder, found again by prompt id and positions.

    Raises:
        VocabularyError: it was made for another tokenizer.
    """

    def __init__(self, name: str, folder: Path, vocabulary: Vocabulary) -> None:
        self.name = name
        self.distributions = Distributions(folder)
        own = self.distributions.vocabulary
        if (own.digest, own.size) != (vocabulary.digest, vocabulary.size):
            raise VocabularyError(
                "a forecast for another vocabulary",
                where=str(folder),
                got=f"{own.digest} with {own.size} ids",
                expected=f"{vocabulary.digest} with {vocabulary.size} ids",
                fix="Forecast again in the truth's vocabulary (--like TRUTH).",
            )
        self._index = {prompt.id: index for index, prompt in enumerate(self.distributions.prompts)}

    def describe(self) -> dict[str, Any]:
        return {
            "forecaster": "saved distributions",
            "manifest": digest_file(self.distributions.folder / MANIFEST),
            "source": self.distributions.manifest["source"],
        }

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Check that the folder has just these prompts, tokens and positions.

        Raises:
            DistributionError: something is missing, too much, or of another text.
        """
        saved = self.distributions.prompts
        where = str(self.distributions.folder)
        _compare_keys({(p.id, t) for p in saved for t in p.positions}, prompts, where)
        for prompt in prompts:
            if saved[self._index[prompt.id]].token_ids != prompt.token_ids:
                raise DistributionError(
                    "another prompt under the same id",
                    where=f"{where} (prompt {prompt.id!r})",
                    got="other tokens",
                    expected="the tokens that are asked",
                    fix="Forecast the suite again: it changed since.",
                )

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        return self.distributions.block(self._index[prompt.id])


class SavedRows:
    """Rows of another team's file, all checked when opened."""

    def __init__(self, name: str, path: Path, rules: RowRules) -> None:
        self.name, self.path, self.rules = name, path, rules
        self.table = RowTable(path, rules)

    def describe(self) -> dict[str, Any]:
        return {
            "forecaster": "saved rows",
            "rows": digest_file(self.path),
            "vocabulary": self.rules.vocabulary,
            "renormalise": self.rules.renormalise,
        }

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Check that the file has just these prompts and positions.

        Raises:
            DistributionError: a row is missing, or was not asked for.
        """
        _compare_keys(set(self.table.places), prompts, str(self.path))

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        return self.table.block([(prompt.id, position) for position in prompt.positions])


def _compare_keys(got: set[tuple[str, int]], prompts: Sequence[TokenizedPrompt], where: str) -> None:
    asked = {(prompt.id, position) for prompt in prompts for position in prompt.positions}
    for what, keys, fix in (
        ("missing positions", asked - got, "Forecast every scored position of every prompt."),
        ("positions that were not asked", got - asked, "Remove these rows; or the forecast is for another suite."),
    ):
        if keys:
            raise _key_error(what, sorted(keys), where, len(asked), fix)


def _key_error(what: str, keys: list[tuple[str, int]], where: str, asked: int, fix: str) -> ForetellError:
    named = "; ".join(f"prompt {prompt!r} position {position}" for prompt, position in keys[:_MOST_NAMED])
    more = f" and {len(keys) - _MOST_NAMED} more" if len(keys) > _MOST_NAMED else ""
    return DistributionError(
        what, where=where, got=f"{named}{more}", expected=f"just the {asked} positions that the suite scores", fix=fix
    )
