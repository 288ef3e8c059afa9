"""Version space against families made by hand, in which the number that remains is known in closed form."""

from __future__ import annotations

from math import comb, log2
from typing import Any

import numpy as np
import pytest

from foretell.information.survivors.identification import Needed, needed
from foretell.information.survivors.version_space import Family, Rule, running, version_space

#: Prompts of the made families, and how many of them each member differs from the target on.
PROMPTS, DIFFERS = 40, (1, 2, 4, 8, 20)
NOISE = 1e-9


def made(
    differs: tuple[int, ...] = DIFFERS, prompts: int = PROMPTS, kinds: tuple[str, ...] | None = None, **changes: Any
) -> Family:
    """Members that lose 1 on their first so many prompts and nothing on the others."""
    losses = np.array([[float(place < count) for place in range(prompts)] for count in differs])
    parts: dict[str, Any] = {
        "names": tuple(f"off on {count}" for count in differs),
        "kinds": kinds or ("made",) * len(differs),
        "losses": losses.reshape(len(differs), prompts),
        "documents": tuple(str(place) for place in range(prompts)),
        "weights": np.ones(prompts),
    }
    return Family(**parts | changes)


def at_most(hits: int, differs: int, n: int, prompts: int = PROMPTS) -> float:
    """Chance that n prompts drawn without replacement hit at most so many of those that differ (hypergeometric)."""
    ways = sum(comb(differs, k) * comb(prompts - differs, n - k) for k in range(min(hits, differs, n) + 1))
    return ways / comb(prompts, n)


def survive(rule: str, tolerance: float, differs: int, n: int) -> float:
    return at_most(0 if rule == "every" else int(tolerance * n + 1e-12), differs, n)


@pytest.mark.parametrize(("rule", "tolerance"), [("every", 0.5), ("mean", 0.1), ("mean", 0.3)])
def test_what_remains_is_the_hypergeometric_count(rule: Rule, tolerance: float) -> None:
    found = version_space(
        made(), [tolerance], noise=NOISE, rng=np.random.default_rng(1), rule=rule, prompts=[1, 3, 10, 20, PROMPTS]
    )
    for point in found.curves[0].points:
        expected = 1 + sum(survive(rule, tolerance, one, point.prompts) for one in DIFFERS)
        bounds = point.remaining.bounds
        assert bounds is not None
        assert bounds.lo - 1e-12 <= expected <= bounds.hi + 1e-12
        assert abs(point.remaining.mean - expected) < 0.25
        assert point.remaining.suite.lo <= point.remaining.mean <= point.remaining.suite.hi


@pytest.mark.parametrize(("rule", "tolerance", "differs"), [("every", 0.5, 4), ("mean", 0.1, 20), ("every", 0.5, 39)])
def test_the_number_that_identifies_is_near_the_closed_form(rule: Rule, tolerance: float, differs: int) -> None:
    alone = [1 - survive(rule, tolerance, differs, n) for n in range(1, PROMPTS + 1)]
    exact = max((n for n in range(1, PROMPTS + 1) if alone[n - 1] < 0.95), default=0) + 1
    rng = np.random.default_rng(5)
    found = version_space(made((differs,)), [tolerance], noise=NOISE, rng=rng, rule=rule, prompts=[1])
    suite = found.curves[0].identification.suite
    assert suite is not None
    assert suite.hi is not None
    assert suite.lo <= exact <= suite.hi
    assert suite.lo <= suite.prompts <= suite.hi


def test_the_number_that_identifies_is_bounded_at_its_level() -> None:
    """In 400 runs with draws of their own the bounds hold the number of the closed form at least 95% of the time."""
    differs, draws, runs = 4, 150, 400
    chance = np.array([1 - survive("every", 0.5, differs, n) for n in range(1, PROMPTS + 1)])
    exact = int(np.argmax(chance >= 0.95)) + 1
    held, rng = 0, np.random.default_rng(0)
    for _ in range(runs):
        # In a draw the target is alone from the first prompt on that the member differs on.
        first = np.sort(rng.permuted(np.tile(np.arange(PROMPTS), (draws, 1)), axis=1)[:, :differs], axis=1)[:, 0]
        alone = np.array([(first < n).sum() for n in range(1, PROMPTS + 1)])
        found = needed(alone, draws, 0.95, 0.95, known_end=True)
        assert isinstance(found, Needed)
        held += found.lo <= exact <= (found.hi or PROMPTS)
    assert held >= 0.95 * runs


def test_with_all_prompts_the_count_is_exact() -> None:
    found = version_space(made(), [0.11], noise=NOISE, rng=np.random.default_rng(0), prompts=[PROMPTS])
    point = found.curves[0].points[0]
    # 1, 2 and 4 of 40 are within 0.11; 8 and 20 are not.
    assert point.remaining.bounds is not None
    assert point.remaining.bounds.is_point
    assert point.remaining.mean == 4
    assert point.bits.mean == pytest.approx(log2(6) - log2(4))
    assert point.remaining.fresh.lo < 4 < point.remaining.fresh.hi or point.remaining.fresh.hi > 4


def test_a_member_within_the_tolerance_everywhere_is_named() -> None:
    found = version_space(made((1, 30)), [0.1], noise=NOISE, rng=np.random.default_rng(0)).curves[0].identification
    assert (found.status, found.nearest) == ("never", "off on 1")
    assert found.distance == pytest.approx(1 / 40)
    assert "off on 1 stays within it on the whole suite (0.025)" in found.sentence(0.95)


def test_a_family_that_only_this_suite_tells_apart_is_not_determined() -> None:
    """One odd prompt of 40: all prompts of this suite tell, 40 others need not hold such a one."""
    found = version_space(made((1,)), [0.5], noise=NOISE, rng=np.random.default_rng(0), rule="every")
    one = found.curves[0].identification
    assert one.status == "not determined"
    # 39 prompts find it in 97.5% of draws, 38 in 95%, 37 in 92.5%.
    assert one.suite is not None
    assert one.suite.lo <= 38 <= (one.suite.hi or 0)
    assert one.reason is not None
    assert "of fresh prompts more are needed than the suite has" in one.reason


def test_equals_within_noise_remain_and_are_named() -> None:
    family = made((0, 40), losses=np.array([np.full(40, 4e-10), np.ones(40)]))
    found = version_space(family, [1e-3], noise=NOISE, rng=np.random.default_rng(0), prompts=[1])
    assert found.equal == ("off on 0",)
    assert found.most_bits == pytest.approx(log2(3) - 1)
    point, identified = found.curves[0].points[0], found.curves[0].identification
    assert (point.remaining.mean, point.alone) == (2, 1.0)
    assert identified.suite is not None
    assert identified.suite.prompts == 1
    assert identified.status == "found"


def test_nothing_is_said_under_the_noise() -> None:
    found = version_space(made(), [1e-12, 0.5], noise=NOISE, rng=np.random.default_rng(0), prompts=[1])
    under, above = found.curves
    assert (under.points, under.identification.status) == ((), "not determined")
    assert under.reason == "the tolerance is under the noise of the truth, 1e-09"
    assert above.points
    assert "Tolerance 1e-12: not determined: the tolerance is under the noise" in " ".join(found.sentences())


def test_more_prompts_than_there_are_is_said() -> None:
    found = version_space(made(), [0.5], noise=NOISE, rng=np.random.default_rng(0), prompts=[1, 100, 1000])
    assert found.beyond == (100, 1000)
    assert [point.prompts for point in found.curves[0].points] == [1]
    assert "N = 100, 1,000: not determined: the suite has 40 different prompts." in found.sentences()


@pytest.mark.parametrize(
    ("family", "reason"), [(made(()), "no member beside the target"), (made((0,)), "every member is within the noise")]
)
def test_nobody_to_tell_from_the_target(family: Family, reason: str) -> None:
    found = version_space(family, [0.5], noise=NOISE, rng=np.random.default_rng(0))
    assert (found.curves[0].reason, found.curves[0].identification.status) == (reason, "not determined")
    assert found.record()["curves"][0]["points"] == []


def test_one_document_says_nothing_of_others() -> None:
    family = made((40,), documents=("one",) * 40)
    found = version_space(family, [0.5], noise=NOISE, rng=np.random.default_rng(0)).curves[0].identification
    assert (found.status, found.reason) == ("not determined", "all prompts are of one document")
    assert found.suite is not None


def test_documents_that_hang_together_need_more_fresh_prompts() -> None:
    """The same losses, once in 40 documents and once in 4: fresh documents vary more."""
    apart = made((10,))
    together = made((10,), documents=tuple(str(place // 10) for place in range(40)))
    spreads = []
    for family in (apart, together):
        found = version_space(family, [0.2], noise=NOISE, rng=np.random.default_rng(0), prompts=[PROMPTS])
        spreads.append(found.curves[0].points[0].alone)
        assert found.curves[0].points[0].remaining.suite.is_point
    assert spreads == [1.0, 1.0]
    identified = [
        version_space(family, [0.2], noise=NOISE, rng=np.random.default_rng(0)).curves[0].identification
        for family in (apart, together)
    ]
    assert identified[1].status == "not determined"
    assert identified[1].reason is not None
    # With 4 documents none of the odd ones is drawn in (3/4)^4 = 32% of cases.
    share = int(identified[1].reason.split("in ")[1].split("%")[0])
    assert share == pytest.approx(68, abs=8)


def test_kinds_add_up() -> None:
    found = version_space(
        made(kinds=("a", "a", "b", "b", "b")), [0.5], noise=NOISE, rng=np.random.default_rng(0), rule="every"
    )
    assert found.kinds == {"a": 2, "b": 3}
    for point in found.curves[0].points:
        assert 1 + sum(one.mean for one in point.by_kind.values()) == pytest.approx(point.remaining.mean)


def test_each_kind_has_a_number_of_its_own() -> None:
    family = made((0, 4, 39), kinds=("same", "near", "far"))
    found = version_space(family, [0.2], noise=NOISE, rule="every", rng=np.random.default_rng(0)).curves[0]
    told = {kind: one.status for kind, one in found.among.items()}
    assert told == {"same": "not determined", "near": "found", "far": "found"}
    near, far = found.among["near"].suite, found.among["far"].suite
    assert near is not None
    assert far is not None
    # One prompt misses the far member in one draw of 40.
    assert far.prompts == 1 < near.prompts
    # Among all, the nearest decides.
    assert found.identification.suite == near
    assert found.record()["among"]["far"]["suite"]["prompts"] == 1


def test_weights_count() -> None:
    losses, weights = np.array([[1.0, 0.0]]), np.array([1.0, 3.0])
    assert running(losses, weights, "mean").tolist() == [[1.0, 0.25]]
    family = made((1,), 2, weights=weights)
    found = version_space(family, [0.3], noise=NOISE, rng=np.random.default_rng(0), prompts=[2])
    assert found.curves[0].points[0].remaining.mean == 2


def test_the_same_seed_gives_the_same_record() -> None:
    first, second = (
        version_space(made(), [0.2], noise=NOISE, rng=np.random.default_rng(3), draws=100).record() for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"losses": np.full((5, 40), np.nan)}, "finite and at least 0"),
        ({"losses": np.full((5, 40), -1.0)}, "finite and at least 0"),
        ({"weights": np.ones(3)}, "losses .* for 5 members and 40 prompts"),
        ({"weights": np.zeros(40)}, "weights above 0"),
    ],
)
def test_arrays_that_do_not_fit(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        made(**changes)
