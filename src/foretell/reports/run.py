"""A scored run as the report reads it: score.json, the prompts, and the loss of every prompt."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from foretell.base.errors import InputError
from foretell.base.files import check_file, damaged, read_manifest
from foretell.reports.judged import completed, loss_of
from foretell.verdicts.scale_record import read_scale

RUN_SCHEMA, SCORE_SCHEMA = "foretell.run/1", "foretell.score/1"
_SCORE, _PROMPTS, _POSITIONS, _TOPS = "score.json", "prompts.parquet", "positions.parquet", "tops.parquet"


@dataclass(frozen=True)
class Run:
    """A run folder whose files were found to be what its manifest says.

    Attributes:
        score: the content of score.json.
        prompts: rows of prompts.parquet.
        losses: forecast → prompt → (lo, hi): mean judged loss of the prompt's positions, uncapped.
        scale: the content of scale.json, of runs that `foretell scale` made.
    """

    folder: Path
    score: dict[str, Any]
    prompts: list[dict[str, Any]]
    losses: dict[str, dict[str, tuple[float, float]]]
    scale: dict[str, Any] | None = None

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Read a folder that `foretell score` wrote.

        Raises:
            InputError: not a run folder, or of another schema.
            DamageError: a file differs from its digest, or the files do not fit together.
        """
        manifest = read_manifest(folder, RUN_SCHEMA)
        paths = {name: check_file(folder, name, manifest) for name in (_SCORE, _PROMPTS, _POSITIONS, _TOPS)}
        score = json.loads(paths[_SCORE].read_text(encoding="utf-8"))
        if score.get("schema") != SCORE_SCHEMA:
            raise InputError(
                "a score of another kind",
                where=str(paths[_SCORE]),
                got=f"schema {score.get('schema')!r}",
                expected=repr(SCORE_SCHEMA),
                fix="Score again with this version of foretell.",
            )
        score = completed(score)
        losses = _prompt_losses(paths[_POSITIONS], loss_of(score).name)
        run = cls(folder, score, pq.read_table(paths[_PROMPTS]).to_pylist(), losses, read_scale(folder))
        run._check()
        return run

    @property
    def names(self) -> list[str]:
        """Names of the forecasts, best first."""
        return [forecast["name"] for forecast in self.score["forecasts"]]

    def positions(self, prompts: Collection[str]) -> pa.Table:
        """Rows of positions.parquet of some prompts: forecast, prompt, position, lo, hi, entropy of the truth."""
        metric = loss_of(self.score).name
        columns = {name: name for name in ("forecast", "prompt", "position")}
        columns |= {f"{metric}_lo": "lo", f"{metric}_hi": "hi", "entropy_nats_lo": "entropy"}
        path = self.folder / _POSITIONS
        table = pq.read_table(path, columns=list(columns), filters=[("prompt", "in", list(prompts))])
        return table.rename_columns([columns[name] for name in table.column_names])

    def tops(self, prompts: Collection[str]) -> pa.Table:
        """Rows of tops.parquet of some prompts."""
        return pq.read_table(self.folder / _TOPS, filters=[("prompt", "in", list(prompts))])

    def _check(self) -> None:
        asked = {prompt["id"] for prompt in self.prompts}
        for name in self.names:
            if set(self.losses.get(name, ())) != asked:
                raise damaged(
                    self.folder / _POSITIONS,
                    f"losses for {len(self.losses.get(name, ()))} prompts of forecast {name!r}",
                    f"losses for the {len(asked)} prompts of {_PROMPTS}",
                )


def _prompt_losses(path: Path, metric: str) -> dict[str, dict[str, tuple[float, float]]]:
    low, high = f"{metric}_lo", f"{metric}_hi"
    table = pq.read_table(path, columns=["forecast", "prompt", low, high])
    means = table.group_by(["forecast", "prompt"]).aggregate([(low, "mean"), (high, "mean")])
    losses: dict[str, dict[str, tuple[float, float]]] = {}
    for row in means.to_pylist():
        losses.setdefault(row["forecast"], {})[row["prompt"]] = (row[f"{low}_mean"], row[f"{high}_mean"])
    return losses
