"""Serve SmolLM2's GGUF with llama.cpp on loopback until killed; writes {"url": …} to the given file when ready."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import xllamacpp

from foretell.targets.smollm2 import smollm2_gguf


def main(ready: Path) -> None:
    """Start the server on a free port and stay."""
    ready.unlink(missing_ok=True)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(smollm2_gguf())
    parameters.model_alias = {"smollm2"}
    parameters.hostnames = ["127.0.0.1"]
    parameters.n_ctx = 2048
    parameters.port = 0
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    ready.write_text(json.dumps({"url": server.listening_address}))
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
