"""The prompts as a heat map: which are embedded, where each scored slot lies in the text, and what its panel shows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

from foretell.base.files import damaged
from foretell.reports.figures import plain
from foretell.reports.judged import loss_of
from foretell.reports.pieces import piece, running_text, slot_text
from foretell.reports.run import Run

#: Lower ends of the colour steps after the first; the same in every report of a metric, so that pages can be compared.
STEPS_NATS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_STEPS_TV = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7)
_STEPS_JS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4)
_DIGITS, _PERCENT = 3, 100


@dataclass(frozen=True)
class Part:
    """A stretch of a prompt: running text (slot None), or one scored slot with its text ('' after the prompt's end)."""

    text: str
    slot: int | None = None


@dataclass(frozen=True)
class Shown:
    """An embedded prompt."""

    number: int
    id: str
    slice: str
    parts: list[Part]


@dataclass(frozen=True)
class HeatMap:
    """What the page needs: prompts, their losses, and the content of every panel.

    Attributes:
        shown: embedded prompts, the headline forecast's worst first.
        losses: forecast → one (lo, hi) a slot.
        each: how many of each forecast's worst prompts are embedded at least; None when all prompts are.
        openable: of how many prompts at least the tokens can be opened, for every forecast.
        data: compact JSON for the page's script.
    """

    shown: list[Shown]
    losses: dict[str, list[tuple[float, float]]]
    each: int | None
    openable: int
    data: str


def steps_of(metric: str) -> tuple[float, ...]:
    """Lower ends of a metric's colour steps after the first, in its unit."""
    return {"tv": _STEPS_TV, "js_nats": _STEPS_JS}.get(metric, STEPS_NATS)


def step(loss: float, steps: tuple[float, ...] = STEPS_NATS) -> int:
    """The colour step of a loss.

    >>> step(0.0), step(0.05), step(7.0)
    (0, 3, 7)
    """
    return sum(loss >= bound for bound in steps)


def legend(steps: tuple[float, ...] = STEPS_NATS) -> list[tuple[int, str]]:
    """The colour steps with their ranges.

    >>> legend()[0], legend()[-1]
    ((0, 'under 0.003'), (7, '3 and more'))
    """
    inner = [(i + 1, f"{plain(a)} to {plain(b)}") for i, (a, b) in enumerate(pairwise(steps))]
    return [(0, f"under {plain(steps[0])}"), *inner, (len(steps), f"{plain(steps[-1])} and more")]


def choose_prompts(run: Run, max_panels: int) -> tuple[set[str], int | None]:
    """The prompts to embed: all of them, or as many of each forecast's worst as max_panels panels have room for.

    Args:
        max_panels: panels (slot × forecast); at least the worst prompt of each forecast is embedded all the same.

    Returns:
        Ids, and how many worst prompts of each forecast are among them (None: all prompts are embedded).
    """
    cost = {prompt["id"]: len(prompt["positions"]) * len(run.names) for prompt in run.prompts}
    if sum(cost.values()) <= max_panels:
        return set(cost), None
    worst = [sorted(losses, key=lambda prompt: -losses[prompt][1]) for losses in map(run.losses.__getitem__, run.names)]
    chosen: set[str] = set()
    for rank, row in enumerate(zip(*worst, strict=True)):
        if rank and sum(cost[prompt] for prompt in chosen.union(row)) > max_panels:
            return chosen, rank
        chosen.update(row)
    return chosen, None


def build(run: Run, headline: str, max_panels: int) -> HeatMap:
    """Embed the worst prompts of a run, ordered by the losses of the headline forecast.

    Raises:
        DamageError: a scored position lacks its loss, or a forecast's worst prompts their likeliest tokens.
    """
    chosen, each = choose_prompts(run, max_panels)
    order = sorted((p for p in run.prompts if p["id"] in chosen), key=lambda p: -run.losses[headline][p["id"]][1])
    slots = [(prompt["id"], position) for prompt in order for position in prompt["positions"]]
    numbers = {slot: i for i, slot in enumerate(slots)}
    shown = [Shown(i, p["id"], p["slice"], _parts(p, numbers)) for i, p in enumerate(order)]
    losses, entropies = _losses(run, chosen, slots)
    pieces = _Pieces()
    after = [_next_token(prompt, position, pieces) for prompt in order for position in prompt["positions"]]
    common, tops = _tops(run, chosen, slots, pieces)
    data = {
        "names": run.names,
        "prompts": [[p["id"], p["slice"], len(p["positions"])] for p in order],
        "means": [[_ends(run.losses[name][p["id"]]) for p in order] for name in run.names],
        "losses": [[_ends(loss) for loss in losses[name]] for name in run.names],
        "positions": [position for _, position in slots],
        "entropies": [None if e is None else _short(e) for e in entropies],
        "after": after,
        "common": common,
        "tops": tops,
        "pieces": pieces.texts,
        "steps": steps_of(loss_of(run.score).name),
        "unit": loss_of(run.score).amount("").rstrip(),
    }
    openable = min(len({slot[0] for slot, panel in zip(slots, own, strict=True) if panel}) for own in tops)
    return HeatMap(shown, losses, each, openable, _script_json(data))


class _Pieces:
    """Visible texts of tokens, each stored once and named by its index."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._index: dict[int, int] = {}

    def index(self, token_id: int, data: bytes) -> int:
        if token_id not in self._index:
            self._index[token_id] = len(self.texts)
            self.texts.append(piece(data, token_id))
        return self._index[token_id]


def _parts(prompt: dict[str, Any], numbers: dict[tuple[str, int], int]) -> list[Part]:
    """Running text between the slots; the slot of position t is the token after it, which it asks for."""
    parts: list[Part] = []
    run_of_bytes = b""
    for i, (token_id, data) in enumerate(zip(prompt["token_ids"], prompt["pieces"], strict=True)):
        slot = numbers.get((prompt["id"], i - 1))
        if slot is None:
            run_of_bytes += data
            continue
        if run_of_bytes:
            parts.append(Part(running_text(run_of_bytes)))
            run_of_bytes = b""
        parts.append(Part(slot_text(data, token_id), slot))
    if run_of_bytes:
        parts.append(Part(running_text(run_of_bytes)))
    last = numbers.get((prompt["id"], len(prompt["token_ids"]) - 1))
    return parts if last is None else [*parts, Part("", last)]


def _next_token(prompt: dict[str, Any], position: int, pieces: _Pieces) -> int:
    """Index of the piece that follows in the prompt, or -1 after its end."""
    if position + 1 >= len(prompt["token_ids"]):
        return -1
    return pieces.index(prompt["token_ids"][position + 1], prompt["pieces"][position + 1])


def _losses(
    run: Run, chosen: set[str], slots: list[tuple[str, int]]
) -> tuple[dict[str, list[tuple[float, float]]], list[float | None]]:
    rows = {(r["forecast"], r["prompt"], r["position"]): r for r in run.positions(chosen).to_pylist()}
    found = {name: [_row(run, rows, name, slot) for slot in slots] for name in run.names}
    losses = {name: [(row["lo"], row["hi"]) for row in own] for name, own in found.items()}
    return losses, [row["entropy"] for row in found[run.names[0]]]


def _row(run: Run, rows: dict[tuple[str, str, int], Any], name: str, slot: tuple[str, int]) -> Any:
    if (name, *slot) not in rows:
        expected = f"a row for forecast {name!r}, prompt {slot[0]!r}, position {slot[1]}"
        raise damaged(run.folder / "positions.parquet", "no such row", expected)
    return rows[(name, *slot)]


def _tops(run: Run, chosen: set[str], slots: list[tuple[str, int]], pieces: _Pieces) -> tuple[list[Any], list[Any]]:
    """What the panels show, forecasts at one slot sharing the tokens that they list alike.

    Returns:
        Per slot [piece indices, truth %] as the first forecast that lists it has them (None: no forecast lists it).
        Per forecast and slot [how many of those it shares, further piece indices, their truth %, forecast % of all,
        truth's rest %, forecast's rest %], or None where the run lists nothing. Truth % is None where unknown.
    """
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for row in run.tops(chosen).to_pylist():
        rows.setdefault((row["prompt"], row["position"]), {})[row["forecast"]] = row
    bases = [next(iter(rows[slot].values())) if slot in rows else None for slot in slots]
    common = [None if base is None else [_indices(base, pieces), _shares(base["truth_logprobs"])] for base in bases]
    panels = [
        [_panel(rows.get(slot, {}).get(name), base, pieces) for slot, base in zip(slots, bases, strict=True)]
        for name in run.names
    ]
    for name, own in zip(run.names, panels, strict=True):
        if not any(own):
            raise damaged(run.folder / "tops.parquet", f"no rows of forecast {name!r}", "rows of its worst prompts")
    return common, panels


def _panel(row: dict[str, Any] | None, base: dict[str, Any] | None, pieces: _Pieces) -> list[Any] | None:
    if row is None or base is None:
        return None
    pairs = zip(_likeliest(row), _likeliest(base), strict=False)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    truth, forecast = row["truth_logprobs"], row["forecast_logprobs"]
    further = [_indices(row, pieces)[shared:], _shares(truth[shared:])]
    return [shared, *further, _shares(forecast), _rest(truth), _rest(forecast)]


def _indices(row: dict[str, Any], pieces: _Pieces) -> list[int]:
    return [pieces.index(i, data) for i, data in zip(row["token_ids"], row["pieces"], strict=True)]


def _shares(logprobs: Iterable[float | None]) -> list[float | None]:
    return [None if x is None else _share(math.exp(x)) for x in logprobs]


def _likeliest(row: dict[str, Any]) -> Iterable[tuple[int, float | None]]:
    return zip(row["token_ids"], row["truth_logprobs"], strict=True)


def _rest(logprobs: Iterable[float | None]) -> float:
    # Stored as float32, listed probabilities may sum to a rounding error above one; the rest is then nothing.
    return _share(max(0.0, 1.0 - math.fsum(math.exp(x) for x in logprobs if x is not None)))


def _share(probability: float) -> float:
    return _short(_PERCENT * probability)


def _short(value: float) -> float:
    """For display only: three significant digits."""
    return float(f"{value:.{_DIGITS}g}")


def _ends(loss: tuple[float, float]) -> float | list[float]:
    low, high = map(_short, loss)
    return low if low == high else [low, high]


def _script_json(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
