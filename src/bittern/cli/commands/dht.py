"""`bittern dht`: the distributed hash table, for looking into it, storing in it, and being part of it."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bittern.cli.arguments import (
    Addresses,
    Json,
    Nodes,
    Port,
    Text,
    Url,
    check_peers,
    check_proxy,
    finish,
    group,
)
from bittern.cli.exit_codes import ExitCode
from bittern.cli.failures import UsageError
from bittern.cli.notices import notices
from bittern.cli.output import counted, note, print_json, printable, say

if TYPE_CHECKING:
    from bittern.base.address import Address
    from bittern.io.datagram_port import DatagramPort
    from bittern.io.dht import Table
    from bittern.io.route import Route

dht = group(
    "dht",
    "Look into the distributed hash table, store in it, be part of it.",
    ("lookup 6a81ea252737809dcdd15292e2da7e645123251a", "put 'some text'", "node --port 6881"),
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Place:
    """Flags about the network."""

    dht_router: Nodes = ()
    """HOST:PORT of a node to begin with, well-known ones unless given; may be repeated."""

    listen: Addresses = ()
    """IP address to use, with a node of its own; every one of the machine unless given; may be repeated."""

    port: Port = 0
    """UDP port to use; any free one unless given."""

    proxy: Url | None = None
    """SOCKS 5 proxy to ask through: socks5://USER:PASSWORD@HOST:PORT."""


@dht.command
def lookup(info_hash: str, /, *, place: Place | None = None, json: Json = False) -> ExitCode | None:
    """Look for the peers of a torrent and print them, one a line.

    Parameters
    ----------
    info_hash
        40 hexadecimal digits, or the 64 of a v2 info hash.
    json
        Print one JSON document.
    """
    from bittern.cli.loop import run

    return run(_lookup(_hash(info_hash), place or Place(), json=json))


@dht.command
def scrape(info_hash: str, /, *, place: Place | None = None, json: Json = False) -> ExitCode | None:
    """Say about how many seeds and other peers a torrent has.

    Parameters
    ----------
    info_hash
        40 hexadecimal digits, or the 64 of a v2 info hash.
    json
        Print one JSON document.
    """
    from bittern.cli.loop import run

    return run(_scrape(_hash(info_hash), place or Place(), json=json))


@dht.command
def announce(
    info_hash: str, peer_port: int, /, *, place: Place | None = None, seed: bool = False, json: Json = False
) -> ExitCode | None:
    """Tell that a torrent is shared at this machine.

    Parameters
    ----------
    info_hash
        40 hexadecimal digits, or the 64 of a v2 info hash.
    peer_port
        The TCP port where peers may connect.
    seed
        Say that all of it is here.
    json
        Print one JSON document.
    """
    from bittern.cli.loop import run

    if not 0 < peer_port < 65536:
        raise UsageError(f"{peer_port}: write a port from 1 to 65535")
    return run(_announce(_hash(info_hash), place or Place(), peer_port, seed=seed, json=json))


@dht.command
def get(target: str, /, *, place: Place | None = None, salt: Text = "", json: Json = False) -> ExitCode | None:
    """Print what is stored in the table.

    Parameters
    ----------
    target
        40 hexadecimal digits of an immutable item, or 64 of the public key of a mutable one.
    salt
        The salt of a mutable item, where it has one.
    json
        Print one JSON document.
    """
    from os import fsencode

    from bittern.cli.loop import run

    return run(_get(target, place or Place(), fsencode(salt), json=json))


@dht.command
def put(
    value: str,
    /,
    *,
    place: Place | None = None,
    key: Path | None = None,
    salt: Text = "",
    seq: Annotated[int | None, Parameter(metavar="N")] = None,
    cas: Annotated[int | None, Parameter(metavar="N")] = None,
    json: Json = False,
) -> ExitCode | None:
    """Store a text in the table, for two hours.

    Parameters
    ----------
    value
        The text, at most 996 bytes.
    key
        File with the secret of a mutable item, 64 hexadecimal digits; made if it is not there.
    salt
        With --key: sets items of one key apart; at most 64 bytes.
    seq
        With --key: number of the version; higher ones replace lower ones; the next one unless given.
    cas
        With --key: store only in the place of the version with this number.
    json
        Print one JSON document.
    """
    from os import fsencode

    from bittern.cli.loop import run
    from bittern.codec.bencode import encode
    from bittern.wire.krpc import MAX_SALT, MAX_SEQ, MAX_VALUE

    raw, salted = encode(fsencode(value)), fsencode(salt)
    if len(raw) > MAX_VALUE or len(salted) > MAX_SALT:
        raise UsageError(f"a value has at most {MAX_VALUE - 4} bytes, a salt {MAX_SALT}")
    for flag, number in (("--seq", seq), ("--cas", cas)):
        if number is not None and not 0 <= number <= MAX_SEQ:
            raise UsageError(f"{flag} {number}: write a number from 0 to {MAX_SEQ}")
    if key is None:
        if salt or seq is not None or cas is not None:
            raise UsageError("--salt, --seq and --cas are for items with a --key: others never change")
        return run(_put(raw, place or Place(), json=json))
    return run(_put(raw, place or Place(), _Version(_secret(key), salted, seq, cas), json=json))


@dht.command
def sample(target: str, /, *, place: Place | None = None, json: Json = False) -> ExitCode | None:
    """Ask the nodes on the way to a target for torrents that they know, and print the info hashes.

    Parameters
    ----------
    target
        40 hexadecimal digits.
    json
        Print one JSON document.
    """
    from bittern.cli.loop import run

    return run(_sample(_hash(target), place or Place(), json=json))


@dht.command
def node(*, place: Place | None = None) -> None:
    """Be a node of the table until Ctrl-C."""
    from bittern.cli.loop import run

    run(_node(place or Place()))


finish(dht)

# ---------------------------------------------------------------------- what they do


async def _lookup(info_hash: bytes, place: Place, *, json: bool) -> ExitCode | None:
    found: dict[Address, None] = {}

    def came(peers: "Sequence[Address]") -> None:
        for peer in peers:
            if peer not in found and not json:
                say(str(peer))
            found[peer] = None

    async with _table(place) as table:
        done = await table.find_peers(info_hash, came)
    if json:
        peers = [str(peer) for peer in found]
        print_json({"info_hash": info_hash.hex(), "peers": peers, "asked": done.asked, "answered": done.answered})
    else:
        note(f"{counted(len(found), 'peer')}; {counted(done.asked, 'question')}, {counted(done.answered, 'answer')}")
    return None if found else ExitCode.NOT_FOUND


async def _scrape(info_hash: bytes, place: Place, *, json: bool) -> ExitCode | None:
    async with _table(place, read_only=False) as table:
        done = await table.find_peers(info_hash, lambda _: None, scrape=True)
    seeds, others = (each.estimate() for each in done.scrape) if done.scrape is not None else (0, 0)
    if json:
        print_json({"info_hash": info_hash.hex(), "seeds": seeds, "others": others, "answered": done.answered})
    else:
        say(f"about {counted(seeds, 'seed')} and {counted(others, 'other')}")
    return None if done.scrape is not None else ExitCode.NOT_FOUND


async def _announce(info_hash: bytes, place: Place, port: int, *, seed: bool, json: bool) -> ExitCode | None:
    from bittern.wire.krpc import AnnouncePeer

    write = AnnouncePeer(info_hash, port, b"", seed=seed)
    async with _table(place) as table:
        done = await table.find_peers(info_hash, lambda _: None, announce=write)
    if json:
        print_json({"info_hash": info_hash.hex(), "stored": done.stored, "asked": done.asked})
    else:
        say(f"announced to {counted(done.stored, 'node')}")
    return None if done.stored else ExitCode.NETWORK


async def _get(target: str, place: Place, salt: bytes, *, json: bool) -> ExitCode | None:
    from bittern.codec.bencode import decode
    from bittern.engine.dht.items import target_of

    digits = _digits(target)
    async with _table(place, read_only=False) as table:
        item = await table.get(digits if len(digits) == 20 else target_of(digits, salt), salt=salt)
    if item is None:
        note("bittern: nothing is stored there")
        return ExitCode.NOT_FOUND
    value = decode(item.value)
    text = value.decode(errors="replace") if isinstance(value, bytes) else item.value.decode(errors="replace")
    if json:
        print_json(
            {
                "target": item.target.hex(),
                "value": text,
                "bencoded": item.value.hex(),
                "key": item.key.hex() if item.key is not None else None,
                "seq": item.seq if item.key is not None else None,
            }
        )
    else:
        say(printable(text, 1000))
    return None


@dataclass(frozen=True)
class _Version:
    """How an item is signed, and which one it is."""

    secret: bytes
    salt: bytes
    seq: int | None
    cas: int | None


async def _put(raw: bytes, place: Place, version: _Version | None = None, *, json: bool) -> ExitCode | None:
    from bittern.engine.dht.items import Item
    from bittern.session.table import version_of

    async with _table(place, read_only=version is None or version.seq is not None) as table:
        item, cas = Item(raw), None
        if version is not None:
            item, cas = await version_of(raw, version.secret, version.salt, version.seq, version.cas, table)
        done = await table.put(item, cas=cas)
    if json:
        key, seq = (item.key.hex(), item.seq) if item.key is not None else (None, None)
        print_json({"target": item.target.hex(), "key": key, "seq": seq, "stored": done.stored, "asked": done.asked})
    elif done.stored:
        note(f"stored at {counted(done.stored, 'node')}")
        say((item.key or item.target).hex())
    else:
        newer = f": is version {item.seq} stored already, or a higher one, or another than --cas says?"
        note("bittern: no node of the table took it" + (newer if item.key is not None else ""))
    return None if done.stored else ExitCode.NETWORK


async def _sample(target: bytes, place: Place, *, json: bool) -> ExitCode | None:
    async with _table(place, read_only=False) as table:
        told = await table.sample(target)
    hashes = dict.fromkeys(info_hash for each in told for info_hash in each.info_hashes)
    if json:
        nodes = [{"node": str(each.contact.address), "count": each.count, "interval": each.interval} for each in told]
        print_json({"info_hashes": [info_hash.hex() for info_hash in hashes], "nodes": nodes})
    else:
        for info_hash in hashes:
            say(info_hash.hex())
    return None


async def _node(place: Place) -> None:
    from bittern.cli.loop import interrupts

    with interrupts("") as stop:  # from the beginning: who has read where it listens may end it at once
        async with _table(place, read_only=False, alone=True) as table:
            for ipv6, port in table.ports.items():
                say(f"IPv{6 if ipv6 else 4} node on UDP port {port}")
            sys.stdout.flush()
            await stop.wait()
            known = sum(len(each.table) for each in table.nodes)
            stored = sum(each.stored[0] for each in table.nodes)
            note(f"{counted(known, 'node')} known, {counted(stored, 'torrent')} stored")


@asynccontextmanager
async def _table(place: Place, *, read_only: bool = True, alone: bool = False) -> "AsyncIterator[Table]":
    """A table that has begun.

    Short runs burden nobody (BEP 43). But who wants long answers must be ready to be asked back: they go to nobody
    who may have forged its address.
    """
    from asyncio import gather

    from bittern.base.errors import NetworkError
    from bittern.io.dht import Table
    from bittern.session.dht import ROUTERS
    from bittern.session.routing import route_of
    from bittern.session.settings import Settings
    from bittern.session.table import begin_at

    check_peers("--dht-router", place.dht_router)
    check_proxy(place.proxy)
    route = route_of(Settings(proxy=place.proxy))
    with (
        notices(lambda line: note(f"bittern: {line}")),
        closing(Table(_ports(place, route), read_only=read_only)) as table,
    ):
        reasons = await gather(*[begin_at(table, router, route) for router in place.dht_router or ROUTERS])
        if not alone:
            if None not in reasons:
                raise NetworkError(str(reasons[-1]))
            if not await table.ready():
                raise NetworkError("no node of the table answers; name another with --dht-router")
        yield table


def _ports(place: Place, route: "Route") -> "Sequence[DatagramPort]":
    """Where nodes of ours are.

    Raises:
        NetworkError: a port is taken, or the proxy has none for us.
    """
    from bittern.base.errors import NetworkError
    from bittern.io.proxying import Purpose
    from bittern.io.udp import bind
    from bittern.session.routing import relay

    if route.strict:
        port = relay(route, Purpose.DHT)
        if port is None:
            raise NetworkError("the proxy knows no UDP, and without it there is no table; name one of socks5://")
        return [port]
    ports = [bind(host, place.port, route) for host in place.listen]
    if not ports:
        ports.append(bind("0.0.0.0", place.port, route))  # noqa: S104 - a node is there to be asked
        with suppress(NetworkError):  # a machine without IPv6
            ports.append(bind("::", ports[0].address.port, route))
    return ports


# ---------------------------------------------------------------------- what is written on the command line


def _digits(text: str) -> bytes:
    try:
        digits = bytes.fromhex(text)
    except ValueError:
        digits = b""
    if len(digits) not in (20, 32):
        raise UsageError(f"{printable(text, 80)}: write 40 or 64 hexadecimal digits")
    return digits


def _hash(text: str) -> bytes:
    return _digits(text)[:20]


def _secret(path: Path) -> bytes:
    from secrets import token_bytes

    try:
        text = path.read_bytes()
    except FileNotFoundError:
        secret = token_bytes(32)
        path.touch(mode=0o600)
        path.write_text(secret.hex() + "\n")
        return secret
    try:
        secret = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise UsageError(f"{path}: not a secret of 64 hexadecimal digits")
    return secret
