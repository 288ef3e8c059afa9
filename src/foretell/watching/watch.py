"""A training run under watch: each scheduled checkpoint is one attempt on the prospective track.

    w = open_watch(Plan.read(Path("watch.toml")), Path("runs/a"), Path("ledger"), evaluator=evaluator, team=team)
    w.prepare(20)                                    charter, seal, open; commit, where the plan names a forecaster
    … the training goes on to step 20 and saves …
    w.checkpoint(20, Path("runs/a/checkpoint-20"))   reveal, judge

Both do what is left to do, and nothing twice: all that they know is in the ledger, so a killed one is called again.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from foretell import attempts
from foretell.base.errors import ForgeryError, InputError, OrderError
from foretell.base.files import storage_errors
from foretell.base.progress import Progress, quiet
from foretell.evaluation import make_forecast
from foretell.forecasters.specs import open_forecaster
from foretell.ledger import PublicKey, SecretKey
from foretell.targets.cache import turn
from foretell.targets.collection import tokenize
from foretell.targets.hf_folder import weights_digest
from foretell.targets.target import Target
from foretell.verdicts.charter import Charter
from foretell.verifier.layout import TRUTH, attempt_folder
from foretell.verifier.record import Attempt, Record
from foretell.watching.checkpoint_folders import (
    find_checkpoints,
    glance,
    not_whole,
    unfinished,
    written_at,
)
from foretell.watching.plan import FOLDER_TARGET, Plan, fill
from foretell.watching.standing import UNFORECAST, Judgement, Standing, judgement_of, signed_steps, standing_of
from foretell.watching.terms import Terms, differences

#: File systems stamp files with a coarser clock than the one that entries are dated with.
_COARSE_SECONDS = 0.05
#: In the ledger's folder: two watchers of one ledger take turns.
_LOCK = ".watch.lock"


def open_watch(
    plan: Plan,
    run: Path,
    ledger: Path,
    *,
    evaluator: SecretKey,
    team: SecretKey | PublicKey,
    progress: Progress = quiet,
) -> Watch:
    """A watch over a run's folder, after everything was checked that can be checked before any training.

    Args:
        team: the secret key where the plan names forecasters, which this machine then commits; else the public one.

    Raises:
        InputError: a plan that makes no charters, forecasters without the team's secret key, or no such pool or
            tokenizer.
        OrderError: what is signed already is not what the plan says, or the pool has too few fresh prompts.
    """
    terms = Terms(plan, evaluator, team.public if isinstance(team, SecretKey) else team)
    if plan.forecasters and not isinstance(team, SecretKey):
        raise InputError(
            "forecasters without a key to commit with",
            where="[[forecasters]]",
            got="the team's public key",
            expected="its secret key, NAME.key",
            fix="Give it, or leave the forecasters out and let the team commit by itself.",
        )
    watch = Watch(terms, run, ledger, team if isinstance(team, SecretKey) else None, progress)
    watch.check()
    return watch


@dataclass(frozen=True)
class Watch:
    """A plan, the folder that a training writes to, and the ledger; made by `open_watch`.

    Attributes:
        team: the team's secret key, where this machine forecasts.
    """

    terms: Terms
    run: Path
    ledger: Path
    team: SecretKey | None
    progress: Progress = quiet

    @property
    def plan(self) -> Plan:
        """What was planned."""
        return self.terms.plan

    def record(self) -> Record:
        """The whole ledger, verified."""
        return attempts.status(self.ledger) if self.ledger.is_dir() else Record()

    def standing(self, step: int, record: Record | None = None) -> Standing:
        """Where a checkpoint stands."""
        return standing_of(self.record() if record is None else record, self.plan.run, step, str(self.ledger))

    def judgement(self, step: int) -> Judgement | None:
        """The verdict on a checkpoint; None where there is none yet."""
        standing = self.standing(step)
        return judgement_of(standing, self.ledger, self.plan.tolerance(step)) if standing.judged else None

    def check(self) -> None:
        """Compare the plan with what is signed already, and with what the pool has left.

        Raises:
            InputError, OrderError: see `open_watch`.
        """
        record, unsealed = self.record(), 0
        for step in self.plan.steps:
            planned, standing = self.terms.charter(step), self.standing(step, record)
            if standing.charter is not None:
                _require_same(standing.charter, planned, step)
            unsealed += standing.attempt is None
        left_out = sorted(set(signed_steps(record, self.plan.run)) - set(self.plan.steps))
        if left_out:
            raise _another_plan("the schedule", f"no checkpoint {left_out[0]}, which has a charter")
        left = len(self.terms.pool) - len(record.used(self.terms.committed.root))
        if left < unsealed * self.plan.prompts:
            raise OrderError(
                "a pool that is too small for the schedule",
                where=f"pool {self.plan.pool}",
                got=f"{left} prompts that no attempt used",
                expected=f"{unsealed * self.plan.prompts}: {self.plan.prompts} for each of {unsealed} checkpoints",
                fix="Give a larger pool, draw fewer prompts, or schedule fewer checkpoints.",
            )

    def prepare(self, step: int) -> Standing:
        """Seal fresh prompts for a checkpoint that is not there yet, open them to the team, and forecast.

        The first call signs the charters of the whole schedule: nobody can loosen it when results are in.
        Without a forecaster in the plan, the team has to commit, before the checkpoint is there.

        Raises:
            OrderError: the target exists already, an earlier checkpoint has not passed, or the pool is used up.
            InputError: a forecaster that cannot be opened.
        """
        with self._turn():
            self._require_turn(step)
            standing = self.standing(step)
            if not standing.forecast:
                self._require_absent(step)
                self._prepare(standing)
            return self.standing(step)

    def checkpoint(self, step: int, folder: Path) -> Judgement:
        """Judge a checkpoint that is there: its truth on the sealed prompts against the forecast.

        One that was judged is not judged again. One that was not forecast is not judged at all: a forecast that came
        now would be about what can be looked at.

        Raises:
            InputError: a step that is not scheduled, a half-written checkpoint, or one that cannot be opened.
            ForgeryError: the checkpoint was exchanged after it was judged.
        """
        self._require_scheduled(step)
        with self._turn():
            standing = self.standing(step)
            if standing.forecast and standing.entry("reveal") is None:
                if why := self._older_than_its_forecast(standing, folder):
                    return Judgement(step, UNFORECAST, (why,), self.plan.tolerance(step), standing.number)
                self._reveal(standing, folder)
            elif folder.exists():
                self._require_revealed(standing, folder)
            if standing.forecast and not standing.judged:
                attempts.judge(self.ledger, self.terms.evaluator, number=standing.number)
            return judgement_of(self.standing(step), self.ledger, self.plan.tolerance(step))

    def filled(self, spec: str, step: int) -> str:
        """A spec of the plan with its places filled in for a step.

        Raises:
            InputError: it needs an earlier checkpoint, and there is none.
        """
        earlier = {number: path for number, path in find_checkpoints(self.run).items() if number < step}
        if "{last}" in spec and not earlier:
            raise InputError(
                "no earlier checkpoint to forecast from",
                where=f"[[forecasters]], step {step}",
                got=repr(spec),
                expected=f"a checkpoint before step {step} in {self.run}",
                fix="Begin with a forecaster that needs none, such as model:hf:BASE or an n-gram.",
            )
        last = str(earlier[max(earlier)]) if earlier else ""
        return fill(spec, run=str(self.run), step=str(step), last=last)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with storage_errors(self.ledger):
            self.ledger.mkdir(parents=True, exist_ok=True)
        with turn(self.ledger / _LOCK):
            yield

    def _prepare(self, standing: Standing) -> None:
        """What is left of charter, seal, open and commit."""
        step, secret = standing.step, self.terms.evaluator
        charters = self._sign_schedule()
        attempt = standing.attempt or attempts.seal(self.ledger, self.terms.pool, secret, charters[step].digest)
        if standing.entry("open") is None:
            attempts.open_prompts(self.ledger, secret, attempt.number)
        if spec := self.plan.forecaster(step):
            self._commit(step, attempt, self.filled(spec, step))

    def _sign_schedule(self) -> dict[int, Charter]:
        """The charter of every scheduled checkpoint, signed."""
        record, charters = self.record(), {}
        for step in self.plan.steps:
            signed = self.standing(step, record).charter
            charters[step] = self.terms.charter(step) if signed is None else signed
            if signed is None:
                attempts.fix_charter(self.ledger, charters[step], self.terms.evaluator)
        return charters

    def _reveal(self, standing: Standing, folder: Path) -> None:
        """The truth of a checkpoint: whole, the same before it was read and after, and of new weights."""
        if why := unfinished(folder):
            raise not_whole(folder, why)
        before = glance(folder)
        target = self.terms.open(fill(self.plan.target, folder=str(folder)))
        if glance(folder) != before:
            raise not_whole(folder, "files that changed while they were read")
        assert standing.attempt is not None
        self._require_unknown(target, standing.attempt)
        secret, number = self.terms.evaluator, standing.number
        # What a killed reveal left may be of a checkpoint that was trained anew since; no entry names it.
        shutil.rmtree(attempt_folder(self.ledger, standing.attempt.number) / TRUTH, ignore_errors=True)
        attempts.reveal(self.ledger, target, secret, number=number, progress=self.progress)

    def _commit(self, step: int, attempt: Attempt, spec: str) -> None:
        """Forecast the opened prompts and bind the team to it."""
        assert self.team is not None
        suite, vocabulary = attempts.read_opened(self.ledger, self.team, attempt.number), self.terms.vocabulary
        forecaster = open_forecaster(spec, vocabulary, open_target=self.terms.open)
        with tempfile.TemporaryDirectory() as folder:
            made = make_forecast(
                forecaster,
                tokenize(suite, vocabulary.encode, None),
                vocabulary,
                Path(folder) / "forecast",
                suite={"name": suite.name, "digest": suite.digest},
                progress=self.progress,
            )
            self._require_absent(step)  # forecasting takes time, and training may not have waited
            attempts.commit_forecast(self.ledger, made.folder, self.team, number=attempt.number)

    def _older_than_its_forecast(self, standing: Standing, folder: Path) -> str | None:
        """That weights were there before the commitment, as far as the time of their file tells."""
        entry = standing.entry("commit")
        assert entry is not None
        written = written_at(folder) if not unfinished(folder) else None
        if written is None or written + _COARSE_SECONDS >= entry.time.timestamp():
            return None
        return f"its weights were written {entry.time.timestamp() - written:.1f} s before its forecast was committed"

    def _require_scheduled(self, step: int) -> None:
        if step not in self.plan.steps:
            raise InputError(
                "a checkpoint that is not on the schedule",
                where=f"step {step}",
                got=str(step),
                expected="one of " + ", ".join(map(str, self.plan.steps)),
                fix="Save at the steps of the plan.",
            )

    def _require_turn(self, step: int) -> None:
        """All scheduled checkpoints before this one passed."""
        self._require_scheduled(step)
        record = self.record()
        for earlier in self.plan.steps[: self.plan.steps.index(step)]:
            standing = self.standing(earlier, record)
            entry = standing.entry("judge")
            if entry is None or entry["decision"] != "pass":
                raise OrderError(
                    "training that may not go on",
                    where=f"step {step} of {self.plan.run}",
                    got=f"checkpoint {earlier}: {standing.state if entry is None else entry['decision']}",
                    expected="a pass on every scheduled checkpoint before",
                    fix="A run that was stopped stays stopped. Train otherwise from the last checkpoint that passed, "
                    "under another run name, or with a plan of more prompts.",
                )

    def _require_absent(self, step: int) -> None:
        folder = find_checkpoints(self.run).get(step)
        if folder is not None:
            raise OrderError(
                "the target exists already",
                where=str(folder),
                got=f"a folder of step {step}",
                expected="no checkpoint before its forecast is sealed",
                fix="Remove it and train again from the checkpoint before: what is there cannot be forecast any more.",
            )

    def _require_revealed(self, standing: Standing, folder: Path) -> None:
        """The checkpoint is the one whose truth was revealed, if one was."""
        entry = standing.entry("reveal")
        if entry is None:
            return
        spec = self.plan.target
        found = (
            weights_digest(folder)
            if spec == FOLDER_TARGET and not unfinished(folder)
            else self.terms.open(fill(spec, folder=str(folder))).identity.weights
        )
        if found != entry["target"]["weights"]:
            raise ForgeryError(
                "a checkpoint that was exchanged after its truth was signed",
                where=str(folder),
                got=found,
                expected=entry["target"]["weights"],
                fix="Put the checkpoint back that was judged; another one is another run's.",
            )

    def _require_unknown(self, target: Target, attempt: Attempt) -> None:
        """The log must not have named the weights before the forecast: the verifier would refuse the attempt."""
        weights = target.identity.weights
        for entry in self.record().entries[: attempt.steps["commit"].index]:
            if weights in repr(entry.statement.predicate):
                raise OrderError(
                    "a checkpoint with weights that were known before its forecast",
                    where=target.identity.name,
                    got=f"weights that entry {entry.index} of the log names: {weights}",
                    expected="a model that is new",
                    fix="It is a copy of an earlier one, or training changed nothing: look at the learning rate.",
                )


def _require_same(signed: Charter, planned: Charter, step: int) -> None:
    found = differences(signed, planned)
    if found:
        raise _another_plan(f"the charter of step {step}", "; ".join(found))


def _another_plan(where: str, got: str) -> OrderError:
    return OrderError(
        "another plan than was signed",
        where=where,
        got=got,
        expected="what the plan says now",
        fix="Put the plan back, or watch under another run name: what is signed cannot be changed.",
    )
