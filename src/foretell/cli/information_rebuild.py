"""`foretell information rebuild`: full distributions through an API that lists its top k and takes a logit bias."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer

from foretell import evaluation
from foretell.base.errors import InputError, VocabularyError
from foretell.base.files import MANIFEST
from foretell.base.progress import Progress
from foretell.cli.collect import SuiteOption, TokenizerOption
from foretell.cli.console import emit_json, out, progress_bars, say
from foretell.cli.opened_like import target_like
from foretell.distributions import Distributions
from foretell.distributions.pairing import check_same_questions
from foretell.forecasters.dense import dense_logprobs
from foretell.information.rebuild.logit_bias import Agreement, agreement
from foretell.information.rebuild.rebuilding import RebuildSettings
from foretell.information.rebuild.rebuilt_target import RebuiltTarget
from foretell.suites import load_suite
from foretell.targets.endpoint_target import EndpointTarget
from foretell.targets.specs import OpenOptions, open_target

EXAMPLES = (
    "Example: foretell information rebuild endpoint:http://127.0.0.1:8080#tiny --tokenizer truth/ --suite mine.jsonl "
    "--out rebuilt/ --against tiny"
)
SCHEMA = "foretell.rebuild/1"


def command(
    endpoint: Annotated[str, typer.Argument(help="endpoint:URL#MODEL, a server that takes logit_bias.")],
    suite: SuiteOption,
    out_folder: Annotated[Path, typer.Option("--out", help="Folder of dense distributions; a stopped run goes on.")],
    tokenizer: TokenizerOption = None,
    top: Annotated[int, typer.Option(help="Tokens that the server lists in an answer.", min=2)] = 20,
    method: Annotated[
        Literal["reference", "sum"],
        typer.Option(help="reference: 1/(k−1) queries a token; sum: 1/k, at the cost of precision."),
    ] = "reference",
    max_bias: Annotated[float, typer.Option(help="The largest bias that the server takes.", min=1)] = 100.0,
    repeats: Annotated[int, typer.Option(help="How often first answers are asked again, for the noise.", min=0)] = 1,
    against: Annotated[
        str | None, typer.Option(help="What is true, to state the error: TARGET, or a folder of its distributions.")
    ] = None,
    json_to: Annotated[str | None, typer.Option("--json", help="Write what was measured to a file, or - .")] = None,
) -> None:
    """Rebuild every token's log-probability through top-k lists and logit bias, and state queries and precision."""
    opened = open_target(endpoint, OpenOptions(tokenizer, top, say))
    if not isinstance(opened, EndpointTarget):
        raise InputError(
            "not a server",
            where="foretell information rebuild",
            got=repr(endpoint),
            expected="endpoint:URL#MODEL",
            fix="Other targets give full distributions at once: foretell collect --target " + endpoint,
        )
    target = RebuiltTarget(opened, RebuildSettings(method, max_bias, repeats))
    with progress_bars() as progress:
        rebuilt = evaluation.collect(
            target, load_suite(suite), out_folder, measured_by=target.measured, progress=progress
        )
        found = None if against is None else _compare(rebuilt, against, progress)
    if json_to:
        emit_json(_record(rebuilt, found, against), json_to)
    if json_to != "-":
        for line in _sentences(rebuilt, found, top, method):
            out.print(line, markup=False)


def _record(rebuilt: Distributions, found: Agreement | None, against: str | None) -> dict[str, Any]:
    same = {name: rebuilt.manifest[name] for name in ("source", "measured", "noise_floor", "positions")}
    told = None if found is None else {"truth": against} | found.record()
    return {"schema": SCHEMA, **same, "against": told}


def _sentences(rebuilt: Distributions, found: Agreement | None, top: int, method: str) -> list[str]:
    made, noise = rebuilt.manifest["measured"], rebuilt.manifest["noise_floor"]
    ideal = f"1/{top - 1}" if method == "reference" else f"1/{top}"
    return [
        f"{rebuilt.folder}: {len(rebuilt)} positions of {len(rebuilt.prompts)} prompts, dense, noise floor "
        f"{noise['kl_nats']:.1e} nats ({noise['method']})",
        f"queries per logit: {made['queries_per_logit']:.4f}, 1 in {1 / made['queries_per_logit']:.1f} "
        f"({ideal} and what the first answers take); largest bias {made['largest_bias']:g}",
        f"by the answers alone: each log-probability within {made['error_nats']:.1e} nats, {made['bits']:.1f} bits of "
        f"the probability, if the server computes in float32; sums were off by {made['mass_off_nats']:.1e} at most, "
        f"and the same question asked again differed by {made['spread_nats']:.1e} at most ({made['rebuilt_on']})",
        *([] if found is None else [found.sentence()]),
    ]


def _compare(rebuilt: Distributions, against: str, progress: Progress) -> Agreement:
    """Rebuilt and true log-probabilities of all positions side by side.

    Raises:
        VocabularyError, DistributionError: the truth is about other tokens or positions.
    """
    size, pairs = rebuilt.vocabulary.size, []
    truth = Distributions(Path(against)) if (Path(against) / MANIFEST).is_file() else None
    theirs = [] if truth is None else check_same_questions(rebuilt, truth)
    target = None if truth is not None else target_like(rebuilt, against)
    if target is not None and (target.vocabulary.digest, target.vocabulary.size) != (rebuilt.vocabulary.digest, size):
        raise VocabularyError(
            "another vocabulary",
            where=f"--against {against}",
            got=f"{target.vocabulary.size} tokens of tokenizer {target.vocabulary.digest[:19]}…",
            expected=f"{size} tokens of tokenizer {rebuilt.vocabulary.digest[:19]}…",
            fix="Give the model that is served.",
        )
    for index, prompt in enumerate(rebuilt.prompts):
        if truth is not None:
            block = truth.block(theirs[index])
        else:
            assert target is not None
            (block,) = target.distributions([prompt.token_ids], [prompt.positions], "dense")
        pairs.append((dense_logprobs(rebuilt.block(index), size), dense_logprobs(block, size)))
        progress("comparing with the truth", index + 1, len(rebuilt.prompts))
    return agreement(*(np.concatenate(parts) for parts in zip(*pairs, strict=True)))
