"""The charter: what an evaluator promises to ask, to measure and to conclude, before anybody has seen a prompt.

A charter is a TOML file. The SHA-256 of its exact bytes names it, so it cannot be changed afterwards, not even in a
comment. `charter_text.py` writes one; everything else only reads it.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import PrivateAttr

from foretell.base.canonical import digest_bytes
from foretell.base.toml_models import Form, read_bytes, read_toml, validated
from foretell.scoring import ScoreSettings
from foretell.verdicts.charter_parts import Terms
from foretell.verdicts.charter_rules import check_terms
from foretell.verdicts.judging import JudgeSettings

_FORM = Form(
    "charter",
    "Write one with `foretell charter init`, which explains every field, and change its values only.",
    "foretell.charter/1",
)


class Charter(Terms):
    """The whole charter, checked; made by `parse` or `read`, which keep the bytes that name it."""

    _data: bytes = PrivateAttr(default=b"")

    @classmethod
    def parse(cls, data: bytes, where: str = "charter.toml") -> Charter:
        """The charter in a file's bytes.

        Raises:
            InputError: not TOML, a field that is missing, unknown or wrong, or fields that contradict each other;
                `where` names the file and the field.
        """
        charter = validated(cls, read_toml(data, where, _FORM), where, _FORM)
        check_terms(charter, where)
        charter._data = data
        return charter

    @classmethod
    def read(cls, path: Path) -> Charter:
        """The charter in a file.

        Raises:
            InputError: no such file, or as `parse` says.
        """
        return cls.parse(read_bytes(path, _FORM), str(path))

    @property
    def data(self) -> bytes:
        """The file's exact bytes."""
        return self._data

    @property
    def digest(self) -> str:
        """What names the charter: SHA-256 of its bytes."""
        return digest_bytes(self._data)

    def score_settings(self) -> ScoreSettings:
        """For evaluation.score."""
        return ScoreSettings(self.score.floor, self.score.top_k)

    def judge_settings(self) -> JudgeSettings:
        """For evaluation.score."""
        score = self.score
        return JudgeSettings(score.tolerance, score.level, score.cap, dict(score.slice_tolerances), score.metric)
