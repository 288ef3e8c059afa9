"""A draw is stratified, seeded, fresh, and refuses a pool that is used up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.base.errors import SuiteError
from foretell.suites import Prompt, Suite, draw


def pool_of(sizes: dict[str, int]) -> Suite:
    return Suite(
        "pool", tuple(Prompt(f"{name}{i}", f"text {name} {i}", name) for name, n in sizes.items() for i in range(n))
    )


POOL = pool_of({"a": 60, "b": 30, "c": 10})


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 20), min_size=1), st.data())
def test_each_slice_in_proportion(sizes: dict[str, int], data: st.DataObject) -> None:
    total = sum(sizes.values())
    count = data.draw(st.integers(1, total))
    drawn = draw(pool_of(sizes), count, data.draw(st.integers(0, 5)))
    assert len(drawn) == count
    for name, size in sizes.items():
        assert abs(drawn.slices.get(name, 0) - count * size / total) < 1


def test_the_same_seed_gives_the_same_draw() -> None:
    draws = {seed: [prompt.id for prompt in draw(POOL, 20, seed)] for seed in range(8)}
    assert all([prompt.id for prompt in draw(POOL, 20, seed)] == ids for seed, ids in draws.items())
    assert len({tuple(ids) for ids in draws.values()}) == 8
    assert all(ids == sorted(ids, key=[p.id for p in POOL].index) for ids in draws.values())


def test_every_prompt_is_as_likely() -> None:
    pool = pool_of({"a": 8})
    times = dict.fromkeys((prompt.id for prompt in pool), 0)
    for seed in range(800):
        for prompt in draw(pool, 2, seed):
            times[prompt.id] += 1
    # 200 expected each, standard deviation 12.
    assert all(140 < count < 260 for count in times.values())


def test_earlier_prompts_do_not_come_again_by_id_or_by_text() -> None:
    first = draw(POOL, 40, 1)
    same_texts = Suite("copy", tuple(Prompt(f"other-{p.id}", p.text) for p in draw(POOL, 40, 2)))
    second = draw(POOL, 20, 1, exclude=[first, same_texts])
    assert not {p.id for p in second} & {p.id for p in first}
    assert not {p.text for p in second} & {p.text for p in same_texts}


def test_the_same_number_of_every_slice() -> None:
    assert draw(POOL, 7, 0, per_slice=True).slices == {"a": 7, "b": 7, "c": 7}


@pytest.mark.parametrize(
    ("count", "per_slice", "exclude", "message"),
    [
        (101, False, (), "pool: the pool is used up: got 100 fresh prompts.*expected 101"),
        (11, True, (), "got 100 fresh prompts; c: 10 of 11, expected 33"),
        (61, False, (draw(POOL, 40, 0),), "got 60 fresh prompts.*expected 61"),
        (1, False, (POOL,), "got 0 fresh prompts.*Add prompts to the pool"),
    ],
)
def test_a_pool_that_is_used_up(count: int, per_slice: bool, exclude: tuple[Suite, ...], message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        draw(POOL, count, 0, exclude=exclude, per_slice=per_slice)
