"""The IP filter of a session: lists from files and servers, reloading, and torrents that it is not for."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.base.errors import IpListError, NetworkError, SessionError
from bittern.session.events import PeerDropped
from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.session.torrent import Torrent
from tests.session.rig import eventually, fill, settings, torrent

BLOCKED = b"# this machine\nThis machine:127.0.0.0-127.0.0.255\n"
ELSEWHERE = b"Elsewhere:192.0.2.0-192.0.2.255\nnonsense\n2001:db8::/32\n"


def write(path: Path, text: bytes) -> str:
    path.write_bytes(text)
    return str(path)


async def one_piece(session: Session, tmp_path: Path, **options: bool) -> Torrent:
    meta = torrent(fill(tmp_path / "in" / "a.bin", 300_000))
    return await session.add(meta, tmp_path / "in", **options)  # type: ignore[arg-type]  # of other types


async def test_nobody_who_is_blocked_is_dialed_or_let_in_and_what_was_kept_out_is_told(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "in" / "a.bin", 300_000))
    blocked = write(tmp_path / "list.p2p", BLOCKED)
    filtered = replace(settings(tmp_path / "a"), ip_filter=(blocked,))
    async with Session(filtered) as seed, Session(settings(tmp_path / "b")) as leech:
        shared = await seed.add(meta, tmp_path / "in", peers=["127.0.0.2:9"])
        await shared.completed()
        assert shared.status.known_peers == 0
        got = await leech.add(meta, tmp_path / "out", peers=[f"127.0.0.1:{seed.port}"])
        await eventually(lambda: seed.ip_filter.blocked.get("incoming", 0) > 0)
        assert (seed.ip_filter.ranges, seed.ip_filter.entries, seed.ip_filter.bad_lines) == (1, 1, 0)
        assert seed.ip_filter.blocked["candidates"] == 1
        assert shared.status.blocked == 1
        assert not got.status.complete
        assert leech.ip_filter.blocked == {}
        await seed.reload_ip_filter([write(tmp_path / "other", ELSEWHERE)])
        await leech.remove(got)  # it would try again, later
        got = await leech.add(meta, tmp_path / "out", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), 30)


async def test_when_the_list_changes_those_who_are_connected_and_blocked_are_parted_with(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "in" / "a.bin", 3_000_000))
    path = tmp_path / "list"
    listed = replace(settings(tmp_path / "a"), ip_filter=(write(path, ELSEWHERE),))
    slow = settings(tmp_path / "b", down_bytes_per_second=100_000)
    async with Session(listed) as seed, Session(slow) as leech:
        shared = await seed.add(meta, tmp_path / "in")
        await shared.completed()
        got = await leech.add(meta, tmp_path / "out", peers=[f"127.0.0.1:{seed.port}"])
        await eventually(lambda: shared.status.peers == 1)
        assert (seed.ip_filter.ranges, seed.ip_filter.bad_lines) == (2, 1)
        assert seed.ip_filter.first_bad_line == f"{path}, line 2: nonsense"
        dropped = shared.events(PeerDropped)
        write(path, BLOCKED)
        status = await seed.reload_ip_filter()
        assert status.ranges == 1
        await eventually(lambda: got.status.peers == 0)
        assert shared.status.peers == 0
        assert [event.reason for event in dropped.take() if isinstance(event, PeerDropped)][:1] == [
            "the IP filter blocks the address"
        ]
        assert seed.ip_filter.blocked["peers"] == 1
        assert (await seed.reload_ip_filter([])).ranges == 0


async def test_a_list_that_can_not_be_read_is_an_error_and_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "list"
    listed = replace(settings(tmp_path / "a"), ip_filter=(write(path, BLOCKED),))
    async with Session(listed) as session:
        with pytest.raises(FileNotFoundError):
            await session.reload_ip_filter([str(tmp_path / "nothing")])
        write(path, b"<html>")
        with pytest.raises(IpListError, match="no list of addresses"):
            await session.reload_ip_filter()
        write(path, gzip.compress(BLOCKED)[:-3])
        with pytest.raises(IpListError, match="breaks off"):
            await session.reload_ip_filter()
        with pytest.raises(NetworkError, match="refused"):
            await session.reload_ip_filter(["http://127.0.0.1:1/list"])
        assert session.ip_filter.ranges == 1
        write(path, gzip.compress(ELSEWHERE))
        assert (await session.reload_ip_filter()).ranges == 2
    for wrong in (write(path, b"<html>"), str(tmp_path / "nothing")):
        with pytest.raises((IpListError, FileNotFoundError)):
            await Session(replace(listed, ip_filter=(wrong,))).open()
    async with Session(replace(listed, ip_filter=())) as session:  # nothing was left behind
        assert session.ip_filter.ranges == 0


class Server:
    """A web server with one page, which may be away."""

    def __init__(self) -> None:
        self.page = BLOCKED
        self.status = "200 OK"
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {self.status}\r\nContent-Length: {len(self.page)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + self.page)
        await writer.drain()
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    web = Server()
    async with await asyncio.start_server(web.answer, "127.0.0.1", 0) as listening:
        web.port = listening.sockets[0].getsockname()[1]
        yield web


async def test_a_list_is_fetched_and_its_copy_holds_while_the_server_is_away(tmp_path: Path, server: Server) -> None:
    """The list blocks the server itself, which must not keep it from being read again."""
    listed = replace(settings(tmp_path / "a"), ip_filter=(f"http://127.0.0.1:{server.port}/list.gz",))
    server.page = gzip.compress(BLOCKED)
    async with Session(listed) as session:
        assert session.ip_filter.ranges == 1
        server.page = gzip.compress(ELSEWHERE)
        assert (await session.reload_ip_filter()).ranges == 2
    server.status = "503 Busy"
    async with Session(listed) as session:
        assert session.ip_filter.ranges == 2
        with pytest.raises(NetworkError, match="HTTP status 503") as caught:
            await session.reload_ip_filter([f"http://127.0.0.1:{server.port}/another"])
        assert caught.value.__notes__ == [f"http://127.0.0.1:{server.port}/another"]


async def test_a_torrent_that_is_exempt_deals_with_everybody_in_the_next_session_too(tmp_path: Path) -> None:
    listed = replace(settings(tmp_path / "a", keep_torrents=True), ip_filter=(write(tmp_path / "list", BLOCKED),))
    async with Session(listed) as session:
        added = await one_piece(session, tmp_path, ip_filtered=False)
        assert not added.ip_filtered
    meta = torrent(tmp_path / "in" / "a.bin")
    async with Session(listed) as seed, Session(settings(tmp_path / "b")) as leech:
        [shared] = seed.torrents
        assert not shared.ip_filtered
        got = await leech.add(meta, tmp_path / "out", peers=[f"127.0.0.1:{seed.port}"])
        await asyncio.wait_for(got.completed(), 30)
        await shared.set_ip_filtered(on=True)
        assert shared.ip_filtered
        await eventually(lambda: shared.status.peers == 0)
        await seed.remove(shared)
    async with Session(listed) as seed:
        assert (await one_piece(seed, tmp_path)).ip_filtered


async def test_a_blocked_client_gets_nothing(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "in" / "a.bin", 300_000))
    blocking = replace(settings(tmp_path / "a"), blocked_clients=("-BZ",))
    async with Session(blocking) as seed, Session(settings(tmp_path / "b")) as leech:
        shared = await seed.add(meta, tmp_path / "in")
        await shared.completed()
        dropped = shared.events(PeerDropped)
        await leech.add(meta, tmp_path / "out", peers=[f"127.0.0.1:{seed.port}"])
        await eventually(lambda: seed.ip_filter.blocked.get("clients", 0) > 0)
        assert "its client is blocked" in [e.reason for e in dropped.take() if isinstance(e, PeerDropped)]


@pytest.mark.parametrize(
    "wrong", [{"ip_filter": "a"}, {"blocked_clients": "-XL"}, {"blocked_clients": ("",)}, {"blocked_clients": ("ä",)}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SessionError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]  # wrong on purpose
