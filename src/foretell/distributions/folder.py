"""Distributions on disk: a folder of shards with a manifest, written so that a stopped run goes on where it was.

    manifest.json        schema foretell.distributions/1: role, kind, vocabulary, suite, source, noise floor, digests
    prompts.parquet      one row a prompt: text, token ids, scored positions, and where its rows are
    shards/N.safetensors dense: logprobs (rows, vocabulary); topk: token_ids, logprobs (rows, k), rest_logprob (rows,);
                         factored: hidden (rows, d)
    head.safetensors     factored only: weight (vocabulary, d), bias (vocabulary,)
    tokenizer.json       the target's tokenizer

The rows of one prompt lie together in one shard, by ascending position. Stored log-probabilities are read as logits
(their log-softmax is the distribution); the writer has checked that they are normalised already.
"""

from __future__ import annotations

import json
import shutil
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from foretell.base.canonical import canonical_json, digest_bytes, digest_value
from foretell.base.errors import DistributionError, InputError
from foretell.base.files import (
    MANIFEST,
    check_file,
    damaged,
    read_manifest,
    remove_partial_files,
    storage_errors,
    write_atomically,
    write_manifest,
    write_text_atomically,
)
from foretell.distributions.block import Block, DenseBlock, FactoredBlock, Head, TopKBlock, concatenate
from foretell.distributions.vocabulary import TOKENIZER, Vocabulary

SCHEMA = "foretell.distributions/1"
PROMPTS, HEAD, SHARDS, _PLAN = "prompts.parquet", "head.safetensors", "shards", ".plan.json"
#: What is there of the plan when its writer was killed in its first moment.
_PLAN_BEGUN = f".{_PLAN}.*.partial"
_HEAD_FACTS = "head"
#: Shards kept open by a reader: enough for scoring in order, small enough for a laptop's file limit.
_OPEN_SHARDS = 16


@dataclass(frozen=True)
class TokenizedPrompt:
    """A prompt as the target reads it: its token ids and which positions are scored."""

    id: str
    slice: str
    weight: float
    document: str
    text: str
    token_ids: tuple[int, ...]
    positions: tuple[int, ...]


def shard_name(index: int) -> str:
    """The file of a shard, relative to the folder."""
    return f"{SHARDS}/{index:05d}.safetensors"


def block_arrays(block: Block) -> dict[str, np.ndarray]:
    """The arrays of a block under their names in a shard; factored blocks leave their head to head.safetensors."""
    match block:
        case DenseBlock(logprobs):
            return {"logprobs": np.ascontiguousarray(logprobs)}
        case TopKBlock(ids, logprobs, rest):
            return {
                "token_ids": np.ascontiguousarray(ids, np.int32),
                "logprobs": np.ascontiguousarray(logprobs, np.float32),
                "rest_logprob": np.ascontiguousarray(rest, np.float32),
            }
        case FactoredBlock(hidden):
            return {"hidden": np.ascontiguousarray(hidden)}


def block_kind(block: Block) -> str:
    """'dense', 'topk' or 'factored'."""
    return {DenseBlock: "dense", TopKBlock: "topk", FactoredBlock: "factored"}[type(block)]


class DistributionWriter:
    """Writes a distributions folder shard by shard; made again with the same plan, it goes on where it was.

    Args:
        plan: prompt indices of each shard. The rows of a shard are its prompts' positions, one after the other.
        facts: what the result depends on (role, source, suite, dtype …); it goes into the manifest. A folder that
            was begun with other facts is refused.

    Raises:
        InputError: the folder holds something else.
    """

    def __init__(
        self,
        folder: Path,
        prompts: Sequence[TokenizedPrompt],
        plan: Sequence[Sequence[int]],
        vocabulary: Vocabulary,
        facts: dict[str, Any],
    ) -> None:
        self.folder, self.prompts, self.plan = folder, tuple(prompts), [tuple(shard) for shard in plan]
        self.vocabulary, self.facts = vocabulary, facts
        self._key = digest_value(
            {
                "facts": facts,
                "plan": self.plan,
                "prompts": digest_bytes(json.dumps([[p.id, p.token_ids, p.positions] for p in prompts]).encode()),
            }
        )
        self.finished = self._open()

    def _open(self) -> bool:
        plan_file = self.folder / _PLAN
        if (self.folder / MANIFEST).is_file():
            if read_manifest(self.folder, SCHEMA).get("plan") == self._key:
                plan_file.unlink(missing_ok=True)  # a run that was killed in its last moment leaves it
                return True
            raise _occupied(self.folder, "finished distributions of another kind or source")
        if plan_file.is_file():
            if json.loads(plan_file.read_text())["plan"] != self._key:
                raise _occupied(self.folder, "a run that was begun with other settings")
        elif self.folder.exists() and not all(path.match(_PLAN_BEGUN) for path in self.folder.iterdir()):
            raise _occupied(self.folder, "files of something else")
        write_text_atomically(plan_file, json.dumps({"plan": self._key}))  # first: it says whose folder this is
        with storage_errors(self.folder):
            (self.folder / SHARDS).mkdir(exist_ok=True)
            remove_partial_files(self.folder)
            remove_partial_files(self.folder / SHARDS)
        return False

    def has(self, shard: int) -> bool:
        """Whether the shard was written, by this run or an earlier one."""
        return (self.folder / shard_name(shard)).is_file()

    def write(self, shard: int, block: Block) -> None:
        """Write one shard, whole or not at all."""
        expected = sum(len(self.prompts[index].positions) for index in self.plan[shard])
        if len(block) != expected:
            raise ValueError(f"shard {shard}: {len(block)} rows for {expected} positions")
        arrays = block_arrays(block)
        metadata = {"kind": block_kind(block)}
        write_atomically(self.folder / shard_name(shard), lambda path: save_file(arrays, path, metadata))

    def stored(self, prompt: TokenizedPrompt, head: Head | None = None) -> Block:
        """What was written of a prompt's positions, or of some of them; `head` is that of a factored block."""
        index = next(i for i, known in enumerate(self.prompts) if known.id == prompt.id)
        shard, row = self._places()[index]
        offsets = [self.prompts[index].positions.index(position) for position in prompt.positions]
        with safe_open(self.folder / shard_name(shard), framework="numpy") as file:
            kind = file.metadata()["kind"]
            return concatenate([_read_rows(file, kind, row + at, row + at + 1, head) for at in offsets])

    def write_head(self, head: Head) -> None:
        """Write the output layer of factored distributions."""
        arrays = {"weight": np.ascontiguousarray(head.weight)}
        if head.bias is not None:
            arrays["bias"] = np.ascontiguousarray(head.bias)
        # One entry: the library writes several in an order that changes from run to run.
        metadata = {_HEAD_FACTS: canonical_json({"scale": head.scale, "softcap": head.softcap}).decode()}
        write_atomically(self.folder / HEAD, lambda path: save_file(arrays, path, metadata))

    def discard(self) -> None:
        """Remove the folder: for input that turned out to be wrong."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def finish(self, **more_facts: Any) -> None:
        """Write prompts, tokenizer and manifest; from now on the folder can be read."""
        write_atomically(self.folder / PROMPTS, lambda path: pq.write_table(self._prompt_table(), path))
        tokenizer = self.vocabulary.path.read_bytes()
        write_atomically(self.folder / TOKENIZER, lambda path: path.write_bytes(tokenizer))
        kind = self._one_kind()
        facts = self.facts | more_facts
        facts |= {
            "kind": kind,
            "positions": sum(len(prompt.positions) for prompt in self.prompts),
            "vocabulary": {"size": self.vocabulary.size, "tokenizer": self.vocabulary.digest},
            "plan": self._key,
        }
        write_manifest(self.folder, SCHEMA, facts)
        (self.folder / _PLAN).unlink(missing_ok=True)

    def _one_kind(self) -> str:
        kinds = set()
        for shard in range(len(self.plan)):
            with safe_open(self.folder / shard_name(shard), framework="numpy") as file:
                kinds.add(file.metadata()["kind"])
        if len(kinds) > 1:
            raise DistributionError(
                "blocks of different kinds",
                where=str(self.folder),
                got=" and ".join(sorted(kinds)),
                expected="one kind for all prompts",
                fix="Give a full vector at every position, or k tokens and the rest at every position.",
            )
        return str(kinds.pop())

    def _places(self) -> dict[int, tuple[int, int]]:
        """Shard and first row of each prompt."""
        place: dict[int, tuple[int, int]] = {}
        for shard, indices in enumerate(self.plan):
            row = 0
            for index in indices:
                place[index] = (shard, row)
                row += len(self.prompts[index].positions)
        return place

    def _prompt_table(self) -> pa.Table:
        place = self._places()
        columns = {name: [getattr(p, name) for p in self.prompts] for name in _TEXT_COLUMNS}
        return pa.table(
            {
                **columns,
                "token_ids": pa.array([p.token_ids for p in self.prompts], pa.list_(pa.int32())),
                "positions": pa.array([p.positions for p in self.prompts], pa.list_(pa.int32())),
                "shard": pa.array([place[i][0] for i in range(len(self.prompts))], pa.int32()),
                "row": pa.array([place[i][1] for i in range(len(self.prompts))], pa.int32()),
            }
        )


_FACTS = ("files", "kind", "positions", "source", "vocabulary")
_TEXT_COLUMNS = ("id", "slice", "weight", "document", "text")


class Distributions:
    """A distributions folder, read a prompt at a time; each shard's digest is checked when it is first opened.

    Attributes:
        manifest: what made it, from what.
        prompts: the prompts with tokens and scored positions, in the suite's order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = _read_facts(folder)
        table = pq.read_table(check_file(folder, PROMPTS, self.manifest)).to_pydict()
        self.prompts = tuple(
            TokenizedPrompt(
                **{name: table[name][i] for name in _TEXT_COLUMNS},
                token_ids=tuple(table["token_ids"][i]),
                positions=tuple(table["positions"][i]),
            )
            for i in range(len(table["id"]))
        )
        self._places = list(zip(table["shard"], table["row"], strict=True))
        self.vocabulary = read_vocabulary(folder)
        self.kind: str = str(self.manifest["kind"])
        self.head = self._read_head() if self.kind == "factored" else None
        self._open: OrderedDict[int, Any] = OrderedDict()
        self._checked: set[int] = set()

    def __len__(self) -> int:
        return int(self.manifest["positions"])

    @property
    def name(self) -> str:
        """What made it, as people call it: a target's or forecaster's name."""
        return str(self.manifest["source"]["name"])

    def storage_order(self) -> list[int]:
        """Prompt indices in the order of the shards: reading in this order reads each shard once."""
        return sorted(range(len(self.prompts)), key=lambda index: self._places[index])

    def block(self, index: int) -> Block:
        """The distributions of one prompt, by ascending position."""
        shard, row = self._places[index]
        stop = row + len(self.prompts[index].positions)
        return _read_rows(self._shard(shard), self.kind, row, stop, self.head)

    def _shard(self, shard: int) -> Any:
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        path = self.folder / shard_name(shard)
        if shard not in self._checked:
            check_file(self.folder, shard_name(shard), self.manifest)
            self._checked.add(shard)
        try:
            opened: Any = safe_open(path, framework="numpy")
            opened.__enter__()
        except (SafetensorError, OSError) as error:
            raise damaged(path, str(error), "a safetensors file") from error
        self._open[shard] = opened
        if len(self._open) > _OPEN_SHARDS:
            self._open.popitem(last=False)[1].__exit__(None, None, None)
        return opened

    def _read_head(self) -> Head:
        path = check_file(self.folder, HEAD, self.manifest)
        arrays = load_file(path)
        with safe_open(path, framework="numpy") as file:
            facts = json.loads(file.metadata()[_HEAD_FACTS])
        return Head(arrays["weight"], arrays.get("bias"), float(facts["scale"]), float(facts["softcap"]))


def _read_rows(file: Any, kind: str, start: int, stop: int, head: Head | None) -> Block:
    """Rows of an open shard."""

    def part(name: str) -> np.ndarray:
        return np.asarray(file.get_slice(name)[start:stop])

    if kind == "dense":
        return DenseBlock(part("logprobs"))
    if kind == "topk":
        return TopKBlock(part("token_ids"), part("logprobs"), part("rest_logprob"))
    assert head is not None
    return FactoredBlock(part("hidden"), head)


def _occupied(folder: Path, got: str) -> InputError:
    return InputError(
        "the folder is in use",
        where=str(folder),
        got=got,
        expected="a new folder, or the same command that began it",
        fix="Choose another --out, or delete the folder.",
    )


def _read_facts(folder: Path) -> dict[str, Any]:
    """The manifest, with every fact that readers rely on."""
    manifest = read_manifest(folder, SCHEMA)
    missing = [name for name in _FACTS if name not in manifest]
    if missing:
        raise damaged(folder / MANIFEST, f"no {missing[0]!r}", "the facts " + ", ".join(_FACTS))
    return manifest


def read_vocabulary(folder: Path) -> Vocabulary:
    """The vocabulary of a distributions folder; nothing else of it is read."""
    manifest = _read_facts(folder)
    return Vocabulary(check_file(folder, TOKENIZER, manifest), manifest["vocabulary"]["size"])
