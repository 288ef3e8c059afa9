"""How many prompts a charter needs: the verdicts that a practice run's forecaster would get, simulated.

Documents of the practice run are drawn again with replacement, each slice in proportion, as a charter draws prompts,
and every such draw is judged by the bounds that will judge. The least number of prompts at which enough of them are
decided is the plan; what the practice run itself leaves open is measured by resampling it too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretell.base.interval import Interval
from foretell.base.progress import Progress, quiet
from foretell.scoring.confidence import BINOMIAL, fraction_bounds
from foretell.scoring.summary import Losses
from foretell.verdicts.simulation import Aim, Simulation
from foretell.verdicts.tolerance import WHOLE

SCHEMA = "foretell.plan/1"
#: Draws while searching, for the power that is stated, and for each resampled practice run; how many of those.
_SEARCH, _STATED, _INNER, _OUTER = 1000, 4000, 200, 200
#: Candidates for the number of prompts lie so far apart; so many of them double it; none is larger than the last.
_STEP, _DOUBLING, _MOST_PROMPTS = 1.03, 24, 10**7
_SIMULATION_LEVEL, _PRACTICE_LEVEL = 0.95, 0.9
_SEARCHING, _RESAMPLING = "searching for the number of prompts", "resampling the practice run"


@dataclass(frozen=True)
class Plan:
    """What was found.

    Attributes:
        deserved: the verdict at the practice run's own means, 'pass' or 'fail'; None where the truth, of which only
            the likeliest tokens are known, leaves that open.
        prompts: the least number of prompts in all that is enough; None where none is.
        power: the chance of the deserved verdict at that number, were the practice run's documents all there are.
        simulated: bounds on it for the simulation's own chance.
        likely: where it lies when the practice run is resampled too: what is not known about the forecaster.
        alone: for the whole and for each judged slice, the prompts in all that it alone would need (None: no number).
        decisive: which of them asks for the most (to pass), or fails first (to fail).
    """

    deserved: str | None
    prompts: int | None
    power: float | None
    simulated: Interval | None
    likely: Interval | None
    alone: dict[str, int | None]
    decisive: str | None

    def record(self) -> dict[str, Any]:
        """The plan for JSON."""
        stated = {"level": _SIMULATION_LEVEL, "method": BINOMIAL, "replicates": _STATED}
        practice = {"level": _PRACTICE_LEVEL, "method": "bootstrap over the practice run's documents"}
        return {
            "deserved": self.deserved,
            "prompts": self.prompts,
            "power": self.power,
            "simulated": None if self.simulated is None else _ends(self.simulated) | stated,
            "likely": None
            if self.likely is None
            else _ends(self.likely) | practice | {"resamples": _OUTER, "replicates": _INNER},
            "alone": self.alone,
            "decisive": self.decisive,
        }


def _ends(interval: Interval) -> dict[str, float]:
    return {"lo": interval.lo, "hi": interval.hi}


def make_plan(losses: Losses, aim: Aim, *, seed: int = 0, progress: Progress = quiet) -> Plan:
    """How many prompts give the forecaster of a practice run the verdict that it deserves, with the wanted power.

    Args:
        losses: of one forecast of the practice run, by prompt.

    Raises:
        InputError: as Aim.check says.
    """
    simulation = Simulation(losses, aim, seed)
    deserved = simulation.deserved()
    alone: dict[str, int | None] = {}
    for done, name in enumerate(simulation.parts):
        progress(_SEARCHING, done, len(simulation.parts) + 1)
        alone[name] = _least(simulation, [name])
    # Parts that pass do not decide a failure.
    deciding = [name for name in alone if simulation.deserved([name]) == deserved]
    prompts = None if deserved is None else alone[WHOLE] if len(alone) == 1 else _least(simulation, list(alone))
    power, prompts = _stated(simulation, prompts)
    progress(_SEARCHING, 1, 1)
    simulated = likely = None
    if prompts is not None and power is not None:
        simulated = fraction_bounds(round(power * _STATED), _STATED, _SIMULATION_LEVEL)
        likely = _likely(simulation, prompts, progress)
    decisive = None if deserved is None else _decisive(alone, deciding, deserved)
    return Plan(deserved, prompts, power, simulated, likely, alone, decisive)


def _candidate(place: int) -> int:
    return math.ceil(_STEP**place)


def _least(simulation: Simulation, names: list[str]) -> int | None:
    """The least candidate whose power is enough."""
    if simulation.deserved(names) is None:
        return None

    def enough(place: int) -> bool:
        return simulation.power(_candidate(place), _SEARCH, names=names) >= simulation.aim.power

    high = _DOUBLING
    while not enough(high):
        high += _DOUBLING
        if _candidate(high) > _MOST_PROMPTS:
            return None
    low = high - _DOUBLING
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return _candidate(high)


def _stated(simulation: Simulation, prompts: int | None) -> tuple[float | None, int | None]:
    """The power on fresh draws, at the least candidate from `prompts` on where it is still enough."""
    while prompts is not None and prompts <= _MOST_PROMPTS:
        power = simulation.power(prompts, _STATED, stream=1)
        if power >= simulation.aim.power:
            return power, prompts
        prompts = math.ceil(prompts * _STEP)
    return None, None


def _likely(simulation: Simulation, prompts: int, progress: Progress) -> Interval:
    powers = []
    for again in range(_OUTER):
        powers.append(simulation.power_again(prompts, _INNER, stream=2 + again))
        progress(_RESAMPLING, again + 1, _OUTER)
    tail = (1 - _PRACTICE_LEVEL) / 2
    low, high = np.quantile(powers, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _decisive(alone: dict[str, int | None], deciding: list[str], deserved: str) -> str:
    """The part that needs the most prompts to pass, or the least to fail; no number is more than any."""
    needs = {name: math.inf if alone[name] is None else float(alone[name] or 0) for name in deciding}
    return max(needs, key=needs.__getitem__) if deserved == "pass" else min(needs, key=needs.__getitem__)
