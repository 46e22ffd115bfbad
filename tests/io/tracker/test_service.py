import asyncio
import socket
from pathlib import Path

import pytest

from bittern.base.errors import NetworkError
from bittern.io.http import HttpFetcher
from bittern.io.route import DIRECT
from bittern.io.tracker import service as module
from bittern.io.tracker.listening import Places
from bittern.io.tracker.service import TrackerService
from bittern.tracker.policy import Policy
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.window import Audience
from bittern.wire.tracker_http import parse_announce_reply
from tests.tracker.asking import CONNECT, HASH, announce_datagram, query

HERE = Places(("127.0.0.1",), http_port=0, udp_port=0)


def tracker(places: Places = HERE, state: Path | None = None, audience: Audience = Audience.LOCAL) -> TrackerService:
    return TrackerService(TrackerSettings(), Policy(), places, state, audience)


def port_of(service: TrackerService, scheme: str) -> int:
    (url,) = (url for url in service.urls if url.startswith(scheme))
    return int(url.rpartition(":")[2].removesuffix("/announce"))


async def fetch(url: str) -> tuple[int, bytes]:
    http = HttpFetcher("test", DIRECT)
    try:
        return await http.fetch(url, 100_000, 5)
    finally:
        await http.close()


def ask_udp(port: int, data: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(data, ("127.0.0.1", port))
        return sock.recv(2000)


async def test_who_announces_by_one_protocol_is_told_by_the_other() -> None:
    async with tracker() as service:
        status, body = await fetch(service.urls[0] + "?" + query(port=1))
        assert (status, parse_announce_reply(body).peers) == (200, ())
        udp = port_of(service, "udp")
        connection = (await asyncio.to_thread(ask_udp, udp, CONNECT))[8:]
        answer = await asyncio.to_thread(ask_udp, udp, announce_datagram(connection, 2))
        assert answer[20:] == bytes([127, 0, 0, 1, 0, 1])


async def test_every_address_is_listened_at_on_the_same_port() -> None:
    hosts = ("127.0.0.1", "127.0.0.2", "::1")
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    async with tracker(Places(hosts, 0, 0)) as service:
        http, udp = service.urls[:3], service.urls[3:]
        assert [url.rpartition(":")[0] for url in http] == ["http://127.0.0.1", "http://127.0.0.2", "http://[::1]"]
        assert len({url.rpartition(":")[2] for url in http}) == len({url.rpartition(":")[2] for url in udp}) == 1
        status, body = await fetch(http[2] + "?" + query())
        assert (status, parse_announce_reply(body).external_ip) == (200, "::1")


async def test_a_protocol_may_be_left_out() -> None:
    async with tracker(Places(("127.0.0.1",), None, 0)) as service:
        assert [url[:3] for url in service.urls] == ["udp"]


async def test_a_taken_port_is_an_error_that_names_it_and_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(NetworkError, match=f"TCP 127.0.0.1:{port}: Address already in use"):
            async with tracker(Places(("127.0.0.1",), port, 0)):
                pass


async def test_the_swarms_outlive_the_process(tmp_path: Path) -> None:
    state = tmp_path / "swarms"
    async with tracker(state=state) as service:
        service.registry.announce(HASH, b"abcdef", False, 2, 0)
    async with tracker(state=state) as service:
        assert service.registry.scrape(HASH) == (0, 0, 1)


async def test_a_damaged_state_file_is_told_and_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = tmp_path / "swarms"
    state.write_bytes(b"rubbish")
    async with tracker(state=state) as service:
        assert service.registry.totals().known == 0
    assert "its swarms begin anew" in caplog.text
    assert state.read_bytes().startswith(b"bittern tracker 1\n")


async def test_swarms_are_saved_while_it_runs_and_trouble_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_TURN_SECONDS", 0.01)
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    folder = tmp_path / "state"
    async with tracker(state=folder / "swarms"), asyncio.timeout(10):
        while "cannot be kept" not in caplog.text:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        folder.mkdir()
        while not (folder / "swarms").exists():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_time_passes_where_no_thread_can_be_had_to_save_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[object] = []

    async def no_thread(*_: object) -> None:
        tries.append(None)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module, "_TURN_SECONDS", 0.01)
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(asyncio, "to_thread", no_thread)
    async with tracker(state=tmp_path / "swarms"), asyncio.timeout(10):
        while len(tries) < 2:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    assert "cannot be kept" in caplog.text


async def test_time_passes_for_peers_and_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TURN_SECONDS", 0.01)
    monkeypatch.setattr("bittern.io.tracker.web.REQUEST_SECONDS", 0.05)
    service = TrackerService(TrackerSettings(interval_seconds=1), Policy(), HERE)
    async with service, asyncio.timeout(10):
        service.registry.announce(HASH, b"abcdef", False, 2, 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(service, "http"))
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        while service.registry.totals().known:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("audience", "status"), [(Audience.LOCAL, 200), (Audience.ALL, 200), (Audience.NOBODY, 404)])
async def test_figures_are_for_those_who_may_see_them(audience: Audience, status: int) -> None:
    async with tracker(audience=audience) as service:
        root = service.urls[0].removesuffix("announce")
        for page, word in (("", b"<h1>Tracker</h1>"), ("stats", b"<h1>Tracker</h1>"), ("metrics", b"# TYPE")):
            found, body = await fetch(root + page)
            assert (found, word in body) == (status, status == 200)
