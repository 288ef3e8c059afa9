"""The timeline of a watched run for reports and machines, read from the ledger: schema foretell.watch-record/1.

    {"schema": "foretell.watch-record/1", "made_by": "foretell 0.4.0",
     "run": "stdlib-a",
     "metric": "kl_nats", "unit": "nats", "level": 0.95, "prompts": 40,      of every checkpoint
     "decision": "pass",          of the run: pass, waiting, or the verdict of the checkpoint that stopped it
     "checkpoints": [             one for each scheduled step, in order
       {"step": 20,
        "tolerance": 0.5,         as signed, where it is signed
        "state": "judge",         what happened last: planned, charter, or a step of the attempt, as `foretell` names it
        "attempt": 2,             its number in the ledger, or null; so with all that follows
        "charter": "sha256:…",
        "forecaster": "next:last:runs/a@20", "helpers": ["hf:runs/a/checkpoint-10 sha256:…"],
        "committed": "2030-01-31T12:00:00+00:00", "revealed": "…", "judged": "…",
        "target": {"name": …, "weights": …, "tokenizer": …, "engine": …, "dtype": …},
        "decision": "pass", "reasons": ["…"], "prompts_needed": null,
        "loss": {"metric", "mean", "lo", "hi", "level", "method"},           as in score.json; mean may be {lo, hi}
        "references": [{"name": "uniform", "reference": true, "loss": {…}}, …]}]}

A checkpoint that was there before a forecast was is 'unforecast'; that is seen in the run's folder, not in the ledger.

`references` are scored here, on the truth that the ledger reveals: nobody committed to them. `reference` tells those
that know text only from others that a plan may name, such as an earlier checkpoint. Where one cannot be opened any
more, its `loss` is {"unscored": why}. They are null where there is no verdict, and where they were not asked for.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from foretell import __version__
from foretell.base.canonical import digest_file
from foretell.base.errors import ForgeryError, InputError
from foretell.base.files import MANIFEST
from foretell.distributions import Distributions
from foretell.evaluation import make_forecast, score
from foretell.forecasters.forecaster import Forecaster
from foretell.forecasters.specs import is_reference, open_forecaster
from foretell.scoring.losses import loss_metric
from foretell.verifier.folders import check_folder
from foretell.verifier.layout import TRUTH, attempt_folder
from foretell.verifier.record import Entry
from foretell.watching.checkpoint_folders import find_checkpoints
from foretell.watching.follow import WAITING
from foretell.watching.standing import PASS, Standing, judgement_of
from foretell.watching.watch import Watch

SCHEMA = "foretell.watch-record/1"
_UNIFORM = "uniform"


def watch_record(watch: Watch, *, references: bool = True) -> dict[str, Any]:
    """What happened so far, as the module says.

    Args:
        references: score the plan's references and the uniform one beside each judged forecast.

    Raises:
        ForgeryError: the ledger, a score or a truth is not what was signed.
    """
    plan, log = watch.plan, watch.record()
    standings = [watch.standing(step, log) for step in plan.steps]
    there = find_checkpoints(watch.run)
    told = [_checkpoint(watch, standing, standing.step in there) for standing in standings]
    if references:
        panel = _Panel(watch)
        for one, standing in zip(told, standings, strict=True):
            one["references"] = panel.scored(standing) if standing.judged else None
    return {
        "schema": SCHEMA,
        "made_by": f"foretell {__version__}",
        "run": plan.run,
        "metric": plan.score.metric,
        "unit": loss_metric(plan.score.metric).unit,
        "level": plan.score.level,
        "prompts": plan.prompts,
        "decision": _decision(told),
        "checkpoints": told,
    }


def _decision(told: list[dict[str, Any]]) -> str:
    """The first verdict that is no pass; pass where all are."""
    for one in told:
        if one["decision"] != PASS:
            return str(one["decision"] or WAITING)
    return PASS


def _checkpoint(watch: Watch, standing: Standing, there: bool) -> dict[str, Any]:
    steps = {} if standing.attempt is None else standing.attempt.steps
    commit, reveal = steps.get("commit"), steps.get("reveal")
    tolerance = watch.plan.tolerance(standing.step) if standing.charter is None else standing.charter.score.tolerance
    over = standing.judged or (there and not standing.forecast)
    judged = judgement_of(standing, watch.ledger, tolerance) if over else None
    times = {"committed": "commit", "revealed": "reveal", "judged": "judge"}
    return {
        "step": standing.step,
        "tolerance": tolerance,
        "state": standing.state,
        "attempt": standing.number,
        "charter": None if standing.charter is None else standing.charter.digest,
        "forecaster": None if commit is None else commit["name"],
        "helpers": None if commit is None else commit["helpers"],
        **{name: steps[step].time.isoformat() if step in steps else None for name, step in times.items()},
        "target": None if reveal is None else reveal["target"],
        "decision": None if judged is None else judged.decision,
        "reasons": None if judged is None else list(judged.reasons),
        "prompts_needed": None if judged is None else judged.prompts_needed,
        "loss": None if judged is None else judged.loss,
        "references": None,
    }


class _Panel:
    """The references of a plan, opened once where they do not depend on the step."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._specs = list(dict.fromkeys([_UNIFORM, *watch.plan.references]))
        self._opened: dict[str, Forecaster] = {}

    def scored(self, standing: Standing) -> list[dict[str, Any]]:
        """Each reference's loss on the truth of a judged checkpoint, by the charter's rules."""
        attempt, reveal = standing.attempt, standing.entry("reveal")
        assert attempt is not None
        assert reveal is not None
        truth = _signed_truth(attempt_folder(self._watch.ledger, attempt.number) / TRUTH, reveal)
        charter = attempt.charter
        told: list[dict[str, Any]] = []
        with tempfile.TemporaryDirectory() as folder:
            made = []
            for place, spec in enumerate(self._specs):
                name = spec
                try:
                    name = self._watch.filled(spec, standing.step)
                    made.append(self._made(self._open(name), truth, Path(folder) / str(place)))
                except InputError as error:  # an earlier checkpoint that was removed since, say
                    told.append({"name": name, "reference": is_reference(name), "loss": {"unscored": str(error)}})
            result = score(truth, made, settings=charter.score_settings(), judging=charter.judge_settings())
        for entry in result["forecasts"]:
            told.append({"name": entry["name"], "reference": is_reference(entry["name"]), "loss": entry["loss"]})
        return told

    def _made(self, forecaster: Forecaster, truth: Distributions, out: Path) -> Distributions:
        suite, progress = truth.manifest["suite"], self._watch.progress
        return make_forecast(forecaster, truth.prompts, truth.vocabulary, out, suite=suite, progress=progress)

    def _open(self, spec: str) -> Forecaster:
        if spec not in self._opened:
            terms = self._watch.terms
            self._opened[spec] = open_forecaster(spec, terms.vocabulary, open_target=terms.open)
        return self._opened[spec]


def _signed_truth(folder: Path, entry: Entry) -> Distributions:
    found = digest_file(folder / MANIFEST)
    if found != entry.digest(TRUTH):
        raise ForgeryError(
            "another truth than was signed",
            where=str(folder),
            got=found,
            expected=entry.digest(TRUTH),
            fix="Restore it from a copy; nothing can be scored on this one.",
        )
    check_folder(folder)
    return Distributions(folder)
