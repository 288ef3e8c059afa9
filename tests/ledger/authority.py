"""A timestamp authority on loopback: openssl's certificates and answers behind a small web server."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

_CONFIGURATION = """
[ tsa ]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
[ root ]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[ stamping ]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[ web ]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, serverAuth
[ request ]
distinguished_name = name
[ name ]
"""
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A root in a folder of its own, and under it a certificate for stamping and one for a web server."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.configuration = folder, folder / "openssl.cnf"
        self.configuration.write_text(_CONFIGURATION.format(folder=folder))
        (folder / "serial").write_text("01\n")
        config = ("-config", "openssl.cnf")
        root = ("-x509", "-days", "30", "-subj", f"/CN=Root {folder.name}", "-extensions", "root")
        self.openssl("req", *config, *root, *_NEW_KEY, "-keyout", "root.key", "-out", "root.pem")
        issuer = ("-CA", "root.pem", "-CAkey", "root.key", "-days", "30", "-extfile", "openssl.cnf")
        for serial, use in (("2", "stamping"), ("3", "web")):
            self.openssl("req", *config, "-subj", f"/CN={use}", *_NEW_KEY, "-keyout", f"{use}.key", "-out", "csr")
            ours = ("-set_serial", serial, "-extensions", use, "-out", f"{use}.pem")
            self.openssl("x509", "-req", "-in", "csr", *issuer, *ours)

    def openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    @property
    def roots(self) -> bytes:
        """The root's certificate, PEM."""
        return (self.folder / "root.pem").read_bytes()

    def answer(self, question: bytes) -> bytes:
        """What the authority says to a request."""
        (self.folder / "question").write_bytes(question)
        signer = ("-signer", "stamping.pem", "-inkey", "stamping.key")
        files = ("-queryfile", "question", "-out", "answer")
        self.openssl("ts", "-reply", "-config", "openssl.cnf", "-section", "tsa", *signer, *files)
        return (self.folder / "answer").read_bytes()

    def sign_again(self, token: bytes, use: str) -> bytes:
        """The same statement of time, signed with another of the certificates."""
        (self.folder / "answer").write_bytes(token)
        self.openssl("ts", "-reply", "-in", "answer", "-token_out", "-out", "signed")
        self.openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", "signed", "-out", "statement")
        kind = ("-econtent_type", "1.2.840.113549.1.9.16.1.4", "-nodetach", "-binary", "-md", "sha256", "-cades")
        signer = ("-signer", f"{use}.pem", "-inkey", f"{use}.key")
        self.openssl("cms", "-sign", *kind, *signer, "-in", "statement", "-outform", "DER", "-out", "signed")
        granted = bytes.fromhex("3003020100") + (self.folder / "signed").read_bytes()
        return b"\x30\x82" + len(granted).to_bytes(2, "big") + granted


@contextmanager
def serving(answer: Callable[[bytes], bytes], status: int = 200) -> Iterator[str]:
    """The address at which every request gets that answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = self.rfile.read(int(self.headers["Content-Length"]))
            body = answer(question) if self.headers["Content-Type"] == "application/timestamp-query" else b""
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
