"""Every kind of torrent, from every kind of beginning, through a restart or none: hundreds of short transfers."""

from enum import Enum, unique
from itertools import product
from random import Random

import pytest

from bittern.engine.settings import EngineSettings
from bittern.sim.content import Content, make_content, make_content_files, make_content_v2
from bittern.sim.http import Web
from bittern.sim.network import PORT, Network
from bittern.sim.process import SimProcess
from bittern.sim.world import World

BLOCK = 16384


@unique
class Kind(Enum):
    V1 = "v1"
    V2 = "v2"
    HYBRID = "hybrid"


@unique
class Files(Enum):
    """What is in the leecher's files at the beginning."""

    NONE = "nothing"
    PART = "every third piece"
    WRONG = "something else in every piece"


SIZES = {
    "a byte": (1,),
    "single": (5 * BLOCK + 77,),
    "whole pieces": (8 * BLOCK,),
    "with pads": (BLOCK + 1, 3, 4 * BLOCK, 70_000),
}
PIECE_SIZES = (BLOCK, 2 * BLOCK, 4 * BLOCK, 1 << 21)


def make(world: World, kind: Kind, sizes: tuple[int, ...], piece_size: int) -> Content:
    if kind is not Kind.V1:
        return make_content_v2(world, "content", sizes, piece_size, hybrid=kind is Kind.HYBRID)
    if len(sizes) == 1:
        return make_content(world, "content", sizes[0], piece_size)
    return make_content_files(world, "content", sizes, piece_size)


def beginning(content: Content, files: Files) -> bytearray:
    size, data = content.info.piece_size, content.data
    start = bytearray(len(data))
    if files is Files.WRONG:
        for file in content.info.files:
            if not file.pad:
                for at in range(file.offset - file.offset % size, file.offset + file.length, size):
                    place = max(at, file.offset)
                    start[place] = data[place] ^ 0xA5
    if files is Files.PART:
        for at in range(0, len(data), 3 * size):
            start[at : at + size] = data[at : at + size]
    return start


class Transfer:
    """Two seeds and one leecher, which has something in its files and may begin again half way."""

    def __init__(self, seed: int, kind: Kind, sizes: tuple[int, ...], piece_size: int) -> None:
        self.world = World(Random, seed)
        self.content = make(self.world, kind, sizes, piece_size)
        self._network, self._web = Network(self.world), Web()
        self._network.jitter = 0.002
        self.seeds = [self._process(f"seed{number}", up=1e6) for number in range(2)]
        for process in self.seeds:
            process.seed(self.content)
        self._lives = 0

    def leech(self, files: bytearray) -> SimProcess:
        """A new life of the leecher, with what the last left in its files."""
        self._lives += 1
        leecher = self._process(f"leech{self._lives}")
        leecher.know(leecher.take_up(self.content, files), *self.seeds)
        return leecher

    def check(self, leecher: SimProcess) -> None:
        assert self.world.run(120.0, until=lambda: bool(leecher.completed)), self.world.trace.tail()
        assert leecher.wrong_pieces() == []
        assert leecher.disk.content(1) == self.content.data
        assert leecher.disk.counts.failed_pieces == 0

    def _process(self, name: str, up: float = 1e7) -> SimProcess:
        process = SimProcess(self._network.host(name, up, 1e7), self._web, EngineSettings(listen_port=PORT))
        process.strict = True
        return process


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("files", list(Files))
@pytest.mark.parametrize("kind", list(Kind))
def test_whatever_is_there_the_rest_is_fetched_and_no_more(
    seed: int, kind: Kind, files: Files, *, restart: bool
) -> None:
    for number, (sizes, piece_size) in enumerate(product(SIZES.values(), PIECE_SIZES)):
        transfer = Transfer(seed + number, kind, sizes, piece_size)
        start = beginning(transfer.content, files)
        leecher = transfer.leech(start)
        (torrent,) = leecher.core.torrents.values()
        owed = torrent.left_bytes
        if restart:
            half = owed // 2
            transfer.world.run(120.0, until=lambda torrent=torrent, half=half: torrent.left_bytes <= half)  # type: ignore[misc]
            leecher.stop()
            transfer.world.run(1.0)
            assert leecher.wrong_pieces() == []
            owed = torrent.left_bytes
            leecher = transfer.leech(bytearray(leecher.disk.content(1)))
            (torrent,) = leecher.core.torrents.values()
            assert torrent.left_bytes <= owed, "pieces that were stored are lost"
            owed = torrent.left_bytes
        transfer.check(leecher)
        assert torrent.downloaded <= owed + BLOCK * 8, f"{torrent.downloaded} bytes came of {owed}"  # endgame
