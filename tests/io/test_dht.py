import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from bittern.base.address import Address
from bittern.base.errors import SessionError
from bittern.engine.dht.items import Item, signed_bytes
from bittern.engine.dht.searches import PeerSearch
from bittern.io.dht import Table
from bittern.io.ed25519 import public_key, sign
from bittern.io.udp import bind
from bittern.wire.krpc import AnnouncePeer, Contact

HASH, SEED = b"\x02" * 20, b"\x03" * 32


@asynccontextmanager
async def tables(count: int, *, read_only: bool = False) -> AsyncIterator[list[Table]]:
    """So many that have met the first; the last of them read-only if that is asked for."""
    made: list[Table] = []
    try:
        for number in range(count):
            made.append(Table([bind("127.0.0.1", 0)], read_only=read_only and number == count - 1))
            if number:
                made[-1].add_router(Address("127.0.0.1", made[0].ports[False]))
        for table in made[1:]:
            assert await table.ready(min(count - 2, 3))
        yield made
    finally:
        for table in made:
            table.close()


async def test_a_peer_that_one_announces_another_finds() -> None:
    async with tables(5) as some:
        done = await some[1].find_peers(HASH, lambda _: None, announce=AnnouncePeer(HASH, 7000, b""))
        assert done.stored >= 3
        found: list[Address] = []
        await some[4].find_peers(HASH, found.extend)
        assert found == [Address("127.0.0.1", 7000)]
        told = await some[3].sample(HASH)
        assert HASH in {info_hash for each in told for info_hash in each.info_hashes}


async def test_who_is_not_waited_for_any_more_asks_nobody_any_more() -> None:
    async with tables(5) as some:
        search = asyncio.create_task(
            some[1].find_peers(HASH, lambda _: None, announce=AnnouncePeer(HASH, 7000, b"")),
        )
        await asyncio.sleep(0)  # the first questions are on their way
        search.cancel()
        with suppress(asyncio.CancelledError):
            await search
        await asyncio.sleep(0.3)
        assert [table.nodes[0].stored[0] for table in some] == [0] * 5
        searches = some[1].nodes[0]._searches  # the node has some of its own, for nodes
        assert not [each for each in searches._active.values() if isinstance(each, PeerSearch) and not each.is_over]
        assert not [each for each, _ in searches._waiting.values() if isinstance(each, PeerSearch)]


async def test_items_are_stored_and_found_also_by_who_answers_nobody() -> None:
    async with tables(5, read_only=True) as some:
        plain = Item(b"5:hello")
        value = b"4:text"
        signed = Item(value, public_key(SEED), b"salt", 1, sign(SEED, signed_bytes(value, 1, b"salt")))
        forged = Item(b"4:fake", public_key(SEED), b"salt", 2, signed.signature)
        assert (await some[4].put(plain)).stored >= 3
        assert (await some[1].put(signed)).stored >= 3
        assert (await some[2].put(forged)).stored == 0
        assert await some[4].get(plain.target) == plain
        assert await some[4].get(signed.target, salt=b"salt") == signed
        assert await some[4].get(os.urandom(20)) is None


async def test_a_node_at_each_of_several_addresses_is_asked_and_answers_from_there() -> None:
    many = Table([bind("127.0.0.1", 0), bind("127.0.0.2", 0), bind("::1", 0)])
    other = Table([bind("127.0.0.1", 0)])
    try:
        assert [node.settings.ipv6 for node in many.nodes] == [False, False, True]
        for node, port in zip(many.nodes[:2], many._ports, strict=False):
            other.add_router(port.address)
            other.meet(port.address)
            assert node.id not in {each.id for each in many.nodes if each is not node}
        assert await other.ready(2)
        known = {entry.contact.address.host: entry.contact.id for entry in other.nodes[0].table}
        assert known == {"127.0.0.1": many.nodes[0].id, "127.0.0.2": many.nodes[1].id}
        assert many.ports.keys() == many.states.keys() == {False, True}
        assert many.states[False].id == many.nodes[0].id
    finally:
        many.close()
        other.close()


async def test_what_is_kept_leads_back_into_the_table() -> None:
    async with tables(4) as some:
        states = some[3].states
        again = Table([bind("127.0.0.1", 0)], states=states)
        try:
            assert again.nodes[0].id == some[3].nodes[0].id
            assert await again.ready(2)
        finally:
            again.close()


async def test_who_has_nobody_to_ask_is_told_soon_and_closing_leaves_nobody_waiting() -> None:
    table = Table([bind("127.0.0.1", 0)])
    assert (await table.find_nodes(HASH)).asked == 0
    table.meet(Address("127.0.0.1", 1))  # nobody is there
    table.add_router(Address("127.0.0.1", 9))
    table.nodes[0].table.answered(_nobody(), asyncio.get_running_loop().time())
    waiting = asyncio.create_task(table.find_nodes(HASH))
    early = asyncio.create_task(table.ready(3))
    await asyncio.sleep(0.05)
    table.close()
    for each in (waiting, early, table.find_nodes(HASH), table.get(HASH), table.sample(HASH)):
        with pytest.raises(SessionError, match="closed"):
            await asyncio.wait_for(each, 30.0)


def _nobody() -> Contact:
    return Contact(b"\x07" * 20, Address("127.0.0.1", 2))
