import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha1
from pathlib import Path

import pytest

from bittern import Metainfo, Session, Settings
from bittern.base.address import Address
from bittern.codec.bencode import encode
from bittern.engine.swarm.peerbook import Source
from bittern.io.dht import Table, bind
from bittern.session.dht import TICK_SECONDS
from bittern.session.status import State
from bittern.wire.krpc import AnnouncePeer, GetPeers, Query, Reply
from bittern.wire.krpc_reader import read_message
from tests.session.rig import life_of

CONTENT = bytes(range(256)) * 300


@asynccontextmanager
async def routers(count: int = 4) -> AsyncIterator[list[Table]]:
    """Nodes that know each other."""
    made = [Table([bind("127.0.0.1", 0)], reply_rate=1e6) for _ in range(count)]
    try:
        for table in made[1:]:
            table.add_router(Address("127.0.0.1", made[0].ports[False]))
        for table in made[1:]:
            assert await table.ready(2)
        yield made
    finally:
        for table in made:
            table.close()


def settings(folder: Path, table: "Table | SlowNode") -> Settings:
    return Settings(
        state_dir=folder / "state",
        save_path=folder,
        listen=("127.0.0.1",),
        port=0,
        dht=True,
        dht_routers=(f"127.0.0.1:{table.port if isinstance(table, SlowNode) else table.ports[False]}",),
    )


def torrent_of(folder: Path, *, private: bool = False) -> Metainfo:
    """A torrent without trackers, whose content is in `folder`."""
    (folder / "a.bin").write_bytes(CONTENT)
    pieces = b"".join(sha1(CONTENT[at : at + 16384]).digest() for at in range(0, len(CONTENT), 16384))
    info: dict[str, object] = {"name": "a.bin", "piece length": 16384, "length": len(CONTENT), "pieces": pieces}
    return Metainfo.from_bytes(encode({"info": info | ({"private": 1} if private else {})}))


async def announced(tables: list[Table]) -> None:
    """Until somebody has announced something."""
    async with asyncio.timeout(30):
        while not sum(table.nodes[0].stored[0] for table in tables):  # noqa: ASYNC110 - nodes tell nobody
            await asyncio.sleep(0.05)


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
        Session(settings(folders[0], tables[0])) as seeds,
        Session(settings(folders[1], tables[1])) as leeches,
    ):
        await seeds.add(meta)
        await announced(tables)
        torrent = await leeches.add(meta.info.info_hash_v1.hex())
        await asyncio.wait_for(torrent.completed(), 60)
    assert (folders[1] / "a.bin").read_bytes() == CONTENT


async def test_a_private_torrent_is_neither_asked_for_nor_announced(folders: tuple[Path, Path]) -> None:
    meta = torrent_of(folders[0], private=True)
    async with routers() as tables, Session(settings(folders[0], tables[0])) as session:
        torrent = await session.add(meta)
        public = await session.add("ab" * 20)
        await announced(tables)
        await asyncio.sleep(1.0)
        assert torrent.status.state is State.SEEDING
        known = {info_hash for table in tables for info_hash in table.nodes[0]._answers.peers._torrents}
        assert known == {bytes(public.info_hash)}


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
    ours = replace(settings(folders[1], node), port=0)
    async with Session(replace(settings(folders[0], node), dht=False)) as seeds, Session(ours) as leeches:
        await seeds.add(meta)
        torrent = await leeches.add(name.hex())
        async with asyncio.timeout(20):
            while not node.about(name, GetPeers):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        swarm = life_of(leeches, torrent).swarm
        assert swarm is not None
        swarm.add_candidates([Address("127.0.0.1", seeds.port)], Source.MANUAL, 0.0)
        await asyncio.wait_for(torrent.completed(), 20)
        await asyncio.sleep(2 * TICK_SECONDS)
        questions = node.about(name, GetPeers)
        node.answer()
        await asyncio.sleep(2 * TICK_SECONDS)
        if private:
            assert (node.about(name, GetPeers), node.about(name, AnnouncePeer)) == (questions, 0)
        else:
            assert node.about(name, AnnouncePeer) > 0
    transport.close()


async def test_nodes_are_remembered_from_run_to_run(folders: tuple[Path, Path]) -> None:
    async with routers() as tables:
        ours = settings(folders[0], tables[0])
        async with Session(ours) as session:
            await session.add("ab" * 20)
            await announced(tables)
        for table in tables:
            table.nodes[0]._answers.peers.expire(1e12)
        tables[0].close()  # the router
        async with Session(ours) as session:
            await session.add("cd" * 20)
            await announced(tables[1:])
