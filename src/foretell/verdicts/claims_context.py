"""What is known about a forecast besides its score: how prompts were drawn, who saw what, which help was declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from foretell.forecasters.sandbox import UNSAFE
from foretell.verdicts.charter import Charter

_BITS = 8
#: Fields that are lists in JSON.
_LISTS = ("helpers", "inadmissible")


@dataclass(frozen=True)
class Context:
    """Facts that a score does not hold; without any of them, nothing is claimed that needs them.

    Attributes:
        track: open, blind or prospective; None without a charter and its ledger.
        pool: name of the pool that the prompts were drawn from, by rule; pool_prompts: how many it holds.
        helpers: systems that the commitment declares.
        program_bits: size of a blind program.
        unsandboxed: the program ran with --unsafe-unsandboxed.
        inadmissible: why the attempt does not count, where it does not.
        skill: the forecast's `skill` in scale.json: {mean, lo, hi, level, method}, or {unscored}.
    """

    track: str | None = None
    pool: str | None = None
    pool_prompts: int | None = None
    helpers: tuple[str, ...] = ()
    program_bits: int | None = None
    unsandboxed: bool = False
    inadmissible: tuple[str, ...] = ()
    skill: Mapping[str, Any] | None = field(default=None, compare=False)

    @classmethod
    def under(
        cls,
        charter: Charter,
        *,
        helpers: tuple[str, ...] = (),
        program_bytes: int | None = None,
        sandbox: str | None = None,
        inadmissible: tuple[str, ...] = (),
    ) -> Context:
        """The context of an attempt under a charter, whose evidence was checked by the caller.

        Args:
            helpers: as the commitment declares them.
            program_bytes: size of the committed program, on the blind track.
            sandbox: what the program ran in, as the record of its run says.
        """
        bits = None if program_bytes is None else _BITS * program_bytes
        return cls(
            charter.track.kind,
            charter.pool.name,
            charter.pool.prompts,
            helpers=helpers,
            program_bits=bits,
            unsandboxed=sandbox == UNSAFE,
            inadmissible=inadmissible,
        )

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Context:
        """The context that `record` wrote; what an earlier or later version did not write or wrote besides is left."""
        known: dict[str, Any] = {one.name: record[one.name] for one in fields(cls) if one.name in record}
        known |= {name: tuple(known[name]) for name in _LISTS if name in known}
        return cls(**known)

    def record(self) -> dict[str, Any]:
        """For JSON.

        >>> Context.of_record(Context("open", helpers=("m",)).record()) == Context("open", helpers=("m",))
        True
        """
        return {one.name: getattr(self, one.name) for one in fields(self)} | {
            name: list(getattr(self, name)) for name in _LISTS
        }
