"""`lowrank:DIR`: answers to unseen prompts, rebuilt from the model's recorded answers to other prompts.

The logit matrix of a language model (histories × tokens) is nearly low-rank, so every answer is a linear combination of
enough other answers. What has to be found is which combination.

- `lowrank:DIR` finds it from the text alone: kernel ridge regression of the recorded answers on how alike the histories
  are (`lowrank_context`). It asks the target nothing about the prompts that it forecasts.
- `lowrank:DIR:probes=M` then asks the target itself, at every scored position of those prompts, for the log-probability
  of M tokens that are fixed beforehand, and completes the row within the space of the logs (`lowrank_algebra`). That is
  a leak, and `describe` says so: it shows how much a few allowed queries give away, and is no forecast in an eval that
  forbids to run the model. With M above the rank of the logs it is exact.
- `:runs=N` uses the first N recorded answers, in an order that depends on the prompts' ids alone: fewer are always a
  part of more. A run is one recorded distribution.

Source: Golowich, Liu & Shetty 2025, "Sequences of Logits Reveal the Low Rank Structure of Language Models"; Carlini et
al. 2024, "Stealing Part of a Production Language Model" (section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.base.canonical import digest_bytes, digest_file
from foretell.base.errors import DistributionError, InputError, VocabularyError
from foretell.base.files import MANIFEST
from foretell.distributions import DenseBlock, Distributions, TokenizedPrompt, Vocabulary, rows
from foretell.distributions.combining import log_normalised
from foretell.forecasters.dense import dense_logprobs
from foretell.forecasters.lowrank_algebra import basis_of, centred, choose_probes, complete
from foretell.forecasters.lowrank_context import Histories, Likeness, choose_likeness
from foretell.targets.target import Target

_Floats = NDArray[np.float64]
#: Numbers that the logs may hold, in float64: 1.6 GB.
_MOST_NUMBERS = 200_000_000
#: Likeness is chosen on so many runs at most, and on so many numbers.
_FIT_RUNS, _FIT_NUMBERS = 512, 16_000_000
_MOST_NAMED = 5


@dataclass(frozen=True)
class Logs:
    """Recorded answers.

    Attributes:
        histories: tokens 0 … t of each.
        answers: (runs, vocabulary), centred log-probabilities.
        groups: (runs,), the document of each.
    """

    histories: list[tuple[int, ...]]
    answers: _Floats
    groups: NDArray[np.int64]


class LowRankForecaster:
    """Recorded answers, combined; see the module's first lines.

    Args:
        name: the spec.
        recorded: a truth on other prompts.
        vocabulary: that of the forecast, the same as the truth's.
        runs: how many recorded answers to use; all where None.
        probes: tokens that the target is asked for at each position; 0 asks nothing.
        open_target: opens the recorded target for the probes.

    Raises:
        VocabularyError: the truth is in another vocabulary.
        InputError: a truth of top-k lists, fewer runs than asked for or too many to hold, more probes than tokens, or
            the target that opens is not the one that was recorded.
    """

    def __init__(
        self,
        name: str,
        recorded: Distributions,
        vocabulary: Vocabulary,
        *,
        runs: int | None = None,
        probes: int = 0,
        open_target: Callable[[str], Target] | None = None,
    ) -> None:
        self.name, self.recorded, self.vocabulary = name, recorded, vocabulary
        _check_vocabulary(name, recorded, vocabulary)
        self.places = _first_runs(name, recorded, runs)
        self.target = _recorded_target(name, recorded, open_target) if probes else None
        if probes > vocabulary.size:
            raise _bad(name, f"{probes} probes", f"at most the {vocabulary.size} tokens", "Ask for fewer.")
        logs = read_logs(recorded, self.places)
        self.basis = basis_of(logs.answers)
        self.probes = choose_probes(self.basis, probes)
        self._histories = Histories(logs.histories, vocabulary.size)
        self.likeness = _fitted(logs, vocabulary.size)
        kernel = self._histories.like(self._histories, self.likeness.bag_share)
        kernel[np.diag_indices_from(kernel)] += self.likeness.ridge
        self._weights = np.linalg.solve(kernel, logs.answers)

    def describe(self) -> dict[str, Any]:
        """The logs and what was fitted to them; with probes, that the target was asked about the prompts themselves."""
        facts = {
            "forecaster": "lowrank",
            "logs": digest_file(self.recorded.folder / MANIFEST),
            "target": self.recorded.manifest["source"],
            "runs": len(self.places),
            "rank": len(self.basis),
            "bag_share": self.likeness.bag_share,
            "ridge": self.likeness.ridge,
            "scale": self.likeness.scale,
            "left_out_kl_nats": round(self.likeness.kl_nats, 4),
            "asks_target": self.target is not None,
        }
        if self.target is not None:
            facts["leak"] = (
                f"the target was asked for the log-probabilities of {len(self.probes)} tokens at every scored position "
                "of the prompts that are forecast"
            )
            facts["probes"] = self.probes.tolist()
        return facts

    def prepare(self, prompts: Sequence[TokenizedPrompt]) -> None:
        """Check that no prompt is one of those recorded.

        Raises:
            InputError: one is, or goes on from one, or is gone on from; they are named.
        """
        whole = {prompt.token_ids: prompt.id for prompt in self.recorded.prompts}
        parts = {ids[:stop]: name for ids, name in whole.items() for stop in range(1, len(ids) + 1)}
        same = [(prompt.id, found) for prompt in prompts if (found := _same(prompt.token_ids, whole, parts))]
        if same:
            named = "; ".join(f"{asked!r} is {recorded!r} of the logs" for asked, recorded in same[:_MOST_NAMED])
            raise InputError(
                "prompts that were recorded already",
                where=self.name,
                got=f"{len(same)} of {len(prompts)}: {named}",
                expected="logs of other prompts",
                fix="Record other prompts, or forecast others; two are the same if one begins with the other.",
            )

    def forecast(self, prompt: TokenizedPrompt) -> DenseBlock:
        """Combine the logs at every scored position."""
        histories = Histories([prompt.token_ids[: at + 1] for at in prompt.positions], self.vocabulary.size)
        said = self.likeness.scale * histories.like(self._histories, self.likeness.bag_share) @ self._weights
        if self.target is not None:
            block = self.target.distributions([prompt.token_ids], [prompt.positions], "dense")[0]
            answers = dense_logprobs(block, self.vocabulary.size)[:, self.probes]
            said = complete(self.basis, said, self.probes, answers)
        return DenseBlock(log_normalised(said).astype(np.float32))


def read_logs(recorded: Distributions, places: Sequence[tuple[int, int]]) -> Logs:
    """The recorded answers at (prompt, row) places, centred.

    Raises:
        DistributionError: an answer rules a token out, so that it has no logit.
    """
    size = recorded.vocabulary.size
    answers = np.empty((len(places), size))
    documents: dict[str, int] = {}
    histories, groups = [], []
    by_prompt: dict[int, list[tuple[int, int]]] = {}
    for slot, (index, row) in enumerate(places):
        by_prompt.setdefault(index, []).append((slot, row))
        prompt = recorded.prompts[index]
        histories.append(prompt.token_ids[: prompt.positions[row] + 1])
        groups.append(documents.setdefault(prompt.document, len(documents)))
    for index in sorted(by_prompt, key=recorded.storage_order().index):
        block = recorded.block(index)
        for slot, row in by_prompt[index]:
            answers[slot] = dense_logprobs(rows(block, row, row + 1), size)[0]
    if not np.isfinite(answers).all():
        raise DistributionError(
            "a probability of zero",
            where=str(recorded.folder),
            got="log-probabilities of -inf",
            expected="finite ones: they are combined",
            fix="Collect the truth in float32.",
        )
    return Logs(histories, centred(answers), np.array(groups, np.int64))


def _fitted(logs: Logs, vocabulary: int) -> Likeness:
    count = min(len(logs.histories), _FIT_RUNS, max(_FIT_NUMBERS // vocabulary, 2))
    histories = Histories(logs.histories[:count], vocabulary)
    return choose_likeness(histories, logs.answers[:count], logs.groups[:count])


def _first_runs(name: str, recorded: Distributions, runs: int | None) -> list[tuple[int, int]]:
    """(prompt, row) of the runs to use: by the digest of prompt id and position, so that any first N are a sample."""
    if recorded.kind == "topk":
        raise _bad(name, "a truth that lists its top tokens only", "full distributions", "Record another kind.")
    places = [(index, row) for index, prompt in enumerate(recorded.prompts) for row in range(len(prompt.positions))]
    if runs is not None and not 2 <= runs <= len(places):
        raise _bad(name, f"{runs} runs", f"2 to {len(places)}, as many as are recorded", "Choose another number.")
    count = len(places) if runs is None else runs
    most = _MOST_NUMBERS // recorded.vocabulary.size
    if not 2 <= count <= most:
        raise _bad(name, f"{count} runs", f"2 to {most} in this vocabulary", f"Add :runs={most}, or record more.")

    def order(place: tuple[int, int]) -> str:
        prompt = recorded.prompts[place[0]]
        return digest_bytes(f"{prompt.id}\n{prompt.positions[place[1]]}".encode())

    return sorted(places, key=order)[:count]


def _same(asked: tuple[int, ...], whole: dict[tuple[int, ...], str], parts: dict[tuple[int, ...], str]) -> str | None:
    """The recorded prompt that this one is, goes on from, or is a part of."""
    if asked in parts:
        return parts[asked]
    return next((whole[asked[:stop]] for stop in range(1, len(asked)) if asked[:stop] in whole), None)


def _check_vocabulary(name: str, recorded: Distributions, vocabulary: Vocabulary) -> None:
    own = recorded.vocabulary
    if (own.digest, own.size) != (vocabulary.digest, vocabulary.size):
        raise VocabularyError(
            "logs in another vocabulary",
            where=name,
            got=f"{own.digest} with {own.size} ids",
            expected=f"{vocabulary.digest} with {vocabulary.size} ids",
            fix="Record the target that is to be forecast.",
        )


def _recorded_target(name: str, recorded: Distributions, open_target: Callable[[str], Target] | None) -> Target:
    source = recorded.manifest["source"]
    if open_target is None:
        raise _bad(name, "no way to open a target", "one, for the probes", "Leave :probes out.")
    target = open_target(str(source["name"]))
    if target.identity.weights != source.get("weights"):
        raise _bad(
            name,
            f"a target {source['name']!r} with weights {target.identity.weights}",
            f"the recorded one, {source.get('weights')}",
            "Record its answers again.",
        )
    return target


def _bad(name: str, got: str, expected: str, fix: str) -> InputError:
    return InputError("cannot rebuild from these logs", where=name, got=got, expected=expected, fix=fix)
