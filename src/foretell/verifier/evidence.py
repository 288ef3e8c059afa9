"""The files of one attempt against what was signed about them, in the order in which things happened.

Every function checks one thing, returns a line that says what was found, and raises where it does not hold.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from foretell.base.canonical import digest_bytes
from foretell.base.errors import ForgeryError
from foretell.base.files import MANIFEST
from foretell.distributions import Distributions
from foretell.forecasters.program_folder import load_program
from foretell.suites import Suite
from foretell.verdicts.charter_parts import IDENTITY
from foretell.verdicts.claims_context import Context
from foretell.verdicts.named_models import named_models
from foretell.verifier.folders import check_folder
from foretell.verifier.layout import (
    FORECAST,
    OPENED,
    OPENINGS,
    PROGRAM,
    SCORE,
    SEALED,
    TRUTH,
    attempt_folder,
    cards_file,
)
from foretell.verifier.prompts import (
    Cards,
    Opening,
    check_openings,
    draw_indices,
    opened_suite,
    read_openings,
)
from foretell.verifier.questions import check_questions
from foretell.verifier.record import Attempt, Record
from foretell.verifier.rescore import claim_differences, differences, read_score, score_attempt
from foretell.verifier.standing import APPROVED, help_objections
from foretell.verifier.verdict import UNSAFE, Outcome, beside, derive, objections

_BITS = 8


@dataclass
class Evidence:
    """The files of one attempt, and the log that speaks about them."""

    root: Path
    record: Record
    attempt: Attempt

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return attempt_folder(self.root, self.attempt.number)

    def seal(self) -> str:
        """The prompts were drawn as the charter's pool and the rule say, and none was used before.

        So were those of earlier attempts: who may use prompts up as it likes has chosen what is left.
        """
        pool = self.attempt.charter.pool
        self._same("a pool of other slices than the charter says", dict(Counter(self.cards.slices)), pool.slices)
        earlier = self.record.attempts[: self.attempt.number - 1]
        for attempt in (*earlier, self.attempt):
            if attempt.charter.pool.commitment == pool.commitment:
                self._check_draw(attempt)
        self._match("seal", SEALED)
        drawn, used = self.attempt.steps["seal"]["indices"], self.record.used(pool.commitment, self.attempt.number)
        open_ended = sum("judge" not in attempt.steps for attempt in earlier)
        beside = f"; {open_ended} earlier attempts were sealed and never judged" if open_ended else ""
        return f"{len(drawn)} of {pool.prompts} prompts, drawn by rule, none of the {len(used)} used before{beside}"

    def open(self) -> str:
        """The file that the team got is the one that was signed."""
        self._match("open", OPENED)
        return "prompts handed to the team, after they were sealed"

    def commit(self) -> str:
        """The forecast or program is the one that was committed, in time, before anything was revealed."""
        entry, deadline = self.attempt.steps["commit"], self.attempt.charter.track.deadline
        if entry.time > deadline:
            raise self._forged("a commitment after the deadline", entry.time.isoformat(), deadline.isoformat())
        if self._blind:
            program = load_program(self.folder / PROGRAM)
            self._same("another program than was committed", program.digest, entry.digest(PROGRAM))
            facts = [entry["name"], entry.statement.predicate.get("size_bytes")]
            self._same("a program of another name or size", facts, [program.name, program.size_bytes])
            return f"program of {_BITS * program.size_bytes:,} bits, committed at entry {entry.index}"
        self._match_folder("commit", FORECAST)
        self._same("a forecast of another name", self._forecast.name, entry["name"])
        return f"forecast {entry['name']!r}, committed at entry {entry.index}, before the reveal"

    def run(self) -> str:
        """The program that was run is the one that was committed, and its forecast is the one that is here."""
        entry, committed = self.attempt.steps["run"], self.attempt.steps["commit"]
        self._same("another program was run", entry["program"].get("program"), committed.digest(PROGRAM))
        self._same("a run with another seed", entry["program"].get("seed"), self.attempt.seed)
        self._check_limits(entry["program"].get("limits"))
        mark = " WITHOUT A SANDBOX" if entry["program"].get("sandbox") == UNSAFE else ""
        if self.attempt.failed:
            return f"the program gave no forecast{mark}: {entry['outcome']}"
        self._match_folder("run", FORECAST)
        source = self._forecast.manifest["source"]
        said = {name: source.get(name) for name in entry["program"]}
        self._same("a run that is not what the forecast says", entry["program"], said)
        return f"run in {source['sandbox']}{mark}"

    def reveal(self) -> str:
        """The prompts are the sealed ones, the truth is about them, and of the target that the charter names."""
        entry, charter = self.attempt.steps["reveal"], self.attempt.charter
        self._match("reveal", OPENINGS)
        drawn = self.attempt.steps["seal"]["indices"]
        check_openings(self._openings, self.cards, drawn, str(self.folder / OPENINGS))
        if "open" in self.attempt.steps:
            shown = self.attempt.steps["open"]["openings"]
            self._same("other prompts than the team was shown", entry.digest(OPENINGS), shown)
        texts = [opening.text_digest for opening in self._openings]
        self._same("texts that the log does not name", texts, entry["texts"])
        self._check_fresh(texts)
        self._match_folder("reveal", TRUTH)
        truth = self._truth
        if differences := charter.target.differences(truth.manifest["source"]):
            raise self._forged("a truth of another target", "; ".join(differences), "the charter's target")
        self._same("a truth of another target than was signed", truth.manifest["source"], entry["target"])
        if charter.target.future is not None:
            self._check_prospective(truth.manifest["source"])
        for distributions in (truth, self._forecast):
            check_questions(distributions, self.suite, charter.target.tokenizer)
        suite = truth.manifest.get("suite") or {}
        self._same("a truth that names another suite", suite.get("digest"), self.suite.digest)
        return f"truth of {truth.name}, {len(truth)} positions of the sealed prompts"

    def judge(self) -> str:
        """The score comes out again from truth and forecast, and so does the verdict."""
        entry = self.attempt.steps["judge"]
        told = again = None
        if not self.attempt.failed:
            self._match("judge", SCORE)
            told = read_score(self._read(self.folder / SCORE), f"attempt {self.attempt.number}")
            again = score_attempt(self.attempt, self._truth, self._forecast, self.context())
            if difference := next(differences(told, again), None):
                raise self._forged("a score that does not come out again", *difference)
        outcome = self.outcome(told)
        self._same(
            "a verdict that does not follow",
            [entry["decision"], entry["reasons"]],
            [outcome.decision, list(outcome.reasons)],
        )
        wrong = claim_differences(told, again, self.context()) if told and again else iter(())
        if difference := next(wrong, None):
            raise self._forged("claims that do not follow from the score", *difference)
        return f"{outcome.decision}: " + "; ".join((*outcome.reasons, *beside(self.attempt, told)))

    def outcome(self, told: dict[str, Any] | None) -> Outcome:
        """What the attempt comes to, given its score."""
        return derive(self._objections, told)

    def context(self) -> Context:
        """What is known of the attempt besides its score, for what its verdict claims."""
        committed, run = self.attempt.steps["commit"], self.attempt.steps.get("run")
        return Context.under(
            self.attempt.charter,
            helpers=tuple(committed["helpers"]),
            program_bytes=committed["size_bytes"] if self._blind else None,
            sandbox=None if run is None else str(run["program"].get("sandbox")),
            inadmissible=self._objections,
        )

    @property
    def _blind(self) -> bool:
        return self.attempt.charter.track.kind == "blind"

    @cached_property
    def _objections(self) -> tuple[str, ...]:
        commit, run = self.attempt.steps["commit"], self.attempt.steps.get("run")
        found: set[str] = set()
        program = None
        if self._blind:
            loaded = load_program(self.folder / PROGRAM)
            found |= set(loaded.helpers)
            program = {"size_bytes": loaded.size_bytes}
        if not self.attempt.failed:
            found |= set(named_models(self._forecast.manifest["source"]))
        return objections(
            self.attempt.charter,
            declared=[str(name) for name in commit["helpers"]],
            found=found,
            target=self.attempt.steps["reveal"]["target"] if "reveal" in self.attempt.steps else None,
            program=program,
            failure=str(run["outcome"]) if run is not None and self.attempt.failed else None,
            unapproved=help_objections(self.record, self.attempt, frozenset(found))
            if self.attempt.charter.helpers.rule == APPROVED
            else (),
        )

    @cached_property
    def suite(self) -> Suite:
        """The attempt's prompts, once revealed."""
        return opened_suite(self._openings, self.attempt.charter, self.attempt.number)

    @cached_property
    def cards(self) -> Cards:
        """The pool's cards."""
        path = cards_file(self.root, self.attempt.charter.pool.commitment)
        return Cards.parse(self._read(path), self.attempt.charter.pool.commitment, str(path))

    @cached_property
    def _openings(self) -> list[Opening]:
        path = self.folder / OPENINGS
        return read_openings(self._read(path), str(path))

    @cached_property
    def _truth(self) -> Distributions:
        return Distributions(self.folder / TRUTH)

    @cached_property
    def _forecast(self) -> Distributions:
        return Distributions(self.folder / FORECAST)

    def _check_fresh(self, texts: list[str]) -> None:
        earlier = self.record.revealed_texts(before=self.attempt.number)
        if reused := [text for text in texts if text in earlier]:
            raise self._forged(
                "a text that an earlier attempt used", f"{reused[0]} of attempt {earlier[reused[0]]}", "fresh prompts"
            )

    def _check_draw(self, attempt: Attempt) -> None:
        charter, drawn = attempt.charter, tuple(attempt.steps["seal"]["indices"])
        used = self.record.used(charter.pool.commitment, before=attempt.number)
        expected = draw_indices(self.cards, used, charter.draw.prompts, attempt.charter_digest, attempt.number)
        which = "" if attempt is self.attempt else f" in attempt {attempt.number}"
        if reused := used & set(drawn):
            raise self._forged(f"a prompt that an earlier attempt used{which}", f"index {min(reused)}", "fresh prompts")
        if drawn != expected:
            raise self._forged(f"prompts that were chosen, not drawn{which}", drawn[:8], expected[:8])

    def _check_limits(self, limits: Any) -> None:
        """The program got what the charter gives, no more and no less."""
        assert self.attempt.charter.blind is not None
        promised = self.attempt.charter.blind.model_dump(exclude={"size_budget_bytes"})
        given = {name: limits.get(name) for name in promised} if isinstance(limits, dict) else limits
        self._same("a run with other limits", given, promised)

    def _check_prospective(self, source: dict[str, Any]) -> None:
        """The target was in the log nowhere before the forecast was."""
        if unnamed := [field for field in IDENTITY if not isinstance(source.get(field), str) or not source[field]]:
            raise self._forged("a truth that does not say of which target", f"no {unnamed[0]}", ", ".join(IDENTITY))
        weights = source["weights"]
        before = self.record.entries[: self.attempt.steps["commit"].index]
        for entry in before:
            if weights in repr(entry.statement.predicate):
                raise self._forged("a target that was known before the forecast", f"entry {entry.index}", weights)

    def _read(self, path: Path) -> bytes:
        if path.is_symlink() or not path.is_file():
            raise self._forged("a missing file", str(path), "the file that the log names")
        return path.read_bytes()

    def _match(self, step: str, name: str) -> None:
        digest = digest_bytes(self._read(self.folder / name))
        self._same(f"another {name} than was signed", digest, self.attempt.steps[step].digest(name))

    def _match_folder(self, step: str, name: str) -> None:
        """A folder is named by the digest of its manifest, and its manifest names every other file."""
        manifest = self.folder / name / MANIFEST
        self._same(
            f"another {name} than was signed",
            digest_bytes(self._read(manifest)),
            self.attempt.steps[step].digest(name),
        )
        check_folder(self.folder / name)

    def _same(self, what: str, got: Any, expected: Any) -> None:
        if got != expected:
            raise self._forged(what, got, expected)

    def _forged(self, what: str, got: Any, expected: Any) -> ForgeryError:
        return ForgeryError(
            what,
            where=f"attempt {self.attempt.number}",
            got=str(got),
            expected=str(expected),
            fix="This is not what was signed; ask both sides for their copies.",
        )
