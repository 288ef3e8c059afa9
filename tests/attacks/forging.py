"""A forger's kit: take a ledger apart, change what you like, and sign again whatever your own keys can sign."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretell.base.canonical import digest_bytes, digest_file
from foretell.base.files import MANIFEST, write_manifest
from foretell.ledger import (
    Checkpoint,
    Ledger,
    SecretKey,
    Statement,
    leaf_hash,
    origin_of,
    read_unverified,
    sign_checkpoint,
    sign_statement,
    tree_root,
)
from foretell.verifier import verify
from foretell.verifier.layout import LOG, attempt_folder
from foretell.verifier.statements import predicate_type
from tests.attempts.playing import Game

BOTH = ("evaluator", "team")
_PLACE = ("previous", "time")


@dataclass
class Draft:
    """One entry, taken apart.

    Attributes:
        raw: entry and checkpoint as they were, for a side whose key the forger has not.
    """

    step: str
    subjects: dict[str, str]
    facts: dict[str, Any]
    time: str
    who: str
    raw: tuple[bytes, bytes] | None


def drafts(root: Path) -> list[Draft]:
    """A ledger's entries."""
    ledger = Ledger(root / LOG)
    found = []
    for index, entry in enumerate(ledger.entries):
        statement = read_unverified(entry)
        step = statement.predicate_type.removeprefix("foretell:").removesuffix("/1")
        facts = {name: value for name, value in statement.predicate.items() if name not in _PLACE}
        who = "team" if step == "commit" else "evaluator"
        raw = entry, ledger.checkpoint(index + 1)
        found.append(Draft(step, statement.subjects, facts, statement.predicate["time"], who, raw))
    return found


def write_log(root: Path, entries: list[Draft], game: Game, signers: Collection[str] = BOTH) -> None:
    """Write a log again: what `signers` said is signed anew for its place, the rest is kept as it was.

    Signatures are deterministic: what is not changed comes out as it was.
    """
    for folder in (root / LOG / "entries", root / LOG / "checkpoints"):
        shutil.rmtree(folder)
        folder.mkdir()
    data: list[bytes] = []
    for index, draft in enumerate(entries):
        secret = game.team if draft.who == "team" else game.evaluator
        if draft.who in signers or draft.raw is None:
            entry = sign_statement(_statement(draft, data), secret)
            note = checkpoint([*data, entry], secret)
        else:
            entry, note = draft.raw
        data.append(entry)
        (root / LOG / "entries" / f"{index:08d}.json").write_bytes(entry)
        (root / LOG / "checkpoints" / f"{index + 1:08d}.note").write_bytes(note)


def checkpoint(entries: list[bytes], secret: SecretKey) -> bytes:
    """The signed checkpoint of a log."""
    root = tree_root([leaf_hash(entry) for entry in entries])
    return sign_checkpoint(Checkpoint(origin_of(entries[0]), len(entries), root), secret)


def _statement(draft: Draft, before: list[bytes]) -> Statement:
    place = {"size": len(before), "root": tree_root([leaf_hash(entry) for entry in before]).hex()}
    predicate = {**draft.facts, "previous": place, "time": draft.time}
    return Statement(predicate_type(draft.step), draft.subjects, predicate)


def entry_of(entries: list[Draft], step: str, attempt: int = 1) -> Draft:
    """An attempt's step."""
    return next(d for d in entries if d.step == step and d.facts.get("attempt", attempt) == attempt)


def copied(game: Game, to: Path) -> Path:
    """A copy of the game's ledger to play with."""
    shutil.copytree(game.ledger, to)
    return to


def part(root: Path, name: str, attempt: int = 1) -> Path:
    """A file or folder of an attempt."""
    return attempt_folder(root, attempt) / name


def change_manifest(folder: Path, **facts: Any) -> str:
    """Change facts of a folder's manifest, with digests that fit; returns the new digest of the folder."""
    manifest = json.loads((folder / MANIFEST).read_text())
    kept = {name: value for name, value in manifest.items() if name not in ("schema", "made_by", "files")}
    write_manifest(folder, manifest["schema"], kept | facts)
    return digest_file(folder / MANIFEST)


def write_json(path: Path, value: Any) -> str:
    """Write JSON; returns the digest."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return digest_bytes(path.read_bytes())


def failures(folder: Path) -> str:
    """What `verify` finds wrong, in one text."""
    return "\n".join(f"{check.name}: {check.detail}" for check in verify(folder) if check.holds is False)
