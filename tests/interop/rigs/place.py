"""Where the clients of one test run: on loopback, or in a network namespace with an address of its own."""

import ctypes
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from tests.interop.rigs.process import Running

CLONE_NEWNET = 0x40000000
PRIVATE_ADDRESS = "10.99.0.1"
_PORTS = 10_000, 32_000  # Linux gives 32768 and above to connections
_CHANCE = SystemRandom()


@dataclass(frozen=True, slots=True)
class Place:
    """An IPv4 address for all clients, and what goes before a command to run it there."""

    address: str = "127.0.0.1"
    namespace: int | None = None  # pid of the process that holds the network namespace

    @property
    def enter(self) -> tuple[str, ...]:
        """The start of a command line that runs the rest of it in this place."""
        return () if self.namespace is None else ("nsenter", "-t", str(self.namespace), "-n")

    def listen(self) -> socket.socket:
        """A listening TCP socket of this process on a free port in this place."""
        return self._bound(backlog=64)

    def free_port(self) -> int:
        """A TCP port that nothing uses just now, for a program that must be told its port.

        It is none of those that the system gives to connections: one of them might take it before the program does.
        """
        while True:
            port = _CHANCE.randrange(*_PORTS)
            try:
                self.open(lambda port=port: _bind(self.address, None, port)).close()  # type: ignore[misc]
            except OSError:  # somebody has it
                continue
            return port

    def open(self, make: Callable[[], socket.socket]) -> socket.socket:
        """A socket of this process, as made by `make` in this place."""
        if self.namespace is None:
            return make()
        # setns() moves one thread; a socket stays where it was made.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._make_inside, make).result()

    def _bound(self, backlog: int | None) -> socket.socket:
        return self.open(lambda: _bind(self.address, backlog))

    def _make_inside(self, make: Callable[[], socket.socket]) -> socket.socket:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/proc/{self.namespace}/ns/net").open("rb") as handle:
            if libc.setns(handle.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return make()


LOOPBACK = Place()


def missing_for_namespace() -> str | None:
    """What keeps this machine from making a network namespace, or None."""
    if os.geteuid() != 0:
        return "a network namespace needs root"
    for program in ("unshare", "nsenter", "ip"):
        if shutil.which(program) is None:
            return f"a network namespace needs `{program}`"
    return None


@contextmanager
def private_network(folder: Path) -> Iterator[Place]:
    """A network namespace that has loopback and one more address, and nothing beyond.

    It lives as long as the process that holds it, so even a killed test run leaves nothing behind.
    """
    script = f"ip link set lo up && ip addr add {PRIVATE_ADDRESS}/32 dev lo && echo up && exec cat"
    with Running(["unshare", "-n", "sh", "-c", script], folder / "namespace.log", talks=True) as holder:
        if holder.read_line(10) != "up":
            raise holder.failure("could not set up the network namespace")
        yield Place(PRIVATE_ADDRESS, holder.pid)


def _bind(address: str, backlog: int | None, port: int = 0) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    if backlog is not None:
        sock.listen(backlog)
    return sock
