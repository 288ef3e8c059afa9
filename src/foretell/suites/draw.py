"""A fresh draw: a stratified random sample of a pool that leaves out what earlier suites have used."""

from __future__ import annotations

import random
from collections.abc import Sequence

from foretell.base.errors import SuiteError
from foretell.suites.suite import Prompt, Suite


def draw(pool: Suite, count: int, seed: int, *, exclude: Sequence[Suite] = (), per_slice: bool = False) -> Suite:
    """Draw prompts at random, each slice in proportion to what the pool has left of it.

    Args:
        count: prompts in all, or in each slice with per_slice.
        seed: the same pool, exclusions and seed give the same draw.
        exclude: suites whose prompts must not come again; a prompt is the same if its id or its text is.

    Raises:
        SuiteError: the pool has too few fresh prompts.

    >>> pool = Suite("pool", tuple(Prompt(str(i), f"text {i}", slice="ab"[i % 2]) for i in range(10)))
    >>> first = draw(pool, 4, seed=1)
    >>> first.slices
    {'a': 2, 'b': 2}
    >>> {p.id for p in draw(pool, 4, seed=1, exclude=[first])} & {p.id for p in first}
    set()
    """
    used_ids = {prompt.id for suite in exclude for prompt in suite}
    used_texts = {prompt.text for suite in exclude for prompt in suite}
    fresh: dict[str, list[Prompt]] = {name: [] for name in pool.slices}
    for prompt in pool:
        if prompt.id not in used_ids and prompt.text not in used_texts:
            fresh[prompt.slice].append(prompt)
    left = {name: len(prompts) for name, prompts in fresh.items()}
    wanted = dict.fromkeys(left, count) if per_slice else proportional_shares(left, count)
    short = {name: (wanted[name], left[name]) for name in left if wanted[name] > left[name]}
    if short or sum(left.values()) < sum(wanted.values()):
        raise SuiteError(
            "the pool is used up",
            where=pool.name,
            got=f"{sum(left.values())} fresh prompts" + "".join(f"; {n}: {h} of {w}" for n, (w, h) in short.items()),
            expected=f"{sum(wanted.values())}",
            fix="Add prompts to the pool or draw fewer.",
        )
    rng = random.Random(seed)
    chosen = {prompt.id for name in sorted(fresh) for prompt in rng.sample(fresh[name], wanted[name])}
    return Suite(f"{pool.name}-draw-{seed}", tuple(prompt for prompt in pool if prompt.id in chosen))


def proportional_shares(left: dict[str, int], count: int) -> dict[str, int]:
    """Shares by largest remainder; the sum is `count` (or all that is left, if that is less: the caller refuses)."""
    total = sum(left.values())
    if total == 0:
        return dict.fromkeys(left, 0) | ({next(iter(left)): count} if left else {})
    shares = {name: count * size // total for name, size in left.items()}
    by_remainder = sorted(left, key=lambda name: (-(count * left[name] % total), name))
    for name in by_remainder[: count - sum(shares.values())]:
        shares[name] += 1
    return shares
