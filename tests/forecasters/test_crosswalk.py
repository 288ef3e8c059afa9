"""Tests of reading another model through bytes: toy tokenizers over three letters, brute force over all texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from foretell.base.errors import ContextError, DistributionError, InputError, VocabularyError
from foretell.distributions import Block, DenseBlock, Head, TokenizedPrompt, Vocabulary, log_softmax
from foretell.forecasters.crosswalk import EVEN_SHARE, CrosswalkForecaster
from foretell.forecasters.crosswalk_reading import UNFIT, UNREADABLE, Reader, Tail
from foretell.forecasters.specs import open_forecaster
from foretell.targets.target import Target, TargetIdentity

START = "<s>"
END = "<e>"
#: Enough for every continuation of the toy model that has any mass to speak of.
UNLIMITED = 20_000
#: Token sequences of less chance are left out by brute force; less by this factor with each known letter.
RAREST, RARER = 1e-7, 0.1


def save(path: Path, pieces: Sequence[str], merges: Sequence[tuple[str, str]], normalizer: bool = False) -> Vocabulary:
    tokenizer = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate(pieces)}, merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.add_special_tokens([piece for piece in pieces if piece.startswith("<")])
    if START in pieces:
        start = (START, pieces.index(START))
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{START} $A", special_tokens=[start])
    tokenizer.save(str(path))
    return Vocabulary.load(path)


#: What the forecasts are about: "abc" and "cc" are tokens, "bc" and "ca" are none.
TARGET_PIECES = (START, END, "a", "b", "c", "ab", "abc", "cc")
TARGET_MERGES = (("a", "b"), ("ab", "c"), ("c", "c"))
#: What the other model writes in.
OTHER_PIECES = (END, "a", "b", "c", "bc", "ca", START)
OTHER_MERGES = (("b", "c"), ("c", "a"))


@pytest.fixture(scope="session")
def target_vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    return save(tmp_path_factory.mktemp("toy-target") / "tokenizer.json", TARGET_PIECES, TARGET_MERGES)


@pytest.fixture(scope="session")
def other_vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    return save(tmp_path_factory.mktemp("toy-other") / "tokenizer.json", OTHER_PIECES, OTHER_MERGES)


class TableTarget:
    """A model whose next token depends on the last one, by a table of log-probabilities."""

    batch_tokens = 64
    head: Head | None = None

    def __init__(self, vocabulary: Vocabulary, table: np.ndarray, kind: str = "dense", context: int = 1 << 20) -> None:
        self.vocabulary, self.table, self.kinds, self.context = vocabulary, table, (kind,), context
        self.identity = TargetIdentity("table", "sha256:t", vocabulary.digest, "test 1", "float64")
        self.calls = 0

    def encode(self, text: str) -> tuple[int, ...]:
        return self.vocabulary.encode(text)

    def distributions(
        self, batch: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], kind: str
    ) -> list[Block]:
        assert kind == "dense"
        self.calls += 1
        return [DenseBlock(self.table[[ids[p] for p in at]]) for ids, at in zip(batch, positions, strict=True)]


def random_table(seed: int, end: float = 0.7) -> np.ndarray:
    """Ends with this probability at each token; never writes the start token."""
    letters = np.random.default_rng(seed).dirichlet(np.full(len(OTHER_PIECES) - 2, 0.7), len(OTHER_PIECES))
    table = np.zeros((len(OTHER_PIECES), len(OTHER_PIECES)))
    table[:, 0], table[:, 1:-1] = end, (1 - end) * letters
    with np.errstate(divide="ignore"):
        return np.log(table)


def endings(table: np.ndarray, last: int, known: str) -> Iterator[tuple[str, float]]:
    """Every finite text that the toy model writes after a token and that begins so, by its tokens, with its chance."""
    chances = np.exp(table)

    def go_on(token: int, text: str, chance: float) -> Iterator[tuple[str, float]]:
        if chance < RAREST * RARER ** len(known) or text[: len(known)] != known[: len(text)]:
            return
        if text.startswith(known):
            yield text, chance * float(chances[token, 0])
        for following in range(1, len(OTHER_PIECES) - 1):
            yield from go_on(following, text + OTHER_PIECES[following], chance * float(chances[token, following]))

    yield from go_on(last, "", 1.0)


def brute_force(vocabulary: Vocabulary, table: np.ndarray, ids: Sequence[int], last: int, known: str) -> np.ndarray:
    """Mass of each token, from all texts written after `last`, given that they begin with `known`."""
    masses = np.zeros(len(TARGET_PIECES))
    prompt = "".join(TARGET_PIECES[token] for token in ids[1:])
    for text, chance in endings(table, last, known):
        read = vocabulary.encode(prompt + text[len(known) :])
        if text == known:
            masses[TARGET_PIECES.index(END)] += chance
        elif read[: len(ids)] == tuple(ids):
            masses[read[len(ids)]] += chance
    return masses


#: The other model writes each of these in at most four tokens, so all is taken back and it starts from nothing.
PROMPTS = ("a", "c", "ca", "ab", "bcab", "cc", "abca")


def ask_text(vocabulary: Vocabulary, text: str) -> TokenizedPrompt:
    ids = vocabulary.encode(text)
    return TokenizedPrompt("p", "all", 1.0, "p", text, ids, (len(ids) - 1,))


@pytest.mark.parametrize("text", PROMPTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_followed_to_the_end_it_is_the_sum_over_all_tokenisations(
    target_vocabulary: Vocabulary, other_vocabulary: Vocabulary, text: str, seed: int
) -> None:
    table = random_table(seed)
    forecaster = CrosswalkForecaster(
        "crosswalk:toy", TableTarget(other_vocabulary, table), target_vocabulary, UNLIMITED
    )
    prompt = ask_text(target_vocabulary, text)
    masses = brute_force(target_vocabulary, table, prompt.token_ids, OTHER_PIECES.index(START), text)
    expected = (1 - EVEN_SHARE) * masses / masses.sum() + EVEN_SHARE / len(masses)
    row = np.exp(forecaster.forecast(prompt).logprobs[0])
    assert row.sum() == pytest.approx(1, abs=1e-6)
    # The walk stops when 0.1% is open.
    np.testing.assert_allclose(row, expected, atol=1e-3)


@given(seed=st.integers(0, 1000), text=st.sampled_from(PROMPTS), budget=st.integers(0, 12))
def test_what_is_left_open_is_within_its_bound(
    target_vocabulary: Vocabulary, other_vocabulary: Vocabulary, seed: int, text: str, budget: int
) -> None:
    other = TableTarget(other_vocabulary, random_table(seed, end=0.2))
    prompt = ask_text(target_vocabulary, text)
    found = [
        CrosswalkForecaster("crosswalk:toy", other, target_vocabulary, nodes)._walk(prompt, prompt.positions[0])
        for nodes in (budget, 2000)
    ]
    short, long = ((walk.settled + walk.open) / (walk.settled + walk.open).sum() for walk in found)
    assert found[0].expanded <= budget
    assert np.abs(short - long).sum() / 2 <= found[0].tv_bound + found[1].tv_bound
    assert (found[0].settled <= found[1].settled + found[1].open + 1e-12).all()


def test_settled_readings_stay_what_they_are(target_vocabulary: Vocabulary) -> None:
    """On the toy alphabet, for texts of up to five letters and every prompt: no approximation there."""
    reader = Reader(target_vocabulary)
    texts = ["".join(letters) for n in range(1, 6) for letters in product("abc", repeat=n)]
    for prompt in PROMPTS:
        tail = reader.tail(target_vocabulary.encode(prompt)[1:])
        found = reader.read(tail, [text.encode() for text in texts])
        read = dict(zip(texts, zip(found.tokens.tolist(), found.settled.tolist(), strict=True), strict=True))
        for text in texts:
            if len(text) > 1 and read[text[:-1]][1]:
                assert read[text] == read[text[:-1]], (prompt, text)


def test_reading_by_hand(target_vocabulary: Vocabulary) -> None:
    reader = Reader(target_vocabulary)
    tail = reader.tail((2,))
    assert tail == Tail((2,), b"a")
    found = reader.read(
        tail, [b"a", b"ab", b"abca", b"b", b"ba", b"\xff", b"\xc3", b"<e>"]
    )  # the last three are no text, cut short, and special
    # "aa"; "a ab"; "a abc a"; "ab" is one token, so the prompt's "a" does not stand.
    assert found.tokens.tolist() == [2, 5, 6, UNFIT, UNFIT, UNFIT, UNREADABLE, UNFIT]
    assert found.settled.tolist() == [False, False, True, False, True, True, False, True]


def test_a_prompt_that_ends_within_the_other_models_token_is_healed(
    target_vocabulary: Vocabulary, other_vocabulary: Vocabulary
) -> None:
    """The other model writes "ca" as one token only; told the token "c" it would never say "a"."""
    table = np.full((7, 7), -np.inf)
    table[:, 0] = 0.0  # it ends at once, except
    table[OTHER_PIECES.index(START)] = -np.inf
    table[OTHER_PIECES.index(START), [0, 3, 5]] = np.log([0.1, 0.1, 0.8])
    forecaster = CrosswalkForecaster("crosswalk:toy", TableTarget(other_vocabulary, table), target_vocabulary)
    row = np.exp(forecaster.forecast(ask_text(target_vocabulary, "c")).logprobs[0])
    even = EVEN_SHARE / len(TARGET_PIECES)
    # Given "c": the token "ca" has 0.8 of 0.9, "c" and then the end 0.1 of 0.9.
    assert row[TARGET_PIECES.index("a")] == pytest.approx((1 - EVEN_SHARE) * 8 / 9 + even, abs=1e-6)
    assert row[TARGET_PIECES.index(END)] == pytest.approx((1 - EVEN_SHARE) / 9 + even, abs=1e-6)


def test_all_positions_share_a_pass_and_agree_with_one_at_a_time(
    target_vocabulary: Vocabulary, other_vocabulary: Vocabulary
) -> None:
    other = TableTarget(other_vocabulary, random_table(3))
    forecaster = CrosswalkForecaster("crosswalk:toy", other, target_vocabulary, nodes=0)
    ids = target_vocabulary.encode("abcabcc")
    prompt = TokenizedPrompt("p", "all", 1.0, "p", "abcabcc", ids, tuple(range(len(ids))))
    together = forecaster.forecast(prompt).logprobs
    assert other.calls == 1
    for row, position in enumerate(prompt.positions):
        one = TokenizedPrompt("p", "all", 1.0, "p", "abcabcc", ids, (position,))
        np.testing.assert_array_equal(forecaster.forecast(one).logprobs[0], together[row])
    np.testing.assert_allclose(np.exp(together).sum(axis=1), 1, atol=1e-6)


def test_nothing_to_read_is_even(target_vocabulary: Vocabulary, tmp_path: Path) -> None:
    """A model without a start token, before any text."""
    pieces = ("a", "b", "c")
    other = TableTarget(save(tmp_path / "tokenizer.json", pieces, ()), log_softmax(np.zeros((3, 3))))
    forecaster = CrosswalkForecaster("crosswalk:toy", other, target_vocabulary)
    prompt = TokenizedPrompt("p", "all", 1.0, "p", "", (0,), (0,))
    forecaster.prepare([prompt])
    np.testing.assert_allclose(np.exp(forecaster.forecast(prompt).logprobs), 1 / len(TARGET_PIECES), rtol=1e-6)


def test_the_record_has_the_model_the_budget_and_the_bound(
    target_vocabulary: Vocabulary, other_vocabulary: Vocabulary
) -> None:
    other = TableTarget(other_vocabulary, random_table(3))
    forecaster = CrosswalkForecaster("crosswalk:toy", other, target_vocabulary, 1)
    prompt = ask_text(target_vocabulary, "bcab")
    forecaster.prepare([prompt])
    facts = forecaster.describe()
    assert facts["model"] == other.identity.record()
    assert (facts["nodes"], facts["even_share"]) == (1, EVEN_SHARE)
    bound = facts["tv_bound_on_sample"]
    assert bound["positions"] == 1
    assert bound["most"] == round(forecaster._walk(prompt, prompt.positions[-1]).tv_bound, 4)
    assert 0 < bound["most"] < 1


def test_the_shipped_model_reads_for_another_tokenizer(
    tiny: Target, vocabulary: Vocabulary, ask: Callable[..., TokenizedPrompt]
) -> None:
    """What tiny knows of Python comes through: the text costs about what it costs in tiny's own tokens."""
    text = "for i in range(10):\n    print(i"
    ids = vocabulary.encode(text)
    forecaster = open_forecaster("crosswalk:tiny:nodes=16", vocabulary, open_target=lambda spec: tiny)
    prompt = ask(ids, range(len(ids) - 1))
    forecaster.prepare([prompt])
    block = forecaster.forecast(prompt)
    assert isinstance(block, DenseBlock)
    np.testing.assert_allclose(np.exp(block.logprobs.astype(float)).sum(axis=1), 1, atol=1e-5)
    said = -sum(float(block.logprobs[at, token]) for at, token in enumerate(ids[1:]))
    own = tiny.encode(text)
    rows = tiny.distributions([own], [range(len(own) - 1)], "dense")[0]
    assert isinstance(rows, DenseBlock)
    # The same text costs about what it costs tiny in its own tokens: well below even, and not less than possible.
    assert (
        said
        < 1.25 * -sum(float(rows.logprobs[at, token]) for at, token in enumerate(own[1:]))
        < 0.5 * len(ids) * np.log(vocabulary.size)
    )


@pytest.mark.parametrize("nodes", [0, 8])
def test_positions_within_a_character(
    tiny: Target, vocabulary: Vocabulary, ask: Callable[..., TokenizedPrompt], nodes: int
) -> None:
    """Where the target's tokens cut characters into bytes, the rest of the character is what comes next."""
    ids = vocabulary.encode("x = '\uff2e\uff4f\u4e2d\u6587'")
    prompt = ask(ids, range(len(ids)))
    forecaster = CrosswalkForecaster("crosswalk:tiny", tiny, vocabulary, nodes)
    forecaster.prepare([prompt])
    rows = np.exp(forecaster.forecast(prompt).logprobs.astype(float))
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
    pieces = vocabulary.token_bytes
    inside = [at for at, token in enumerate(ids[1:], 1) if pieces[token][0] >= 0xC0 and len(pieces[token]) == 1]
    assert len(inside) >= 2
    goes_on = [token for token, piece in enumerate(pieces) if piece and 0x80 <= piece[0] < 0xC0]
    for at in inside:
        assert rows[at, goes_on].sum() > 0.99


class TestRefusals:
    """What cannot be translated is refused before anything is written."""

    def test_the_same_tokenizer(self, target_vocabulary: Vocabulary) -> None:
        other = TableTarget(target_vocabulary, np.zeros((8, 8)))
        with pytest.raises(VocabularyError, match=r"crosswalk:toy: a model with the target's own tokenizer.*model:"):
            CrosswalkForecaster("crosswalk:toy", other, target_vocabulary)

    def test_a_model_that_lists_its_top_only(self, target_vocabulary: Vocabulary, other_vocabulary: Vocabulary) -> None:
        other = TableTarget(other_vocabulary, random_table(0), kind="topk")
        with pytest.raises(InputError, match=r"not known in full: got kinds topk"):
            CrosswalkForecaster("crosswalk:toy", other, target_vocabulary)

    def test_special_tokens_within_a_prompt(self, target_vocabulary: Vocabulary, other_vocabulary: Vocabulary) -> None:
        forecaster = CrosswalkForecaster(
            "crosswalk:toy", TableTarget(other_vocabulary, random_table(0)), target_vocabulary
        )
        prompt = TokenizedPrompt("chat", "all", 1.0, "p", "a<e>a", (0, 2, 1, 2), (3,))
        with pytest.raises(VocabularyError, match=r"\(prompt 'chat'\): a prompt that is more than text"):
            forecaster.prepare([prompt])

    def test_a_tokenizer_that_changes_the_text(
        self, vocabulary: Vocabulary, tmp_path: Path, ask: Callable[..., TokenizedPrompt]
    ) -> None:
        lower = save(tmp_path / "tokenizer.json", ("a", "b"), (), normalizer=True)
        forecaster = CrosswalkForecaster("crosswalk:toy", TableTarget(lower, np.zeros((2, 2))), vocabulary)
        with pytest.raises(VocabularyError, match="a tokenizer that changes the text"):
            forecaster.prepare([ask(vocabulary.encode("aB"))])

    def test_a_prompt_that_is_too_long(self, target_vocabulary: Vocabulary, other_vocabulary: Vocabulary) -> None:
        other = TableTarget(other_vocabulary, random_table(0), context=32)
        forecaster = CrosswalkForecaster("crosswalk:toy", other, target_vocabulary, 4)
        with pytest.raises(ContextError, match="got 40 tokens with what it may write on, expected at most 32"):
            forecaster.prepare([ask_text(target_vocabulary, "aaa")])

    def test_a_model_that_never_writes_what_fits(
        self, target_vocabulary: Vocabulary, other_vocabulary: Vocabulary
    ) -> None:
        table = np.full((7, 7), -np.inf)
        table[:, 2] = 0.0  # b, whatever came before: after "a" the tokenizer joins it
        forecaster = CrosswalkForecaster("crosswalk:toy", TableTarget(other_vocabulary, table), target_vocabulary, 4)
        prompt = ask_text(target_vocabulary, "a")
        with pytest.raises(DistributionError, match=r"nothing left in the crosswalk"):
            forecaster.forecast(prompt)
