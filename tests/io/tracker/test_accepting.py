import os
import socket
import sys
from collections.abc import Callable

import pytest

from bittern.io.tracker.accepting import Accept, accept_by_kernel, accept_by_socket, best_accept

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
KINDS = [accept_by_socket, pytest.param(accept_by_kernel, marks=linux)]
HOSTS = {"127.0.0.1": bytes([127, 0, 0, 1]), "::1": bytes(15) + b"\x01"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", HOSTS)
def test_connections_come_one_by_one_and_do_not_block(kind: Callable[[socket.socket], Accept], host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("no IPv6 here")
    with listening:
        listening.setblocking(False)
        accept = kind(listening)
        with pytest.raises(BlockingIOError):
            accept()
        clients = [socket.create_connection(listening.getsockname()[:2]) for _ in range(3)]
        for client in clients:
            descriptor, sender = accept()
            assert sender == HOSTS[host]
            assert not os.get_inheritable(descriptor)
            with pytest.raises(BlockingIOError):
                os.read(descriptor, 10)
            client.send(b"hello")
            assert os.read(descriptor, 10) == b"hello"
            os.write(descriptor, b"bye")
            os.close(descriptor)
            assert client.recv(10) == b"bye"
            client.close()


@pytest.mark.parametrize("kind", KINDS)
def test_trouble_is_an_error_with_its_number(kind: Callable[[socket.socket], Accept]) -> None:
    with socket.socket() as deaf:
        deaf.setblocking(False)
        with pytest.raises(OSError, match="Invalid argument"):
            kind(deaf)()


@linux
def test_linux_asks_the_kernel() -> None:
    assert best_accept is accept_by_kernel
