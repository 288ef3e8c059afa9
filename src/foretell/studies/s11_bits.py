"""Study 11, bits (D12): how much of a model's internals do its exact next-token distributions carry?

Three things can be read from logits without ever asking for weights: the hidden width, the output layer up to a
symmetry, and which of known models it was. Each is read here from the same truths, at several precisions and from more
and more positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.distributions import DenseBlock, Distributions, Head
from foretell.distributions.combining import log_normalised
from foretell.distributions.release import parse_rule
from foretell.information.fingerprint.fingerprint_rates import WITH, WITHOUT, Source, rates
from foretell.information.fingerprint.fingerprint_reading import drawn_rows
from foretell.information.layer.layer_bits import layer_bits
from foretell.information.layer.layer_report import known_layer, measure_layer
from foretell.information.layer.output_layer import error_by_positions, visible_layer
from foretell.information.layer.truth_rows import TruthRows, truth_rows
from foretell.information.layer.width_report import measure_width
from foretell.reports.figures import figure, percent, plain
from foretell.scoring.confidence import fraction_bounds
from foretell.studies.drawing import HALF, Axis, Chart, Point, beside, curves
from foretell.studies.study import Findings, Study, Table
from foretell.studies.words import listed
from foretell.studies.workshop import Workshop
from foretell.suites import Suite
from foretell.targets.torch_fisher import torch_target

QUESTION = "How many bits about a model's internals do its exact next-token distributions carry?"
#: The models; the first is the one that the answer is about. Organisms come from the cache, or are trained.
LARGE, TINY_FAMILY, ORGANISMS = "smollm2", ("tiny", "tiny@768", "tiny@96"), ("twin", "sibling")
#: Release rules of the widths, and those of the curves.
_RULES = ("float16", "round:3", "round:2", "round:1", "round:0", "noise:0.1")
_CURVES = ("exact", "float16", "round:2", "round:1", "noise:0.1")
#: Positions of the curves, in multiples of the width; and the most that is read.
_MULTIPLES, _MOST = (1.02, 1.2, 1.5, 8.0), 1024
#: Positions that an ellipsoid may take, where they are at hand, and prompts of each suite.
_STATES, _LARGE_PROMPTS = 20_000, 60
_PRECISIONS, _TRIALS = ("float32", "float16", "2", "1", "0"), 40
#: A quick run looks at the small family only.
_QUICK = ("tiny",)
_SEED = 0


def run(workshop: Workshop) -> Findings:
    """Read width, layer and maker from truths of SmolLM2 and of the tiny family."""
    truths = _truths(workshop)
    with workshop.timed("widths, layers and curves"):
        models = [_model(workshop, name, truth) for name, truth in truths.items()]
    with workshop.timed("fingerprints"):
        small = {name: truth for name, truth in truths.items() if name != LARGE}
        counted = _fingerprints(workshop, small)
    return findings(models, counted)


def _truths(workshop: Workshop) -> dict[str, Distributions]:
    found = {}
    for name in workshop.pick((LARGE, *TINY_FAMILY), _QUICK):
        suite = _everywhere(workshop.suite(_LARGE_PROMPTS if name == LARGE else None))
        found[name] = workshop.truth(name, suite)
    for kind in workshop.pick(ORGANISMS, ()):
        folder = workshop.organism(kind)
        found[kind] = workshop.truth(f"hf:{folder}", _everywhere(workshop.suite()), called=f"the {kind}")
    return found


def _everywhere(suite: Suite) -> Suite:
    """The same prompts, every position scored."""
    return Suite(f"{suite.name}, all positions", tuple(replace(prompt, scored="all") for prompt in suite))


def _model(workshop: Workshop, name: str, truth: Distributions) -> dict[str, Any]:
    known = known_layer(truth, _STATES)
    assert known is not None  # both kinds of target here give factored truths
    width = measure_width(truth, positions=_MOST, rules=_RULES, progress=workshop.progress)
    layer = measure_layer(truth, known, positions=_MOST, progress=workshop.progress)
    rank = width.width.found.rank
    curve = [] if rank is None else _curve(truth_rows(truth, _MOST), known.head, rank, workshop)
    target = truth.manifest["source"]["name"]
    return {
        "name": name,
        "weights": int(torch_target(workshop.target(target)).model.num_parameters()),
        "layer_numbers": int(known.head.weight.size),
        # A truth's own name may be a path.
        "width": width.record() | {"truth": name},
        "layer": layer.record() | {"truth": name, "known": name},
        "curve": curve,
    }


def _curve(given: TruthRows, head: Head, rank: int, workshop: Workshop) -> list[dict[str, Any]]:
    """Bits of the output layer by release rule and number of positions."""
    true = visible_layer(head)
    rows = np.concatenate(list(given.blocks())).astype(np.float32)
    counts = sorted({min(int(rank * multiple) + 8, len(rows)) for multiple in _MULTIPLES})
    found = []
    for number, spec in enumerate(_CURVES):
        errors = error_by_positions(_released(rows, spec), rows.shape[1], true, counts, rank)
        for count, error in zip(counts, errors, strict=True):
            bits = layer_bits(error, rows.shape[1], norm_known=False)
            found.append({"rule": spec, "positions": count, "rms": error.rms, **bits.record()})
        workshop.progress("recovering output layers", number + 1, len(_CURVES))
    return found


def _released(rows: NDArray[np.float32], spec: str) -> Any:
    """Reads the rows as a rule releases them; noise comes out alike each time."""
    rule = parse_rule(spec)

    def read() -> Iterator[NDArray[np.floating]]:
        rng = np.random.default_rng(_SEED)
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            if spec == "exact":
                yield part
                continue
            block = rule.release(log_normalised(part), rng)
            assert isinstance(block, DenseBlock)
            yield block.logprobs

    return read


_ROWS = 64


def _fingerprints(workshop: Workshop, truths: dict[str, Distributions]) -> list[dict[str, Any]]:
    """How often one distribution alone is taken for the wrong one of models with one vocabulary."""
    heads = {name: truth.head for name, truth in truths.items() if truth.head is not None}
    sources = [Source(name, truth.head, drawn_rows(truth, _TRIALS)) for name, truth in truths.items()]
    found = rates(sources, heads, _PRECISIONS, progress=workshop.progress)
    return [one.record() for one in found if one.source == "all"]


def findings(models: Sequence[dict[str, Any]], counted: Sequence[dict[str, Any]]) -> Findings:
    """What the numbers say."""
    return Findings(
        answer(models, counted),
        (_models(models), _widths(models), _rates(counted)),
        _figure(models),
        "Bits of each free number of the output layer that an attack recovers from log-probabilities, against the "
        "positions it is given, by how these were released; left of the first model, right of the second.",
        {"models": list(models), "fingerprints": list(counted)},
        bounds="Fingerprints have exact binomial bounds (95%), as far as distributions are independent trials. Ranks "
        "are found or not; errors of a layer are against the true one, so they are exact for these positions.",
        method=(
            "Width: the rank of log-probabilities, centred over the vocabulary, by the gap in their singular values "
            "(docs/information/width.md). Layer: the right singular vectors, compared with the true layer after the "
            "best linear map (docs/information/layer.md).",
            "Bits of a layer: its free numbers, d·(vocabulary − 1) less the d² of the symmetry, times log2 of the "
            "layer's own size over the RMS error. This is a definition; trained numbers are not independent, and a "
            "layer that was stored in few bits cannot carry more than these.",
            "Fingerprint: the distance of one distribution from the image of each known output layer "
            "(docs/information/fingerprint.md), within the small family, with its own model known and without.",
        ),
    )


def answer(models: Sequence[dict[str, Any]], counted: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The first sentence is about the first model; then precision, the family, and what is not carried."""
    first = models[0]
    return (
        _carried(first),
        *(_carried(other) for other in models[1:2]),
        _by_precision(first),
        _told_apart(counted),
        "What lies below the output layer is not carried by this algebra: it shows only in which hidden states come "
        "up, and of these nobody sees more than their products with a layer that is known up to a symmetry. How far "
        "distributions tell whole models apart is study 12.",
    )


def _carried(model: dict[str, Any]) -> str:
    width, layer = model["width"], model["layer"]["after_linear_map"]
    share = percent(model["layer_numbers"] / model["weights"])
    rank = width["width"]["rank"]
    if rank is None or "unscored" in layer:
        return f"{model['name']}: not determined: {width['width']['reason'] or layer['unscored']}."
    bits = layer["bits"]
    return (
        f"{model['name']}: the hidden width exactly ({rank}, from {plain(width['fewest_positions'])} positions of "
        f"{width['fewest_prompts']} prompts on), and the output layer up to a linear map, to an RMS error of "
        f"{layer['rms']:.1e} ({layer['relative']:.1e} of its size): {bits['per_number']:.1f} bits of each of "
        f"{plain(bits['free_numbers'])} free numbers, {plain(round(bits['total'] / 1e6))} million bits in all, about a "
        f"layer that holds {share} of {plain(model['weights'])} weights."
    )


def _by_precision(model: dict[str, Any]) -> str:
    most = max(one["positions"] for one in model["curve"]) if model["curve"] else 0
    each = [f"{one['rule']} {one['per_number']:.1f}" for one in model["curve"] if one["positions"] == most]
    lost = [one["rule"] for one in model["width"]["precisions"] if one["status"] == "not determined"]
    hidden = f"; the width is hidden by {listed(lost)} alone" if lost else "; the width is hidden by none of the rules"
    return f"{model['name']}, bits a number from {plain(most)} positions by release: {', '.join(each)}{hidden}."


def _told_apart(counted: Sequence[dict[str, Any]]) -> str:
    parts = []
    for one in counted:
        if one["question"] == WITH and one["precision"] in ("float32", "1", "0"):
            right = fraction_bounds(one["counts"]["right"], one["tried"], 0.95)
            parts.append(f"{_called(one['precision'])} {percent(right.lo)} to {percent(right.hi)}")
    return f"Which of the small models it was is told right from one distribution: {'; '.join(parts)}."


def _called(precision: str) -> str:
    """A precision in words.

    >>> _called("1"), _called("0"), _called("float16")
    ('1 decimal', '0 decimals', 'float16')
    """
    return f"{precision} decimal{'' if precision == '1' else 's'}" if precision.isdecimal() else precision


def _models(models: Sequence[dict[str, Any]]) -> Table:
    rows = []
    for one in models:
        width, linear, turned = one["width"], one["layer"]["after_linear_map"], one["layer"]["after_rotation"]
        rank = width["width"]["rank"]
        rows.append(
            (
                one["name"],
                "–" if rank is None else plain(rank),
                "–" if rank is None else f"{width['width']['gap_nats']:.1f}",
                "–" if rank is None else plain(width["fewest_positions"]),
                *_error_cells(linear),
                *_error_cells(turned),
            )
        )
    columns = ("model", "width", "gap, nats", "positions it took", "RMS, linear map", "bits a number", "million bits")
    return Table(
        "What each model's distributions give away",
        (*columns, "RMS, rotation", "bits a number ", "million bits "),
        tuple(rows),
        "After a rotation: with the norm's gain folded in, where the positions suffice for the norm's ellipsoid.",
    )


def _error_cells(error: dict[str, Any]) -> tuple[str, str, str]:
    if "unscored" in error:
        return "–", "–", "–"
    bits = error["bits"]
    return f"{error['rms']:.1e}", f"{bits['per_number']:.1f}", figure(bits["total"] / 1e6)


def _widths(models: Sequence[dict[str, Any]]) -> Table:
    def cell(one: dict[str, Any]) -> str:
        return f"{one['rank']} ({one['gap_nats']:.1f})" if one["rank"] is not None else f"– (≥ {one['at_least']})"

    rules = [one["rule"] for one in models[0]["width"]["precisions"]]
    rows = tuple((one["name"], *(cell(each) for each in one["width"]["precisions"])) for one in models)
    return Table("Width found, by release rule", ("model", *rules), rows, "In brackets: the gap in nats.")


def _rates(counted: Sequence[dict[str, Any]]) -> Table:
    rows = []
    for one in counted:
        wrong = fraction_bounds(one["counts"]["wrong"], one["tried"], 0.95)
        outcomes = (one["counts"][name] for name in ("right", "several", "not determined", "wrong"))
        cells = (_called(one["precision"]), one["question"], plain(one["tried"]), *map(plain, outcomes))
        rows.append((*cells, f"{percent(wrong.lo)} to {percent(wrong.hi)}"))
    columns = ("precision", "question", "tried", "right", "several", "not determined", "wrong", "wrong, 95%")
    return Table(
        "One distribution at a time: which of the small models made it",
        columns,
        tuple(rows),
        f"'{WITHOUT}': right is 'none of these'.",
    )


def _figure(models: Sequence[dict[str, Any]]) -> Chart:
    return beside(*(_bits_chart(one) for one in models[:2] if one["curve"]))


def _bits_chart(model: dict[str, Any]) -> Chart:
    points = [
        Point(one["rule"], float(one["positions"]), one["per_number"], one["per_number"], one["per_number"])
        for one in model["curve"]
    ]
    ticks = tuple(sorted({point.x for point in points}))
    x = Axis(f"positions of {model['name']}", log=True, ticks=ticks)
    return curves(points, x, Axis("bits of each free number", domain=(0.0, 24.0)), width=HALF)


STUDY = Study(
    number=11,
    name="bits",
    question=QUESTION,
    claims=("D12",),
    limits=(
        "Bits of a layer count every number alone, by a stated definition; a layer whose numbers depend on each other "
        "holds fewer, and one that was stored coarsely shows its storage, not more.",
        "Only what linear algebra reads from logits is counted. A cleverer attack may read more of the layers below; "
        "nothing here bounds what it could.",
        "Two families of models, both with RMSNorm and no biases; docs/information/width.md says what other "
        "architectures change, by one.",
    ),
    minutes=22,
    run=run,
)
