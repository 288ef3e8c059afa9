"""A prompt is swapped, dropped, added, asked twice, or chosen instead of drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foretell.base.canonical import canonical_json, digest_bytes
from foretell.verifier.layout import OPENINGS
from foretell.verifier.prompts import read_openings
from tests.attacks.forging import copied, drafts, entry_of, failures, part, write_log
from tests.attempts.playing import Game

Lines = list[dict[str, Any]]


def swap(lines: Lines) -> None:
    lines[0]["prompt"]["text"] += "."


def relabel(lines: Lines) -> None:
    lines[0]["prompt"]["slice"] = "facts"


def reweigh(lines: Lines) -> None:
    lines[0]["prompt"]["weight"] = 2


def resalt(lines: Lines) -> None:
    lines[0]["salt"] = "00" * 32


def drop(lines: Lines) -> None:
    lines.pop()


def double(lines: Lines) -> None:
    lines.append(lines[-1])


def turn_round(lines: Lines) -> None:
    lines.reverse()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swap, "a prompt that was swapped"),
        (relabel, "a prompt that was swapped"),
        (reweigh, "a prompt that was swapped"),
        (resalt, "a prompt that was swapped"),
        (drop, "other prompts than were drawn: got missing ["),
        (double, "other prompts than were drawn: got another order, or one twice"),
        (turn_round, "other prompts than were drawn: got another order, or one twice"),
    ],
)
def test_even_when_all_is_signed_again(
    open_game: Game, tmp_path: Path, change: Callable[[Lines], None], message: str
) -> None:
    root = copied(open_game, tmp_path / "ledger")
    path = part(root, OPENINGS)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    change(lines)
    path.write_bytes(b"".join(canonical_json(line) + b"\n" for line in lines))
    entries = drafts(root)
    reveal = entry_of(entries, "reveal")
    reveal.subjects[OPENINGS] = digest_bytes(path.read_bytes())
    reveal.facts["texts"] = [opening.text_digest for opening in read_openings(path.read_bytes(), "")]
    write_log(root, entries, open_game)
    assert message in failures(root)


@pytest.mark.parametrize("spelling", ['{{"index":{0}.0,', '{{"index": {0},', '{{"index":0,"index":{0},'])
def test_another_spelling_of_the_same(open_game: Game, tmp_path: Path, spelling: str) -> None:
    root = copied(open_game, tmp_path / "ledger")
    path = part(root, OPENINGS)
    first, _, rest = path.read_bytes().partition(b",")
    path.write_bytes(spelling.format(int(first.removeprefix(b'{"index":'))).encode() + rest)
    entries = drafts(root)
    entry_of(entries, "reveal").subjects[OPENINGS] = digest_bytes(path.read_bytes())
    write_log(root, entries, open_game)
    assert "no openings: got lines that are not canonical" in failures(root)


@pytest.mark.parametrize("indices", [[0, 1, 6, 7], [-1, 0, 6, 7], [0, 0, 6, 7], [0, 6, 7, 10**9]])
def test_chosen_instead_of_drawn(open_game: Game, tmp_path: Path, indices: list[int]) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    seal = entry_of(entries, "seal")
    if seal.facts["indices"] == indices:
        indices = [0, 2, 6, 8]
    seal.facts["indices"] = indices
    write_log(root, entries, open_game)
    assert "attempt 1: seal: attempt 1: prompts that were chosen, not drawn" in failures(root)


def test_the_evaluator_alone_cannot_even_sign_it(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    seal = entry_of(entries, "seal")
    seal.facts["indices"] = [0, 1, 6, 7] if seal.facts["indices"] != [0, 1, 6, 7] else [0, 2, 6, 8]
    write_log(root, entries, open_game, signers=["evaluator"])
    # The team's commitment was signed on top of the real draw.
    assert "log" in failures(root)
    assert "attempt 1" not in failures(root)
