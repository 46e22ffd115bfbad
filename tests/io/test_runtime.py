"""Two engines on one loop, with sockets, files and threads of their own."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.ids import PeerId
from bittern.codec.info import Info
from bittern.engine.events import Completed, Event
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import Torrent
from bittern.io import capabilities
from bittern.io.disk.files import FileStorage
from bittern.io.route import DIRECT
from bittern.io.runtime import Runtime
from tests.io.conftest import Until
from tests.io.disk.torrents import several


class Client:
    """A runtime and what it told."""

    def __init__(self, name: bytes) -> None:
        self.events: list[Event] = []
        settings, peer_id = EngineSettings(), PeerId(b"-BZ0000-" + name.ljust(12, b"."))
        self.runtime = Runtime(
            settings,
            peer_id,
            [DIRECT.bound("127.0.0.1", 0, socket.SOCK_STREAM)],
            self.events.extend,
            route=DIRECT,
            seed=1,
        )

    def join(self, info: Info, folder: Path, *, seed: bool) -> Torrent:
        torrent = self.runtime.core.add(info.wire_hash, (), self.runtime.now())
        self.runtime.disk.attach(torrent.number, FileStorage(info, folder, self.runtime.handles))
        count = info.geometry.piece_count
        torrent.begin(info, Bitfield.full(count) if seed else Bitfield(count), None, self.runtime.now())
        return torrent


@pytest.fixture
async def clients() -> AsyncIterator[tuple[Client, Client]]:
    both = Client(b"ann"), Client(b"bob")
    yield both
    for client in both:
        await client.runtime.close()


@pytest.fixture(params=["all", "the least"])
def _system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything this platform offers, and with nothing of it."""
    if request.param != "all":
        for name in ("SENDMSG", "RECVMSG_INTO", "PREADV"):
            monkeypatch.setattr(capabilities, name, False)
        monkeypatch.setattr(capabilities, "READ_NOWAIT", 0)


@pytest.mark.usefixtures("_system")
@pytest.mark.parametrize(("lengths", "piece_size"), [([3_000_000, 72, 500_000, 0, 1], 65536), ([5_000_000], 1 << 21)])
async def test_a_torrent_goes_from_one_to_the_other_byte_for_byte(
    clients: tuple[Client, Client], until: Until, tmp_path: Path, lengths: list[int], piece_size: int
) -> None:
    ann, bob = clients
    info, data = several(lengths, piece_size, pads=(1,) if len(lengths) > 1 else ())
    there = FileStorage(info, tmp_path / "ann", ann.runtime.handles)
    for at in range(0, len(data), 1 << 20):
        there.write(at, memoryview(data)[at : at + (1 << 20)])
    ann.join(info, tmp_path / "ann", seed=True)
    torrent = bob.join(info, tmp_path / "bob", seed=False)
    torrent.add_candidates([Address("127.0.0.1", ann.runtime.port)], Source.MANUAL, bob.runtime.now())
    bob.runtime.turn.soon()
    await until(lambda: Completed(torrent.number) in bob.events)
    into = bytearray(len(data))
    FileStorage(info, tmp_path / "bob", bob.runtime.handles).read_into(0, memoryview(into))
    assert into == data
    assert torrent.left_bytes == 0


async def test_a_runtime_may_be_closed_in_the_middle_of_everything(until: Until, tmp_path: Path) -> None:
    ann, bob = Client(b"ann"), Client(b"bob")
    info, data = several([8_000_000], 65536)
    FileStorage(info, tmp_path / "ann", ann.runtime.handles).write(0, memoryview(data))
    ann.join(info, tmp_path / "ann", seed=True)
    torrent = bob.join(info, tmp_path / "bob", seed=False)
    dead = [Address("127.0.0.1", port) for port in range(1, 6)]
    torrent.add_candidates([*dead, Address("127.0.0.1", ann.runtime.port)], Source.MANUAL, bob.runtime.now())
    bob.runtime.turn.soon()
    await until(lambda: torrent.downloaded > 1_000_000)
    await bob.runtime.close()
    await ann.runtime.close()


async def test_a_removed_torrent_leaves_nothing_behind(clients: tuple[Client, Client], tmp_path: Path) -> None:
    ann, _ = clients
    info, _ = several([100], 65536)
    torrent = ann.join(info, tmp_path, seed=True)
    ann.runtime.remove(torrent)
    assert ann.runtime.core.torrents == {}
    assert not ann.runtime.disk.read_now(torrent.number, 0, memoryview(bytearray(1)))
