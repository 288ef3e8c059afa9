"""Where things lie in a ledger's folder, and in a published one, which is a part of it.

log/                     entries/ and checkpoints/, see ledger/log.py
timestamps/N.tsr         RFC 3161 tokens over the checkpoint of size N
pools/<root>.json        the cards of a pool: a commitment and a slice for each of its prompts
attempts/001/            the files of one attempt; each is named by digest in a signed entry of the log
    sealed.age               the drawn prompts, for the evaluator
    opened.age               the same for the team (open and prospective tracks)
    forecast/                the team's forecast, or what the team's program said
    program/                 the team's program (blind track)
    openings.jsonl           the prompts with their salts, after the reveal
    truth/                   the target's distributions
    score.json               what was measured
manifest.json            published folders only: the digest of every file but those of the last entry
"""

from __future__ import annotations

from pathlib import Path

LOG, TIMESTAMPS, POOLS, ATTEMPTS = "log", "timestamps", "pools", "attempts"
#: Whoever writes to a ledger leaves this in it; a published folder is not written to, and has none.
LOCK = f"{LOG}/.lock"
SEALED, OPENED, OPENINGS = "sealed.age", "opened.age", "openings.jsonl"
FORECAST, PROGRAM, TRUTH, SCORE = "forecast", "program", "truth", "score.json"
PUBLISHED_SCHEMA = "foretell.published/1"


def attempt_folder(root: Path, number: int) -> Path:
    """The folder of an attempt.

    >>> attempt_folder(Path("ledger"), 7).as_posix()
    'ledger/attempts/007'
    """
    return root / ATTEMPTS / f"{number:03d}"


def cards_file(root: Path, commitment: str) -> Path:
    """The cards of a pool, by its commitment."""
    return root / POOLS / f"{commitment}.json"


def timestamp_file(root: Path, size: int) -> Path:
    """The timestamp of the checkpoint of that size."""
    return root / TIMESTAMPS / f"{size:08d}.tsr"
