"""The distributed hash table beside nodes of libtorrent and Transmission: each finds what the other stored."""

import asyncio
import importlib.util
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from hashlib import sha512
from pathlib import Path
from typing import Any

import pytest

from bittern.base.address import Address
from bittern.codec.bencode import decode, encode
from bittern.codec.metainfo import Metainfo
from bittern.engine.dht.items import Item, signed_bytes, target_of
from bittern.io.dht import Table
from bittern.io.ed25519 import public_key, sign
from bittern.io.udp import bind
from bittern.wire.krpc import AnnouncePeer
from tests.interop.conftest import require
from tests.interop.rigs.content import Content, Kind, make, torrent_of
from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running, wait_until
from tests.interop.rigs.transmission import Transmission

needs_libtorrent = pytest.mark.skipif(not importlib.util.find_spec("libtorrent"), reason="libtorrent is not installed")
SEED = b"\x03" * 32
NODES_DRIVER = Path(__file__).parent / "drivers" / "dht_nodes.py"
ENOUGH = 12
"""Nodes: Transmission announces nothing while it knows less than nine."""
PATIENCE_SECONDS = 100.0


def partner(host: str) -> Any:
    """A session that is nothing but a node; all are at one address, which nodes else do not like."""
    import libtorrent as lt  # noqa: PLC0415 - an optional partner

    off = dict.fromkeys(("enable_lsd", "enable_upnp", "enable_natpmp"), False)
    careless = dict.fromkeys(("dht_restrict_routing_ips", "dht_restrict_search_ips", "dht_enforce_node_id"), False)
    nowhere = {"dht_bootstrap_nodes": "", "listen_interfaces": f"{host}:0"}
    ours: Any = {**off, **careless, **nowhere, "enable_dht": True, "alert_mask": lt.alert_category.all}
    return lt.session(ours)


@asynccontextmanager
async def among_partners(host: str = "127.0.0.1", count: int = 3) -> AsyncIterator[tuple[Table, list[Any]]]:
    """Our node, and some of libtorrent that know it and that it knows."""
    six = ":" in host
    partners = [partner(f"[{host}]" if six else host) for _ in range(count)]
    table = Table([bind(host, 0)])
    try:
        for each in partners:
            while not each.listen_port():  # noqa: ASYNC110 - it has no other way to tell
                await asyncio.sleep(0.05)
            each.add_dht_node((host, table.ports[six]))
            table.meet(Address(host, each.listen_port()))
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


@needs_libtorrent
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_peers_that_one_announces_the_other_finds(host: str) -> None:
    import libtorrent as lt  # noqa: PLC0415 - an optional partner

    async with among_partners(host) as (table, partners):
        ours, theirs = os.urandom(20), os.urandom(20)
        done = await table.find_peers(ours, lambda _: None, announce=AnnouncePeer(ours, 7777, b""))
        assert done.stored == len(partners)
        await alert_of(
            partners[0],
            "dht_get_peers_reply_alert",
            lambda: partners[0].dht_get_peers(lt.sha1_hash(ours)),
            lambda alert: (host, 7777) in alert.peers(),
        )
        found: list[Address] = []
        partners[1].dht_announce(lt.sha1_hash(theirs), 8888, 0)
        for _ in range(20):
            await asyncio.sleep(0.5)
            await table.find_peers(theirs, found.extend)
            if found:
                break
        assert set(found) == {Address(host, 8888)}
        assert table.nodes[0].stored[0] >= 1
        scraped = await table.find_peers(theirs, lambda _: None, scrape=True)
        assert scraped.scrape is not None
        assert round(scraped.scrape[1].count()) == 1
        told = await table.sample(ours)
        assert {theirs, ours} <= {info_hash for each in told for info_hash in each.info_hashes}


@needs_libtorrent
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


@needs_libtorrent
async def test_versions_of_a_signed_item_are_written_in_turns() -> None:
    """Ours is replaced by libtorrent's, which we read, and that by ours if it is the version that we mean."""
    key, salt = public_key(SEED), b"salt"

    def version(number: int) -> Item:
        value = b"i%de" % number
        return Item(value, key, salt, number, sign(SEED, signed_bytes(value, number, salt)))

    async with among_partners() as (table, partners):
        assert (await table.put(version(5))).stored == len(partners)
        partners[0].dht_put_mutable_item(libtorrent_secret(SEED), key, b"theirs", salt)
        found = None
        for _ in range(20):
            found = await table.get(target_of(key, salt), salt=salt)
            if found is not None and found.seq == 6:
                break
            await asyncio.sleep(0.5)
        assert found is not None
        assert (found.value, found.key, found.salt, found.seq) == (b"6:theirs", key, salt, 6)
        assert (await table.put(version(7), cas=5)).stored == 0
        assert (await table.put(version(5))).stored == 0
        assert (await table.put(version(7), cas=6)).stored == len(partners)
        assert await table.get(target_of(key, salt), salt=salt) == version(7)
        assert await table.get(target_of(key, b"other"), salt=b"other") is None


def libtorrent_secret(seed: bytes) -> bytes:
    """The 64 bytes that libtorrent calls the secret key: what RFC 8032 makes of a seed."""
    digest = bytearray(sha512(seed).digest())
    digest[0] &= 248
    digest[31] = digest[31] & 63 | 64
    return bytes(digest)


# --- Transmission


class OurNodes:
    """Some of our nodes, in a process of their own."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.ports = [int(port) for port in running.read_line(20).split()[1:]]

    def ask(self, *words: object) -> list[str]:
        self._running.say(" ".join(map(str, words)))
        return self._running.read_line(60).split()[1:]


@contextmanager
def our_nodes(place: Place, folder: Path, count: int, *routers: int) -> Iterator[OurNodes]:
    command = [*place.enter, sys.executable, str(NODES_DRIVER), place.address, str(count), *map(str, routers)]
    with Running(command, folder / f"nodes{count}.log", talks=True) as running:
        yield OurNodes(running)


def untracked(content: Content, piece_size: int, folder: Path) -> tuple[Path, str]:
    """A torrent that names no tracker, and its info hash."""
    raw = torrent_of(content, Kind.V1_SINGLE, "http://nobody.invalid/", piece_size=piece_size)
    fields = decode(raw, strict=False)
    assert isinstance(fields, dict)
    path = folder / f"untracked{piece_size}.torrent"
    path.write_bytes(encode({key: value for key, value in fields.items() if key == b"info"}))
    return path, Metainfo.load(path).info.wire_hash.hex()


@pytest.mark.timeout(400)
def test_transmission_and_we_find_each_other(private_place: Place, tmp_path: Path) -> None:
    """What it announces we find, at our nodes and at its own; what we announce it finds, and connects to."""
    partner = Transmission(settings=(("dht-enabled", True),))
    require(partner.missing())
    content = make(tmp_path / "content", Kind.V1_SINGLE)
    theirs, their_hash = untracked(content, 32 << 10, tmp_path)
    ours, our_hash = untracked(content, 64 << 10, tmp_path)
    with our_nodes(private_place, tmp_path, ENOUGH) as nodes, private_place.listen() as listening:
        own = listening.getsockname()[1]
        assert int(nodes.ask("announce", our_hash, own)[0]) >= 1
        partner = replace(partner, dht_node=f"{private_place.address}:{nodes.ports[0]}")
        work = tmp_path / "transmission"
        work.mkdir()
        with partner.seed(theirs, content, private_place, work) as seed:
            where = f"{private_place.address}:{seed.port}"
            assert wait_until(lambda: where in nodes.ask("find", their_hash), PATIENCE_SECONDS, every=1.0)
            assert int(nodes.ask("met", seed.port)[0]) >= 1
            (work / "downloads").mkdir()
            assert seed.remote("--add", str(ours), "--download-dir", str(work / "downloads"))
            with our_nodes(private_place, tmp_path, 1, seed.port) as seeker:
                assert wait_until(lambda: where in seeker.ask("find", their_hash), PATIENCE_SECONDS, every=1.0)
            listening.settimeout(PATIENCE_SECONDS)
            accepted, _ = listening.accept()
            accepted.close()
