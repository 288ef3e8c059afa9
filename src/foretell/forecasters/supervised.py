"""A program under watch: one line in, one line out, and killed with all that it started when it passes a limit."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from foretell.base.errors import ProgramError, ResourceError
from foretell.forecasters.process_cap import make_cap
from foretell.forecasters.process_tree import can_count, process_tree
from foretell.forecasters.program_harness import READY
from foretell.forecasters.sandbox import Invocation
from foretell.forecasters.started import clean_text, exit_code_text, start

#: Processes that the kernel lets be beside those that a limit allows: the sandbox's own two, and one too many, so that
#: the watcher sees it.
BESIDE = 3
_TICK_SECONDS = 0.02
#: How long a program that closed its output may take to end.
_END_SECONDS = 5.0
_SHOWN_BYTES = 600
_READY_BYTES = 256


@dataclass(frozen=True)
class Limits:
    """What a program may use in one run.

    Attributes:
        seconds: wall-clock time, from the start of the sandbox to its end.
        memory_bytes: resident memory of all processes together, and address space of each.
        processes: processes and threads at a time.
        output_bytes: what it prints, errors included.
        scratch_bytes: room in /tmp, and as much in /dev/shm.
    """

    seconds: float = 600
    memory_bytes: int = 4 << 30
    processes: int = 32
    output_bytes: int = 4 << 30
    scratch_bytes: int = 256 << 20


class SupervisedProcess:
    """A started program. Use as a context: at its end no process of the program is left.

    Args:
        where: what is being asked, for messages; may be set anew before each question.

    Raises:
        ResourceError: the sandbox could not be made on this machine.
        ProgramError: at any call, with the limit that was passed or what else went wrong.
    """

    def __init__(self, invocation: Invocation, limits: Limits, where: str) -> None:
        self.limits, self.where = limits, where
        if invocation.sandbox is not None and not can_count():
            raise self._no_sandbox("a /proc that does not tell a process's children")
        self._problem: ProgramError | None = None
        self._start_time, self._stopping = time.monotonic(), threading.Event()
        self._started = start(invocation)
        self._cap = make_cap(limits.processes + BESIDE) if invocation.sandbox is not None else None
        self._watcher = threading.Thread(target=self._watch, name=f"watch {where}", daemon=True)
        self._watcher.start()
        try:
            self._await_harness()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def tell(self, line: bytes) -> None:
        """Write a line, without its end, that asks nothing; it goes out with the next question."""
        self._started.write(line + b"\n")

    def ask(self, line: bytes, most_bytes: int) -> bytes:
        """Write a line, without its end, and read the next one; what comes before the question is refused.

        Args:
            most_bytes: a longer answer is refused.
        """
        self._refuse_unasked()
        self._started.write(line + b"\n")
        answer = self._line(most_bytes)
        if answer is None:
            raise self._ended()
        return answer

    def finish(self) -> None:
        """No more questions: wait for the program to end by itself, in silence and with exit code 0."""
        self._started.close_input()
        while self._pump() and not self._started.left_behind:
            self._refuse_unasked()
        self._refuse_unasked()
        while self._started.exit_code is None and self._problem is None:
            self._started.move(_TICK_SECONDS)
        if self._problem is not None or self._started.exit_code != 0:
            raise self._ended()

    def close(self) -> None:
        """Kill what is left, and return when it is gone."""
        self._stopping.set()
        self._watcher.join()
        self._started.close()
        if self._cap is not None:
            self._cap.close()

    def _await_harness(self) -> None:
        if self._line(_READY_BYTES) == READY.rstrip():
            if self._cap is not None:  # nothing of the program runs before it is told something
                self._cap.take(process_tree(self._started.root).processes)
            return
        self._settle()
        if self._problem is not None:
            raise self._problem
        raise self._no_sandbox(clean_text(self._started.errors) or exit_code_text(self._started.exit_code))

    def _no_sandbox(self, got: str) -> ResourceError:
        return ResourceError(
            "the sandbox cannot be made",
            where=self.where,
            got=got,
            expected="a sandbox with Python and numpy in it",
            fix="This is this machine's fault, not the program's: see what bubblewrap says, or run elsewhere.",
        )

    def _line(self, most_bytes: int) -> bytes | None:
        """The next line of output without its end; None where there is none."""
        output, searched = self._started.output, 0
        while (end := output.find(b"\n", searched)) < 0:
            searched = len(output)
            if searched > most_bytes:
                raise self._error(
                    "an answer without end",
                    f"{searched} bytes without a line's end",
                    f"at most {most_bytes}",
                    "Print one line an answer, and flush it.",
                )
            if not self._pump():
                return None
        line = bytes(output[:end])
        del output[: end + 1]
        return line

    def _pump(self) -> bool:
        """Move what can be moved, or wait a little; False when there will be no more output."""
        if self._problem is not None:
            return False
        going_on = self._started.move(_TICK_SECONDS)
        if (produced := self._started.produced_bytes) > self.limits.output_bytes:
            self._stop("too much output", f"{produced} bytes", f"at most {self.limits.output_bytes}")
            return False
        return going_on

    def _refuse_unasked(self) -> None:
        if output := self._started.output:
            raise self._error(
                "an answer that nobody asked for",
                clean_text(bytes(output[:_SHOWN_BYTES])),
                "one line a question, after the question",
                "Print nothing else on the standard output; messages go to the error output.",
            )

    def _watch(self) -> None:
        while not self._stopping.wait(_TICK_SECONDS) and self._problem is None:
            spent = time.monotonic() - self._start_time
            if spent > self.limits.seconds:
                self._stop("out of time", f"not finished after {spent:.1f} seconds", f"{self.limits.seconds} seconds")
                return
            most = self.limits.processes
            tree = process_tree(self._started.root, leave_out=self._started.not_the_programs, most_tasks=most)
            if tree.tasks > most:
                count = f"{tree.tasks} processes and threads"
                self._stop("too many processes", count, f"at most {most}")
            elif tree.memory_bytes > self.limits.memory_bytes:
                count = f"{tree.memory_bytes} bytes in {len(tree.processes)} processes"
                self._stop("too much memory", count, f"at most {self.limits.memory_bytes}")

    def _stop(self, what: str, got: str, expected: str) -> None:
        """Remember the first limit that was passed, and kill."""
        if self._problem is None:
            self._problem = self._error(what, got, expected, "Make the program use less, or agree on other limits.")
        self._started.kill()

    def _settle(self) -> None:
        """Wait for a program that closed its output, and read its last words."""
        until = time.monotonic() + _END_SECONDS
        while time.monotonic() < until and self._problem is None and self._started.exit_code is None:
            self._started.move(_TICK_SECONDS)
        self._started.drain_errors()

    def _ended(self) -> ProgramError:
        """Why there is no answer."""
        self._settle()
        if self._problem is not None:
            return self._problem
        code = self._started.exit_code
        if code is None:
            what, got = "it closed its output", "no answer, and it goes on"
            fix = "Answer every line, and end when the input ends."
        elif code == 0:
            what, got = "fewer answers than questions", "an end after the last answer"
            fix = "Answer every line, flush, and go on until the input ends."
        else:
            return self._error("it failed", exit_code_text(code), "exit code 0", "Correct the program.")
        return self._error(what, got, "an answer to every question", fix)

    def _error(self, what: str, got: str, expected: str, fix: str) -> ProgramError:
        """An error of the program's, with the end of what it said."""
        said = clean_text(self._started.errors)
        words = f" It said: {said[-_SHOWN_BYTES:]}" if said else ""
        return ProgramError(what, where=self.where, got=got, expected=expected, fix=fix + words)
