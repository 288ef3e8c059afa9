"""The tiny organism trained by Trainer under watch: one run passes from first checkpoint to last, one is stopped."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from foretell.base.errors import OrderError
from foretell.ledger import SecretKey
from foretell.suites import Prompt, Suite, load_suite, save_suite
from foretell.verifier import verify
from foretell.watching import Plan, Watch, open_watch, watch_callback, watch_record
from tests.watching.training import BASE, train

STEPS = [4, 8, 12, 16, 20]
PLAN = """\
schema = "foretell.watch/1"
run = "{run}"
tokenizer = "tiny"
pool = "{folder}/pool.jsonl"
prompts = 20
references = ["ngram:2:tiny"]

[schedule]
every = 4
until = 20

[[tolerances]]
from_step = 4
tolerance = 1.5

[[tolerances]]
from_step = 8
tolerance = 0.5

[[forecasters]]
from_step = 4
spec = "model:{base}"

[[forecasters]]
from_step = 8
spec = "next:last:{{run}}@{{step}}"

[[forecasters]]
from_step = 16
spec = "next:logits:{{run}}@{{step}}"

[[forecasters]]
from_step = 20
spec = "next:scaling:{{run}}@{{step}}"

[score]
cap = 2.0
"""
#: Slow enough that the next checkpoint is much like the last; and so fast, rising over 20 steps, that it is not.
CALM, WILD = 1e-4, 3e-2
RISING: dict[str, Any] = {"lr_scheduler_type": "constant_with_warmup", "warmup_steps": 20}
#: Ends of prompts, so that there is little to read.
CHARACTERS = 60


@pytest.fixture
def parties(tmp_path: Path) -> tuple[SecretKey, SecretKey]:
    texts = dict.fromkeys(prompt.text[-CHARACTERS:] for prompt in load_suite("foretell-300"))
    pool = Suite("ends", tuple(Prompt(str(number), text) for number, text in enumerate(texts)))
    save_suite(pool, tmp_path / "pool.jsonl")
    return SecretKey.generate("evaluator"), SecretKey.generate("team")


def watching(folder: Path, run: str, parties: tuple[SecretKey, SecretKey]) -> Watch:
    plan = Plan.parse(PLAN.format(run=run, folder=folder, base=BASE).encode())
    return open_watch(plan, folder / run, folder / "ledger", evaluator=parties[0], team=parties[1])


def test_a_run_that_passes(tmp_path: Path, parties: tuple[SecretKey, SecretKey]) -> None:
    """Trained to step 12, taken up again by another process, and trained to its end."""
    said: list[str] = []
    first = watch_callback(watching(tmp_path, "calm", parties), say=said.append)
    assert train(tmp_path / "calm", first, rate=CALM, steps=12) == 12
    watch = watching(tmp_path, "calm", parties)
    assert watch.standing(16).forecast  # sealed before training went on
    resume = str(tmp_path / "calm" / "checkpoint-12")
    again = watch_callback(watch, say=said.append)
    assert train(tmp_path / "calm", again, rate=CALM, steps=20, resume=resume) == 20

    assert [line.partition(": whole")[0] for line in said] == [f"checkpoint {step}: pass" for step in STEPS]
    checks = verify(tmp_path / "ledger")
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]
    record = watch_record(watch)
    told = record["checkpoints"]
    assert record["decision"] == "pass"
    assert [one["step"] for one in told] == STEPS
    assert [one["tolerance"] for one in told] == [1.5, 0.5, 0.5, 0.5, 0.5]
    methods = [one["forecaster"].removesuffix(f":{tmp_path}/calm@{one['step']}") for one in told]
    assert methods == [f"model:{BASE}", "next:last", "next:last", "next:logits", "next:scaling"]
    assert all(f"{tmp_path}/calm/checkpoint-4" in " ".join(one["helpers"]) for one in told[3:])
    for one in told:
        losses = {reference["name"]: reference["loss"]["mean"] for reference in one["references"]}
        assert one["loss"]["mean"] < losses["ngram:2:tiny"] < losses["uniform"] <= 2.0
        assert math.isclose(one["loss"]["level"], 0.95)


def test_a_run_that_is_stopped(tmp_path: Path, parties: tuple[SecretKey, SecretKey]) -> None:
    said: list[str] = []
    watch = watching(tmp_path, "wild", parties)
    callback = watch_callback(watch, say=said.append)
    assert train(tmp_path / "wild", callback, rate=WILD, steps=20, **RISING) == 8
    assert said[0].startswith("checkpoint 4: pass: ")
    assert said[1].startswith("checkpoint 8: FAIL: ")
    assert said[1].endswith("training stops here")
    assert sorted(path.name for path in (tmp_path / "wild").glob("checkpoint-*")) == ["checkpoint-4", "checkpoint-8"]
    assert all(check.holds for check in verify(tmp_path / "ledger"))
    record = watch_record(watch, references=False)
    assert record["decision"] == "fail"
    assert [one["decision"] for one in record["checkpoints"]] == ["pass", "fail", None, None, None]
    # Who starts it again gets not a single step further.
    resume = str(tmp_path / "wild" / "checkpoint-8")
    with pytest.raises(OrderError, match="a run that was stopped: got checkpoint 8: FAIL"):
        train(tmp_path / "wild", callback, rate=CALM, steps=20, resume=resume)
    assert not (tmp_path / "wild" / "checkpoint-12").exists()
