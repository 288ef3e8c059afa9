"""Today's readers read what every earlier format version wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from foretell.base.files import check_file, read_manifest
from foretell.distributions import Distributions, TopKBlock, check_block
from foretell.evaluation import score
from foretell.ledger import Ledger
from foretell.reports import write_report
from foretell.suites import Prompt, load_suite
from foretell.targets.collection import tokenize
from foretell.verdicts.judging import JudgeSettings
from foretell.verdicts.run_folder import read_losses
from foretell.verifier import verify
from foretell.verifier.decisions import check_decision
from foretell.verifier.ladders import check_ladders, ladder_now
from foretell.verifier.overview import lineage_record
from foretell.verifier.record import replay

VERSIONS = sorted(path for path in Path(__file__).parent.iterdir() if path.name.startswith("v"))
#: What was written, said once more: the files must not change, nor may how they are read.
FIRST_PROMPTS = (
    Prompt("door-1", "The door was open", "prose", 1.0, "door", "all"),
    Prompt("door-2", "Nobody came in.", "prose", 0.5, "door", (-2, -1)),
    Prompt("sum-1", "2 + 2 =", "sums", 1.0, "sum-1", "last"),
    Prompt("sum-2", "12 − 5 = é", "sums", 1.0, "sum-2", (0, -1)),
)
FIRST_DIGEST = "sha256:d0a88e4cfeadf281026eb6c49ee6dd5a7653c0656089d23236251767deb5a45a"
LARGEST_BYTES = 500_000
#: Of the published folder: its log has an open and a blind attempt, its files are the blind one's.
PUBLISHED_CHECKS = [
    ("files", "38 files"),
    ("log", "13 entries"),
    ("attempt 2: seal", "4 of 12 prompts, drawn by rule, none of the 4 used before"),
    ("attempt 2: commit", "program of 3,728 bits, committed at entry 8"),
    ("attempt 2: run", "run in bubblewrap 0.11.0"),
    ("attempt 2: reveal", "truth of tiny, 4 positions of the sealed prompts"),
    ("attempt 2: judge", "inconclusive: whole suite: the bounds "),
]


def test_there_is_a_golden_folder() -> None:
    assert [path.name for path in VERSIONS][:1] == ["v1"]
    assert sum(path.stat().st_size for path in VERSIONS[0].rglob("*") if path.is_file()) < LARGEST_BYTES


@pytest.mark.parametrize("name", ["suite.jsonl", "suite.parquet"])
def test_the_suite(name: str) -> None:
    suite = load_suite(VERSIONS[0] / name)
    assert suite.prompts == FIRST_PROMPTS
    assert suite.digest == FIRST_DIGEST


@pytest.mark.parametrize("folder", ["truth", "forecast"])
def test_distributions(folder: str) -> None:
    read = Distributions(VERSIONS[0] / folder)
    suite = load_suite(VERSIONS[0] / "suite.jsonl")
    assert read.manifest["suite"]["digest"] == suite.digest
    assert read.prompts == tuple(tokenize(suite, read.vocabulary.encode, None))
    assert (read.kind, read.vocabulary.size, len(read)) == ("topk", 256, 22)
    for index in range(len(read.prompts)):
        block = read.block(index)
        assert isinstance(block, TopKBlock)
        assert block.token_ids.shape == (len(read.prompts[index].positions), 5)
        check_block(block, read.vocabulary.size, folder)


def test_the_score_is_still_the_same() -> None:
    golden = VERSIONS[0]
    written = json.loads(
        check_file(golden / "run", "score.json", read_manifest(golden / "run", "foretell.run/1")).read_text()
    )
    judging = JudgeSettings(tolerance=1.0)
    today = score(Distributions(golden / "truth"), [Distributions(golden / "forecast")], judging=judging)
    assert written["schema"] == today["schema"] == "foretell.score/1"
    then, now = written["forecasts"][0], today["forecasts"][0]
    assert then["name"] == now["name"] == "golden forecast"
    assert then["verdict"]["decision"] == now["verdict"]["decision"] == "inconclusive"
    for end in ("lo", "hi"):
        assert now["kl_nats"]["mean"][end] == pytest.approx(then["kl_nats"]["mean"][end], rel=1e-5)
        assert now["kl_nats"][end] == pytest.approx(then["kl_nats"][end], rel=1e-5)
    assert [part["slice"] for part in then["slices"]] == [part["slice"] for part in now["slices"]] == ["prose", "sums"]


def test_the_run_and_its_report(tmp_path: Path) -> None:
    run = VERSIONS[0] / "run"
    positions = pq.read_table(run / "positions.parquet").to_pydict()
    assert len(positions["kl_nats_lo"]) == 22
    assert (np.array(positions["kl_nats_lo"]) <= np.array(positions["kl_nats_hi"])).all()
    write_report(run, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "golden forecast" in page
    # This run was written before there was a choice of metrics.
    assert "against the tolerance of 1 nats" in page
    assert [len(read_losses(run, "golden forecast", metric, 9.0).prompts) for metric in ("kl_nats", "tv")] == [4, 4]


def test_the_published_folder_still_verifies() -> None:
    checks = verify(VERSIONS[0] / "published")
    assert [(check.name, check.holds) for check in checks] == [(name, True) for name, _ in PUBLISHED_CHECKS]
    for check, (name, detail) in zip(checks, PUBLISHED_CHECKS, strict=True):
        assert check.detail.startswith(detail), name


def test_a_look_at_what_was_published() -> None:
    folder = VERSIONS[0] / "published"
    record = replay(Ledger(folder / "log"))
    open_steps, blind_steps = (list(attempt.steps) for attempt in record.attempts)
    assert open_steps == ["seal", "open", "commit", "reveal", "judge"]
    assert blind_steps == ["seal", "commit", "run", "reveal", "judge", "publish"]
    assert record.attempts[0].charter.score.metric == "tv"
    assert record.attempts[1].steps["commit"]["helpers"] == ["another helper", "the helper in program.toml"]
    assert Distributions(folder / "attempts/002/truth").kind == "dense"
    assert Distributions(folder / "attempts/002/forecast").kind == "topk"


def test_the_log_of_helpers_ladder_and_decision() -> None:
    record = replay(Ledger(VERSIONS[0] / "governed" / "log"))
    told = lineage_record(record)
    assert [(one["name"], one["kind"], one["ai"], one["approved_by"]) for one in told["systems"]] == [
        ("Ada", "person", False, []),
        ("helper", "model", True, []),
    ]
    assert [(one["decision"], one["stands"], one["helpers"]) for one in told["attempts"]] == [
        ("pass", False, []),
        ("pass", False, ["Ada", "helper"]),
    ]
    assert "attempt 1 does not count: it was revoked (for the golden log)" in told["attempts"][1]["fallen"][0]
    (decision,) = record.notices["decision"]
    assert decision["outcome"] == "met"
    assert check_decision(record, decision).startswith("golden: met")
    assert check_ladders(record).startswith("entry 8 holds")
    unlocked = [rung.unlocked for rung in ladder_now(record, decision.time).status.rungs]
    assert unlocked == [True, False]
