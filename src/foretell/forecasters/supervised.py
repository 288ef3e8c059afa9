"""A program under watch: one line in, one line out, and killed with all that it started when it passes a limit."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from foretell.base.errors import ProgramError, ResourceError
from foretell.forecasters.process_tree import can_count, process_tree
from foretell.forecasters.program_harness import READY
from foretell.forecasters.sandbox import Invocation, filter_bytes

_TICK_SECONDS = 0.02
#: How long a dead process may take to be gone, and one that closed its output to end.
_END_SECONDS = 5.0
_CHUNK_BYTES = 1 << 18
_ERROR_TAIL_BYTES = 4096
_ERROR_TAIL_LETTERS = 600
_SIGNAL_CODES = 128
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

    Raises:
        ResourceError: the sandbox could not be made on this machine.
        ProgramError: at any call, with the limit that was passed or what else went wrong.
    """

    def __init__(self, invocation: Invocation, limits: Limits, where: str) -> None:
        self.limits, self.where = limits, where
        self._sandboxed = invocation.sandbox is not None
        self._out, self._errors, self._pending, self._produced = bytearray(), b"", b"", 0
        self._problem: ProgramError | None = None
        self._init: int | None = None
        self._init_handle: int | None = None
        self._started, self._stopping = time.monotonic(), threading.Event()
        if self._sandboxed and not can_count():
            raise self._no_sandbox("a /proc that does not tell a process's children")
        self._process = self._start(invocation)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._in, self._output, self._error_output = (
            self._process.stdin,
            self._process.stdout,
            self._process.stderr,
        )
        self._selector = selectors.DefaultSelector()
        for stream in (self._in, self._output, self._error_output):
            os.set_blocking(stream.fileno(), False)
        for stream in (self._output, self._error_output):
            self._selector.register(stream, selectors.EVENT_READ)
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

    def ask(self, line: bytes, most_bytes: int) -> bytes:
        """Write a line, without its end, and read the next one; what comes before the question is refused.

        Args:
            most_bytes: a longer answer is refused.
        """
        self._refuse_unasked()
        self._pending += line + b"\n"
        self._want_to_write()
        answer = self._line(most_bytes)
        if answer is None:
            raise self._ended()
        return answer

    def tell(self, line: bytes) -> None:
        """Write a line, without its end, that asks nothing; it goes out with the next question."""
        self._pending += line + b"\n"

    def finish(self) -> None:
        """No more questions: wait for the program to end by itself, in silence and with exit code 0."""
        self._unregister(self._in)
        self._in.close()
        while self._pump() and (self._sandboxed or self._process.poll() is None):  # what it left may hold the pipe
            self._refuse_unasked()
        self._refuse_unasked()
        while self._process.poll() is None and self._problem is None:
            time.sleep(_TICK_SECONDS / 10)
        if self._problem is not None or self._process.returncode != 0:
            raise self._ended()

    def close(self) -> None:
        """Kill what is left, and return when it is gone."""
        self._stopping.set()
        self._kill()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._watcher.ident is not None:
            self._watcher.join()
        if self._init_handle is not None:
            _await_end(self._init_handle)
            os.close(self._init_handle)
            self._init_handle = None
        self._selector.close()
        for stream in (self._in, self._output, self._error_output):
            stream.close()

    def problem(self, what: str, got: str, expected: str, fix: str) -> ProgramError:
        """An error of the program's, with the end of what it said."""
        return ProgramError(what, where=self.where, got=got, expected=expected, fix=f"{fix}{self._tail()}")

    def _start(self, invocation: Invocation) -> subprocess.Popen[bytes]:
        arguments, handles, reading = list(invocation.arguments), [], None
        rules = filter_bytes(invocation)
        with tempfile.TemporaryFile() as file:
            if self._sandboxed:
                reading, writing = os.pipe()
                handles.append(writing)
                arguments[1:1] = ["--info-fd", str(writing)]
            if rules is not None:
                file.write(rules)
                file.seek(0)
                handles.append(file.fileno())
                arguments[1:1] = ["--seccomp", str(file.fileno())]
            try:
                process = subprocess.Popen(
                    arguments,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    env=invocation.environment,
                    cwd=invocation.folder,
                    pass_fds=handles,
                    start_new_session=True,
                )
            finally:
                if reading is not None:
                    os.close(writing)
        if reading is not None:
            self._learn_init(reading)
        return process

    def _learn_init(self, reading: int) -> None:
        """The sandbox's first process, as bubblewrap names it; nothing where bubblewrap failed before it had one."""
        with os.fdopen(reading, "rb") as file:
            told = file.read()
        if told:
            self._init = int(json.loads(told)["child-pid"])
            try:
                self._init_handle = os.pidfd_open(self._init)
            except ProcessLookupError:
                self._init = None

    def _await_harness(self) -> None:
        if self._line(_READY_BYTES) != READY.rstrip():
            if self._problem is not None:
                raise self._problem
            self._settle()
            raise self._no_sandbox(_clean(self._errors) or f"exit code {self._process.returncode}")

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
        searched = 0
        while (end := self._out.find(b"\n", searched)) < 0:
            searched = len(self._out)
            if searched > most_bytes:
                raise self.problem(
                    "an answer without end",
                    f"{searched} bytes without a line's end",
                    f"at most {most_bytes}",
                    "Print one line an answer, and flush it.",
                )
            if not self._pump():
                return None
        line = bytes(self._out[:end])
        del self._out[: end + 1]
        return line

    def _pump(self) -> bool:
        """Move what can be moved, or wait a little; False when there will be no more output."""
        if self._problem is not None:
            return False
        for key, _ in self._selector.select(_TICK_SECONDS):
            if key.fileobj is self._in:
                self._write()
                continue
            data = os.read(key.fd, _CHUNK_BYTES)
            if not data:
                self._selector.unregister(key.fileobj)
                if key.fileobj is self._output:
                    return False
            self._produced += len(data)
            if self._produced > self.limits.output_bytes:
                self._stop("too much output", f"{self._produced} bytes", f"at most {self.limits.output_bytes}")
                return False
            if key.fileobj is self._output:
                self._out += data
            else:
                self._errors = (self._errors + data)[-_ERROR_TAIL_BYTES:]
        return True

    def _write(self) -> None:
        try:
            self._pending = self._pending[os.write(self._in.fileno(), self._pending) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it reads no more; whether it still answers is seen from its output
            self._pending = b""
        if not self._pending:
            self._unregister(self._in)

    def _want_to_write(self) -> None:
        if self._in not in self._selector.get_map():
            self._selector.register(self._in, selectors.EVENT_WRITE)

    def _unregister(self, stream: object) -> None:
        if stream in self._selector.get_map():
            self._selector.unregister(stream)  # type: ignore[arg-type]

    def _refuse_unasked(self) -> None:
        if self._out:
            raise self.problem(
                "an answer that nobody asked for",
                _clean(bytes(self._out[:_READY_BYTES])),
                "one line a question, after the question",
                "Print nothing else on the standard output; messages go to the error output.",
            )

    def _watch(self) -> None:
        while not self._stopping.wait(_TICK_SECONDS):
            spent = time.monotonic() - self._started
            if spent > self.limits.seconds:
                self._stop("out of time", f"not finished after {spent:.1f} seconds", f"{self.limits.seconds} seconds")
                return
            tree = process_tree(self._process.pid, leave_out=self._bubblewraps())
            if tree.tasks > self.limits.processes:
                what = "too many processes"
                self._stop(what, f"{tree.tasks} processes and threads", f"at most {self.limits.processes}")
                return
            if tree.memory_bytes > self.limits.memory_bytes:
                count = f"{tree.memory_bytes} bytes in {len(tree.processes)} processes"
                self._stop("too much memory", count, f"at most {self.limits.memory_bytes}")
                return

    def _bubblewraps(self) -> frozenset[int]:
        return frozenset({self._process.pid, self._init or 0}) if self._sandboxed else frozenset()

    def _stop(self, what: str, got: str, expected: str) -> None:
        """Pass a verdict once, and kill."""
        if self._problem is None:
            self._problem = self.problem(what, got, expected, "Make the program smaller, or agree on other limits.")
        self._kill()

    def _kill(self) -> None:
        """The sandbox's first process takes all others of its namespace with it."""
        if self._init_handle is not None:
            try:
                signal.pidfd_send_signal(self._init_handle, signal.SIGKILL)
            except ProcessLookupError:
                return
            return
        if self._process.poll() is None:
            for process in process_tree(self._process.pid).processes:
                _kill_one(process)
        if not self._sandboxed:
            _kill_group(self._process.pid)

    def _settle(self) -> None:
        """Wait for a process that closed its output, and read its last words."""
        until = time.monotonic() + _END_SECONDS
        while time.monotonic() < until and self._problem is None and self._process.poll() is None:
            self._pump()
        while self._error_output in self._selector.get_map() and time.monotonic() < until and self._pump_errors():
            pass

    def _pump_errors(self) -> bool:
        try:
            data = os.read(self._error_output.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return False
        self._errors = (self._errors + data)[-_ERROR_TAIL_BYTES:]
        return bool(data)

    def _ended(self) -> ProgramError:
        """Why there is no answer."""
        self._settle()
        if self._problem is not None:
            return self._problem
        code = self._process.poll()
        if code is None:
            return self.problem(
                "it closed its output",
                "no answer, and it goes on",
                "an answer to every question",
                "Answer every line, and end when the input ends.",
            )
        if code == 0:
            return self.problem(
                "fewer answers than questions",
                "an end after the last answer",
                "an answer to every question",
                "Answer every line, flush, and go on until the input ends.",
            )
        name = _signal_name(code)
        return self.problem("it failed", f"exit code {code}{name}", "0", "Correct the program.")

    def _tail(self) -> str:
        text = _clean(self._errors)
        return f" It said: {text[-_ERROR_TAIL_LETTERS:]}" if text else ""


def _clean(data: bytes) -> str:
    """A program's words without what a terminal would act on."""
    text = data.decode("utf-8", errors="replace").strip()
    return "".join(letter if letter.isprintable() else " | " if letter == "\n" else "\ufffd" for letter in text)


def _signal_name(code: int) -> str:
    number = -code if code < 0 else code - _SIGNAL_CODES
    known = number in {one.value for one in signal.Signals}
    return f" ({signal.Signals(number).name})" if known else ""


def _await_end(handle: int) -> None:
    """Wait until the process behind a handle is gone: its namespace is empty then."""
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        selector.select(_END_SECONDS)


def _kill_one(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
