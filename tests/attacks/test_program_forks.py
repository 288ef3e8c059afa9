"""Attack: a blind program forks without end."""

from __future__ import annotations

import pytest

from foretell.base.errors import ProgramError
from tests.attacks.conftest import Blind, Put

BOMB = """
import os, time

def next_token(token_ids):
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)
"""
FEW = """
import os, threading

def next_token(token_ids):
    children = []
    for _ in range(3):
        child = os.fork()
        if not child:
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return honest(token_ids)
"""
THREADS = """
import threading, time

def next_token(token_ids):
    for _ in range(100):
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
    time.sleep(5)
"""
OUT = r"\(prompt 'p\d' position \d\): too many processes: got \d+ processes and threads, expected at most 8\."


def test_a_fork_bomb_is_stopped(blind: Blind, put: Put) -> None:
    with pytest.raises(ProgramError, match=OUT):
        put(blind(BOMB))


def test_threads_count(blind: Blind, put: Put) -> None:
    with pytest.raises(ProgramError, match=f"{OUT}|RuntimeError: can't start new thread"):
        put(blind(THREADS))


def test_a_few_processes_are_allowed(blind: Blind, put: Put) -> None:
    put(blind(FEW))
