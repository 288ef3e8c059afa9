"""A file says one thing to one reader and another to the next: names twice, NaN, a number that is a truth value."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foretell.base.canonical import canonical_json, digest_bytes, digest_file
from foretell.base.files import MANIFEST
from foretell.ledger.envelope import PAYLOAD_TYPE, pae
from foretell.verifier.layout import FORECAST, LOG, OPENINGS, SCORE, TRUTH
from tests.attacks import forging
from tests.attacks.forging import checkpoint, copied, drafts, entry_of, failures, part, write_log
from tests.attempts.playing import Game


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"decision": "pass"', '"decision": "fail", "decision": "pass"', "'decision' stands twice in an object"),
        ('"decision": "pass"', '"decision": "pass", "bonus": NaN', "NaN is no number of JSON"),
        ('"decision": "pass"', '"decision": "pass", "bonus": 1', "a score that does not come out again"),
        ("{", "[" * 100_000, "no score: got ValueError"),
        ('"verdict": {', '"other": {', "no score: got KeyError('verdict')"),
        ('"reasons": [', '"because": [', "no score: got no 'reasons'"),
    ],
)
def test_the_score(open_game: Game, tmp_path: Path, old: str, new: str, message: str) -> None:
    root = copied(open_game, tmp_path / "ledger")
    path = part(root, SCORE)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    entries = drafts(root)
    entry_of(entries, "judge").subjects = {SCORE: digest_file(path)}
    write_log(root, entries, open_game)
    told = failures(root)
    assert message in told, told
    assert "unreadable" not in told


@pytest.mark.parametrize(("name", "step"), [(FORECAST, "commit"), (TRUTH, "reveal")])
@pytest.mark.parametrize("forge", ['{"files": {}, ', '{"positions": 1e999, "kind": NaN, ', "[", '{"files": 3} '])
def test_a_manifest(open_game: Game, tmp_path: Path, name: str, step: str, forge: str) -> None:
    root = copied(open_game, tmp_path / "ledger")
    manifest = part(root, name) / MANIFEST
    manifest.write_text(forge + manifest.read_text().lstrip("{"))
    entries = drafts(root)
    entry_of(entries, step).subjects[name] = digest_file(manifest)
    write_log(root, entries, open_game)
    assert f"{name}/{MANIFEST}: a manifest that cannot be read" in failures(root)


def test_the_manifest_of_a_published_folder(open_game: Game, tmp_path: Path) -> None:
    published = Path(shutil.copytree(open_game.folder / "published-open", tmp_path / "published"))
    manifest = published / MANIFEST
    manifest.write_text(manifest.read_text().replace("{", '{"track": "blind", ', 1))
    entries = drafts(published)
    entries[-1].subjects = {MANIFEST: digest_file(manifest)}
    write_log(published, entries, open_game)
    assert "'track' stands twice in an object" in failures(published)


Predicate = dict[str, Any]


@pytest.mark.parametrize(
    ("step", "change", "message"),
    [
        ("seal", lambda p: p.update(indices=[True, *p["indices"][1:]]), "a seal without its facts: got indices True"),
        ("seal", lambda p: p.update(indices=[[1]]), r"a seal without its facts: got indices [1], expected int"),
        ("reveal", lambda p: p.update(texts=[None]), "a reveal without its facts: got texts None, expected str"),
        ("commit", lambda p: p.update(helpers=[1]), "a commit without its facts: got helpers 1, expected str"),
        ("judge", lambda p: p.update(reasons="none"), "a judge without its facts: got reasons 'none', expected list"),
        ("judge", lambda p: p.pop("decision"), "a judge without its facts: got decision None, expected str"),
    ],
)
def test_facts_of_another_kind(
    open_game: Game, tmp_path: Path, step: str, change: Callable[[Predicate], object], message: str
) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    change(entry_of(entries, step).facts)
    write_log(root, entries, open_game)
    assert message in failures(root)


def test_a_place_that_is_a_truth_value(open_game: Game, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = copied(open_game, tmp_path / "ledger")
    entries = drafts(root)
    real = forging._statement

    def place(draft: Any, before: list[bytes]) -> Any:
        statement = real(draft, before)
        if len(before) == 1:
            statement.predicate["previous"]["size"] = True
        return statement

    monkeypatch.setattr(forging, "_statement", place)
    write_log(root, entries, open_game)
    assert "log entry 1: a statement that was signed for another place or log" in failures(root)


def test_a_statement_with_a_name_twice(open_game: Game, tmp_path: Path) -> None:
    root = copied(open_game, tmp_path / "ledger")
    path = root / LOG / "entries" / "00000005.json"
    payload = base64.b64decode(json.loads(path.read_bytes())["payload"])
    payload = payload.replace(b'"decision":"pass"', b'"decision":"fail","decision":"pass"')
    signed = {"keyid": open_game.evaluator.public.id}
    signature = open_game.evaluator.sign(pae(PAYLOAD_TYPE, payload))
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [signed | {"sig": base64.b64encode(signature).decode()}],
    }
    write_log(root, drafts(root)[:6], open_game)
    path.write_bytes(canonical_json(envelope))
    data = [entry.read_bytes() for entry in sorted(path.parent.iterdir())]
    (root / LOG / "checkpoints" / "00000006.note").write_bytes(checkpoint(data, open_game.evaluator))
    assert "log entry 5: not a statement: got JSON of another form" in failures(root)


@pytest.mark.parametrize(
    ("field", "value", "got"),
    [
        ("salt", "AB" * 32, "salt"),
        ("salt", "zz", "salt"),
        ("text", 7, "other than texts"),
        ("weight", True, "a number for its weight"),
        ("scored", "first", "scored 'first'"),
        ("scored", [True], "scored (True,)"),
        ("scored", [], "scored ()"),
    ],
)
def test_openings(open_game: Game, tmp_path: Path, field: str, value: object, got: str) -> None:
    root = copied(open_game, tmp_path / "ledger")
    path = part(root, OPENINGS)
    first, *rest = path.read_bytes().splitlines(keepends=True)
    line = json.loads(first)
    (line if field == "salt" else line["prompt"])[field] = value
    path.write_bytes(canonical_json(line) + b"\n" + b"".join(rest))
    entries = drafts(root)
    entry_of(entries, "reveal").subjects[OPENINGS] = digest_bytes(path.read_bytes())
    write_log(root, entries, open_game)
    told = failures(root)
    assert "no openings" in told
    assert got in told
