"""A started invocation: its three pipes, moved without ever blocking, and its end, which leaves nothing behind."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import tempfile
from contextlib import suppress

from foretell.forecasters.process_tree import process_tree
from foretell.forecasters.sandbox import Invocation, filter_bytes

_CHUNK_BYTES = 1 << 18
_ERROR_TAIL_BYTES = 4096
_SIGNAL_CODES = 128
#: How long a killed process may take to be gone.
_GONE_SECONDS = 5.0


class Started:
    """A process and, in a sandbox, the first process of its namespace.

    Attributes:
        output: what it printed and nobody has taken yet.
        errors: the end of its error output.
        produced_bytes: how much it has printed in all, errors included.
    """

    def __init__(self, process: subprocess.Popen[bytes], sandboxed: bool, first: int | None) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.output, self.errors, self.produced_bytes = bytearray(), b"", 0
        self._process, self._sandboxed, self._pending = process, sandboxed, b""
        self._in, self._out, self._err = process.stdin, process.stdout, process.stderr
        self._first, self._handle = first, _handle_of(first)
        self._selector = selectors.DefaultSelector()
        for stream in (self._in, self._out, self._err):
            os.set_blocking(stream.fileno(), False)
        for stream in (self._out, self._err):
            self._selector.register(stream, selectors.EVENT_READ)

    @property
    def root(self) -> int:
        """The process that everything descends from."""
        return self._process.pid

    @property
    def not_the_programs(self) -> frozenset[int]:
        """Bubblewrap's own two processes."""
        return frozenset({self._process.pid, self._first or 0}) if self._sandboxed else frozenset()

    @property
    def exit_code(self) -> int | None:
        """How it ended, as a shell tells it; None while it goes on."""
        code = self._process.poll()
        return code if code is None or code >= 0 else _SIGNAL_CODES - code

    @property
    def left_behind(self) -> bool:
        """Whether it ended without a sandbox, where what it started may still hold its output."""
        return not self._sandboxed and self._process.poll() is not None

    def write(self, data: bytes) -> None:
        """Have data written when the program reads."""
        self._pending += data
        if self._in not in self._selector.get_map():
            self._selector.register(self._in, selectors.EVENT_WRITE)

    def close_input(self) -> None:
        """Tell the program that nothing more comes."""
        if self._in in self._selector.get_map():
            self._selector.unregister(self._in)
        self._in.close()

    def move(self, seconds: float) -> bool:
        """Move what can be moved, or wait; False when the output has ended."""
        going_on = True
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._in:
                self._send()
            else:
                data = os.read(key.fd, _CHUNK_BYTES)
                self.produced_bytes += len(data)
                if not data:
                    self._selector.unregister(key.fileobj)
                if key.fileobj is self._err:
                    self.errors = (self.errors + data)[-_ERROR_TAIL_BYTES:]
                else:
                    self.output += data
                    going_on = bool(data)
        return going_on

    def drain_errors(self) -> None:
        """Read what is left of the error output of a program that ended."""
        with suppress(BlockingIOError):
            while data := os.read(self._err.fileno(), _CHUNK_BYTES):
                self.errors = (self.errors + data)[-_ERROR_TAIL_BYTES:]

    def kill(self) -> None:
        """Kill everything: the first process of a namespace takes all others with it."""
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            return
        with suppress(ProcessLookupError, PermissionError):
            if self._process.poll() is None:
                for process in reversed(process_tree(self._process.pid).processes):
                    os.kill(process, signal.SIGKILL)
            if not self._sandboxed:
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill everything and return when it is gone."""
        self.kill()
        try:
            self._process.wait(_GONE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._handle is not None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._handle, selectors.EVENT_READ)  # readable once the namespace is empty
                selector.select(_GONE_SECONDS)
            os.close(self._handle)
            self._handle = None
        self._selector.close()
        for stream in (self._in, self._out, self._err):
            stream.close()

    def _send(self) -> None:
        try:
            self._pending = self._pending[os.write(self._in.fileno(), self._pending) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it reads no more; whether it still answers is seen from its output
            self._pending = b""
        if not self._pending:
            self._selector.unregister(self._in)


def start(invocation: Invocation) -> Started:
    """Start it in a session of its own; bubblewrap also gets the filter, and a pipe to name its first process on."""
    sandboxed, rules = invocation.sandbox is not None, filter_bytes(invocation)
    with tempfile.TemporaryFile() as file:
        if not sandboxed:
            return Started(_open(invocation, [], []), sandboxed, None)
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as told:
            try:
                options, handles = ["--info-fd", str(writing)], [writing]
                if rules is not None:
                    file.write(rules)
                    file.seek(0)
                    options, handles = [*options, "--seccomp", str(file.fileno())], [writing, file.fileno()]
                process = _open(invocation, options, handles)
            finally:
                os.close(writing)
            facts = told.read()  # nothing, where bubblewrap failed before it had a process
        return Started(process, sandboxed, int(json.loads(facts)["child-pid"]) if facts else None)


def _open(invocation: Invocation, options: list[str], handles: list[int]) -> subprocess.Popen[bytes]:
    first, *others = invocation.arguments
    return subprocess.Popen(
        [first, *options, *others],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=invocation.environment,
        cwd=invocation.folder,
        pass_fds=handles,
        start_new_session=True,
    )


def _handle_of(process: int | None) -> int | None:
    """A handle that stays with this process when its number is used again."""
    if process is None:
        return None
    try:
        return os.pidfd_open(process)
    except ProcessLookupError:  # gone already
        return None


def clean_text(data: bytes) -> str:
    r"""A program's words without what a terminal would act on.

    >>> clean_text(b"one\ntwo\x07")
    'one | two�'
    """
    text = data.decode("utf-8", errors="replace").strip()
    return "".join(letter if letter.isprintable() else " | " if letter == "\n" else "\ufffd" for letter in text)


def exit_code_text(code: int | None) -> str:
    """An exit code with the signal's name.

    >>> exit_code_text(134)
    'exit code 134 (SIGABRT)'
    """
    known = {_SIGNAL_CODES + one.value: one.name for one in signal.Signals}
    return f"exit code {code} ({known[code]})" if code in known else f"exit code {code}"
