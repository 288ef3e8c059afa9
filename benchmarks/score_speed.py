"""Benchmark `score`: every metric from stored log-probabilities, beside torch's and scipy's KL and a mere read."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from numba import njit, prange
from scipy.special import rel_entr

from benchmarks.record import Findings, Variant, Work, take_turns
from foretell.scoring import divergences, kernels

_ROWS, _VOCABULARY = 2000, 50257
_QUICK_ROWS, _QUICK_VOCABULARY = 64, 5000
_FLOOR, _TOP_K = 1e-6, 10
#: Rows that scipy is given, and that numbers are compared on.
_SLICE = 32
#: Rows at a time for torch where its temporaries shall stay in the processor's cache.
_CHUNK = 4


def main(findings: Findings, *, quick: bool, rounds: int) -> None:
    """Measure and add to the findings."""
    rows, vocabulary = (_QUICK_ROWS, _QUICK_VOCABULARY) if quick else (_ROWS, _VOCABULARY)
    torch.set_num_threads(numba.get_num_threads())
    rng = np.random.default_rng(0)
    truth = _log_softmax(3 * rng.standard_normal((rows, vocabulary), np.float32))
    forecast = _log_softmax(truth + rng.standard_normal((rows, vocabulary), np.float32))
    lengths = np.full(vocabulary, 4, np.float32)
    out = np.empty((rows, kernels.COLUMNS))
    p, q = torch.from_numpy(truth), torch.from_numpy(forecast)
    small = min(rows, _SLICE)

    def chunked() -> None:
        for start in range(0, rows, _CHUNK):
            part = slice(start, start + _CHUNK)
            _torch_kl(q[part], p[part])

    records = take_turns(
        [
            Variant(
                "foretell, all metrics",
                "foretell",
                lambda: kernels.score_rows(truth, forecast, lengths, _FLOOR, _TOP_K, out),
                note="six metrics, entropy and expected bytes, with the floor",
            ),
            Variant(
                "torch kl_div, whole arrays",
                "peer",
                lambda: _torch_kl(q, p),
                note="`kl_div(forecast, truth, log_target=True, reduction='none').sum(1)`: KL alone, no floor",
            ),
            Variant(
                f"torch kl_div, {_CHUNK} rows at a time",
                "peer",
                chunked,
                note="the same in a loop, so that its temporaries stay in the cache",
            ),
            Variant(
                "scipy rel_entr",
                "peer",
                lambda: rel_entr(np.exp(truth[:small]), np.exp(forecast[:small])).sum(1),
                share=small / rows,
                note=f"KL alone, float32, one thread; measured on {small} rows and scaled up",
            ),
            Variant("read both arrays", "limit", lambda: _read(truth, forecast), note="a parallel sum in numba"),
        ],
        rounds,
    )
    findings.works.append(
        Work(
            f"score: {rows:,} × {vocabulary:,} float32 log-probabilities, {numba.get_num_threads()} threads",
            records,
            "at least 5 times as fast as torch's kl_div over the whole arrays",
            rows * vocabulary / 1e6,
            "M probabilities",
            (_accuracy(truth[:small], forecast[:small], lengths, q[:small], p[:small]),),
        )
    )


def _torch_kl(forecast: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.kl_div(forecast, truth, log_target=True, reduction="none").sum(1)


def _log_softmax(logits: Any) -> np.ndarray:
    return np.asarray(torch.from_numpy(logits).log_softmax(1).numpy())


@njit(parallel=True, fastmath=True)
def _read(a: Any, b: Any) -> float:
    total = 0.0
    for i in prange(a.shape[0]):
        total += np.sum(a[i]) + np.sum(b[i])
    return total


def _accuracy(truth: Any, forecast: Any, lengths: Any, q: torch.Tensor, p: torch.Tensor) -> str:
    """How far each KL is from its definition in double precision, which reads the same float32 values."""
    log_p, log_q = divergences.normalised(truth), divergences.normalised(forecast)
    out = np.empty((len(truth), kernels.COLUMNS))
    kernels.score_rows(truth, forecast, lengths, _FLOOR, _TOP_K, out)
    known = divergences.kl_nats(log_p, divergences.floored(log_q, _FLOOR))
    ours = np.abs(out[:, kernels.KL] - known).max()
    theirs = np.abs(_torch_kl(q, p).numpy() - divergences.kl_nats(log_p, log_q)).max()
    return (
        f"Largest difference from the definition in double precision on {len(truth)} rows (mean KL "
        f"{known.mean():.3f} nats): foretell {ours:.1e} nats, torch {theirs:.1e} nats."
    )
