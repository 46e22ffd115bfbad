"""What a bug of ours may cost: one connection, one turn, one job; never a loop that spins or something that waits."""

import asyncio
import socket
from hashlib import sha1
from pathlib import Path
from typing import Never

import pytest

from bittern.base.address import Address
from bittern.base.ids import InfoHashV1, PeerId
from bittern.engine.effects import Completion, Connect, DiskFailed, ExtentStored, PieceChecked, StoreExtent
from bittern.engine.settings import EngineSettings
from bittern.io.disk.files import FileStorage
from bittern.io.disk.handles import Handles
from bittern.io.disk.pool import DiskPool
from bittern.io.net import SystemNet
from bittern.io.route import DIRECT
from bittern.io.runtime import Runtime
from bittern.io.tasks import Tasks
from bittern.io.tcp import TcpLink
from bittern.io.turn import Turn
from bittern.wire.stream import LinkLost, LossKind
from tests.engine.content import info_of
from tests.io.conftest import Until
from tests.sim.toys import Toy

HASHES = InfoHashV1(b"a" * 20), InfoHashV1(b"b" * 20)


def bug(*_: object) -> Never:
    raise KeyError("a bug")


def open_runtime() -> Runtime:
    return Runtime(
        EngineSettings(),
        PeerId(b"-BZ0100-000000000000"),
        [DIRECT.bound("127.0.0.1", 0, socket.SOCK_STREAM)],
        lambda _: None,
        route=DIRECT,
    )


@pytest.fixture
async def reported() -> list[str]:
    """What the loop was told of, instead of a log."""
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    return told


@pytest.mark.parametrize("method", ["receive_buffers", "received", "send_buffers", "sent"])
async def test_a_stream_that_breaks_costs_its_own_connection(
    turn: Turn, until: Until, reported: list[str], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    left, right = socket.socketpair()
    left.setblocking(False)
    toy = Toy(b"to the other side")
    monkeypatch.setattr(toy, method, bug)
    link = TcpLink(asyncio.get_running_loop(), turn, left, Address("127.0.0.1", 1))
    link.serve(toy)
    with right:
        if "receive" in method:
            right.sendall(b"to us")
        await until(lambda: left.fileno() < 0)
        await asyncio.sleep(0.01)
    assert toy.loss == LinkLost(LossKind.ABORTED, "internal error")
    assert reported == ["the connection to 127.0.0.1:1 broke"]


async def test_a_torrent_that_breaks_stops_neither_the_clock_nor_the_others(
    until: Until, reported: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = open_runtime()
    first, second = (runtime.core.add(wire_hash, (), runtime.now()) for wire_hash in HASHES)
    settled: list[float] = []
    monkeypatch.setattr(first, "settle", bug)
    monkeypatch.setattr(second, "settle", settled.append)
    await until(lambda: bool(settled))
    assert reported == ["a turn broke off"]
    await runtime.close()


async def test_closing_ends_connections_that_never_said_what_they_want() -> None:
    runtime = open_runtime()
    reader, writer = await asyncio.open_connection("127.0.0.1", runtime.port)
    writer.write(b"\x13BitTorrent")
    await asyncio.sleep(0.01)
    await runtime.close()
    async with asyncio.timeout(5):
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    writer.close()


async def test_a_dial_that_breaks_is_answered(turn: Turn, until: Until, caplog: pytest.LogCaptureFixture) -> None:
    failed: list[int] = []

    class Core:
        def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> None:
            failed.append(ticket)

    tasks = Tasks()
    net = SystemNet(asyncio.get_running_loop(), turn, Core(), tasks, DIRECT)  # type: ignore[arg-type]  # all that a failure needs
    net.connect(Connect(7, 1, Address("fe80::1%" + "x" * 70, 80)))  # such a zone cannot even be encoded
    await until(lambda: bool(failed))
    assert failed == [7]
    await tasks.close()
    assert "dial" in caplog.text


def test_a_disk_job_that_breaks_is_answered_and_the_next_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    info, data = info_of(32768, 16384)
    pool = DiskPool(lambda: None)
    storage = FileStorage(info, tmp_path, Handles())
    pool.attach(1, storage)
    write = storage.write
    monkeypatch.setattr(storage, "write", lambda offset, part: write(offset, part) if offset else bug())
    answers: list[Completion] = []
    for piece in (0, 1):
        part = memoryview(data)[piece * 16384 : (piece + 1) * 16384]
        pool.submit(StoreExtent(1, piece, 0, part, piece * 16384, 16384, sha1(part).digest(), None))
    pool.close()
    answers += pool.take()
    storage.close()
    assert [type(answer) for answer in answers] == [DiskFailed, ExtentStored, PieceChecked]
    assert "a bug" in caplog.text
