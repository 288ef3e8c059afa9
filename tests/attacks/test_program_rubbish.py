"""Attack: a blind program prints rubbish: no JSON, no end, wrong numbers, or answers to what was not asked."""

from __future__ import annotations

import pytest

from foretell.base.errors import ProgramError
from tests.attacks.conftest import Blind, Put

COMMAND = """
import base64, json, sys

def answers(question):
    n = question["question"]
    return {answer}

if __name__ == "__main__":
    opening = json.loads(sys.stdin.readline())
    assert opening == {{"vocabulary_size": 4, "seed": 7}}, opening
    for line in sys.stdin:
        answer = answers(json.loads(line))
        sys.stdout.write(answer if isinstance(answer, str) else json.dumps(answer) + "\\n")
        sys.stdout.flush()
"""
ENTRY = "command: python3 attack.py"
FLAT = "[math.log(0.25)] * 4"
F32 = "base64.b64encode(b'\\0' * 16).decode()"


@pytest.mark.parametrize(
    "answer",
    [
        f'{{"question": n, "logprobs": {FLAT}}}',
        '{"question": n, "logprobs_f32": base64.b64encode(bytes(4) + 3 * bytes.fromhex("000080ff")).decode()}',
        '{"question": n, "top": {"token_ids": [3, 1], "logprobs": [math.log(0.5), math.log(0.25)], '
        '"rest_logprob": math.log(0.25)}}',
        '{"question": n, "top": {"token_ids": [3, 1], "logprobs": [math.log(0.5), math.log(0.5)]}}',
    ],
    ids=["full", "base64", "top with rest", "top"],
)
def test_what_is_allowed(blind: Blind, put: Put, answer: str) -> None:
    put(blind(COMMAND.format(answer=answer), entry=ENTRY))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("'hello\\n'", "not JSON: got 'hello'"),
        ("'\\xff\\x00\\n'", "not JSON: got"),
        ("'[' * 50_000 + '\\n'", "not JSON: got"),
        ("'1' * 5_000 + '\\n'", "not JSON: got"),
        ("'x' * (1 << 19)", "an answer without end: got .* bytes without a line's end, expected at most 65792"),
        ("[n]", r"no JSON object: got \[0\]"),
        (f'{{"question": n + 1, "logprobs": {FLAT}}}', "an answer to another question: got 1, expected question 0"),
        (f'{{"question": False, "logprobs": {FLAT}}}', "an answer to another question: got False"),
        (f'{{"logprobs": {FLAT}}}', "an answer to another question: got None"),
        ('{"question": n}', r"an answer that cannot be read: got \[\]"),
        (f'{{"question": n, "logprobs": {FLAT}, "top": {{}}}}', "an answer that cannot be read"),
        ('{"question": n, "logprobs": [0.0]}', "another vocabulary: got 1 probabilities"),
        ('{"question": n, "logprobs": [math.log(0.2)] * 4}', "not a distribution: got probabilities that sum to 0.8"),
        ('{"question": n, "logprobs": [math.nan] * 4}', "not log-probabilities: got NaN"),
        ('{"question": n, "logprobs": [math.inf] * 4}', r"not log-probabilities: got \+inf"),
        ('{"question": n, "logprobs": [10 ** 400] * 4}', "no list of log-probabilities"),
        ('{"question": n, "logprobs": [[0.0]] * 4}', "no list of log-probabilities"),
        ('{"question": n, "logprobs": "zero"}', "no list of log-probabilities"),
        ('{"question": n, "logprobs_f32": 4}', "logprobs_f32 that cannot be decoded"),
        ('{"question": n, "logprobs_f32": "AAA"}', "logprobs_f32 that cannot be decoded"),
        ('{"question": n, "logprobs_f32": "AAAAAAAAAAA="}', "another vocabulary: got 2 probabilities"),
        (f'{{"question": n, "logprobs_f32": {F32}}}', "not a distribution: got probabilities that sum to 4"),
        ('{"question": n, "top": {"token_ids": [4], "logprobs": [0.0]}}', "unknown token id: got 4"),
        ('{"question": n, "top": {"token_ids": [-1], "logprobs": [0.0]}}', "unknown token id: got -1"),
        ('{"question": n, "top": {"token_ids": [2 ** 63], "logprobs": [0.0]}}', "unknown token id"),
        ('{"question": n, "top": {"token_ids": [1.5], "logprobs": [0.0]}}', "no list of token ids"),
        ('{"question": n, "top": {"token_ids": [1, 1], "logprobs": [-1, -1]}}', "a token id twice|sum to"),
        ('{"question": n, "top": {"token_ids": [1], "logprobs": [800.0]}}', "a probability above 1"),
        ('{"question": n, "top": {"token_ids": [1], "logprobs": [0.0], "rest_logprob": []}}', "no list of log-prob"),
        ('{"question": n, "top": [1]}', r"no JSON object: got \[1\]"),
        ('{"question": n, "top": {"token_ids": [1]}}', "an answer that cannot be read"),
        ('{"question": n, "error": "no idea"}', "the program failed: got 'no idea'"),
        ('json.dumps({"question": n, "logprobs": [0.0] * 4}) + "\\n{}"', "not a distribution"),
        (
            f'json.dumps({{"question": n, "logprobs": {FLAT}}}) + "\\nmore\\n"',
            "an answer that nobody asked for: got more",
        ),
        ("sys.exit()", "fewer answers than questions"),
        ("sys.exit('out of ideas')", r"it failed: got exit code 1, expected exit code 0\. .* It said: out of ideas"),
        ("__import__('os').abort()", r"it failed: got exit code 134 \(SIGABRT\)"),
    ],
)
def test_rubbish(blind: Blind, put: Put, answer: str, message: str) -> None:
    with pytest.raises(ProgramError, match=f"{message}"):
        put(blind(COMMAND.format(answer=answer), entry=ENTRY))


def test_output_that_is_closed(blind: Blind, put: Put) -> None:
    source = COMMAND.format(answer="__import__('os').close(1) or __import__('time').sleep(60)")
    with pytest.raises(ProgramError, match=r"it closed its output: got no answer, and it goes on|out of time"):
        put(blind(source, entry=ENTRY, seconds=1.5))


def test_output_without_end(blind: Blind, put: Put) -> None:
    source = COMMAND.format(answer='{"question": n, "logprobs": [math.log(0.25)] * 4}')
    with pytest.raises(ProgramError, match=r"too much output: got \d+ bytes, expected at most 1000"):
        put(blind(source, entry=ENTRY, output_bytes=1000))
    noisy = "def next_token(ids):\n    print('x' * 10_000, flush=True)\n    return honest(ids)\n"
    put(blind(noisy))
    with pytest.raises(ProgramError, match="too much output"):
        put(blind(noisy, output_bytes=50_000))


def test_terminal_codes_do_not_get_through(blind: Blind, put: Put) -> None:
    with pytest.raises(ProgramError, match="It said: ") as caught:
        put(blind("import sys\nsys.stderr.write('\\x1b[2J\\x07gone')\nsys.exit(3)\n"))
    assert "\x1b" not in str(caught.value)
    assert "gone" in str(caught.value)
