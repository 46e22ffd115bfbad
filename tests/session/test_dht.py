"""`session.dht`: peers and items, for users of the library, with and without asyncio."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

import bittern
from bittern import Session
from bittern.base.address import Address
from bittern.base.errors import NetworkError, SessionError
from bittern.base.ids import InfoHashV2
from bittern.session.dht import Dht, Item, Lookup
from bittern.session.settings import Settings
from bittern.wire.krpc import Contact

from .nodes import beginning_at, routers
from .rig import settings

NAME, SECRET = "ab" * 20, b"\7" * 32


async def test_peers_that_are_announced_are_found(tmp_path: Path) -> None:
    async with routers() as tables, Session(beginning_at(tables[0], tmp_path)) as session:
        told: list[Address] = []
        assert session.dht.nodes == 0
        assert await session.dht.lookup(NAME) == Lookup((), asked=4, answered=4)
        assert await session.dht.announce(NAME, 7000, seed=True) == 4
        found = await session.dht.lookup(bytes.fromhex(NAME), told.extend)
        assert found.peers == (Address("127.0.0.1", 7000),) == tuple(told)
        assert await session.dht.scrape(NAME) == (1, 0)
        assert bytes.fromhex(NAME) in (await session.dht.sample()).info_hashes
        assert (await session.dht.sample(NAME)).nodes == 4
        assert session.dht.nodes == 4


async def test_a_hash_of_version_2_is_cut(tmp_path: Path) -> None:
    async with routers() as tables, Session(beginning_at(tables[0], tmp_path)) as session:
        long = InfoHashV2(bytes(range(32)))
        await session.dht.announce(long, 7000)
        assert (await session.dht.lookup(long.hex())).peers == (await session.dht.lookup(long.truncated())).peers != ()


async def test_what_never_changes_is_stored_and_found(tmp_path: Path) -> None:
    async with routers() as tables, Session(beginning_at(tables[0], tmp_path)) as session:
        value: dict[bytes, Any] = {b"a": [1, b"two"]}
        put = await session.dht.put(value)
        assert (put.value, put.key, put.seq, put.stored) == (value, None, 0, 4)
        assert await session.dht.get(put.target) == Item(value, put.target)
        assert await session.dht.get(NAME) is None


async def test_what_is_signed_is_replaced_version_by_version(tmp_path: Path) -> None:
    async with routers() as tables, Session(beginning_at(tables[0], tmp_path)) as session:
        one = await session.dht.put_mutable(SECRET, b"one", salt=b"s")
        two = await session.dht.put_mutable(SECRET, b"two", salt=b"s")
        assert (one.seq, two.seq, one.target) == (1, 2, two.target)
        assert one.key is not None
        found = await session.dht.get(one.key, b"s")
        assert found is not None
        assert (found.value, found.seq, found.salt, found.key) == (b"two", 2, b"s", one.key)
        assert await session.dht.get(one.key) is None  # another salt
        with pytest.raises(NetworkError, match="took it"):
            await session.dht.put_mutable(SECRET, b"old", salt=b"s", seq=1)
        with pytest.raises(NetworkError, match="took it"):
            await session.dht.put_mutable(SECRET, b"three", salt=b"s", seq=3, cas=1)
        assert (await session.dht.put_mutable(SECRET, b"three", salt=b"s", seq=3, cas=2)).stored == 4


def bad_calls() -> Iterator[tuple[str, Callable[[Dht], Coroutine[Any, Any, Any]]]]:
    """What is refused before anybody is asked."""
    yield "hexadecimal", lambda dht: dht.lookup("x" * 40)
    yield "20 or 32 bytes", lambda dht: dht.lookup(b"short")
    yield "port = 0", lambda dht: dht.announce(NAME, 0)
    yield "has 1005 bytes", lambda dht: dht.put(b"x" * 1000)
    yield "no bencoding", lambda dht: dht.put(1.5)
    yield "salt", lambda dht: dht.put_mutable(SECRET, b"", salt=bytes(65))
    yield "secret", lambda dht: dht.put_mutable(b"", b"")
    yield "seq", lambda dht: dht.put_mutable(SECRET, b"", seq=-1)


@pytest.mark.parametrize(("reason", "call"), list(bad_calls()))
async def test_what_makes_no_sense_is_refused(
    reason: str, call: Callable[[Dht], Coroutine[Any, Any, Any]], tmp_path: Path
) -> None:
    async with Session(settings(tmp_path, dht=True)) as session:
        with pytest.raises(SessionError, match=reason):
            await call(session.dht)


async def test_without_the_table_or_the_session_every_call_says_so(tmp_path: Path) -> None:
    session = Session(settings(tmp_path))
    with pytest.raises(SessionError, match="not open"):
        await session.dht.lookup(NAME)
    async with session:
        with pytest.raises(SessionError, match="dht=True"):
            await session.dht.lookup(NAME)
        assert session.dht.nodes == 0


async def test_where_nobody_answers_that_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Session(settings(tmp_path, dht=True)) as session:
        table = await session._table()

        async def never(_: int = 1) -> bool:
            return False

        monkeypatch.setattr(table, "ready", never)
        with pytest.raises(NetworkError, match="no node"):
            await session.dht.put(b"x")


async def test_who_waits_while_the_session_is_closed_is_told_so(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        nobody = Address("127.0.0.1", silent.getsockname()[1])
        async with Session(settings(tmp_path, dht=True)) as session:
            early = asyncio.create_task(session.dht.lookup(NAME))  # there is nobody to be asked yet
            await asyncio.sleep(0)
            table = await session._table()
            table.nodes[0].table.answered(Contact(b"\7" * 20, nobody), time.monotonic())
            late = asyncio.create_task(session.dht.lookup(NAME))
            await asyncio.sleep(0.2)
        for each in (early, late):
            with pytest.raises(SessionError, match="closed"):
                await asyncio.wait_for(each, 30.0)


async def test_the_facade_without_asyncio_does_the_same(tmp_path: Path) -> None:
    async with routers() as tables:
        ours = beginning_at(tables[0], tmp_path)

        def script() -> tuple[Item | None, int]:
            with bittern.sync.Session(ours) as session:
                item = session.dht.put(b"text")
                return session.dht.get(item.target), session.dht.nodes

        found, nodes = await asyncio.to_thread(script)
        assert found == Item(b"text", sha1(b"4:text").digest())
        assert nodes == 4


def test_the_well_known_nodes_are_written_as_settings_want_them() -> None:
    assert Settings(dht_routers=bittern.dht.ROUTERS).dht_routers == bittern.dht.ROUTERS
    assert all(router.rpartition(":")[2].isdigit() for router in bittern.dht.ROUTERS)
