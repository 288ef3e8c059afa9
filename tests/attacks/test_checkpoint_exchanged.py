"""Attack: a checkpoint is exchanged, after it was judged or while it is read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from foretell.base.errors import ForgeryError, InputError
from foretell.targets.specs import open_target
from foretell.targets.tiny import checkpoint_folder
from foretell.watching import follow
from foretell.watching.callback import WatchGate
from foretell.watching.terms import Terms
from tests.watching.running import FIRST, Running, new_run


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return new_run(tmp_path)


def exchange(folder: Path) -> None:
    shutil.copyfile(checkpoint_folder(96) / "model.safetensors", folder / "model.safetensors")


@pytest.mark.parametrize("way", ["by the same call", "by the loop", "by a training that goes on"])
def test_after_it_was_judged(running: Running, way: str) -> None:
    assert running.train(FIRST) == "pass"
    folder, watch = running.run / "step-192", running.watch()
    exchange(folder)
    ways: dict[str, Callable[[], object]] = {
        "by the same call": lambda: watch.checkpoint(FIRST, folder),
        "by the loop": lambda: follow(watch),
        "by a training that goes on": lambda: WatchGate(watch).begin(FIRST, running.run),
    }
    with pytest.raises(ForgeryError, match="a checkpoint that was exchanged after its truth was signed"):
        ways[way]()


def test_while_it_is_read(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its digest was taken, and now other weights are put there: what was read may be of either."""
    watch = running.watch()
    watch.prepare(FIRST)
    folder = running.save(FIRST)

    def opened(self: Terms, spec: str) -> object:
        target = open_target(spec)
        exchange(folder)
        return target

    monkeypatch.setattr(Terms, "open", opened)
    with pytest.raises(InputError, match="a checkpoint that is not whole: got files that changed while they were read"):
        watch.checkpoint(FIRST, folder)
    assert watch.standing(FIRST).state == "commit"
