"""The protocol as people type it: the demo on all tracks, wrong order, wrong keys, exit codes, JSON, single prompts."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from foretell.forecasters.sandbox import find_bubblewrap

Foretell = Callable[..., "subprocess.CompletedProcess[str]"]
TRACKS = ("prospective", "open", "blind")


@pytest.fixture(scope="module")
def demo(foretell: Foretell, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three tracks, played by `foretell demo --protocol`."""
    find_bubblewrap()
    folder = tmp_path_factory.mktemp("protocol") / "demo"
    done = foretell("demo", "--protocol", "--out", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("verified: the record holds together") == len(TRACKS)
    assert done.stdout.count("$ foretell") > 25  # every command is shown
    return folder


def test_a_stranger_verifies_every_track(demo: Path, foretell: Foretell) -> None:
    for track in TRACKS:
        done = foretell("verify", demo / track, "--json", "-")
        told = json.loads(done.stdout)
        assert (done.returncode, told["verified"]) == (0, True)
        assert all(check["holds"] for check in told["checks"])
    assert "size of" not in done.stderr
    last = told["checks"][-1]["detail"]
    assert "by a program of" in last
    assert " bits" in last


@pytest.mark.parametrize("track", ["open", "blind"])
def test_a_published_forecast_is_inspected_on_every_track_alike(demo: Path, foretell: Foretell, track: str) -> None:
    (attempt,) = (demo / track / "attempts").iterdir()
    texts = [part for spec in ("ngram:2:tiny", "ngram:5:tiny", "tiny@1536") for part in ("--known", spec)]
    done = foretell("inspect", attempt / "forecast", "--truth", attempt / "truth", *texts, "--json", "-")
    told = json.loads(done.stdout)
    assert (done.returncode, told["finding"]) == (0, False)
    assert [(one["model"], one["status"]) for one in told["tracking"]] == [("model:tiny@1536", "not found")]


def test_an_archive_verifies_as_its_folder_does(demo: Path, foretell: Foretell, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "open"), "zip", demo / "open")
    assert foretell("verify", archive).returncode == 0


def test_a_changed_folder_does_not(demo: Path, foretell: Foretell, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(demo / "open", changed)
    score = next(changed.glob("attempts/*/score.json"))
    score.write_text(score.read_text().replace('"pass"', '"fail"'))
    done = foretell("verify", changed)
    assert done.returncode == 13
    assert "score.json: a file that is not what was signed" in done.stdout
    assert "does not verify" in done.stdout


def test_another_evaluator_is_noticed(demo: Path, foretell: Foretell, tmp_path: Path) -> None:
    assert foretell("keys", "new", "stranger", "--out", tmp_path).returncode == 0
    done = foretell("verify", demo / "open", "--evaluator", tmp_path / "stranger.pub")
    assert done.returncode == 13
    assert "a charter of another evaluator" in done.stdout


def test_one_prompt_can_be_opened_alone(demo: Path, foretell: Foretell, tmp_path: Path) -> None:
    key, ledger = demo / "keys" / "evaluator.key", demo / "ledger"
    name = json.loads((demo / "open-prompts.jsonl").read_text().splitlines()[0])["id"]
    alone = tmp_path / "one.json"
    assert foretell("open", ledger, "--key", key, "--attempt", "2", "--prompt", name, "--out", alone).returncode == 0
    assert alone.stat().st_size < 5_000
    done = foretell("verify", demo / "open", "--opening", alone)
    assert done.returncode == 0
    assert f"opening: prompt '{name}' was sealed in attempt 2" in done.stdout
    changed = json.loads(alone.read_text())
    changed["opening"]["prompt"]["text"] += " "
    alone.write_text(json.dumps(changed))
    done = foretell("verify", demo / "open", "--opening", alone)
    assert done.returncode == 13
    assert "a prompt that was not sealed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["judge"], "not the time to judge: got judge after seal, open, commit, reveal, judge, publish"),
        (["reveal", "--target", "tiny"], "Seal a new attempt"),
        (["seal", "--pool", "no-such-suite"], "no-such-suite"),
        (["commit", "--forecast", "nowhere"], "not the time to commit"),
        (["commit"], "nothing to commit"),
    ],
)
def test_what_cannot_be_done_says_why(demo: Path, foretell: Foretell, arguments: list[str], message: str) -> None:
    command, *rest = arguments
    attempt = [] if command == "seal" else ["--attempt", "2"]
    done = foretell(command, demo / "ledger", *rest, *attempt, "--key", demo / "keys" / "evaluator.key")
    assert done.returncode == 2, done.stdout
    assert message in done.stderr


def test_the_teams_key_seals_nothing(demo: Path, foretell: Foretell) -> None:
    done = foretell("seal", demo / "ledger", "--pool", "foretell-300", "--key", demo / "keys" / "team.key")
    assert done.returncode == 2
    assert "seal is the evaluator's to sign" in done.stderr


def test_keys_are_never_overwritten(demo: Path, foretell: Foretell) -> None:
    done = foretell("keys", "new", "evaluator", "--out", demo / "keys")
    assert done.returncode == 2
    shown = foretell("keys", "show", demo / "keys" / "evaluator.key")
    assert shown.stdout == (demo / "keys" / "evaluator.pub").read_text()
    assert "PRIVATE" not in shown.stdout + shown.stderr


def test_a_program_that_fails_ends_the_attempt_inadmissible(demo: Path, foretell: Foretell, tmp_path: Path) -> None:
    ledger, keys = tmp_path / "ledger", demo / "keys"
    program = tmp_path / "program"
    shutil.copytree(demo / "program", program)
    (program / "predict.py").write_text("def predict(token_ids):\n    raise SystemExit('no idea')\n")
    evaluator = ["--key", keys / "evaluator.key"]
    assert foretell("charter", "sign", ledger, demo / "blind.toml", *evaluator).returncode == 0
    assert foretell("seal", ledger, "--pool", "foretell-300", *evaluator).returncode == 0
    committed = foretell("commit", ledger, "--program", program, "--key", keys / "team.key")
    assert committed.returncode == 0, committed.stderr
    ran = foretell("run", ledger, "--like", "tiny", *evaluator)
    assert ran.returncode == 0, ran.stderr
    assert "no forecast:" in ran.stdout
    assert "next: foretell judge" in ran.stdout
    judged = foretell("judge", ledger, *evaluator, "--json", "-")
    assert judged.returncode == 12, judged.stderr
    assert json.loads(judged.stdout)["decision"] == "inadmissible"
    assert foretell("publish", ledger, "--out", tmp_path / "out", *evaluator).returncode == 0
    verified = foretell("verify", tmp_path / "out")
    assert verified.returncode == 0, verified.stdout
    assert "the program gave no forecast" in verified.stdout


def test_nothing_does_not_verify(foretell: Foretell, tmp_path: Path) -> None:
    done = foretell("verify", tmp_path / "nowhere")
    assert done.returncode == 2
    assert "nothing to verify: got no such folder" in done.stderr
    (tmp_path / "empty" / "log").mkdir(parents=True)
    done = foretell("verify", tmp_path / "empty")
    assert done.returncode == 13
    assert "a log without an entry" in done.stdout
