"""The heat map: each loss at the token it is about, and panels that say what the run says."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from foretell.reports.heatmap import build, choose_prompts
from foretell.reports.run import Run

from .markup import Page

Get = Callable[[str], Path]


def rows_of(data: dict[str, Any], forecast: int, slot: int) -> list[tuple[str, float | None, float]]:
    """A panel's rows (piece, truth %, forecast %), put together as the page's script does it."""
    shared, ids, truth, forecasts, _, _ = data["tops"][forecast][slot]
    common_ids, common_truth = data["common"][slot]
    pieces = [data["pieces"][i] for i in common_ids[:shared] + ids]
    return list(zip(pieces, common_truth[:shared] + truth, forecasts, strict=True))


@pytest.mark.parametrize("variant", ["full", "top-k truth", "last position"])
def test_panels_hold_the_rows_of_the_run(run_of: Get, page_of: Get, variant: str) -> None:
    data = Page.read(page_of(variant)).data
    slots = [(prompt[0], None) for prompt in data["prompts"] for _ in range(prompt[2])]
    index = {(prompt, data["positions"][i]): i for i, (prompt, _) in enumerate(slots)}
    rows = pq.read_table(run_of(variant) / "tops.parquet").to_pylist()
    for row in rows:
        found = rows_of(data, data["names"].index(row["forecast"]), index[row["prompt"], row["position"]])
        assert len(found) == len(row["token_ids"])
        for (piece, truth, forecast), raw, p, q in zip(
            found, row["pieces"], row["truth_logprobs"], row["forecast_logprobs"], strict=True
        ):
            if raw.isascii() and raw.strip() == raw and raw:
                assert piece == raw.decode()
            assert truth is None if p is None else truth == pytest.approx(100 * math.exp(p), rel=6e-3)
            assert forecast == pytest.approx(100 * math.exp(q), rel=6e-3)
    assert sum(bool(panel) for own in data["tops"] for panel in own) == len(rows)


@pytest.mark.parametrize("variant", ["full", "top-k truth"])
def test_losses_are_those_of_the_run(run_of: Get, page_of: Get, variant: str) -> None:
    data = Page.read(page_of(variant)).data
    slots = [prompt[0] for prompt in data["prompts"] for _ in range(prompt[2])]
    index = {(prompt, data["positions"][i]): i for i, prompt in enumerate(slots)}
    for row in pq.read_table(run_of(variant) / "positions.parquet").to_pylist():
        shown = data["losses"][data["names"].index(row["forecast"])][index[row["prompt"], row["position"]]]
        low, high = shown if isinstance(shown, list) else (shown, shown)
        assert (low, high) == pytest.approx((row["kl_nats_lo"], row["kl_nats_hi"]), rel=6e-3)


def test_a_prompts_parts_are_its_text_and_slots_follow_their_position(run_of: Get) -> None:
    run = Run.read(run_of("full"))
    heat = build(run, run.names[0], 10**9)
    prompts = {prompt["id"]: prompt for prompt in run.prompts}
    checked = 0
    for shown in heat.shown:
        prompt = prompts[shown.id]
        slots = [part for part in shown.parts if part.slot is not None]
        assert len(slots) == len(prompt["positions"])
        assert slots[-1].text == ""
        if prompt["text"].isascii() and "\n" not in prompt["text"]:
            assert "".join(part.text for part in shown.parts).replace("␣", " ") == prompt["text"]
            # The slot of position t is token t + 1.
            pieces = [prompt["pieces"][t + 1].decode() for t in prompt["positions"][:-1]]
            assert [part.text.replace("␣", " ") for part in slots[:-1]] == pieces
            checked += 1
    assert checked > 10


@pytest.mark.parametrize("budget", [1, 300, 900, 10**9])
def test_embedded_prompts_are_the_worst_of_every_forecast(run_of: Get, budget: int) -> None:
    run = Run.read(run_of("full"))
    chosen, each = choose_prompts(run, budget)
    if each is None:
        assert chosen == {prompt["id"] for prompt in run.prompts}
        return
    worst = [sorted(own, key=lambda prompt: -own[prompt][1])[:each] for own in run.losses.values()]
    assert chosen == set().union(*worst)
    cost = len(chosen) * 8 * len(run.names)
    assert cost <= budget or each == 1


def test_prompts_come_worst_first(run_of: Get) -> None:
    run = Run.read(run_of("full"))
    heat = build(run, "uniform", 10**9)
    losses = [run.losses["uniform"][shown.id][1] for shown in heat.shown]
    assert losses == sorted(losses, reverse=True)
