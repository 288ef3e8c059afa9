"""`program:FOLDER`: a blind program, asked one position at a time in a sandbox, twice, in opposite orders."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.errors import InputError, ProgramError
from foretell.base.progress import Progress, quiet
from foretell.distributions import Block, TokenizedPrompt, TopKBlock, concatenate
from foretell.forecasters.program_answers import AnswerStore, Row, most_bytes, read_answer
from foretell.forecasters.program_folder import Program, load_program
from foretell.forecasters.program_questions import Questions
from foretell.forecasters.rows import RowRules, stack_listed
from foretell.forecasters.sandbox import PROGRAM, UNSAFE, Invocation, find_bubblewrap, sandboxed, unsandboxed
from foretell.forecasters.supervised import BESIDE, Limits, SupervisedProcess

__all__ = ["Limits", "Program", "ProgramForecaster", "load_program"]

#: Open files of a program, and processor time beyond the wall-clock limit, after which the kernel ends it by itself.
_OPEN_FILES, _CPU_GRACE_SECONDS = 256, 5
#: Since this kernel, processes are counted by user namespace; before, the limit would count the user's own.
_COUNTS_BY_NAMESPACE = (5, 14)
_HARNESS = Path(__file__).with_name("program_harness.py")
_BITS = 8


class ProgramForecaster:
    """A program of somebody else's, in a sandbox.

    One question is one scored position: the tokens up to it, and none after. A question is sent when the one before
    has been answered. Everything is asked in two fresh sandboxes, in an order that follows from the seed, the program
    and the questions, and in its reverse; some questions are asked alone. Answers must be the same bytes each time.

    Args:
        vocabulary_size: number of token ids.
        seed: what a program may draw its randomness from (FORETELL_SEED).
        unsafe_unsandboxed: run without bubblewrap; the program can then do what the user can.

    Raises:
        ResourceError: there is no sandbox on this machine.
    """

    def __init__(
        self,
        program: Program,
        vocabulary_size: int,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
        seed: int = 0,
        unsafe_unsandboxed: bool = False,
        progress: Progress = quiet,
    ) -> None:
        self.name = f"program:{program.name}"
        self.program, self.limits, self.seed, self.progress = program, limits, seed, progress
        self.rules = RowRules(vocabulary_size)
        self._bubblewrap = None if unsafe_unsandboxed else find_bubblewrap()
        self._answers: AnswerStore | None = None
        self._places: dict[str, tuple[TokenizedPrompt, int]] = {}

    def describe(self) -> dict[str, Any]:
        """The program's identity and size, and how it was run."""
        return {
            "forecaster": "program",
            "program": self.program.digest,
            "entry": self.program.entry,
            "size_bytes": self.program.size_bytes,
            "size_bits": _BITS * self.program.size_bytes,
            "helpers": list(self.program.helpers),
            "sandbox": UNSAFE if self._bubblewrap is None else self._bubblewrap.version,
            "seed": self.seed,
            "limits": asdict(self.limits),
            "runtime": f"python {platform.python_version()}, numpy {np.__version__}",
            "vocabulary": self.rules.vocabulary,
        }

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Run the program on all positions of all prompts; `forecast` reads back what it said.

        Raises:
            ProgramError: it passed a limit, failed, answered with rubbish, or not the same each time.
            ResourceError: the sandbox cannot be made, or the disk is full.
        """
        questions = Questions(prompts)
        self._places = {prompt.id: (prompt, questions.first[i]) for i, prompt in enumerate(prompts)}
        order, alone = questions.orders(self.seed, self.program.digest)
        self._answers = answers = AnswerStore(len(questions))
        with tempfile.TemporaryDirectory(prefix="foretell-program-") as folder:
            staged = Path(folder) / "program"
            self.program.stage(staged)
            self._keep(staged, questions, order, answers)
            with closing(self._run(staged, questions, order[::-1], "asking it again")) as again:
                different = next((number for number, row in again if not answers.same(number, row)), None)
            for number in alone.tolist() if different is None else ():
                if not answers.same(number, self._alone(staged, questions, number)):
                    different = number
                    break
            if different is not None:
                raise self._differs(staged, questions, different)

    def forecast(self, prompt: TokenizedPrompt) -> Block:
        """What the program said about a prompt.

        Raises:
            InputError: a prompt that `prepare` was not given.
        """
        asked, first = self._places.get(prompt.id, (None, 0))
        if (
            self._answers is None
            or asked is None
            or (asked.token_ids, asked.positions)
            != (
                prompt.token_ids,
                prompt.positions,
            )
        ):
            raise InputError(
                "a prompt that the program was not asked",
                where=f"{self.name} (prompt {prompt.id!r})",
                got="another prompt, or other positions",
                expected="the prompts of prepare()",
                fix="Prepare the forecaster with all prompts first.",
            )
        rows = [self._answers.get(first + i) for i in range(len(prompt.positions))]
        listed = [row for row in rows if isinstance(row, TopKBlock)]
        return stack_listed(listed) if listed else concatenate([*rows])

    def _keep(self, staged: Path, questions: Questions, order: NDArray[np.int64], answers: AnswerStore) -> None:
        kind: type[Row] | None = None
        with closing(self._run(staged, questions, order, "asking the program")) as told:
            for number, row in told:
                if kind not in (None, type(row)):
                    raise self._two_forms(questions.place(number))
                kind = type(row)
                answers.put(number, row)

    def _run(
        self, staged: Path, questions: Questions, order: NDArray[np.int64], task: str
    ) -> Generator[tuple[int, Row], None, None]:
        """Ask in one fresh sandbox; the program counts the questions, and is told no more of where they come from."""
        opening = {"vocabulary_size": self.rules.vocabulary, "seed": self.seed}
        with self._process(staged) as process:
            process.tell(json.dumps(opening).encode())
            for count, number in enumerate(order.tolist()):
                line = json.dumps({"question": count, "token_ids": questions.tokens(number)}).encode()
                where = f"{self.name} ({questions.place(number)})"
                process.where = where
                answer = process.ask(line, most_bytes(self.rules.vocabulary))
                yield number, read_answer(answer, count, self.rules, where)
                self.progress(task, count + 1, len(order))
            process.finish()

    def _alone(self, staged: Path, questions: Questions, number: int) -> Row:
        [(_, row)] = self._run(staged, questions, np.array([number]), "asking it alone")
        return row

    @contextmanager
    def _process(self, staged: Path) -> Iterator[SupervisedProcess]:
        with tempfile.TemporaryDirectory(prefix="foretell-scratch-") as scratch:
            invocation = self._invocation(staged, Path(scratch))
            with SupervisedProcess(invocation, self.limits, self.name) as process:
                yield process

    def _invocation(self, staged: Path, scratch: Path) -> Invocation:
        limits = {
            "AS": self.limits.memory_bytes,
            "CPU": int(self.limits.seconds) + _CPU_GRACE_SECONDS,
            "FSIZE": self.limits.scratch_bytes,
            "CORE": 0,
            "NOFILE": _OPEN_FILES,
        }
        if self._bubblewrap is None:
            settings = {"limits": limits, "program": str(staged), "entry": self.program.call}
            return unsandboxed(staged, _HARNESS, (json.dumps(settings),), seed=self.seed, scratch=scratch)
        if _kernel() >= _COUNTS_BY_NAMESPACE:
            limits["NPROC"] = self.limits.processes + BESIDE
        settings = {"limits": limits, "program": PROGRAM, "entry": self.program.call}
        return sandboxed(
            self._bubblewrap,
            staged,
            _HARNESS,
            (json.dumps(settings),),
            seed=self.seed,
            scratch_bytes=self.limits.scratch_bytes,
        )

    def _differs(self, staged: Path, questions: Questions, number: int) -> ProgramError:
        """Tell chance from memory: the question alone, in two fresh sandboxes."""
        once, again = AnswerStore(1), self._alone(staged, questions, number)
        once.put(0, again)
        steady = once.same(0, self._alone(staged, questions, number))
        where = f"{self.name} ({questions.place(number)})"
        if steady:
            return ProgramError(
                "the answer depends on what was asked before",
                where=where,
                got="another answer after other questions, though the same each time when asked alone",
                expected="the same bytes in any order",
                fix="Keep nothing from one question to the next: no counters, caches that change answers, or files.",
            )
        return ProgramError(
            "not deterministic",
            where=where,
            got="two answers to one question, asked alone in two fresh sandboxes",
            expected="the same bytes each time",
            fix="Draw randomness from FORETELL_SEED and the question only; use no clock and no set or dict order.",
        )

    def _two_forms(self, place: str) -> ProgramError:
        return ProgramError(
            "answers of two forms",
            where=f"{self.name} ({place})",
            got="a full vector here and listed tokens elsewhere, or the other way round",
            expected="one form for all positions",
            fix="Answer in the same form each time.",
        )


def _kernel() -> tuple[int, ...]:
    major, minor, *_ = (int("".join(c for c in part if c.isdigit()) or 0) for part in platform.release().split("."))
    return major, minor
