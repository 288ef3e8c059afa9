"""`composite:FILE` on checkpoints of the shipped model: exact, causal, and bound to what its parts are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from foretell.base.errors import ContextError, DistributionError, InputError, VocabularyError
from foretell.cli.app import app
from foretell.distributions import Block, DenseBlock, Head, TokenizedPrompt, Vocabulary, check_block
from foretell.distributions.combining import best_of_n, draft_and_verify, log_normalised
from foretell.targets.composing import compose
from foretell.targets.composite import CompositeTarget, part_records
from foretell.targets.composite_definition import read_rule
from foretell.targets.composite_rules import SCHEMA
from foretell.targets.specs import open_target
from foretell.targets.target import Target, TargetIdentity
from foretell.targets.tiny import checkpoint_folder

EXAMPLES = Path(__file__).parents[2] / "examples" / "composites"
FILES = sorted(path.name for path in EXAMPLES.glob("*.toml"))
TEXT = "import os\n\n\ndef area(width, height):\n    return"
FIRST, OTHER = "tiny@96", "tiny@384"
ROLES = {
    "linear-pool": ("a", "b"),
    "logarithmic-pool": ("a", "b"),
    "router": ("first", "otherwise"),
    "pipeline": ("writer", "reader"),
    "best-of-n": ("drafter", "judge"),
    "draft-and-verify": ("drafter", "verifier"),
}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A definition file of a kind with two parts."""

    def make(kind: str, *settings: str, parts: Sequence[str] = (FIRST, OTHER), name: str = "composite.toml") -> Path:
        lines = [f'schema = "{SCHEMA}"', f'kind = "{kind}"', *settings]
        for role, target in zip(ROLES[kind], parts, strict=True):
            lines += ["[[parts]]", f'name = "{role}"', f'target = "{target}"']
            lines += ["weight = 0.5"] if kind.endswith("pool") else []
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))
        return path

    return make


def ask(target: Target, ids: Sequence[int], positions: Sequence[int]) -> np.ndarray:
    (block,) = target.distributions([ids], [positions], "dense")
    assert isinstance(block, DenseBlock)
    check_block(block, target.vocabulary.size, "composite")
    return block.logprobs


def say(file: Path | str, positions: Sequence[int] | None = None) -> np.ndarray:
    target = open_target(f"composite:{file}" if isinstance(file, Path) else file)
    ids = target.encode(TEXT)
    return ask(target, ids, range(len(ids)) if positions is None else positions)


def test_each_kind_is_its_formula(write: Write) -> None:
    p, q = (log_normalised(say(spec)) for spec in (FIRST, OTHER))
    found = {
        "linear-pool": np.log((np.exp(p) + np.exp(q)) / 2),
        "logarithmic-pool": log_normalised((p + q) / 2),
    }
    for kind, expected in found.items():
        np.testing.assert_allclose(say(write(kind)), expected, atol=1e-5)
    np.testing.assert_allclose(say(write("best-of-n", "n = 3")), best_of_n(p, q, 3), atol=1e-4)
    lenient = say(write("draft-and-verify", "lenience = 0.4"))
    np.testing.assert_allclose(np.exp(lenient), np.exp(draft_and_verify(p, q, 0.4)), atol=1e-6)
    sure = p.max(axis=1) >= np.log(0.2)
    assert sure.any()
    assert not sure.all()
    routed = say(write("router", 'rule = "confidence"', "threshold = 0.2"))
    np.testing.assert_allclose(routed, np.where(sure[:, None], p, q), atol=1e-5)


def test_a_pattern_sees_the_text_so_far_only(write: Write) -> None:
    target = open_target(FIRST)
    ids = target.encode(TEXT)
    ends = [len(target.vocabulary.tokenizer.decode(ids[: at + 1]).encode()) for at in range(len(ids))]
    found = np.array([end >= TEXT.index("area") + 2 for end in ends])
    assert found.any()
    assert not found.all()
    routed = say(write("router", 'rule = "pattern"', 'pattern = "def ar"'))
    np.testing.assert_allclose(routed, np.where(found[:, None], say(FIRST), say(OTHER)), atol=1e-6)


def test_a_pipeline_is_its_steps_one_by_one(write: Write) -> None:
    writer, reader = open_target(FIRST), open_target(OTHER)
    ids = list(writer.encode(TEXT))
    opening = list(writer.encode(""))
    assert ids[: len(opening)] == opening
    rows = []
    for at in range(len(ids)):
        prefix = ids[: at + 1]
        longer = list(prefix)
        for _ in range(3):
            longer.append(int(ask(writer, longer, [len(longer) - 1])[0].argmax()))
        reading = [*opening, *longer[len(prefix) :], *prefix[len(opening) :]]
        rows.append(ask(reader, reading, [len(reading) - 1])[0])
    np.testing.assert_allclose(say(write("pipeline", "tokens = 3")), rows, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "settings", "same_as"),
    [
        ("linear-pool", (), OTHER),
        ("logarithmic-pool", (), OTHER),
        ("router", ('rule = "pattern"', 'pattern = "def"'), OTHER),
        ("router", ('rule = "confidence"', "threshold = 0.3"), OTHER),
        ("draft-and-verify", ("lenience = 0.3",), OTHER),
    ],
)
def test_twice_the_same_part_is_that_part(write: Write, kind: str, settings: tuple[str, ...], same_as: str) -> None:
    np.testing.assert_allclose(say(write(kind, *settings, parts=(OTHER, OTHER))), say(same_as), atol=1e-4)


def test_one_draw_is_the_drafter_and_full_strictness_the_verifier(write: Write) -> None:
    np.testing.assert_allclose(say(write("best-of-n", "n = 1")), say(FIRST), atol=1e-4)
    verified = say(write("draft-and-verify", "lenience = 1.0"))
    np.testing.assert_allclose(np.exp(verified), np.exp(say(OTHER)), atol=1e-6)


@pytest.mark.parametrize("file", FILES)
def test_later_tokens_change_nothing(file: str) -> None:
    target = open_target(f"composite:{EXAMPLES / file}")
    ids = target.encode(TEXT)
    at = len(ids) // 2
    whole = ask(target, [*ids, 7, 8, 9], [at, len(ids) - 1])
    np.testing.assert_allclose(whole[0], ask(target, ids[: at + 1], [at])[0], atol=2e-4)
    np.testing.assert_allclose(whole[1], ask(target, ids, [len(ids) - 1])[0], atol=2e-4)


def test_prompts_of_a_batch_do_not_mix_and_rows_ascend(write: Write) -> None:
    target = open_target(f"composite:{write('pipeline', 'tokens = 2')}")
    one, two = target.encode(TEXT), target.encode("The lamp")
    batch = target.distributions([one, two], [[5, 2], [1]], "dense")
    for block, ids, positions in zip(batch, (one, two), ((2, 5), (1,)), strict=True):
        assert isinstance(block, DenseBlock)
        np.testing.assert_allclose(block.logprobs, ask(target, ids, positions), atol=1e-4)


def digest(file: Path) -> str:
    return open_target(f"composite:{file}").identity.weights


def test_the_identity_is_that_of_rule_and_parts(write: Write, tmp_path: Path) -> None:
    best = digest(write("best-of-n", "n = 3"))
    others = [
        write("best-of-n", "n = 4"),
        write("best-of-n", "n = 3", parts=(OTHER, FIRST), name="b.toml"),
        write("best-of-n", "n = 3", parts=(FIRST, "tiny@192"), name="c.toml"),
        write("draft-and-verify", name="d.toml"),
    ]
    assert len({best, *(digest(other) for other in others)}) == 5
    identity = open_target(f"composite:{write('best-of-n', 'n = 3')}").identity
    assert identity.weights == best
    assert identity.engine.startswith("composite of onnxruntime ")
    assert identity.tokenizer == open_target(FIRST).identity.tokenizer
    assert identity.dtype == "float32"
    assert best not in {open_target(spec).identity.weights for spec in (FIRST, OTHER)}


def test_where_files_lie_and_in_which_order_a_pool_is_written_is_no_part_of_the_identity(write: Write) -> None:
    shutil.copytree(checkpoint_folder(96), (folder := write("linear-pool").parent) / "model")
    shutil.copy(checkpoint_folder() / "tokenizer.json", folder / "model")
    here = write("linear-pool", parts=("onnx:model", OTHER), name="here.toml")
    moved = write("linear-pool", parts=(f"onnx:{folder}/model", OTHER), name="elsewhere/other.toml")
    turned = write("linear-pool", parts=(OTHER, FIRST), name="turned.toml")
    assert digest(here) == digest(moved) == digest(turned) == digest(write("linear-pool"))
    graph = folder / "model" / "model.onnx"
    shutil.copy(checkpoint_folder(192) / "model.onnx", graph)
    shutil.copy(checkpoint_folder(192) / "model.safetensors", graph.parent)
    assert digest(here) == digest(moved) != digest(turned)


def test_a_composite_of_composites_tells_its_parts_however_deep() -> None:
    target = open_target(f"composite:{EXAMPLES / 'composite-of-composites.toml'}")
    records = part_records(target)
    assert [record["part"] for record in records] == ["routed", "picked"]
    inner = records[1]["parts"]
    assert [record["part"] for record in inner] == ["drafter", "judge"]
    assert inner[1]["weights"] == open_target("tiny").identity.weights
    assert part_records(open_target("tiny")) == []
    assert target.identity.engine.count("composite of") == 1


def test_contexts_are_the_smallest_and_leave_room_for_what_is_written(write: Write) -> None:
    whole = open_target(FIRST).context
    assert open_target(f"composite:{write('linear-pool')}").context == whole
    target = open_target(f"composite:{write('pipeline', 'tokens = 5')}")
    assert target.context == whole - 5
    longest = [1] * target.context
    assert ask(target, longest, [len(longest) - 1]).shape == (1, target.vocabulary.size)
    with pytest.raises(ContextError, match=f"tokens: .*got 512, expected at most {whole - 1}"):
        open_target(f"composite:{write('pipeline', 'tokens = 512')}")
    assert open_target(f"composite:{write('pipeline', 'tokens = 511')}").context == 1


class Stub:
    """A target that says nothing, with a vocabulary and kinds of one's own."""

    def __init__(self, vocabulary: Vocabulary, kinds: tuple[str, ...] = ("dense",)) -> None:
        self.vocabulary, self.kinds, self.context, self.batch_tokens = vocabulary, kinds, 8, 8
        self.head: Head | None = None
        self.identity = TargetIdentity("stub", "w", vocabulary.digest, "none", "float32")

    def encode(self, text: str) -> tuple[int, ...]:
        return self.vocabulary.encode(text)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        raise AssertionError("asked")


def test_parts_of_other_vocabularies_or_of_top_tokens_only_are_refused(
    write: Write, tokenizer_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = open_target(FIRST)
    stubs: dict[str, Target] = {
        "other": Stub(Vocabulary.load(tokenizer_file)),
        "padded": Stub(Vocabulary(tiny.vocabulary.path, tiny.vocabulary.size + 8)),
        "served": Stub(tiny.vocabulary, ("topk",)),
    }
    monkeypatch.setattr("foretell.targets.specs.open_tiny", lambda spec: stubs.get(spec.removeprefix("tiny@"), tiny))
    for name, error, message in (
        ("other", VocabularyError, "part 'b': parts with different vocabularies: .*with 320 ids"),
        ("padded", VocabularyError, "part 'b': parts with different vocabularies: .*with 2056 ids, expected .*2048"),
        ("served", InputError, "part 'b': a part that gives its top tokens only: got topk"),
    ):
        with pytest.raises(error, match=message):
            open_target(f"composite:{write('linear-pool', parts=(FIRST, f'tiny@{name}'))}")


def test_a_missing_part_and_another_kind_are_refused(write: Write) -> None:
    with pytest.raises(InputError, match="no such checkpoint"):
        open_target(f"composite:{write('linear-pool', parts=(FIRST, 'tiny@95'))}")
    target = open_target(f"composite:{write('linear-pool')}")
    with pytest.raises(InputError, match="got 'factored', expected 'dense'"):
        target.distributions([(1, 2)], [(1,)], "factored")
    assert isinstance(target, CompositeTarget)


def test_parts_that_rule_each_other_out_leave_no_logarithmic_pool() -> None:
    content = {"schema": SCHEMA, "kind": "logarithmic-pool"}
    rule = read_rule(content | {"parts": [{"name": n, "target": "t", "weight": 0.5} for n in "ab"]}, "made up")
    prompt = TokenizedPrompt("p", "all", 1.0, "p", "", (0, 1), (0, 1))
    with np.errstate(divide="ignore"):
        left, right = np.log([[0.5, 0.5], [1.0, 0.0]]), np.log([[0.5, 0.5], [0.0, 1.0]])
    vocabulary = open_target(FIRST).vocabulary
    with pytest.raises(DistributionError, match=r"pool \(prompt 'p' position 1\): nothing left in the pool"):
        compose(rule, [lambda _: [left], lambda _: [right]], [prompt], vocabulary, "pool")


def test_collected_and_scored_from_end_to_end(small_suite_file: Path, tmp_path: Path) -> None:
    def run(*arguments: str | Path) -> str:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    file, truth = EXAMPLES / "best-of-n.toml", tmp_path / "truth"
    run("collect", "--target", f"composite:{file}", "--suite", small_suite_file, "--out", truth)
    forecasts = []
    for name, spec in (("same", f"model:composite:{file}"), ("judge", "model:tiny")):
        forecasts += ["--forecast", str(tmp_path / name)]
        run("forecast", "--with", spec, "--suite", small_suite_file, "--like", truth, "--out", tmp_path / name)
    scored = json.loads(run("score", "--truth", truth, *forecasts, "--json", "-"))
    same, judge = scored["forecasts"]
    assert same["kl_nats"]["mean"] == pytest.approx(0, abs=1e-5)
    assert judge["kl_nats"]["mean"] > 0.1
    manifest = json.loads((truth / "manifest.json").read_text())
    assert manifest["source"]["weights"] == open_target(f"composite:{file}").identity.weights
