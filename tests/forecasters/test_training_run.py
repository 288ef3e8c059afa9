"""Tests of finding a run's checkpoints: by name, in the order of their steps, and never one that is not earlier."""

from __future__ import annotations

from pathlib import Path

import pytest

from foretell.base.errors import InputError
from foretell.forecasters.training_run import Checkpoint, checkpoints, earlier_checkpoints, require_tokenizer
from foretell.targets import tiny

SPEC = "next:last:run@5"


def run_of(folder: Path, *names: str) -> str:
    for name in names:
        (folder / name).mkdir(parents=True)
    return str(folder)


def test_checkpoints_come_by_step_whatever_wrote_them(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a", "checkpoint-1000", "checkpoint-200", "checkpoint-0", "logs", "checkpoint-last", "step")
    (tmp_path / "a" / "checkpoint-7").write_text("a file")
    assert checkpoints(run) == [Checkpoint(step, f"hf:{run}/checkpoint-{step}") for step in (0, 200, 1000)]
    assert [one.target for one in checkpoints(run_of(tmp_path / "b", "step-5"))] == [f"hf:{tmp_path}/b/step-5"]
    assert [one.step for one in checkpoints("tiny")] == tiny.steps()


@pytest.mark.parametrize(
    ("until", "expected"), [(None, [1, 3]), (4, [1, 3]), (3, [1, 3]), (2, [1])], ids=["all", "4", "3", "2"]
)
def test_only_earlier_ones_count(tmp_path: Path, until: int | None, expected: list[int]) -> None:
    run = run_of(tmp_path, "step-1", "step-3", "step-5", "step-7")
    assert [one.step for one in earlier_checkpoints(SPEC, run, 5, until=until, least=1)] == expected


def test_too_few_are_named(tmp_path: Path) -> None:
    run = run_of(tmp_path, "step-3", "step-5")
    with pytest.raises(InputError, match=r"run@5: too few .* got steps 3 up to step 4; the run has steps 3, 5, .* 3"):
        earlier_checkpoints(SPEC, run, 5, until=None, least=3)
    with pytest.raises(InputError, match=r"got no checkpoint up to step 2.*at least 1.*forecast it by text"):
        earlier_checkpoints(SPEC, run, 3, until=None, least=1)


@pytest.mark.parametrize("until", [5, 6])
def test_from_has_to_be_before(until: int) -> None:
    with pytest.raises(InputError, match=rf"got checkpoints up to step {until} for step 5, expected earlier ones"):
        earlier_checkpoints(SPEC, "tiny", 5, until=until, least=1)


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training run: got no such folder, expected folders named checkpoint-N"):
        checkpoints(str(tmp_path / "absent"))
    with pytest.raises(InputError, match="got none among 1 folders"):
        checkpoints(run_of(tmp_path / "run", "logs"))
    with pytest.raises(InputError, match="got checkpoint-3 and step-03, expected one folder a step"):
        checkpoints(run_of(tmp_path / "two", "checkpoint-3", "step-03"))


def test_a_checkpoint_needs_its_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"without its tokenizer: got no tokenizer.json.*processing_class"):
        require_tokenizer(Checkpoint(3, f"hf:{tmp_path}"))
    (tmp_path / "tokenizer.json").write_text("{}")
    require_tokenizer(Checkpoint(3, f"hf:{tmp_path}"))
    require_tokenizer(Checkpoint(96, "tiny@96"))
