"""Make a run folder (schema foretell.run/1) with honest, deterministic numbers: real distributions, scored exactly."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from foretell.base.files import write_manifest

from .run_score import FLOOR, Plan, losses, summary

LISTED, TOP_K_KNOWN = 8, 5
_ENDS = [f"{name}_{end}" for name in ("tv", "entropy_nats") for end in ("lo", "hi")]
_NAMES = pa.dictionary(pa.int32(), pa.string())
SENTENCES = {
    "narrative": "The ferry had been due at four, and by half past six only fog had come in across the water.",
    "code": "def median(values):\n    ordered = sorted(values)\n    return ordered[len(ordered) // 2]\n",
    "arithmetic": "What is 48 plus 37? Add the units first: 8 + 7 is 15, so write 5 and carry 1.",
    "non-english": "Le boulanger ouvrait sa boutique à cinq heures du matin; 東京の朝は早い。",
    "facts": "The capital of Australia is not Sydney, as many visitors suppose, nor Melbourne.",
}
WEIRD = (
    "</script><script>window.hacked=1</script><img src=x onerror=alert(1)> & \"quotes\" 'n' {{ 7*7 }} ${x} `y`",
    "tabs\there\nand\r\nlines\n\n\n   and 🙄👩‍🚀 emoji, \u202eright to left\u202c and zero\u200bwidth \x07 bell",
    "<!-- a comment --> ]]> &amp; &lt;b&gt; \\u003c \u2028 separator and \ufeff mark",
)


def sentences(count: int, slices: int = 5) -> list[dict[str, str]]:
    """Prompts in turn from each slice, each from a document of its own."""
    names = list(SENTENCES)[:slices]
    return [
        {"id": f"{name}-{i:03d}", "slice": name, "text": f"{i}. {SENTENCES[name]}", "document": f"{name}-{i:03d}"}
        for i, name in ((i, names[i % len(names)]) for i in range(count))
    ]


def weird_prompts() -> list[dict[str, str]]:
    """Prompts that try to break out of the page."""
    return [
        {"id": f'w{i}"<b>', "slice": "<i>odd</i>", "text": text, "document": str(i)} for i, text in enumerate(WEIRD)
    ]


def pieces_of(text: str) -> list[bytes]:
    """Bytes of tokens, much as a byte-level BPE cuts them; characters beyond ASCII may be cut in two."""
    words = re.findall(r" ?[A-Za-z]{1,6}| ?\d|\s+|.", text, re.DOTALL)
    return [half for word in words for half in _halves(word.encode())]


def _halves(piece: bytes) -> list[bytes]:
    return [piece] if len(piece) < 4 or piece[0] < 0x80 else [piece[:2], piece[2:]]


def build_run(folder: Path, plan: Plan) -> Path:
    """Write the run folder of a plan and give its path."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(plan.seed)
    tokens = [[b"", *pieces_of(prompt["text"])] for prompt in plan.prompts]
    if plan.broken_pieces:
        tokens = [[*row, b"\xff\xfe", b" \xe2\x82"] for row in tokens]
    vocabulary = sorted({piece for row in tokens for piece in row})
    vocabulary += [b" filler%d" % i for i in range(max(2, plan.vocabulary - len(vocabulary)))]
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    slices = sorted({prompt["slice"] for prompt in plan.prompts})
    prompts, positions, tops = [], [], []
    for number, (prompt, row) in enumerate(zip(plan.prompts, tokens, strict=True)):
        token_ids = [ids[piece] for piece in row]
        scored = list(range(max(0, len(row) - plan.positions), len(row)))
        prompts.append(
            {**prompt, "weight": 1.0 + number % 2, "token_ids": token_ids, "positions": scored, "pieces": row}
        )
        after = [token_ids[t + 1] if t + 1 < len(row) else int(rng.integers(len(vocabulary))) for t in scored]
        truth, noise = _truth(rng, after, len(vocabulary))
        hardness = math.exp(0.6 * rng.standard_normal() + 0.15 * (slices.index(prompt["slice"]) - len(slices) / 2))
        for name, share in plan.forecasts.items():
            knowledge = share**hardness
            forecast = _log_softmax(truth * knowledge + noise * 1.6 * (1 - knowledge) * (knowledge > 0))
            rows, lists = _score(name, prompt, scored, truth, forecast, vocabulary, plan.topk)
            positions += rows
            tops += lists
    score = summary(plan, prompts, positions, len(vocabulary))
    _write(folder, prompts, positions, _of_worst(plan, positions, tops))
    (folder / "score.json").write_text(json.dumps(score, ensure_ascii=False, allow_nan=False, indent=1))
    write_manifest(folder, "foretell.run/1", {})
    return folder


def _of_worst(plan: Plan, positions: list[Any], tops: list[Any]) -> list[Any]:
    kept = set()
    for name in plan.forecasts:
        of_prompt = losses(name, positions)
        kept |= {(name, prompt) for prompt in sorted(of_prompt, key=lambda p: -of_prompt[p])[: plan.opened]}
    return [row for row in tops if (row["forecast"], row["prompt"]) in kept]


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))


def _truth(rng: np.random.Generator, after: list[int], vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    logits = rng.standard_normal((len(after), vocabulary)) * 1.6
    logits[np.arange(len(after)), rng.integers(vocabulary, size=len(after))] += rng.exponential(5, len(after))
    logits[np.arange(len(after)), after] += rng.exponential(7, len(after))
    return _log_softmax(logits), rng.standard_normal((len(after), vocabulary))


def _score(
    name: str,
    prompt: dict[str, str],
    scored: list[int],
    truth: np.ndarray,
    forecast: np.ndarray,
    vocabulary: list[bytes],
    topk: bool,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    floored = np.logaddexp(forecast + math.log1p(-FLOOR), math.log(FLOOR / len(vocabulary)))
    p, rows, lists = np.exp(truth), [], []
    for i, position in enumerate(scored):
        likeliest = np.argsort(-truth[i], kind="stable")[: TOP_K_KNOWN if topk else LISTED]
        union = np.unique(np.r_[likeliest, np.argsort(-floored[i], kind="stable")[:LISTED]])
        union = union[np.argsort(-truth[i][union], kind="stable")]
        low, high = _bounds(truth[i], floored[i], likeliest) if topk else (None, None)
        exact = float(np.sum(p[i] * (truth[i] - floored[i])))
        key = {"forecast": name, "prompt": prompt["id"], "position": position}
        rows.append(
            {
                **key,
                "slice": prompt["slice"],
                "kl_nats_lo": exact if low is None else low,
                "kl_nats_hi": exact if high is None else high,
                **_both("tv", None if topk else float(np.abs(p[i] - np.exp(floored[i])).sum() / 2)),
                **_both("top1_agreement", float(truth[i].argmax() == floored[i].argmax())),
                **_both("entropy_nats", None if topk else float(-np.sum(p[i] * truth[i]))),
            }
        )
        known = [float(truth[i][j]) if not topk or j in likeliest else None for j in union]
        lists.append(
            {
                **key,
                "token_ids": union.tolist(),
                "pieces": [vocabulary[j] for j in union],
                "truth_logprobs": known,
                "forecast_logprobs": floored[i][union].tolist(),
            }
        )
    return rows, lists


def _both(name: str, value: float | None) -> dict[str, float | None]:
    return {f"{name}_lo": value, f"{name}_hi": value}


def _bounds(truth: np.ndarray, forecast: np.ndarray, known: np.ndarray) -> tuple[float, float]:
    p, rest = np.exp(truth[known]), 1 - np.exp(truth[known]).sum()
    listed = float(np.sum(p * (truth[known] - forecast[known])))
    unseen = np.delete(forecast, known)
    low = listed + float(rest * (np.log(rest) - np.log(np.exp(unseen).sum())))
    return low, listed + float(rest * (np.log(min(rest, p.min())) - unseen.min()))


def _write(folder: Path, prompts: list[Any], positions: list[Any], tops: list[Any]) -> None:
    lists = {"token_ids": pa.list_(pa.int32()), "pieces": pa.list_(pa.binary())}
    for name, rows, types in (
        ("prompts", prompts, lists | {"positions": pa.list_(pa.int32())}),
        ("positions", positions, dict.fromkeys(_ENDS, pa.float64()) | {"forecast": _NAMES}),
        ("tops", tops, lists | {f"{who}_logprobs": pa.list_(pa.float32()) for who in ("truth", "forecast")}),
    ):
        table = pa.Table.from_pylist(rows)
        for column, kind in types.items():
            table = table.set_column(table.column_names.index(column), column, table[column].cast(kind))
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
