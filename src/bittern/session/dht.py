"""The distributed hash table for users of the library: `session.dht`. Peers are looked up in it, and items stored."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from bittern.base.address import Address
from bittern.base.errors import NetworkError, SessionError
from bittern.base.ids import InfoHashV1, InfoHashV2
from bittern.codec.bencode import Value, decode, encode
from bittern.engine.dht import items
from bittern.io.dht import Table
from bittern.wire.krpc import MAX_SALT, MAX_SEQ, MAX_VALUE, AnnouncePeer

from .table import version_of

ROUTERS: Final = (
    "dht.libtorrent.org:25401",  # libtorrent's dht_bootstrap_nodes (settings_pack)
    "router.bittorrent.com:6881",  # that of the first clients with a table, BitTorrent
    "router.utorrent.com:6881",  # and of µTorrent
    "dht.transmissionbt.com:6881",  # Transmission's (tr-dht)
)
"""Nodes that everybody may begin with, for `Settings.dht_routers`; the command line does."""

Name: TypeAlias = InfoHashV1 | InfoHashV2 | bytes | str
"""20 bytes, or 32 (an info hash of version 2, a public key), or as many hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What came of looking for peers.

    Attributes:
        peers: those that others told of; they may be gone, or never have been there.
        asked: questions that it took.
        answered: those that somebody answered.
    """

    peers: tuple[Address, ...]
    asked: int
    answered: int


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is stored in the table (BEP 44).

    Attributes:
        value: what can be bencoded.
        target: where it is stored, 20 bytes.
        key: the public key that signed it, 32 bytes; None for what never changes.
        salt: sets items of one key apart.
        seq: the number of its version; 0 for what never changes.
        stored: how many nodes have taken it; 0 where it was only found.
    """

    value: Value
    target: bytes
    key: bytes | None = None
    salt: bytes = b""
    seq: int = 0
    stored: int = 0


@dataclass(frozen=True, slots=True)
class Samples:
    """Torrents that others know (BEP 51).

    Attributes:
        info_hashes: each once.
        nodes: how many nodes told of some.
        known: how many torrents these know in all, as they say.
    """

    info_hashes: tuple[InfoHashV1, ...]
    nodes: int
    known: int


class Dht:
    """The table, as `session.dht`; where `Settings.dht` is off, or the session closed, every call raises SessionError.

    A call waits until a node is known, at most ten seconds, and raises NetworkError where none is.

    Args:
        begin: gives the table, which is there from then on.
        nodes: how many nodes of it are known now.
    """

    def __init__(self, begin: Callable[[], Awaitable[Table]], nodes: Callable[[], int]) -> None:
        self._begin = begin
        self._nodes = nodes

    @property
    def nodes(self) -> int:
        """How many nodes are known now; 0 before the first call, while no torrent needs any."""
        return self._nodes()

    async def lookup(self, info_hash: Name, found: Callable[[tuple[Address, ...]], None] = lambda _: None) -> Lookup:
        """Look for the peers of a torrent (BEP 5).

        Args:
            info_hash: of the torrent.
            found: is told of peers as they come.

        Raises:
            SessionError: this is no info hash, or the table is not used.
            NetworkError: nobody is there to be asked.
        """
        name, peers = _short(info_hash), dict[Address, None]()

        def came(some: tuple[Address, ...]) -> None:
            peers.update(dict.fromkeys(some))
            found(some)

        done = await (await self._table()).find_peers(name, came)
        return Lookup(tuple(peers), done.asked, done.answered)

    async def announce(self, info_hash: Name, port: int, *, seed: bool = False) -> int:
        """Tell that a torrent is shared at this machine; torrents of the session are announced by themselves.

        Args:
            info_hash: of the torrent.
            port: where peers may connect.
            seed: whether all of it is here (BEP 33).

        Returns:
            How many nodes remember it, for half an hour or so.

        Raises:
            SessionError, NetworkError: as `lookup`; or there is no such port.
        """
        if not 0 < port < 65536:
            raise SessionError(f"port = {port}: must be 1 to 65535")
        name = _short(info_hash)
        write = AnnouncePeer(name, port, b"", seed=seed)
        return (await (await self._table()).find_peers(name, lambda _: None, announce=write)).stored

    async def scrape(self, info_hash: Name) -> tuple[int, int] | None:
        """About how many seeds and other peers a torrent has (BEP 33); None where nobody can tell.

        Raises:
            SessionError, NetworkError: as `lookup`.
        """
        name = _short(info_hash)
        done = await (await self._table()).find_peers(name, lambda _: None, scrape=True)
        if done.scrape is None:
            return None
        seeds, others = done.scrape
        return seeds.estimate(), others.estimate()

    async def get(self, target: Name, salt: bytes = b"") -> Item | None:
        """What is stored in the table (BEP 44); None where nothing is.

        Args:
            target: where, 20 bytes; or the public key of whoever signed it, 32 bytes.
            salt: that it was signed with.

        Raises:
            SessionError, NetworkError: as `lookup`.
        """
        name = _name(target)
        where = items.target_of(name, salt) if len(name) == 32 else name
        found = await (await self._table()).get(where, salt=salt)
        return _public(found) if found is not None else None

    async def put(self, value: object) -> Item:
        """Store what never changes, for two hours; `Item.target` says where.

        Args:
            value: what can be bencoded (text, bytes, whole numbers, lists, dictionaries), in at most 1000 bytes.

        Raises:
            SessionError, NetworkError: as `lookup`; or the value is too long; or nobody took it.
        """
        return await self._put(items.Item(_encoded(value)))

    async def put_mutable(
        self, secret: bytes, value: object, *, salt: bytes = b"", seq: int | None = None, cas: int | None = None
    ) -> Item:
        """Store what may be replaced by whoever has the secret; `Item.key` is the public key to find it by.

        Args:
            secret: 32 bytes; `secrets.token_bytes(32)` makes one.
            value: what can be bencoded (text, bytes, whole numbers, lists, dictionaries), in at most 1000 bytes.
            salt: sets items of one key apart, at most 64 bytes.
            seq: the number of this version, higher than that of the one before; None for the next one.
            cas: replace only the version with this number; None for any, or where `seq` is None that which is there.

        Raises:
            SessionError, NetworkError: as `put`; or the package `cryptography` is not there.
        """
        if len(secret) != 32:
            raise SessionError(f"secret: must have 32 bytes, not {len(secret)}")
        if len(salt) > MAX_SALT:
            raise SessionError(f"salt: must have at most {MAX_SALT} bytes")
        if seq is not None and not 0 <= seq <= MAX_SEQ:
            raise SessionError(f"seq = {seq}: must be 0 to 2**63 - 1")
        raw = _encoded(value)
        return await self._put(*await version_of(raw, secret, salt, seq, cas, await self._table()))

    async def sample(self, target: Name | None = None) -> Samples:
        """Ask nodes on the way to a target for torrents that they know (BEP 51).

        Args:
            target: 20 bytes; None for any.

        Raises:
            SessionError, NetworkError: as `lookup`.
        """
        name = _short(target) if target is not None else secrets.token_bytes(20)
        told = await (await self._table()).sample(name)
        hashes = dict.fromkeys(info_hash for each in told for info_hash in each.info_hashes)
        return Samples(tuple(map(InfoHashV1, hashes)), len(told), sum(each.count for each in told))

    async def _table(self) -> Table:
        table = await self._begin()
        if not await table.ready():
            raise NetworkError("no node of the distributed hash table answers")
        return table

    async def _put(self, item: items.Item, cas: int | None = None) -> Item:
        done = await (await self._table()).put(item, cas=cas)
        if not done.stored:
            raise NetworkError("no node of the distributed hash table took it")
        return _public(item, done.stored)


def _name(given: Name) -> bytes:
    try:
        name = bytes.fromhex(given) if isinstance(given, str) else bytes(given)
    except ValueError:
        name = b""
    if len(name) not in (20, 32):
        raise SessionError(f"{given!r}: must be 20 or 32 bytes, or 40 or 64 hexadecimal digits")
    return name


def _short(given: Name) -> bytes:
    """As the table has it: an info hash of version 2 is cut (BEP 52)."""
    return _name(given)[:20]


def _encoded(value: object) -> bytes:
    try:
        raw = encode(value)
    except (ValueError, TypeError) as error:
        raise SessionError(f"value: {error}") from None
    if len(raw) > MAX_VALUE:
        raise SessionError(f"value: has {len(raw)} bytes when bencoded, and may have {MAX_VALUE}")
    return raw


def _public(item: items.Item, stored: int = 0) -> Item:
    return Item(decode(item.value, strict=False), item.target, item.key, item.salt, item.seq, stored)
