"""What `foretell information directions` is asked: prompts, tolerances, sizes, a prior, and how much work to spend."""

from __future__ import annotations

from dataclasses import dataclass, field

from foretell.base.errors import InputError


@dataclass(frozen=True)
class Effort:
    """How the spectrum is taken.

    Attributes:
        probes: random start vectors a draw.
        steps: of Lanczos each: products with the matrix.
        level: confidence of bounds.
    """

    probes: int = 1
    steps: int = 40
    level: float = 0.95


@dataclass(frozen=True)
class DirectionSettings:
    """What is asked.

    Attributes:
        prompts: numbers of prompts N.
        tolerances: mean KL in nats.
        sizes: changes of the weights along one direction, as shares of the weights' norm.
        prior: the share of its tensor's root mean square by which each weight may be off beforehand.
        draws: random choices of N prompts; of few prompts up to four times as many.
    """

    prompts: tuple[int, ...] = (1, 5, 20, 100)
    tolerances: tuple[float, ...] = (0.01, 0.1, 0.5)
    sizes: tuple[float, ...] = (0.001, 0.01)
    prior: float = 0.05
    draws: int = 2
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        numbers = {
            "prompts": self.prompts,
            "tolerance": self.tolerances,
            "size": self.sizes,
            "prior": (self.prior,),
            "draws": (self.draws,),
            "probes": (self.effort.probes,),
            "steps": (self.effort.steps,),
        }
        for name, given in numbers.items():
            if not given or not all(0 < one < float("inf") for one in given):
                raise InputError(
                    "not a positive number",
                    where=f"--{name}",
                    got=", ".join(map(str, given)) or "none",
                    expected="positive numbers",
                    fix=f"Give --{name} above 0.",
                )
