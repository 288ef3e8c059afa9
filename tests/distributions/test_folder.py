"""Distributions on disk: round trips, runs that go on after kill -9, damage, other settings, a full disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foretell.base.errors import DamageError, DistributionError, InputError, StorageError
from foretell.distributions import (
    Distributions,
    DistributionWriter,
    FactoredBlock,
    TokenizedPrompt,
    Vocabulary,
    check_block,
)
from foretell.distributions.folder import block_arrays, shard_name

from .conftest import FACTS, PLAN, make_block

Read = Callable[[Path], dict[str, bytes]]
KINDS = ("dense", "half", "topk", "factored")


def rows_of(prompts: list[TokenizedPrompt], shard: int) -> int:
    return sum(len(prompts[i].positions) for i in PLAN[shard])


def begin(folder: Path, prompts: list[TokenizedPrompt], words: Vocabulary, **facts: object) -> DistributionWriter:
    return DistributionWriter(folder, prompts, PLAN, words, FACTS | facts)


def write_rest(writer: DistributionWriter, kind: str, prompts: list[TokenizedPrompt]) -> None:
    for shard in range(len(PLAN)):
        if not writer.has(shard):
            block = make_block(kind, rows_of(prompts, shard), seed=shard)
            if isinstance(block, FactoredBlock):
                writer.write_head(block.head)
            writer.write(shard, block)
    writer.finish(noise_floor={"kl_nats": 0.0})


@pytest.fixture
def finished(tmp_path: Path, prompts: list[TokenizedPrompt], words: Vocabulary) -> Callable[[str], Path]:
    """A whole folder of a kind."""

    def make(kind: str) -> Path:
        folder = tmp_path / kind
        write_rest(begin(folder, prompts, words), kind, prompts)
        return folder

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_can_be_read_while_writing(
    kind: str, tmp_path: Path, prompts: list[TokenizedPrompt], words: Vocabulary
) -> None:
    writer = begin(tmp_path / kind, prompts, words)
    write_rest(writer, kind, prompts)
    read = Distributions(tmp_path / kind)
    for index, prompt in enumerate(prompts):
        ends = replace(prompt, positions=tuple(sorted({prompt.positions[0], prompt.positions[-1]})))
        wanted = [prompt.positions.index(position) for position in ends.positions]
        for name, array in block_arrays(writer.stored(ends, read.head)).items():
            assert array.tobytes() == block_arrays(read.block(index))[name][wanted].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read(
    kind: str, finished: Callable[[str], Path], prompts: list[TokenizedPrompt], words: Vocabulary
) -> None:
    read = Distributions(finished(kind))
    assert read.prompts == tuple(prompts)
    assert len(read) == sum(len(prompt.positions) for prompt in prompts)
    assert read.kind == ("dense" if kind == "half" else kind)
    assert read.name == "test"
    assert (read.vocabulary.size, read.vocabulary.digest) == (words.size, words.digest)
    assert read.storage_order() == [index for shard in PLAN for index in shard]
    for shard, indices in enumerate(PLAN):
        written = block_arrays(make_block(kind, rows_of(prompts, shard), seed=shard))
        start = 0
        for index in indices:
            block = read.block(index)
            check_block(block, words.size, "read")
            stop = start + len(prompts[index].positions)
            for name, array in block_arrays(block).items():
                assert array.dtype == written[name].dtype
                np.testing.assert_array_equal(array, written[name][start:stop])
            start = stop


def test_a_head_is_read_with_all_it_has(finished: Callable[[str], Path]) -> None:
    block, head = make_block("factored", 1), Distributions(finished("factored")).head
    assert isinstance(block, FactoredBlock)
    assert head is not None
    np.testing.assert_array_equal(head.weight, block.head.weight)
    assert head.bias is not None
    np.testing.assert_array_equal(head.bias, block.head.bias)
    assert (head.scale, head.softcap) == (block.head.scale, block.head.softcap)


def test_many_shards_are_read_with_few_open(tmp_path: Path, words: Vocabulary) -> None:
    count = 40
    prompts = [TokenizedPrompt(f"p{i}", "all", 1.0, f"p{i}", "a", (1,), (0,)) for i in range(count)]
    writer = DistributionWriter(tmp_path / "many", prompts, [[i] for i in range(count)], words, FACTS)
    blocks = [make_block("dense", 1, seed=i) for i in range(count)]
    for shard, block in enumerate(blocks):
        writer.write(shard, block)
    writer.finish()
    read = Distributions(tmp_path / "many")
    for index in [*range(count), *reversed(range(count))]:
        np.testing.assert_array_equal(
            block_arrays(read.block(index))["logprobs"], block_arrays(blocks[index])["logprobs"]
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("moment", ["before the first", "in the second", "after the second", "in the manifest"])
def test_killed_and_run_again_is_the_same_to_the_byte(
    kind: str,
    moment: str,
    tmp_path: Path,
    prompts: list[TokenizedPrompt],
    words: Vocabulary,
    finished: Callable[[str], Path],
    folder_bytes: Read,
) -> None:
    folder = tmp_path / "killed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads and fork: this child uses none of them
        child = os.fork()
    if child == 0:  # the child writes, and kills itself as `kill -9` would
        _write_and_die(folder, kind, moment, prompts, words)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    partial = [name for name in folder_bytes(folder) if name.endswith(".partial")]
    assert bool(partial) == (moment in ("in the second", "in the manifest"))
    with pytest.raises(InputError, match=r"no manifest: got a folder that is unfinished.*run it again"):
        Distributions(folder)
    again = begin(folder, prompts, words)
    assert not again.finished
    assert again.has(0) == (moment != "before the first")
    write_rest(again, kind, prompts)
    assert folder_bytes(folder) == folder_bytes(finished(kind))


def _write_and_die(folder: Path, kind: str, moment: str, prompts: list[TokenizedPrompt], words: Vocabulary) -> None:
    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    writer = begin(folder, prompts, words)
    if moment == "before the first":
        die()
    for shard in (0, 1):
        block = make_block(kind, rows_of(prompts, shard), seed=shard)
        if isinstance(block, FactoredBlock):
            writer.write_head(block.head)
        if moment == "in the second" and shard == 1:
            os.fsync = die  # type: ignore[assignment]  # written, not yet renamed
        writer.write(shard, block)
    if moment == "after the second":
        die()
    writer.write(2, make_block(kind, rows_of(prompts, 2), seed=2))
    calls = iter(range(100))
    replace = Path.replace
    Path.replace = lambda self, to: die() if next(calls) == 2 else replace(self, to)  # type: ignore[method-assign,assignment,return-value]
    writer.finish(noise_floor={"kl_nats": 0.0})


def test_killed_between_the_manifest_and_the_end(
    tmp_path: Path, prompts: list[TokenizedPrompt], words: Vocabulary, finished: Callable[[str], Path],
    folder_bytes: Read,
) -> None:  # fmt: skip
    folder = finished("dense")
    expected = folder_bytes(folder)
    half = tmp_path / "half"
    begin(half, prompts, words)
    shutil.copy(half / ".plan.json", folder)
    assert begin(folder, prompts, words).finished
    assert folder_bytes(folder) == expected


@pytest.mark.parametrize("left", ["..plan.json.0123abcd.partial", ".plan.json"])
def test_killed_in_its_first_moment(
    tmp_path: Path, prompts: list[TokenizedPrompt], words: Vocabulary, left: str
) -> None:
    begin(tmp_path / "begun", prompts, words)
    folder = tmp_path / "killed"
    folder.mkdir()
    shutil.copy(tmp_path / "begun" / ".plan.json", folder / left)
    assert not begin(folder, prompts, words).finished
    assert sorted(path.name for path in folder.iterdir()) == [".plan.json", "shards"]


def test_a_finished_folder_is_kept(
    finished: Callable[[str], Path], prompts: list[TokenizedPrompt], words: Vocabulary, folder_bytes: Read
) -> None:
    folder = finished("dense")
    before = folder_bytes(folder)
    assert begin(folder, prompts, words).finished
    with pytest.raises(InputError, match="finished distributions of another kind or source"):
        begin(folder, prompts, words, source={"name": "other"})
    assert folder_bytes(folder) == before


def test_other_settings_in_a_begun_folder_are_refused(
    tmp_path: Path, prompts: list[TokenizedPrompt], words: Vocabulary, folder_bytes: Read
) -> None:
    writer = begin(tmp_path / "begun", prompts, words)
    writer.write(0, make_block("dense", rows_of(prompts, 0)))
    before = folder_bytes(tmp_path / "begun")
    with pytest.raises(InputError, match=r"a run that was begun with other settings.*Choose another --out"):
        begin(tmp_path / "begun", prompts, words, dtype="float16")
    with pytest.raises(InputError, match="begun with other settings"):
        begin(tmp_path / "begun", prompts[::-1], words)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="files of something else"):
        begin(tmp_path / "notes", prompts, words)
    assert folder_bytes(tmp_path / "begun") == before
    assert folder_bytes(tmp_path / "notes") == {"mine.txt": b"mine"}


def test_rows_must_fit_the_plan(tmp_path: Path, prompts: list[TokenizedPrompt], words: Vocabulary) -> None:
    writer = begin(tmp_path / "x", prompts, words)
    with pytest.raises(ValueError, match="shard 0: 2 rows for 5 positions"):
        writer.write(0, make_block("dense", 2))


def test_shards_of_different_kinds_are_refused(
    tmp_path: Path, prompts: list[TokenizedPrompt], words: Vocabulary
) -> None:
    writer = begin(tmp_path / "x", prompts, words)
    for shard, kind in enumerate(("dense", "topk", "dense")):
        writer.write(shard, make_block(kind, rows_of(prompts, shard)))
    with pytest.raises(DistributionError, match="blocks of different kinds: got dense and topk"):
        writer.finish()
    writer.discard()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", [shard_name(1), "prompts.parquet", "tokenizer.json", "head.safetensors"])
@pytest.mark.parametrize("how", ["a flipped bit", "cut short", "gone"])
def test_damage_is_named(name: str, how: str, finished: Callable[[str], Path]) -> None:
    folder = finished("factored")
    path = folder / name
    data = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data if how == "a flipped bit" else data[: len(data) // 2])
    with pytest.raises(DamageError, match=f"{name}: damaged file.*Restore the file") as caught:
        Distributions(folder).block(0)
    assert caught.value.exit_code == 3
    if name == shard_name(1):
        Distributions(folder).block(4)  # of another shard, which is whole


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "null"])
def test_a_damaged_manifest(text: str, finished: Callable[[str], Path]) -> None:
    folder = finished("dense")
    (folder / "manifest.json").write_text(text)
    with pytest.raises(DamageError, match=r"manifest.json: damaged file"):
        Distributions(folder)


@pytest.mark.parametrize("fact", ["files", "kind", "positions", "vocabulary", "source"])
def test_a_manifest_that_lacks_a_fact(fact: str, finished: Callable[[str], Path]) -> None:
    folder = finished("dense")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest[fact]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamageError, match=f"got no '{fact}'"):
        Distributions(folder)


def test_other_folders_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no manifest: got no such folder"):
        Distributions(tmp_path / "nowhere")
    (tmp_path / "manifest.json").write_text('{"schema": "foretell.run/1", "files": {}}')
    with pytest.raises(InputError, match=r"a folder of another kind: got schema 'foretell.run/1'"):
        Distributions(tmp_path)


def test_a_disk_that_fills_up_leaves_whole_files_only(
    small_disk: Path, prompts: list[TokenizedPrompt], words: Vocabulary, folder_bytes: Read
) -> None:
    folder = small_disk / "truth"
    writer = begin(folder, prompts, words)
    writer.write(0, make_block("dense", rows_of(prompts, 0)))
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(bytes(1 << 20))
    before = folder_bytes(folder)
    big = make_block("dense", rows_of(prompts, 1), seed=1)
    with pytest.raises(StorageError, match=r"cannot write: got the disk is full.*Free some space") as caught:
        writer.write(1, big)
    assert caught.value.exit_code == 4
    with pytest.raises(StorageError, match="the disk is full"):
        writer.finish()
    with pytest.raises(StorageError, match="the disk is full"):
        begin(small_disk / "other", prompts, words)
    assert folder_bytes(folder) == before
    filler.unlink()
    write_rest(begin(folder, prompts, words), "dense", prompts)
    assert len(Distributions(folder)) == 15
