"""What a bound on one loss implies for another: inequalities between divergences, carried over to capped means."""

from __future__ import annotations

import math
from collections.abc import Callable

from foretell.scoring.losses import LOSSES, loss_metric

#: From a loss to one that it bounds: the largest value that the second can have, given the first. All are concave and
#: rise, so they hold between means too (Jensen).
_BOUNDS: dict[tuple[str, str], Callable[[float], float]] = {
    ("abs_logprob_nats", "kl_nats"): lambda x: x,
    ("kl_nats", "abs_logprob_nats"): lambda x: x + math.sqrt(2 * x),
    ("kl_nats", "tv"): lambda x: math.sqrt(x / 2),
    ("tv", "js_nats"): lambda x: math.log(2) * x,
    ("js_nats", "tv"): lambda x: math.sqrt(2 * x),
}


def implied(given: str, tolerance: float, needed: str, *, cap: float, most: float) -> float | None:
    """The largest mean of one capped loss, given that the mean of another capped loss is within a tolerance.

    With p the truth and q the forecast: KL(p‖q) ≤ E_p|log p − log q|, as a sum is at most the sum of absolute values;
    E_p|log p − log q| ≤ KL + √(2 KL), since E_p (log q − log p)⁺ ≤ Σ (q − p)⁺ = TV; TV ≤ √(KL / 2) (Pinsker);
    JS ≤ TV log 2 (Lin); TV ≤ √(2 JS) (Pinsker, for both halves). Chains of these hold too, and the best one counts.

    Args:
        given, needed: losses, as `scoring.losses` names them.
        tolerance: bound on the mean of `given`, in its unit.
        cap: a prompt's `given` counts as this at most.
        most: a prompt's `needed` counts as this at most.

    Returns:
        The bound on the mean of `needed`; None where none follows: another kind of loss, or a cap that cuts off more
        of the first than the second shows.

    Raises:
        InputError: no such loss.

    Source: Lin 1991, "Divergence measures based on the Shannon entropy", theorem 3; Barron 1986, "Entropy and the
    central limit theorem", for the absolute value.

    >>> implied("kl_nats", 0.5, "tv", cap=7.0, most=1.0), implied("kl_nats", 0.5, "kl_nats", cap=7.0, most=7.0)
    (0.5, 0.5)
    >>> implied("tv", 0.1, "kl_nats", cap=1.0, most=7.0) is None
    True
    """
    for name in (given, needed):
        loss_metric(name)
    found = [bound(tolerance) for bound in _chains(given, needed) if bound(cap) >= min(most, _largest(needed))]
    return min(found, default=None)


def _largest(name: str) -> float:
    most = LOSSES[name].most
    return math.inf if most is None else most


def _chains(given: str, needed: str, through: tuple[str, ...] = ()) -> list[Callable[[float], float]]:
    """Every way from one loss to another that passes no loss twice, as one function."""
    if given == needed:
        return [lambda x: x]
    found = []
    for (start, end), first in _BOUNDS.items():
        if start == given and end not in (*through, given):
            found += [_then(first, rest) for rest in _chains(end, needed, (*through, given))]
    return found


def _then(first: Callable[[float], float], second: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: second(first(x))
