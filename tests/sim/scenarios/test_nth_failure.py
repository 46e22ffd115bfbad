"""The nth call fails, for every n: the disk's jobs and the sockets' calls of a small transfer, one run for each."""

from collections.abc import Callable
from random import Random

import pytest

from bittern.base.errors import StorageError
from bittern.engine.events import StorageFailed
from bittern.engine.settings import EngineSettings
from bittern.sim.content import make_content
from bittern.sim.host import Cut
from bittern.sim.http import Web
from bittern.sim.network import PORT, Network
from bittern.sim.process import SimProcess
from bittern.sim.world import World

FULL, BROKEN, NO_HANDLES = StorageError.Kind.DISK_FULL, StorageError.Kind.IO, StorageError.Kind.PERMISSION
"""ENOSPC, EIO, and what io makes of EMFILE: a file that cannot be opened now."""


class Pair:
    """A seed whose reads go through its queue, and a leecher; pieces of two blocks, and one of several extents."""

    def __init__(self, seed: int, piece_size: int = 32768, size: int = 200_000) -> None:
        self.world = World(Random, seed)
        self.content = make_content(self.world, size=size, piece_size=piece_size)
        self._network, self._web = Network(self.world), Web()
        self.seed = self._process("seed")
        self.seed.disk.cached = False
        self.seed.seed(self.content)
        self.leecher = self._process("leech")
        self.leecher.know(self.leecher.leech(self.content), self.seed)

    def restart(self) -> None:
        """The leecher's process ends, and another begins with the files as they are."""
        files = bytearray(self.leecher.disk.content(1))
        self.leecher.stop()
        self.leecher = self._process("leech again")
        self.leecher.know(self.leecher.take_up(self.content, files), self.seed)

    def run(self, seconds: float = 120.0) -> bool:
        return self.world.run(seconds, until=lambda: bool(self.leecher.completed))

    def stopped(self, process: SimProcess) -> bool:
        return any(isinstance(event, StorageFailed) for _, event in process.events)

    def check(self) -> None:
        assert self.run(), self.world.trace.tail()
        assert self.leecher.wrong_pieces() == []
        assert self.leecher.disk.content(1) == self.content.data

    def _process(self, name: str) -> SimProcess:
        settings = EngineSettings(listen_port=PORT, request_timeout_seconds=5.0)
        host = self._network.host(name, 1e6, 1e7)
        host.cut = Cut.RANDOM
        process = SimProcess(host, self._web, settings)
        process.strict = True
        return process


def sweep(fail: Callable[[Pair, int], None], calls: Callable[[Pair], int], seed: int, piece_size: int = 32768) -> int:
    """Run once to count the calls, then once for each with a failure in it; how many runs."""
    size = 3 * piece_size if piece_size > 1 << 20 else 200_000
    clean = Pair(seed, piece_size, size)
    clean.check()
    count = calls(clean)
    assert count > 5
    for number in range(1, count + 1):
        pair = Pair(seed, piece_size, size)
        fail(pair, number)
        pair.run(30.0)
        assert pair.leecher.wrong_pieces() == [], f"call {number}"
        if not pair.leecher.completed and pair.stopped(pair.leecher):
            pair.leecher.repair() if number % 2 else pair.restart()
        if pair.stopped(pair.seed):
            pair.seed.repair()  # it took back what it could not read, until its user has looked
        pair.check()
    return count


@pytest.mark.parametrize("piece_size", [32768, 3 << 20])
@pytest.mark.parametrize("kind", [FULL, BROKEN, NO_HANDLES])
def test_any_write_of_a_leecher_may_fail(seed: int, kind: StorageError.Kind, piece_size: int) -> None:
    def fail(pair: Pair, number: int) -> None:
        pair.leecher.disk.faults.fails_at, pair.leecher.disk.faults.fails_with = number, kind

    sweep(fail, lambda pair: pair.leecher.disk.counts.jobs, seed, piece_size)


@pytest.mark.parametrize("kind", [BROKEN, NO_HANDLES])
def test_any_read_of_a_seed_may_fail(seed: int, kind: StorageError.Kind) -> None:
    def fail(pair: Pair, number: int) -> None:
        pair.seed.disk.faults.fails_at, pair.seed.disk.faults.fails_with = number, kind

    sweep(fail, lambda pair: pair.seed.disk.counts.jobs, seed)


def test_any_call_to_a_socket_of_the_leecher_may_fail(seed: int) -> None:
    def fail(pair: Pair, number: int) -> None:
        pair.leecher.host.call_fails_at = number

    assert sweep(fail, lambda pair: pair.leecher.host.calls, seed) > 20


def test_any_call_to_a_socket_of_the_seed_may_fail(seed: int) -> None:
    def fail(pair: Pair, number: int) -> None:
        pair.seed.host.call_fails_at = number

    assert sweep(fail, lambda pair: pair.seed.host.calls, seed) > 20
