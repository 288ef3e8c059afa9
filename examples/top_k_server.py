"""A model behind OpenAI's completions: the top few log-probabilities, after a logit bias; loopback only.

python examples/top_k_server.py tiny 8080
foretell information rebuild endpoint:http://127.0.0.1:8080#tiny --tokenizer truth/ --suite mine.jsonl --out rebuilt/
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from foretell.forecasters.dense import dense_logprobs
from foretell.targets.specs import open_target
from foretell.targets.target import Target

MOST_TOP, MOST_BIAS, MOST_ENTRIES = 20, 100.0, 300


class Model:
    """What the server knows: a target, asked once a prompt."""

    def __init__(self, target: Target) -> None:
        self.target, self.vocabulary = target, target.vocabulary
        self.logprobs = lru_cache(64)(self._logprobs)

    def _logprobs(self, ids: tuple[int, ...]) -> np.ndarray:
        (block,) = self.target.distributions([ids], [[len(ids) - 1]], "dense")
        return np.asarray(dense_logprobs(block, self.vocabulary.size)[0].astype(np.float32))

    def spelled(self, token: int) -> str:
        """A token as OpenAI writes it: its text, or its bytes where they are none."""
        raw = self.vocabulary.token_bytes[token] or str(self.vocabulary.tokenizer.id_to_token(token)).encode()
        text = raw.decode(errors="replace")
        return text if "\ufffd" not in text else "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request for one token, in float32 throughout."""
        ids, top, bias = tuple(body["prompt"]), int(body["logprobs"]), body.get("logit_bias") or {}
        if not 0 < top <= MOST_TOP or len(bias) > MOST_ENTRIES or any(abs(b) > MOST_BIAS for b in bias.values()):
            raise ValueError(f"logprobs up to {MOST_TOP}, {MOST_ENTRIES} biases, each within ±{MOST_BIAS:g}")
        logits = self.logprobs(ids).copy()
        logits[[int(token) for token in bias]] += np.array(list(bias.values()), np.float32)
        largest = logits.max()
        logits -= largest + np.log(np.exp(logits - largest).sum(dtype=np.float32))
        listed = {self.spelled(int(token)): float(logits[token]) for token in np.argsort(-logits, kind="stable")[:top]}
        return {"choices": [{"logprobs": {"top_logprobs": [listed]}}], "usage": {"prompt_tokens": len(ids)}}


def server(target: Target, name: str, port: int) -> ThreadingHTTPServer:
    """The server, not yet running; port 0 takes a free one."""
    model = Model(target)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, {"data": [{"id": name, "owned_by": "foretell"}]})

        def do_POST(self) -> None:
            try:
                self._send(200, model.complete(json.loads(self.rfile.read(int(self.headers["content-length"])))))
            except (KeyError, ValueError) as error:
                self._send(400, {"error": {"message": str(error)}})

        def _send(self, status: int, answer: dict[str, Any]) -> None:
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None: ...

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    spec, port = sys.argv[1:]
    server(open_target(spec), spec, int(port)).serve_forever()
