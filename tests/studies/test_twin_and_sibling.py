"""Study 3 by made numbers: sentences on nearness, on hidden models, on false alarms and on declared ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from foretell.distributions import DenseBlock, TokenizedPrompt
from foretell.forecasters.uniform import UniformForecaster
from foretell.studies.s03_twin_and_sibling import NEIGHBOURS, SIBLING, TWIN, Undeclared, answer, findings
from tests.studies.conftest import record


def rung(name: str, mean: float, kind: str = "rung") -> dict[str, Any]:
    own = {"name": name, "kind": kind, "kl_nats": record(mean, mean - 0.1, mean + 0.1)}
    return own if kind == "reference" else own | {"skill": record(1 - mean / 2, 0.0, 1.0)}


def rungs(twin: float, sibling: float) -> list[dict[str, Any]]:
    near = [rung(name, mean) for name, mean in zip(NEIGHBOURS, (0.9, 0.5), strict=True)]
    return [
        rung("uniform", 4.0, "reference"),
        rung("a+b", 2.0, "pool"),
        *near,
        rung(TWIN, twin),
        rung(SIBLING, sibling),
    ]


def inspection(model: str, share: float, status: str, *, finding: bool, declared: bool = False) -> dict[str, Any]:
    own = {"correlation": 0.5, "lo": 0.4, "hi": 0.6}
    tracking = [
        {"model": TWIN, "status": status if model == TWIN else "not found", "partial_correlation": own},
        {"model": SIBLING, "status": status if model == SIBLING else "not found", "partial_correlation": own},
    ]
    known = {"model": model, "share": share, "declared": declared, "forecast": f"{model or 'text'} {share:g}"}
    return known | {"tracking": tracking, "finding": finding, "width": "not found", "systems_named": 0}


SEEN = [
    inspection("", 0.0, "not found", finding=False),
    inspection(TWIN, 0.1, "not found", finding=False),
    inspection(TWIN, 0.5, "found", finding=True),
    inspection(SIBLING, 0.1, "not found", finding=False),
    inspection(SIBLING, 1.0, "not found", finding=False, declared=True),
]


def test_both_are_nearer_than_text() -> None:
    found = answer(rungs(0.6, 0.8), SEEN)
    assert found[0] == (
        f"Twin 0.6 nats (0.5 to 0.7) and sibling 0.8 nats (0.7 to 0.9) from tiny@384; {TWIN} and {SIBLING} come "
        "clearly closer than the best text-only pool (2 nats (1.9 to 2.1))."
    )
    assert found[1].startswith("From the nearest: model:tiny@768 0.5 (0.4 to 0.6), model:twin 0.6")


def test_one_or_none_is_nearer() -> None:
    assert f"only {TWIN} comes clearly closer" in answer(rungs(0.6, 2.0), SEEN)[0]
    assert "neither comes clearly closer" in answer(rungs(1.95, 2.5), SEEN)[0]


def test_where_a_hidden_model_was_seen() -> None:
    found = answer(rungs(0.6, 0.8), SEEN)
    assert found[2].endswith("follows it where it was 50% of the forecast; not at 10%.")
    assert found[3] == f"{SIBLING}, hidden: `inspect` did not find it at any share up to 10%."


def test_false_alarms_and_declared_models() -> None:
    quiet = answer(rungs(0.6, 0.8), SEEN)
    assert quiet[4].startswith("Honest text-only forecasts: 0 of 1 were flagged. So few")
    assert quiet[5] == "Declared in the record, 1 model gave no finding of something undeclared."
    loud = [one | {"finding": True} for one in SEEN]
    told = answer(rungs(0.6, 0.8), loud)
    assert "1 of 1 were flagged: text 0." in told[4]
    assert told[5].startswith(f"Declared in the record, {SIBLING} 1 still gave a finding")


def test_the_page_has_every_forecast() -> None:
    found = findings({"rungs": rungs(0.6, 0.8)}, SEEN)
    names = [row[0] for row in found.tables[0].rows]
    assert names == [SIBLING, TWIN, *reversed(NEIGHBOURS), "best text-only pool", "uniform"]
    assert found.tables[1].rows[2][1] == "found 0.50 (0.40 to 0.60)"
    assert found.tables[1].rows[4][0].endswith("(declared)")


def test_a_hidden_mixture_is_the_mean_of_probabilities_and_names_nobody() -> None:
    class Sure:
        name = "sure"

        def describe(self) -> dict[str, Any]:
            return {}

        def prepare(self, prompts: Any) -> None:
            """Any."""

        def forecast(self, prompt: TokenizedPrompt) -> DenseBlock:
            return DenseBlock(np.log(np.array([[0.7, 0.1, 0.1, 0.1]], np.float32)))

    hidden = Undeclared("mixed", [UniformForecaster(4), Sure()], [0.5, 0.5], 4)
    block = hidden.forecast(TokenizedPrompt("a", "all", 1.0, "a", "text", (1, 2), (1,)))
    assert isinstance(block, DenseBlock)
    assert math.isclose(float(np.exp(block.logprobs[0, 0])), 0.475, rel_tol=1e-6)
    assert hidden.describe() == {"forecaster": "not stated"}
