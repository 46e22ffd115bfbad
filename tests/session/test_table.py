import pytest

from bittern.base.errors import NetworkError, SessionError
from bittern.engine.dht.items import Item
from bittern.io.dht import Table
from bittern.io.ed25519 import public_key
from bittern.io.udp import bind
from bittern.session.routing import route_of
from bittern.session.settings import Settings
from bittern.session.table import begin_at, version_of
from bittern.wire.krpc import MAX_SEQ

from .nodes import routers

SECRET = b"\7" * 32


async def test_a_table_begins_with_whoever_is_named_or_says_why_it_can_not() -> None:
    async with routers() as others:
        table, route = Table([bind("127.0.0.1", 0)]), route_of(Settings())
        try:
            assert isinstance(await begin_at(table, "nowhere.invalid:1", route), NetworkError)
            assert len(table.nodes[0].table) == 0
            assert await begin_at(table, f"127.0.0.1:{others[0].ports[False]}", route) is None
            assert await table.ready()
        finally:
            table.close()


async def test_the_next_version_is_the_one_after_that_which_is_stored() -> None:
    async with routers() as (table, *_):
        for seq, number, cas, replaced in ((None, 1, None, None), (7, 7, None, None), (None, 8, None, 7), (9, 9, 3, 3)):
            item, may_replace = await version_of(b"i%de" % number, SECRET, b"s", seq, cas, table)
            assert (item.seq, item.key, item.salt, may_replace) == (number, public_key(SECRET), b"s", replaced)
            await table.put(item)


async def test_nothing_comes_after_the_highest_version() -> None:
    async with routers() as (table, *_):
        last, _ = await version_of(b"i1e", SECRET, b"", MAX_SEQ, None, table)
        assert isinstance(last, Item)
        await table.put(last)
        with pytest.raises(SessionError, match="highest"):
            await version_of(b"i2e", SECRET, b"", None, None, table)
