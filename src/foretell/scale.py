"""One ladder for a target: from uniform over text-only references, checkpoints and copies to the truth's own noise.

The best pool of text-only references is fitted on practice prompts. On other prompts everything is judged beside it:
how much less it loses (skill), and what it adds to the pool (encompassing).
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foretell import evaluation
from foretell.base.canonical import digest_value
from foretell.base.errors import InputError
from foretell.base.files import storage_errors
from foretell.base.interval import Interval, Unscored
from foretell.base.progress import Progress, quiet
from foretell.distributions import Distributions
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.pool import LINEAR, PoolForecaster
from foretell.forecasters.pool_fit import GAP_NATS
from foretell.forecasters.reference_pool import ReferencePool, best_pool
from foretell.forecasters.saved_answers import SavedAnswers
from foretell.scoring import ScoreSettings
from foretell.scoring.confidence import Bounds
from foretell.scoring.skill import SAME_POOL, diebold_mariano, encompassing, most_lost, skill
from foretell.scoring.summary import Losses
from foretell.suites import Suite
from foretell.suites.split import halves, require_disjoint
from foretell.targets.target import Target
from foretell.verdicts import scale_record
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.measure import measure
from foretell.verdicts.run_folder import read_losses
from foretell.verdicts.scale_record import Encompassing, Standing

_METRIC = "kl_nats"
#: Letters of a forecaster's name, and of its digest, in the name of its folder.
_SLUG, _DIGITS = 40, 8


@dataclass(frozen=True)
class Scene:
    """A target's truth on practice prompts and on judged ones, and where what is made of them is kept."""

    practice: Distributions
    judged: Distributions
    out: Path
    progress: Progress = quiet

    def answers(self, forecaster: Forecaster, *, on_practice: bool = True) -> SavedAnswers:
        """A forecaster's answers to both suites (or to the judged one only), made, or found from an earlier call."""
        slug = re.sub(r"[^a-zA-Z0-9]+", "-", forecaster.name)[:_SLUG].strip("-")
        name = f"{slug}-{digest_value(forecaster.name).removeprefix('sha256:')[:_DIGITS]}"
        sides = {"practice": self.practice, "judged": self.judged} if on_practice else {"judged": self.judged}
        made = [self._made(forecaster, truth, self.out / side / name) for side, truth in sides.items()]
        return SavedAnswers([one.folder for one in made], self.judged.vocabulary)

    def pooled(self, pool: Forecaster) -> SavedAnswers:
        """A pool's answers to both suites, made again: its weights are fitted again at every call."""
        made = []
        for side, truth in (("practice", self.practice), ("judged", self.judged)):
            folder = self.out / side / "pool"
            with storage_errors(folder):
                shutil.rmtree(folder, ignore_errors=True)
            made.append(self._made(pool, truth, folder).folder)
        return SavedAnswers(made, self.judged.vocabulary)

    def _made(self, forecaster: Forecaster, truth: Distributions, folder: Path) -> Distributions:
        return evaluation.make_forecast(
            forecaster,
            truth.prompts,
            truth.vocabulary,
            folder,
            suite=truth.manifest["suite"],
            progress=self.progress,
        )

    def judged_folder(self, answers: SavedAnswers) -> Distributions:
        """The part of the answers that is scored."""
        return answers.parts[-1]


def set_scene(target: Target, suite: Suite, practice: Suite | None, out: Path, *, progress: Progress = quiet) -> Scene:
    """Collect the target's truth on practice and judged prompts; a stopped run goes on in the same folder.

    Args:
        practice: other prompts than the suite's; without it the suite is halved by documents.

    Raises:
        InputError: practice shares a prompt or a document with what is judged, or the target tells its likeliest
            tokens only.
    """
    practised, judged = halves(suite) if practice is None else (practice, suite)
    require_disjoint(practised, judged)
    # The judged truth first: it is what may be wrong with the target or the suite.
    judged_truth = evaluation.collect(target, judged, out / "judged-truth", progress=progress)
    practice_truth = evaluation.collect(target, practised, out / "practice-truth", progress=progress)
    if practice_truth.kind == "topk":
        raise InputError(
            "a truth that no pool can be fitted on",
            where=str(practice_truth.folder),
            got=f"the likeliest tokens only, from {practice_truth.name}",
            expected="a target that tells every probability",
            fix="Use the weights themselves (hf, gguf, onnx); `foretell score` places forecasts of such a truth.",
        )
    return Scene(practice_truth, judged_truth, out, progress)


def place(
    scene: Scene,
    references: Iterable[Sequence[Forecaster]],
    rungs: Iterable[Callable[[], Forecaster]],
    forecasts: Sequence[SavedAnswers] = (),
    *,
    settings: ScoreSettings | None = None,
    judging: JudgeSettings | None = None,
    asked: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Put references, rungs and forecasts on one scale: the content of scale.json, also written to the run folder.

    The run folder is `run` in the scene's folder, for `write_report`.

    Args:
        references: text-only forecasters in groups, uniform first, as `text_references` makes them.
        rungs: open forecasters to place beside them, one at a time.
        forecasts: saved forecasts; with answers to practice prompts too, their gain is told.
        asked: the options of the command that made it, by name, for the record.
        notes: what is not on the scale, and why.

    Raises:
        InputError: a name twice, a metric that is not kl_nats, or no references.
    """
    settings, judging = settings or ScoreSettings(), judging or JudgeSettings()
    _require_kl(judging)
    entries, kinds, pool, best = _entries(scene, references, rungs, forecasts)
    run = scene.out / "run"
    score = evaluation.score(
        scene.judged,
        [scene.judged_folder(entry) for entry in entries],
        run,
        settings=settings,
        judging=judging,
        progress=scene.progress,
    )
    judge = _Judge(scene, best, settings, judging, score["settings"]["cap"])
    weights = dict(zip((member.name for member in pool.members), pool.weights, strict=True))
    standings = {
        entry.name: Standing(kinds[entry.name], weights.get(entry.name, 0.0))
        if kinds[entry.name] == scale_record.REFERENCE
        else judge.standing(entry, kinds[entry.name])
        for entry in entries
    }
    record = scale_record.scale_record(score, standings, pool.record(scene.practice), asked or {}, list(notes))
    scale_record.add_to_run(run, record)
    return record


def _require_kl(judging: JudgeSettings) -> None:
    if judging.metric != _METRIC:
        raise InputError(
            "a scale in another loss",
            where="--metric",
            got=judging.metric,
            expected=_METRIC,
            fix="Skill and pools are defined by KL divergence; use `foretell score` for other losses.",
        )


def _entries(
    scene: Scene,
    references: Iterable[Sequence[Forecaster]],
    rungs: Iterable[Callable[[], Forecaster]],
    forecasts: Sequence[SavedAnswers],
) -> tuple[list[SavedAnswers], dict[str, str], ReferencePool, SavedAnswers]:
    """Everything's answers, what kind of entry each name is, and the best pool with its own answers."""
    groups = [[scene.answers(one) for one in group] for group in references]
    entries = [one for group in groups for one in group]
    kinds = dict.fromkeys((one.name for one in entries), scale_record.REFERENCE)
    for opened in rungs:
        forecaster = opened()
        _add(kinds, forecaster.name, scale_record.RUNG)
        entries.append(scene.answers(forecaster))
    for given in forecasts:
        _add(kinds, given.name, scale_record.FORECAST)
        entries.append(_made_from(scene, given))
    pool = best_pool(groups, scene.practice)
    if isinstance(pool.forecaster, SavedAnswers):
        return entries, kinds, pool, pool.forecaster
    best = scene.pooled(pool.forecaster)
    _add(kinds, best.name, scale_record.POOL)
    return [*entries, best], kinds, pool, best


def _add(kinds: dict[str, str], name: str, kind: str) -> None:
    if name in kinds:
        raise InputError(
            "a name twice",
            where=f"--{kind}",
            got=f"{name}, which is on the scale already ({kinds[name]})",
            expected="different forecasters",
            fix="Leave it out here, or give the forecast another name.",
        )
    kinds[name] = kind


def _made_from(scene: Scene, given: SavedAnswers) -> SavedAnswers:
    """A given forecast, cut to what is asked here; of practice, all prompts or none count."""
    given.prepare(scene.judged.prompts)
    return scene.answers(given, on_practice=not given.missing(scene.practice.prompts))


class _Judge:
    """Measures forecasts against the pool.

    Args:
        pool: its answers to both suites.
        cap: of a prompt's loss.
    """

    def __init__(
        self, scene: Scene, pool: SavedAnswers, settings: ScoreSettings, judging: JudgeSettings, cap: float
    ) -> None:
        self.scene, self.pool, self.settings, self.level, self.cap = scene, pool, settings, judging.level, cap
        self.reference = self._of_run(pool.name)

    def standing(self, entry: SavedAnswers, kind: str) -> Standing:
        if kind == scale_record.POOL:
            return Standing(kind)
        found = skill(self._of_run(entry.name), self.reference, self.level)
        return Standing(kind, None, found, self._encompassing(entry))

    def _of_run(self, name: str) -> Losses:
        return read_losses(self.scene.out / "run", name, _METRIC, self.cap)

    def _encompassing(self, entry: SavedAnswers) -> Encompassing | Unscored:
        """The gain from mixing the forecast into the pool, with the weight that does best on practice.

        The weight is 0 exactly where fitting all weights anew would give it 0: the condition on the gradient is one.
        """
        practice = self.scene.practice
        if entry.missing(practice.prompts):
            return Unscored("it has no forecast of the practice prompts, on which its weight in the pool is fitted")
        task = f"mixing {entry.name} into the pool"
        self.scene.progress(task, 0, 1)
        mixed = PoolForecaster(task, [self.pool, entry], LINEAR, practice, vocabulary=practice.vocabulary.size)
        self.scene.progress(task, 1, 1)
        assert mixed.fit is not None
        weight = mixed.weights[-1]
        if weight == 0 or mixed.fit.member_kl_nats[0] - mixed.fit.kl_nats <= GAP_NATS:
            # The fit finds no use for it: the pool stays what it is, and the gain is 0 on every prompt.
            nothing = Bounds(Interval(0.0, 0.0), Interval(0.0, 0.0), self.level, SAME_POOL)
            return Encompassing(nothing, Unscored("both pools are the same"), 0.0)
        losses = self._losses(mixed)
        gain = encompassing(self.reference, losses, self.level, most_lost(weight))
        return Encompassing(gain, diebold_mariano(self.reference, losses), weight)

    def _losses(self, forecaster: Forecaster) -> Losses:
        """Losses of a forecast that is not kept, in the order of the truth's prompts."""
        truth = self.scene.judged
        with tempfile.TemporaryDirectory(dir=self.scene.out, prefix=".pool-") as folder:
            made = evaluation.make_forecast(
                forecaster, truth.prompts, truth.vocabulary, Path(folder) / "pool", suite=truth.manifest["suite"]
            )
            found = measure(truth, made, forecaster.name, self.settings, tail=None, run=None, progress=quiet)
        place = {key[0]: index for index, key in enumerate(found.prompts)}
        order = [place[prompt.id] for prompt in truth.prompts]
        low, high = (np.array(side[_METRIC])[order] for side in (found.lo, found.hi))
        return Losses.of([found.prompts[index] for index in order], low, high, self.cap)
