"""Attack: a blind program asks a server on the network for the answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from foretell.base.errors import ProgramError
from tests.attacks.conftest import Blind, Put

ATTACK = """
import socket

def next_token(token_ids):
    for family, address in {addresses}:
        try:
            with socket.socket(getattr(socket, family), socket.SOCK_STREAM) as one:
                one.settimeout(1)
                one.connect(address)
        except OSError:
            continue
        raise RuntimeError("reached the network")
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"prompt", {datagram})
    except OSError:
        return honest(token_ids)
    raise RuntimeError("sent a datagram")
"""


@pytest.fixture
def server() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine, and who has called."""
    called: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        stopping = threading.Event()

        def accept() -> None:
            while not stopping.is_set():
                with suppress(TimeoutError):
                    connection, caller = listening.accept()
                    connection.close()
                    called.append(caller)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listening.getsockname()[1], called
        finally:
            stopping.set()
            thread.join()


def test_the_network_is_not_there(blind: Blind, put: Put, server: tuple[int, list[object]]) -> None:
    port, called = server
    addresses = [("AF_INET", ("127.0.0.1", port)), ("AF_INET6", ("::1", port)), ("AF_UNIX", "\0abstract")]
    source = ATTACK.format(addresses=addresses, datagram=("127.0.0.1", port))
    put(blind(source))
    assert called == []
    with pytest.raises(ProgramError, match=r"the program failed: got .*RuntimeError: reached the network"):
        put(blind(source, unsafe=True))
    assert called


def test_an_abstract_socket_of_this_machine_is_not_there(blind: Blind, put: Put) -> None:
    source = "import socket\ndef next_token(ids):\n    one = socket.socket(socket.AF_UNIX)\n"
    source += "    one.connect(b'\\0foretell-attack')\n    return honest(ids)\n"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(b"\0foretell-attack")
        listening.listen(1000)
        with pytest.raises(ProgramError, match=r"the program failed: got .*ConnectionRefusedError"):
            put(blind(source))
        put(blind(source, unsafe=True))
