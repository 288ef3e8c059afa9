"""Families ready made: variations of a target of which it is worth knowing how many prompts tell them from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foretell.base.errors import InputError
from foretell.targets import tiny

#: Every ready-made family, and what it holds.
FAMILIES = {
    "tiny": "some 250 relatives of the shipped target: its checkpoints and mixtures with them, quantised and pruned "
    "copies, nudges in random and in the most sensitive directions, and copies without a layer, head or neurons",
    "copies": "quantised, pruned and randomly nudged copies of any target that torch runs",
}
#: Kinds of members, as tables and plots call them.
CHECKPOINT, QUANTISED, PRUNED, NUDGED, SENSITIVE, WITHOUT, MIXED, OTHER, GIVEN = (
    "checkpoint",
    "quantised",
    "pruned",
    "random nudge",
    "sensitive nudge",
    "part left out",
    "mixture",
    "other model",
    "given",
)
_BITS = (10, 9, 8, 7, 6, 5, 4, 3, 2)
_SHARES = (0.001, 0.003, 0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
_SIZES, _SEEDS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3), 8
_SENSITIVE_SIZES = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
#: Directions in which a family is nudged, the most sensitive first.
DIRECTIONS = 8
_MIXED = (0.001, 0.003, 0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9)
_COPY_BITS, _COPY_SHARES, _COPY_SEEDS = (8, 6, 5, 4, 3), (0.01, 0.1, 0.3), 2
#: Neurons that are left out together, one in so many of a layer's.
_GROUPS = 8
#: Parts of a spec that name files or servers, whose content may change under the same name.
_FILE = ".safetensors:"
_FILES = ("hf:", "gguf:", "onnx:", "composite:", "endpoint:", _FILE)
_KINDS = {
    "float16": QUANTISED,
    "bfloat16": QUANTISED,
    "int8": QUANTISED,
    "bits": QUANTISED,
    "pruned": PRUNED,
    "without": WITHOUT,
    "mixed": MIXED,
}


@dataclass(frozen=True)
class Member:
    """A model of a family.

    Attributes:
        name: what it is called; its spec, unless that holds a path.
        kind: what sort of variation it is.
        spec: opens it.
    """

    name: str
    kind: str
    spec: str

    @classmethod
    def of(cls, spec: str) -> Member:
        """A member that is called by its spec.

        >>> Member.of("bits:4:tiny").kind, Member.of("hf:mine").kind
        ('quantised', 'given')
        """
        return cls(spec, kind_of(spec), spec)


def kind_of(spec: str) -> str:
    """What sort of variation a spec names.

    >>> kind_of("tiny@96"), kind_of("nudged:3:0.01:tiny"), kind_of("nudged:d.safetensors:0.01:tiny")
    ('checkpoint', 'random nudge', 'sensitive nudge')
    """
    if tiny.is_tiny(spec):
        return CHECKPOINT
    kind = spec.partition(":")[0]
    if kind == "nudged":
        return SENSITIVE if _FILE in spec else NUDGED
    return _KINDS.get(kind, GIVEN)


def names_files(spec: str) -> bool:
    """Whether what a spec names can change without the spec.

    >>> names_files("bits:4:hf:model"), names_files("bits:4:tiny@96")
    (True, False)
    """
    return any(kind in spec for kind in _FILES)


def copies(target: str) -> list[Member]:
    """Quantised, pruned and randomly nudged copies of a target that torch runs."""
    return [
        *(Member.of(f"bits:{bits}:{target}") for bits in _COPY_BITS),
        *(Member.of(f"pruned:{share:g}:{target}") for share in _COPY_SHARES),
        *nudges(target, _SIZES, [str(seed) for seed in range(_COPY_SEEDS)]),
    ]


def relatives(target: str, directions: Sequence[str] = ()) -> list[Member]:
    """The family `tiny` of the shipped target or one of its checkpoints.

    Args:
        directions: .safetensors files of sensitive directions, see `foretell.information.directions.sensitive`.

    Raises:
        InputError: another target.

    >>> len(relatives("tiny", [f"{number}.safetensors" for number in range(8)]))
    255
    """
    if not tiny.is_tiny(target):
        raise InputError(
            "a family of another target",
            where="--family tiny",
            got=f"target {target}",
            expected="tiny or tiny@STEP",
            fix="Take --family copies, or name members with --member.",
        )
    others = [f"tiny@{step}" for step in tiny.steps() if step != (tiny.step_of(target) or tiny.steps()[-1])]
    shape = tiny.facts()["recipe"]
    return [
        *(Member.of(other) for other in others),
        *(Member.of(f"mixed:{share:g}:{target}+{other}") for other in others for share in _MIXED),
        *(Member.of(f"{kind}:{target}") for kind in ("float16", "bfloat16", "int8")),
        *(Member.of(f"bits:{bits}:{target}") for bits in _BITS),
        *(Member.of(f"pruned:{share:g}:{target}") for share in _SHARES),
        *nudges(target, _SIZES, [str(seed) for seed in range(_SEEDS)]),
        *nudges(target, _SENSITIVE_SIZES, directions),
        *(
            Member.of(f"without:{part}:{target}")
            for part in _parts(shape["layers"], shape["heads"], shape["feed_forward"])
        ),
    ]


def nudges(target: str, sizes: Sequence[float], along: Sequence[str]) -> list[Member]:
    """A target moved by each size along each direction; a file is called by its number.

    >>> [one.name for one in nudges("tiny", [0.01], ["/tmp/d.safetensors"])]
    ['nudged:sensitive-0:0.01:tiny']
    """
    return [
        Member(f"nudged:{_called(number, direction)}:{size:g}:{target}", kind_of(spec), spec)
        for size in sizes
        for number, direction in enumerate(along)
        for spec in [f"nudged:{direction}:{size:g}:{target}"]
    ]


def _called(number: int, direction: str) -> str:
    return direction if direction.isdecimal() else f"sensitive-{number}"


def _parts(layers: int, heads: int, neurons: int) -> list[str]:
    """Every layer, every head, and groups of neurons."""
    width = neurons // _GROUPS
    return [
        *(f"layer{layer}" for layer in range(layers)),
        *(f"head{layer}.{head}" for layer in range(layers) for head in range(heads)),
        *(
            f"neurons{layer}.{group * width}-{(group + 1) * width - 1}"
            for layer in range(layers)
            for group in range(_GROUPS)
        ),
    ]
