"""Torrents are looked for and announced in the distributed hash table: who may, awake or asleep, each in turn."""

import asyncio
import tracemalloc
from dataclasses import replace
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from bittern import Metainfo, Session
from bittern.base.address import Address
from bittern.codec.bencode import encode
from bittern.engine.dht.events import SearchDone
from bittern.engine.sources import dht
from bittern.engine.swarm.peerbook import Source
from bittern.io.dht import Table
from bittern.session import seeking
from bittern.session.entry import Entry
from bittern.session.status import State
from bittern.tools.create import Version
from bittern.wire.krpc import AnnouncePeer, GetPeers, Query, Reply
from bittern.wire.krpc_reader import read_message

from .nodes import announced, beginning_at, routers, stored
from .rig import PIECE, eventually, fill, life_of, settings, torrent

CONTENT = bytes(range(256)) * 300


def torrent_of(folder: Path, *, private: bool = False) -> Metainfo:
    """A torrent without trackers, whose content is in `folder`."""
    (folder / "a.bin").write_bytes(CONTENT)
    pieces = b"".join(sha1(CONTENT[at : at + 16384]).digest() for at in range(0, len(CONTENT), 16384))
    info: dict[str, object] = {"name": "a.bin", "piece length": 16384, "length": len(CONTENT), "pieces": pieces}
    return Metainfo.from_bytes(encode({"info": info | ({"private": 1} if private else {})}))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Of a seed and a leecher."""
    made = tmp_path / "seed", tmp_path / "leech"
    for folder in made:
        folder.mkdir()
    return made


async def test_a_bare_info_hash_finds_metadata_and_content_by_the_table_alone(folders: tuple[Path, Path]) -> None:
    meta = torrent_of(folders[0])
    assert meta.info.info_hash_v1 is not None
    async with (
        routers() as tables,
        Session(beginning_at(tables[0], folders[0] / "state")) as seeds,
        Session(beginning_at(tables[0], folders[1] / "state")) as leeches,
    ):
        await seeds.add(meta, folders[0])
        await announced(tables)
        torrent = await leeches.add(meta.info.info_hash_v1.hex(), folders[1])
        await asyncio.wait_for(torrent.completed(), 60)
        assert torrent.found_by.get("dht")
    assert (folders[1] / "a.bin").read_bytes() == CONTENT


async def test_who_found_nobody_looks_again_soon_and_is_not_announced_again_by_that(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dht, "HUNGRY_SECONDS", 0.5)
    meta = torrent_of(folders[0])
    async with routers() as tables, Session(beginning_at(tables[0], folders[1] / "state")) as leeches:
        table, announces = await leeches._table(), list[bool]()
        search = table.find_peers

        def find_peers(name: bytes, found: Any, *, announce: Any = None, **more: Any) -> Any:
            announces.append(announce is not None)
            return search(name, found, announce=announce, **more)

        monkeypatch.setattr(table, "find_peers", find_peers)
        torrent = await leeches.add(bytes(meta.info.wire_hash).hex(), folders[1])
        await eventually(lambda: len(announces) >= 3)
        assert announces == [True, *[False] * (len(announces) - 1)]
        async with Session(beginning_at(tables[0], folders[0] / "state")) as seeds:
            await seeds.add(meta, folders[0])
            await asyncio.wait_for(torrent.completed(), 30)


async def test_a_seed_that_found_nobody_looks_once_more_for_who_came_at_the_same_moment(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dht, "HUNGRY_SECONDS", 0.5)
    meta = torrent_of(folders[0])
    name = bytes(meta.info.wire_hash)
    async with routers() as tables, Session(beginning_at(tables[0], folders[0] / "state")) as seeds:
        table, looked = await seeds._table(), list[int]()
        search = table.find_peers

        async def find_peers(name: bytes, found: Any, **more: Any) -> Any:
            looked.append(1)
            return await search(name, found, **more)

        monkeypatch.setattr(table, "find_peers", find_peers)
        came = asyncio.Event()

        def leecher(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            came.set()
            writer.close()

        async with await asyncio.start_server(leecher, "127.0.0.1", 0) as server:
            await seeds.add(meta, folders[0])
            await eventually(lambda: looked == [1] and stored(tables) == {name})
            announce = AnnouncePeer(name, server.sockets[0].getsockname()[1], b"")
            assert (await tables[1].find_peers(name, lambda _: None, announce=announce)).stored
            await asyncio.wait_for(came.wait(), 20)
        await asyncio.sleep(1.5)
        assert looked == [1, 1]


async def test_a_private_torrent_is_neither_asked_for_nor_announced(folders: tuple[Path, Path]) -> None:
    meta = torrent_of(folders[0], private=True)
    async with routers() as tables, Session(beginning_at(tables[0], folders[0] / "state")) as session:
        torrent = await session.add(meta, folders[0])
        public = await session.add("ab" * 20)
        await announced(tables)
        await asyncio.sleep(1.0)
        assert torrent.status.state is State.SEEDING
        assert stored(tables) == {bytes(public.info_hash)}


class SlowNode(asyncio.DatagramProtocol):
    """The only node of a table: it answers questions for peers when it is let, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Query] = []
        self._due: list[tuple[Query, tuple[str, int]]] = []

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    @property
    def port(self) -> int:
        return int(self.transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = read_message(data)
        if isinstance(message, Query):
            self.asked.append(message)
            if isinstance(message.ask, GetPeers):
                self._due.append((message, addr))
            else:
                self._answer(message, addr)

    def about(self, info_hash: bytes, kind: type[GetPeers | AnnouncePeer]) -> int:
        """How often it was asked for, or told of, a torrent."""
        return sum(isinstance(query.ask, kind) and query.ask.info_hash == info_hash for query in self.asked)

    def answer(self) -> None:
        """Answer what waits."""
        for query, sender in self._due:
            self._answer(query, sender)

    def _answer(self, query: Query, sender: tuple[str, int]) -> None:
        self.transport.sendto(Reply(query.transaction, b"\x07" * 20, token=b"token").encode(), sender)


@pytest.mark.parametrize("private", [False, True])
async def test_a_search_that_is_under_way_ends_when_the_torrent_turns_out_to_be_private(
    folders: tuple[Path, Path],
    private: bool,  # noqa: FBT001 - a parameter
) -> None:
    """What was asked before nobody can take back; that we have the torrent the table does not learn."""
    meta = torrent_of(folders[0], private=private)
    name = bytes(meta.info.wire_hash)
    loop = asyncio.get_running_loop()
    transport, node = await loop.create_datagram_endpoint(SlowNode, local_addr=("127.0.0.1", 0))
    ours = settings(folders[1] / "state", dht=True, dht_routers=(f"127.0.0.1:{node.port}",))
    async with Session(settings(folders[0] / "state")) as seeds, Session(ours) as leeches:
        await seeds.add(meta, folders[0])
        torrent = await leeches.add(name.hex(), folders[1])
        async with asyncio.timeout(20):
            while not node.about(name, GetPeers):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        swarm = life_of(leeches, torrent).swarm
        assert swarm is not None
        swarm.add_candidates([Address("127.0.0.1", seeds.port)], Source.MANUAL, 0.0)
        await asyncio.wait_for(torrent.completed(), 20)
        await asyncio.sleep(2 * seeking.TICK_SECONDS)
        questions = node.about(name, GetPeers)
        node.answer()
        await asyncio.sleep(2 * seeking.TICK_SECONDS)
        if private:
            assert (node.about(name, GetPeers), node.about(name, AnnouncePeer)) == (questions, 0)
        else:
            assert node.about(name, AnnouncePeer) > 0
    transport.close()


async def test_where_all_torrents_are_private_nobody_hears_of_the_session(folders: tuple[Path, Path]) -> None:
    async with routers() as tables, Session(beginning_at(tables[0], folders[0] / "state")) as session:
        torrent = await session.add(torrent_of(folders[0], private=True), folders[0])
        await torrent.completed()
        await asyncio.sleep(1.0)
        assert session.dht.nodes == 0


async def test_a_hybrid_is_announced_by_both_its_names(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 3 * PIECE), version=Version.HYBRID)
    async with routers() as tables, Session(beginning_at(tables[0], tmp_path / "state")) as session:
        await session.add(meta, tmp_path)
        assert meta.info.info_hash_v1 is not None
        assert meta.info.info_hash_v2 is not None
        both = {bytes(meta.info.info_hash_v1), bytes(meta.info.info_hash_v2.truncated())}
        await eventually(lambda: stored(tables) == both)


async def test_torrents_that_sleep_are_announced_in_turn_and_private_ones_are_not(tmp_path: Path) -> None:
    """In a session of their own that wakes none of them up."""
    metas = [torrent(fill(tmp_path / f"{number}.bin", PIECE, number)) for number in range(4)]
    hybrid = torrent(fill(tmp_path / "h.bin", PIECE, 9), version=Version.HYBRID)
    (tmp_path / "p").mkdir()
    private = torrent_of(tmp_path / "p", private=True)
    async with routers() as tables:
        ours = beginning_at(tables[0], tmp_path / "state", keep_torrents=True)
        async with Session(ours) as session:
            for meta in (*metas, hybrid):
                await (await session.add(meta, tmp_path)).completed()
            await (await session.add(private, tmp_path / "p")).completed()
        for table in tables:
            table.nodes[0]._answers.peers.expire(1e12)
        assert stored(tables) == set()
        async with Session(ours) as session:
            public = {bytes(meta.info.wire_hash) for meta in (*metas, hybrid)}
            assert hybrid.info.info_hash_v2 is not None
            public.add(bytes(hybrid.info.info_hash_v2.truncated()))
            await eventually(lambda: stored(tables) == public)
            await asyncio.sleep(0.5)
            assert stored(tables) == public
            assert {entry.life for entry in session._entries.values()} == {None}


def ports(tables: list[Table]) -> set[int]:
    """Where peers are, as somebody announced."""
    torrents = [peers for table in tables for peers in table.nodes[0]._answers.peers._torrents.values()]
    return {int.from_bytes(peer.compact[-2:]) for peers in torrents for peer in peers.values()}


@pytest.mark.parametrize("asleep", [False, True])
async def test_who_moves_while_it_is_announced_is_announced_where_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asleep: bool,  # noqa: FBT001 - a parameter
) -> None:
    """As when the router gives another port while the first searches go on."""
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    async with routers() as tables:
        ours = beginning_at(tables[0], tmp_path / "state", keep_torrents=True)
        if asleep:
            async with Session(replace(ours, dht=False)) as session:
                await (await session.add(meta, tmp_path)).completed()
        async with Session(ours) as session:
            table, told = await session._table(), list[int]()
            find, goes_on = table.find_peers, asyncio.Event()

            async def slowly(*args: Any, announce: AnnouncePeer, **more: Any) -> SearchDone:
                told.append(announce.port)
                await goes_on.wait()
                return await find(*args, announce=announce, **more)

            monkeypatch.setattr(table, "find_peers", slowly)
            if not asleep:
                await (await session.add(meta, tmp_path)).completed()
            await eventually(lambda: bool(told))
            runtime = session._open().surroundings.runtime
            runtime.core.presence.moved(session.port, 7777, 7777, runtime.now())
            await asyncio.sleep(2 * seeking.TICK_SECONDS)
            goes_on.set()
            await eventually(lambda: 7777 in ports(tables))
            assert asleep or ports(tables) == {7777}


async def test_who_was_announced_in_its_sleep_is_not_announced_again_when_it_wakes_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    async with routers() as tables:
        ours = beginning_at(tables[0], tmp_path / "state", keep_torrents=True)
        async with Session(ours) as session:
            await (await session.add(meta, tmp_path)).completed()
        async with Session(ours) as session:
            (there,) = session.torrents
            await announced(tables)
            table = await session._table()
            monkeypatch.setattr(table, "find_peers", lambda name, *_, **__: asked.append(name))
            there.set_limits(up=1000)
            await session._open().hand.awaken(session._entries[there.info_hash])
            await eventually(lambda: there.status.state is State.SEEDING)
            await asyncio.sleep(3 * seeking.TICK_SECONDS)
    assert asked == []


def test_what_is_kept_of_each_torrent_for_this_is_a_few_bytes() -> None:
    """A place in the round, and what the entry says of it; measured beside entries without these."""
    entries = [
        Entry(number=number, info_hash=number.to_bytes(20), save_path="", private=False, state=State.SEEDING)  # type: ignore[arg-type]  # as bytes it is the same
        for number in range(10_000)
    ]
    rota, now, announced = dht.Rota[Entry](), 1000.0, 0
    tracemalloc.start()
    while announced < len(entries):
        now += 0.25
        for entry in rota.take(entries, lambda entry: now - entry.sought_at > dht.LEAST_SECONDS, now):  # noqa: B023 - at once
            entry.sought_at = now
            announced += 1
            rota.done()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert now < 1000 + 1.1 * dht.INTERVAL_SECONDS
    assert used / len(entries) < 40
