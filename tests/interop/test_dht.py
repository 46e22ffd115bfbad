"""The distributed hash table beside nodes of libtorrent, on loopback: each finds what the other stored."""

import asyncio
import importlib.util
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bittern.base.address import Address
from bittern.engine.dht.items import Item, signed_bytes
from bittern.io.dht import Table, bind
from bittern.io.ed25519 import public_key, sign
from bittern.wire.krpc import AnnouncePeer

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("libtorrent"), reason="libtorrent is not installed")
SEED = b"\x03" * 32


def partner() -> Any:
    """A session that is nothing but a node; all are at one address, which nodes else do not like."""
    import libtorrent as lt  # noqa: PLC0415 - an optional partner

    off = dict.fromkeys(("enable_lsd", "enable_upnp", "enable_natpmp"), False)
    careless = dict.fromkeys(("dht_restrict_routing_ips", "dht_restrict_search_ips", "dht_enforce_node_id"), False)
    nowhere = {"dht_bootstrap_nodes": "", "listen_interfaces": "127.0.0.1:0"}
    ours: Any = {**off, **careless, **nowhere, "enable_dht": True, "alert_mask": lt.alert_category.all}
    return lt.session(ours)


@asynccontextmanager
async def among_partners(count: int = 3) -> AsyncIterator[tuple[Table, list[Any]]]:
    """Our node, and some of libtorrent that know it and that it knows."""
    partners = [partner() for _ in range(count)]
    table = Table([bind("127.0.0.1", 0)])
    try:
        for each in partners:
            while not each.listen_port():  # noqa: ASYNC110 - it has no other way to tell
                await asyncio.sleep(0.05)
            each.add_dht_node(("127.0.0.1", table.ports[False]))
            table.meet(Address("127.0.0.1", each.listen_port()))
        assert await table.ready(count)
        await asyncio.sleep(1.0)  # they ask each other
        yield table, partners
    finally:
        table.close()


async def alert_of(session: Any, kind: str, ask: Any, good: Any) -> Any:
    """Ask until an alert of that kind is good, for at most 20 s."""
    give_up_at = time.monotonic() + 20.0
    while time.monotonic() < give_up_at:
        ask()
        await asyncio.sleep(1.0)
        for alert in session.pop_alerts():
            if type(alert).__name__ == kind and good(alert):
                return alert
    raise AssertionError(f"no {kind}")


async def test_peers_that_one_announces_the_other_finds() -> None:
    import libtorrent as lt  # noqa: PLC0415 - an optional partner

    async with among_partners() as (table, partners):
        ours, theirs = os.urandom(20), os.urandom(20)
        done = await table.find_peers(ours, lambda _: None, announce=AnnouncePeer(ours, 7777, b""))
        assert done.stored == len(partners)
        await alert_of(
            partners[0],
            "dht_get_peers_reply_alert",
            lambda: partners[0].dht_get_peers(lt.sha1_hash(ours)),
            lambda alert: ("127.0.0.1", 7777) in alert.peers(),
        )
        found: list[Address] = []
        partners[1].dht_announce(lt.sha1_hash(theirs), 8888, 0)
        for _ in range(20):
            await asyncio.sleep(0.5)
            await table.find_peers(theirs, found.extend)
            if found:
                break
        assert set(found) == {Address("127.0.0.1", 8888)}
        assert table.nodes[0].stored[0] >= 1
        scraped = await table.find_peers(theirs, lambda _: None, scrape=True)
        assert scraped.scrape is not None
        assert round(scraped.scrape[1].count()) == 1
        told = await table.sample(ours)
        assert {theirs, ours} <= {info_hash for each in told for info_hash in each.info_hashes}


async def test_items_that_one_puts_the_other_gets() -> None:
    import libtorrent as lt  # noqa: PLC0415 - an optional partner

    async with among_partners() as (table, partners):
        plain, key = Item(b"11:hello world"), public_key(SEED)
        signed = Item(b"7:mutable", key, b"salt", 5, sign(SEED, signed_bytes(b"7:mutable", 5, b"salt")))
        assert (await table.put(plain)).stored == len(partners)
        assert (await table.put(signed)).stored == len(partners)
        immutable = await alert_of(
            partners[2],
            "dht_immutable_item_alert",
            lambda: partners[2].dht_get_immutable_item(lt.sha1_hash(plain.target)),
            lambda alert: "hello world" in alert.message(),
        )
        assert plain.target.hex() in immutable.message()
        mutable = await alert_of(
            partners[2],
            "dht_mutable_item_alert",
            lambda: partners[2].dht_get_mutable_item(key, b"salt"),
            lambda alert: "mutable" in alert.message() and "seq=5" in alert.message(),
        )
        assert key.hex() in mutable.message()
        target = bytes.fromhex(str(partners[1].dht_put_immutable_item(b"from libtorrent")))
        found = None
        for _ in range(20):
            found = found or await table.get(target)
            await asyncio.sleep(0.2)
        assert found == Item(b"15:from libtorrent")
