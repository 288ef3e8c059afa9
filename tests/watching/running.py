"""A training run of the shipped checkpoints, saved one after the other, and a watch over it: no torch, seconds."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foretell.ledger import SecretKey
from foretell.suites import Prompt, Suite, load_suite, save_suite
from foretell.targets.tiny import checkpoint_folder
from foretell.watching import Plan, Watch, open_watch

#: Steps of the shipped target's training.
FIRST, SECOND, THIRD = 192, 384, 768
PLAN = """\
schema = "foretell.watch/1"
run = "shipped"
tokenizer = "tiny"
pool = "{pool}"
prompts = 4
target = "onnx:{{folder}}"
{more}

[schedule]
steps = [192, 384, 768]

[score]
cap = 7.6
{tolerances}
{forecasters}
"""
#: With four prompts bounds are wide: 7 nats are met by anything, 1e-3 by nothing, and 3 are left open.
PASSED, FAILED, OPEN = 7.0, 1e-3, 3.0
FROM_EARLY = ((0, "model:tiny@96"),)
FROM_LAST = ((0, "model:tiny@96"), (SECOND, "model:onnx:{last}"))


@dataclass(frozen=True)
class Running:
    """A folder with a run, a pool, keys and a ledger."""

    folder: Path
    evaluator: SecretKey
    team: SecretKey
    tolerances: tuple[tuple[int, float], ...] = ((0, PASSED),)
    forecasters: tuple[tuple[int, str], ...] = FROM_EARLY
    more: str = ""

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    @property
    def plan_text(self) -> str:
        tolerances = "".join(f"\n[[tolerances]]\nfrom_step = {s}\ntolerance = {t}\n" for s, t in self.tolerances)
        forecasters = "".join(f'\n[[forecasters]]\nfrom_step = {s}\nspec = "{f}"\n' for s, f in self.forecasters)
        pool = self.folder / "pool.jsonl"
        return PLAN.format(pool=pool, more=self.more, tolerances=tolerances, forecasters=forecasters)

    def watch(self, team: Any = None, text: str | None = None) -> Watch:
        """A watch as another process would open it: it remembers nothing."""
        plan = Plan.parse((text or self.plan_text).encode())
        return open_watch(plan, self.run, self.ledger, evaluator=self.evaluator, team=team or self.team)

    def save(self, step: int, like: int | None = None) -> Path:
        """What a training does: write a checkpoint's folder."""
        folder = self.run / f"step-{step}"
        shutil.copytree(checkpoint_folder(like or step), folder, copy_function=shutil.copyfile)
        shutil.copyfile(checkpoint_folder() / "tokenizer.json", folder / "tokenizer.json")
        return folder

    def train(self, step: int) -> str:
        """Prepare, save, judge; returns the verdict."""
        watch = self.watch()
        watch.prepare(step)
        return watch.checkpoint(step, self.save(step)).decision

    def changed(self, **changes: Any) -> Running:
        return replace(self, **changes)


def new_run(folder: Path, prompts: int = 12) -> Running:
    """A run with new keys, and a pool of so many prompts."""
    chosen: list[Prompt] = []
    for name in ("code", "facts"):
        chosen += [prompt for prompt in load_suite("foretell-300") if prompt.slice == name][: prompts // 2]
    save_suite(Suite("pool", tuple(chosen)), folder / "pool.jsonl")
    return Running(folder, SecretKey.generate("evaluator"), SecretKey.generate("team"))
