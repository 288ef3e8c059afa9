"""Attack: a blind program never answers: it sleeps, computes for ever, or does not read."""

from __future__ import annotations

import pytest

from foretell.base.errors import ProgramError
from tests.attacks.conftest import Blind, Put

OUT = r"out of time: got not finished after \d+\.\d seconds, expected 0\.6 seconds"


@pytest.mark.parametrize(
    "body", ["import time; time.sleep(60)", "while True: pass", "import signal; signal.pause()"], ids=lambda b: b[:5]
)
def test_it_does_not_answer(blind: Blind, put: Put, body: str) -> None:
    with pytest.raises(ProgramError, match=OUT):
        put(blind(f"def next_token(ids):\n    {body}\n", seconds=0.6))


def test_it_sleeps_while_it_is_loaded(blind: Blind, put: Put) -> None:
    with pytest.raises(ProgramError, match=OUT):
        put(blind("import time\ntime.sleep(60)\n", seconds=0.6))


def test_it_ignores_signals_and_closes_its_output(blind: Blind, put: Put) -> None:
    source = "import os, signal, time\nfor one in range(1, 32):\n    if one not in (9, 19):\n"
    source += "        signal.signal(one, signal.SIG_IGN)\nos.close(1)\nos.close(2)\n"
    source += "os.closerange(3, 20)\ntime.sleep(60)\n"
    with pytest.raises(ProgramError, match=OUT):
        put(blind(source, seconds=0.6))


def test_it_goes_on_after_the_last_answer(blind: Blind, put: Put) -> None:
    source = "import atexit, time\natexit.register(time.sleep, 60)\ndef next_token(ids):\n    return honest(ids)\n"
    with pytest.raises(ProgramError, match=OUT):
        put(blind(source, seconds=0.6))


def test_it_does_not_read(blind: Blind, put: Put) -> None:
    with pytest.raises(ProgramError, match=OUT):
        put(blind("", entry="command: sleep 60", seconds=0.6))


def test_a_short_rest_is_allowed(blind: Blind, put: Put) -> None:
    put(blind("import time\ndef next_token(ids):\n    time.sleep(0.001)\n    return honest(ids)\n"))
