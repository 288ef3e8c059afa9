"""How strict a test is, and whether one is at least as strict as another: what a pass must show to count elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from foretell.scoring.implications import implied
from foretell.scoring.losses import loss_metric

#: Tracks on which a team cannot have run the model in secret; a pass on the open track does not count for them.
_CLOSED = ("blind", "prospective")


@dataclass(frozen=True)
class Strictness:
    """What a test asks.

    Attributes:
        metric, tolerance, cap, floor, level, top_k: as a charter has them.
        slices: kinds of prompts that it draws from.
        slice_tolerances: slices that must meet a tolerance of their own.
    """

    metric: str
    tolerance: float
    cap: float
    floor: float
    level: float
    top_k: int
    track: str
    slices: frozenset[str]
    slice_tolerances: Mapping[str, float] = field(default_factory=dict)


def shortfalls(given: Strictness, needed: Strictness, uses: Iterable[str]) -> list[str]:
    """Where a test is less strict than another one asks: in words, empty where it is at least as strict.

    The metric is the same, or one whose bound bounds the other (`scoring.implications`); no tolerance is looser, no
    cap or floor milder, the confidence not lower; the prompts cover the uses; and a pass on the open track, where the
    model may have been run in secret, does not count where that is excluded.

    Args:
        uses: slices of prompts that the system is put to.

    >>> own = Strictness("kl_nats", 0.5, 7.0, 1e-6, 0.95, 10, "blind", frozenset({"code"}))
    >>> shortfalls(own, own, {"code"}), shortfalls(own, own, {"poems"})
    ([], ["its prompts have no slice 'poems'"])
    """
    return [*_covering(given, uses), *_limits(given, needed), *_settings(given, needed)]


def _covering(given: Strictness, uses: Iterable[str]) -> Iterator[str]:
    for use in sorted(set(uses) - given.slices):
        yield f"its prompts have no slice {use!r}"


def _limits(given: Strictness, needed: Strictness) -> Iterator[str]:
    """Tolerances, each as what it implies for the other test's metric."""
    amount = loss_metric(needed.metric).amount
    pairs: list[tuple[str | None, float | None, float]] = [(None, given.tolerance, needed.tolerance)]
    pairs += [(name, given.slice_tolerances.get(name), own) for name, own in sorted(needed.slice_tolerances.items())]
    for name, own, asked in pairs:
        where = "" if name is None else f" in {name}"
        if own is None:
            yield f"it judged no tolerance{where}, and {amount(f'{asked:g}')} is asked"
            continue
        shown = implied(given.metric, own, needed.metric, cap=given.cap, most=needed.cap)
        if shown is None:
            yield f"{given.metric} up to {given.cap:g} says nothing of {needed.metric} up to {needed.cap:g}"
        elif shown > asked:
            how = "" if given.metric == needed.metric else f" (from {own:g} of {given.metric})"
            yield f"its tolerance{where} shows {amount(f'{shown:.4g}')}{how}, and {amount(f'{asked:g}')} is asked"


def _settings(given: Strictness, needed: Strictness) -> Iterator[str]:
    if given.level < needed.level:
        yield f"its confidence is {given.level:g}, and {needed.level:g} is asked"
    if given.floor > needed.floor:
        yield f"its floor {given.floor:g} is milder than {needed.floor:g}"
    if needed.metric == "topk_logprob_rmse" and given.top_k != needed.top_k:
        yield f"it graded {given.top_k} tokens, and {needed.top_k} are asked"
    if needed.track in _CLOSED and given.track not in _CLOSED:
        yield f"it was on the {given.track} track, where the model may have been run in secret"
