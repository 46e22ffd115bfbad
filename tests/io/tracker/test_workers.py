import asyncio
import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from bittern.base.errors import NetworkError
from bittern.codec.bencode import decode
from bittern.io.tracker import workers as module
from bittern.io.tracker.listening import Places
from bittern.io.tracker.lists import Lists
from bittern.io.tracker.workers import TrackerWorkers, WorkerError
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.window import Audience
from tests.tracker.asking import CONNECT, HASH, announce_datagram, query, scrape_datagram

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers need Linux")

HERE = Places(("127.0.0.1",), 0, 0)
HASHES = [bytes((0, 0, 0, number)) * 5 for number in range(8)]


@pytest.fixture(autouse=True)
def _children_find_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(module.__file__).parents[3]))


def tracker(lists: Lists = Lists(), state: Path | None = None, places: Places = HERE) -> TrackerWorkers:  # noqa: B008 - frozen
    return TrackerWorkers(TrackerSettings(), lists, places, 2, state, Audience.ALL)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def http(team: TrackerWorkers, target: str) -> bytes:
    """Each time by a connection of its own, so in the end by all workers."""

    def ask() -> bytes:
        with urlopen(team.urls[0].removesuffix("/announce") + target, timeout=10) as answer:
            body: bytes = answer.read()
        return body

    return await asyncio.to_thread(ask)


async def announce(team: TrackerWorkers, info_hash: bytes, port: int, **said: Any) -> Any:
    return decode(await http(team, "/announce?" + query(info_hash=info_hash, port=port, **said)))


async def udp(team: TrackerWorkers, *bodies: bytes) -> list[bytes]:
    """Answers to what comes behind a connection id, from one client."""

    def ask() -> list[bytes]:
        answers = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.connect(("127.0.0.1", int(team.urls[1].rpartition(":")[2].removesuffix("/announce"))))
            sock.send(CONNECT)
            connection = sock.recv(100)[8:]
            for body in bodies:
                sock.send(connection + body)
                answers.append(sock.recv(2000))
        return answers

    return await asyncio.to_thread(ask)


async def test_workers_are_one_tracker() -> None:
    async with tracker() as team:
        assert len(set(team.processes)) == 2
        for number, info_hash in enumerate(HASHES):
            for port in (1, 2, 3):
                reply = await announce(team, info_hash, port)
                assert (reply[b"incomplete"], len(reply[b"peers"])) == (port, 6 * (port - 1)), number
        answers = await udp(team, *(announce_datagram(bytes(8), 4, info_hash=each)[8:] for each in HASHES))
        assert [len(each) for each in answers] == [20 + 18] * len(HASHES)
        (counts,) = await udp(team, scrape_datagram(bytes(8), *HASHES)[8:])
        assert counts[8:] == bytes.fromhex("00000000 00000000 00000004") * len(HASHES)
        for _ in range(4):
            metrics = (await http(team, "/metrics")).decode()
            assert re.search(r'^bittern_tracker_peers\{family="ipv4",role="leecher"\} 32$', metrics, re.MULTILINE)
            assert re.search(r'protocol="udp",kind="announces"\} 8$', metrics, re.MULTILINE)


async def test_the_swarms_outlive_the_processes(tmp_path: Path) -> None:
    state = tmp_path / "swarms"
    async with tracker(state=state) as team:
        for info_hash in HASHES:
            await announce(team, info_hash, 1)
    (tmp_path / "swarms.7").write_bytes(state.read_bytes())
    async with tracker(state=state) as team:
        for info_hash in HASHES:
            assert len((await announce(team, info_hash, 2))[b"peers"]) == 6
    assert names(tmp_path) == ["swarms", "swarms.1"]


async def test_a_worker_that_dies_is_started_again_and_what_came_meanwhile_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with tracker() as team:
        await announce(team, HASHES[0], 1)
        victim = team.processes[0]
        os.kill(victim, signal.SIGKILL)
        told = asyncio.gather(*(announce(team, HASHES[0], port) for port in range(2, 8)))
        bodies = [announce_datagram(bytes(8), 9, info_hash=each)[8:] for each in HASHES[:2]]
        answers = await udp(team, *bodies)
        assert [each[3] for each in answers] == [1, 1]
        assert all(
            b"interval" in each or each == {b"failure reason": b"busy, come again", b"retry in": 1}
            for each in await told
        )
        assert victim not in team.processes
        assert len(set(team.processes)) == 2
    assert "worker 0 ended by signal 9, and is started again" in caplog.text


async def test_workers_that_die_again_and_again_end_the_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENDS", 2)
    async with tracker() as team, asyncio.timeout(30):
        serving = asyncio.ensure_future(team.serve_until(asyncio.Event()))
        first = team.processes[1]
        os.kill(first, signal.SIGKILL)
        while team.processes[1] == first:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        os.kill(team.processes[1], signal.SIGKILL)
        with pytest.raises(WorkerError, match="worker 1 ended 2 times within a minute, at last by signal 9"):
            await serving


async def test_a_worker_that_can_not_begin_is_an_error_at_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(WorkerError, match="ended at once, with status 1"):
        async with tracker(state=tmp_path / "state"):
            pass
    assert "Is a directory" in capfd.readouterr().err


async def test_lists_are_read_again_by_all(tmp_path: Path) -> None:
    allow = tmp_path / "allow"
    allow.write_text(HASHES[0].hex())
    async with tracker(Lists(allow)) as team:
        assert b"failure reason" in await announce(team, HASHES[1], 1)
        allow.write_text("nonsense")
        with pytest.raises(ValueError, match="line 1 is no info hash"):
            team.read_lists()
        allow.write_text("\n".join(each.hex() for each in HASHES))
        team.read_lists()
        async with asyncio.timeout(10):
            served = 0
            while served < 20:  # both of them
                served = served + 1 if b"interval" in await announce(team, HASHES[1], 1) else 0


async def test_workers_end_with_who_started_them_and_not_by_signals(tmp_path: Path) -> None:
    async with tracker(state=tmp_path / "state") as team:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(team.processes[0], number)
        before = team.processes
        await announce(team, HASH, 1)
        assert team.processes == before
    for each in before:
        with pytest.raises(ProcessLookupError):
            os.kill(each, 0)


async def test_serving_ends_when_told() -> None:
    async with tracker() as team:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_soon(stop.set)
        await team.serve_until(stop)


async def test_a_taken_port_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(NetworkError, match=f"TCP 127.0.0.1:{port}: Address already in use"):
            async with tracker(places=Places(("127.0.0.1",), port, None)):
                pass
