"""Where a scheduled checkpoint stands, read from the ledger: the only place that remembers anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretell.base.canonical import digest_bytes
from foretell.base.errors import ForgeryError, OrderError
from foretell.verdicts.charter import Charter
from foretell.verifier.layout import SCORE, attempt_folder
from foretell.verifier.record import Attempt, Entry, Record
from foretell.verifier.rescore import read_score
from foretell.watching.terms import step_of, the_checkpoint

PASS, FAIL, INCONCLUSIVE, INADMISSIBLE = "pass", "fail", "inconclusive", "inadmissible"
#: Not one of the ledger's verdicts: there is nothing in it that could be judged.
UNFORECAST = "unforecast"
#: Where a checkpoint stands before the first step of its attempt.
PLANNED, CHARTERED = "planned", "charter"


@dataclass(frozen=True)
class Standing:
    """How far the attempt on one checkpoint is.

    Attributes:
        charter: as signed; None where there is none yet.
        attempt: None where no prompts are sealed yet.
    """

    step: int
    charter: Charter | None
    attempt: Attempt | None

    def entry(self, name: str) -> Entry | None:
        """A step of the attempt as the log has it."""
        return None if self.attempt is None else self.attempt.steps.get(name)

    @property
    def number(self) -> int | None:
        """The attempt's number."""
        return None if self.attempt is None else self.attempt.number

    @property
    def forecast(self) -> bool:
        """Whether a forecast is committed."""
        return self.entry("commit") is not None

    @property
    def judged(self) -> bool:
        """Whether there is a verdict."""
        return self.entry("judge") is not None

    @property
    def state(self) -> str:
        """The last thing that happened: planned, charter, or a step of the attempt."""
        if self.attempt is None:
            return PLANNED if self.charter is None else CHARTERED
        return list(self.attempt.steps)[-1]


def standing_of(record: Record, run: str, step: int, where: str) -> Standing:
    """Where a checkpoint stands.

    Raises:
        OrderError: it has two charters or two attempts: only one try would count, and nobody may choose which.
    """
    name = the_checkpoint(run, step)
    charters = {digest: charter for digest, charter in record.charters.items() if charter.target.future == name}
    tries = [attempt for attempt in record.attempts if attempt.charter_digest in charters]
    for what, found in (("charters", list(charters)), ("attempts", [str(attempt.number) for attempt in tries])):
        if len(found) > 1:
            raise OrderError(
                f"two {what} for one checkpoint",
                where=f"{name}, {where}",
                got=", ".join(found),
                expected="one: a checkpoint is forecast once",
                fix="Watch under another run name, from the last checkpoint that passed.",
            )
    return Standing(step, next(iter(charters.values()), None), tries[0] if tries else None)


def signed_steps(record: Record, run: str) -> list[int]:
    """The steps of a run that have charters, in the order of the log."""
    found = (step_of(charter.target.future or "", run) for charter in record.charters.values())
    return [step for step in found if step is not None]


@dataclass(frozen=True)
class Judgement:
    """What became of one checkpoint.

    Attributes:
        decision: pass, fail, inconclusive, inadmissible, or unforecast.
        attempt: its number; None where nothing was sealed.
        loss: of the forecast, as score.json has it; None where nothing was scored.
        prompts_needed: how many prompts in all would probably decide; None where that is not known, or decided.
    """

    step: int
    decision: str
    reasons: tuple[str, ...]
    tolerance: float
    attempt: int | None = None
    loss: dict[str, Any] | None = None
    prompts_needed: int | None = None

    @property
    def passed(self) -> bool:
        """Whether training may go on."""
        return self.decision == PASS

    @property
    def words(self) -> str:
        """The judgement in one line.

        >>> Judgement(20, "inconclusive", ("0.4 to 0.6",), 0.5, prompts_needed=90).words
        'checkpoint 20: INCONCLUSIVE: 0.4 to 0.6; about 90 prompts would decide; training stops here'
        """
        said = "; ".join(self.reasons)
        if self.decision == INCONCLUSIVE:
            needed = f"about {self.prompts_needed}" if self.prompts_needed else "no number that is known of"
            said += f"; {needed} prompts would decide"
        after = "" if self.passed else "; training stops here"
        return f"checkpoint {self.step}: {self.decision if self.passed else self.decision.upper()}: {said}{after}"


def judgement_of(standing: Standing, ledger: Path, planned_tolerance: float) -> Judgement:
    """What the ledger says of a checkpoint that is there: its verdict, or that nothing was forecast."""
    tolerance = planned_tolerance if standing.charter is None else standing.charter.score.tolerance
    number, entry = standing.number, standing.entry("judge")
    if entry is None:
        how_far = "nothing was sealed" if number is None else f"attempt {number} got no further than {standing.state}"
        said = f"the checkpoint was there before a forecast was ({how_far})"
        return Judgement(standing.step, UNFORECAST, (said,), tolerance, number)
    assert number is not None
    told = signed_score(ledger, number, entry)["forecasts"][0]
    return Judgement(
        standing.step,
        entry["decision"],
        tuple(entry["reasons"]),
        tolerance,
        number,
        told["loss"],
        told["verdict"].get("prompts_needed"),
    )


def signed_score(ledger: Path, number: int, entry: Entry) -> dict[str, Any]:
    """The score of a judged attempt.

    Raises:
        ForgeryError: the file is not the one that was signed.
    """
    data = (attempt_folder(ledger, number) / SCORE).read_bytes()
    if digest_bytes(data) != entry.digest(SCORE):
        raise ForgeryError(
            "another score.json than was signed",
            where=f"attempt {number} of {ledger}",
            got=digest_bytes(data),
            expected=entry.digest(SCORE),
            fix="Restore it from a copy, or publish from a ledger that was not touched.",
        )
    return read_score(data, f"attempt {number}")
