"""The models on a ladder: each set of weights once, with what its training took and what speaks against it."""

from __future__ import annotations

from typing import Any

import pytest

from foretell.lineage import Registry, System
from foretell.verdicts.compute import is_counted, training_flop
from foretell.verdicts.ladder_batch import models, without_compute

from .made_ladders import ladder


def registry(*systems: dict[str, Any]) -> Registry:
    made = Registry()
    for record in systems:
        made.add(System.parse(record, "here"), "here")
    return made


def system(name: str, flop: float | None = None, weights: str = "", rule: str = "given", **more: Any) -> dict[str, Any]:
    record = {"name": name, "kind": "model", "identity": {"weights": weights or name}, **more}
    return record if flop is None else {**record, "compute": {"flop": flop, "rule": rule}}


def test_from_the_smallest_on() -> None:
    people: list[dict[str, Any]] = [
        {"name": "Ada", "kind": "person"},
        {"name": "p", "kind": "program", "identity": {"program": "d"}},
    ]
    whole = system("w", 3e18, kind="composite", parts=["m"])
    found = models(ladder(), registry(*people, system("m", 2e19), system("n", 1e18), whole, system("o")), {})
    assert [(one.name, one.flop, one.weights, one.objections) for one in found] == [
        ("n", 1e18, "n", ()),
        ("w", 3e18, "w", ()),
        ("m", 2e19, "m", ()),
    ]


def test_one_set_of_weights_is_one_model() -> None:
    there = registry(system("m", 1e18), system("again", 2e19, weights="m"), system("bare", weights="m"))
    (found,) = models(ladder(), there, {"again": "wrong"})
    assert (found.name, found.names, found.flop) == ("m", ("m", "again", "bare"), 2e19)
    assert found.objections == ("revoked (wrong)",), "whatever it is called"
    assert without_compute(ladder(), there) == []


def test_who_is_on_no_rung() -> None:
    there = registry(system("m"), {"name": "Ada", "kind": "person"}, system("n", 1e18), system("x"))
    assert without_compute(ladder(leave_out={"x": "a helper"}), there) == ["m"]


def test_a_registration_that_is_left_out() -> None:
    there = registry(system("typo", 1e25, weights="m"), system("m", 1e18), system("other", 1e18))
    found = models(ladder(leave_out={"typo": "mistyped", "nobody": "?"}), there, {"typo": "mistyped"})
    assert [(one.names, one.flop, one.objections) for one in found] == [(("m",), 1e18, ()), (("other",), 1e18, ())]


def test_weights_that_nobody_can_see() -> None:
    (found,) = models(ladder(), registry(system("m", 1e18, weights="unknown: an endpoint")), {})
    assert found.weights is None
    assert found.objections == ("nobody can see its weights, so no verdict can be known to be on it",)


def test_a_fine_tune_carries_its_base() -> None:
    there = registry(
        system("base", 1e20),
        system("tuned", 1e18, derived_from=["base"]),
        system("more", 2e20, derived_from=["base"]),
    )
    objections = {one.name: one.objections for one in models(ladder(), there, {})}
    assert objections == {
        "base": (),
        "more": (),
        "tuned": ("its compute of 1e+18 FLOP leaves out that of 'base', which it comes from (1e+20)",),
    }


def test_compute_that_has_to_be_counted() -> None:
    counted = training_flop(parameters=1.23456789e8, tokens=2.5e9)
    assert counted is not None
    there = registry(
        system("counted", counted.flop, rule=counted.rule),
        system("given", 1e18),
        system("false", 1e10, rule=counted.rule),
    )
    found = {one.name: one.objections for one in models(ladder(compute__rule="6ND"), there, {})}
    assert found["counted"] == ()
    assert found["given"] == ("its compute is 'given', and this ladder counts 6 × parameters × tokens",)
    assert found["false"][0].endswith("and this ladder counts 6 × parameters × tokens")
    assert all(one.objections == () for one in models(ladder(), there, {}))


@pytest.mark.parametrize(
    ("parameters", "tokens", "flop"),
    [(1.0, 1.0, 6.0), (1.75e11, 3e11, 3.15e23), (7e10, 1.4e12, 5.88e23), (134515008.0, 2e12, 1614180096e12)],
)
def test_six_times_parameters_times_tokens(parameters: float, tokens: float, flop: float) -> None:
    """The second is GPT-3, for which Brown et al. 2020, table D.1, have 3.14e23 FLOP."""
    counted = training_flop(parameters=parameters, tokens=tokens)
    assert counted is not None
    assert counted.flop == pytest.approx(flop, rel=1e-12)
    assert is_counted(counted.flop, counted.rule)


@pytest.mark.parametrize(
    "rule",
    [
        "given",
        "",
        "6 × 1e9 parameters",
        "8 × 1 parameters × 1 tokens",
        "6 × . parameters × 1 tokens",
        "6 × nan parameters × 1 tokens",
    ],
)
def test_what_is_not_counted(rule: str) -> None:
    assert not is_counted(6.0, rule)
