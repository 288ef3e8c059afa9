"""`foretell information layer`: the output layer of a model, from its log-probabilities alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foretell.base.errors import InputError, VocabularyError
from foretell.base.files import MANIFEST
from foretell.cli.console import emit_json, out, progress_bars
from foretell.cli.information_width import ComputedOption, ErrorOption, FullTruthOption
from foretell.cli.opened_like import target_like
from foretell.distributions import Distributions
from foretell.information.fingerprint.fingerprint_reading import stated_error_nats
from foretell.information.layer.layer_report import KnownLayer, known_layer, measure_layer
from foretell.information.layer.width_report import POSITIONS

EXAMPLES = (
    "Example: foretell information layer --truth truth/   |   "
    "foretell information layer --truth dense/ --against tiny --positions 4000 --json -"
)
#: True hidden states that the norm's gain is read from.
_STATES = 20_000


def command(
    truth: FullTruthOption,
    against: Annotated[
        str | None,
        typer.Option(help="Whose layer is the true one: TARGET, or a factored truth; the truth itself by default."),
    ] = None,
    positions: Annotated[
        int, typer.Option(help="Different contexts that it is recovered from; more than the width are needed.", min=1)
    ] = POSITIONS,
    computed: ComputedOption = "float32",
    error: ErrorOption = 0.0,
    json_to: Annotated[str | None, typer.Option("--json", help="Write what was found to a file, or - .")] = None,
) -> None:
    """Recover a model's output layer up to what log-probabilities cannot show; compare it with the true one."""
    opened = Distributions(truth)
    with progress_bars() as progress:
        found = measure_layer(
            opened,
            _known(against, opened),
            positions=positions,
            computed=computed,
            error_nats=max(error, stated_error_nats(opened)),
            progress=progress,
        )
    if json_to:
        emit_json(found.record(), json_to)
    if json_to != "-":
        out.print(f"{found.truth}:", markup=False)
        for line in found.sentences():
            out.print(f"  {line}", markup=False)


def _known(against: str | None, truth: Distributions) -> KnownLayer | None:
    """The layer to compare with: of a factored truth, or of a target."""
    if against is None:
        return known_layer(truth, _STATES)
    if (Path(against) / MANIFEST).is_file():
        other = Distributions(Path(against))
        vocabulary, known = other.vocabulary, known_layer(other, _STATES)
    else:
        target = target_like(truth, against)
        vocabulary = target.vocabulary
        known = None if target.head is None else KnownLayer(against, target.head)
    if vocabulary.digest != truth.vocabulary.digest:
        raise VocabularyError(
            "another vocabulary",
            where=f"--against {against}",
            got=f"{vocabulary.size} tokens of tokenizer {vocabulary.digest}",
            expected=f"the truth's {truth.vocabulary.size} tokens of tokenizer {truth.vocabulary.digest}",
            fix="Compare with the model that the truth is of, or one with the same tokenizer.",
        )
    if known is None:
        raise InputError(
            "no output layer to compare with",
            where=f"--against {against}",
            got="a model or truth that gives none",
            expected="a factored truth, or a target that one can be collected from",
            fix="Leave --against out: the layer is recovered all the same.",
        )
    return known
