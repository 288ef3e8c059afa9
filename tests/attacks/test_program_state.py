"""Attack: a blind program smuggles state from an earlier prompt into a later answer."""

from __future__ import annotations

import pytest

from foretell.base.errors import ProgramError
from tests.attacks.conftest import Blind, Put

LATER = """
def later(token_ids, seen):
    return honest([seen % 4] if seen else token_ids)
"""
GLOBAL = """
seen = 0

def next_token(token_ids):
    global seen
    seen += sum(token_ids)
    return later(token_ids, seen - sum(token_ids))
"""
FILE = """
import os

def next_token(token_ids):
    known = os.path.getsize("/tmp/seen") if os.path.exists("/tmp/seen") else 0
    with open("/tmp/seen", "a") as file:
        file.write("x" * sum(token_ids))
    return later(token_ids, known)
"""
ENVIRONMENT = """
import os

def next_token(token_ids):
    known = int(os.environ.get("SEEN", "0"))
    os.environ["SEEN"] = str(known + sum(token_ids))
    return later(token_ids, known)
"""
CHILD = """
import os

reading, writing = os.pipe()
os.set_blocking(reading, False)

def next_token(token_ids):
    try:
        known = os.read(reading, 1000)
    except BlockingIOError:
        known = b""
    os.write(writing, known + bytes(sum(token_ids)))
    return later(token_ids, len(known))
"""
#: What earlier questions had in common is the same in both orders; only a question asked alone gives it away.
IN_COMMON = """
seen = 0

def next_token(token_ids):
    global seen
    seen += 1
    return honest([3] if seen > 1 else [0])
"""
CHANCE = """
import os

def next_token(token_ids):
    return honest([os.urandom(1)[0] % 4])
"""
LOOK_AHEAD = """
import json, os, select

waiting = b""

def line():
    global waiting
    while b"\\n" not in waiting:
        data = os.read(0, 1 << 16)
        if not data:
            raise SystemExit
        waiting += data
    first, _, waiting = waiting.partition(b"\\n")
    return json.loads(first)

line()
while True:
    question = line()
    more = waiting or select.select([0], [], [], 0.02)[0]
    assert not more, "the next question is here already"
    answer = {"question": question["question"], "logprobs": honest(question["token_ids"])}
    os.write(1, json.dumps(answer).encode() + b"\\n")
"""


@pytest.mark.parametrize("source", [GLOBAL, FILE, ENVIRONMENT, CHILD, IN_COMMON])
def test_state_is_found(blind: Blind, put: Put, source: str) -> None:
    with pytest.raises(
        ProgramError, match=r"\(prompt 'p\d' position \d\): the answer depends on what was asked before"
    ):
        put(blind(LATER + source))


def test_chance_is_told_from_state(blind: Blind, put: Put) -> None:
    with pytest.raises(ProgramError, match=r"not deterministic: got two answers|the answer depends on what was asked"):
        put(blind(CHANCE))


def test_a_cache_that_changes_no_answer_is_allowed(blind: Blind, put: Put) -> None:
    put(
        blind(
            "import functools\n\n@functools.cache\ndef one(t):\n    return honest([t])\n\ndef next_token(ids):\n"
            "    return one(ids[-1])\n"
        )
    )


def test_no_question_comes_before_the_one_before_is_answered(blind: Blind, put: Put) -> None:
    """Prefixes of one prompt follow each other: who sees the next question may see the answer."""
    put(blind(LOOK_AHEAD, entry="command: python3 attack.py"))
