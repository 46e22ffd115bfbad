"""KRPC, the datagrams of the distributed hash table: queries, replies and errors.

BEP 5 with the fields of BEP 32 (IPv6), 33 (scrapes), 42 (`ip`), 43 (`ro`), 44 (items) and 51 (samples).
What is read is bounded; lists of nodes and peers stay in their compact form until somebody wants them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, TypeAlias

from bittern.base.address import Address, parse_compact
from bittern.codec.bencode import encode

ID_BYTES: Final = 20
"""Of the id of a node, and of everything that is looked up."""
MAX_DATAGRAM: Final = 4096
"""Bytes of the longest datagram that is read; BEP 32 asks for 1024 at least."""
MAX_TRANSACTION: Final = 20
"""Bytes of a transaction id; ours have 4."""
MAX_TOKEN: Final = 64
"""Bytes of a write token, from anybody."""
MAX_VALUE: Final = 1000
"""Bytes of a stored item, bencoded (BEP 44)."""
MAX_SALT: Final = 64
"""Bytes of the salt of a mutable item (BEP 44)."""
MAX_SEQ: Final = 2**63 - 1
"""The highest number of a version of a mutable item (BEP 44)."""
MAX_CONTACTS: Final = 16
"""Nodes of one reply that are read, of each family; BEP 5 has 8."""
MAX_PEERS: Final = 200
"""Peers of one reply that are read."""
FILTER_BYTES: Final = 256
"""Of a filter of BEP 33."""
MAX_SAMPLES: Final = 50
"""Info hashes of one reply that are read (BEP 51)."""
MAX_INTERVAL: Final = 21600
"""Seconds of the longest interval between samples (BEP 51)."""
MAX_TEXT: Final = 200
"""Characters that are kept of the text of an error."""

GENERIC, SERVER, PROTOCOL, UNKNOWN = 201, 202, 203, 204  # BEP 5
TOO_BIG, BAD_SIGNATURE, SALT_TOO_BIG, CAS_MISMATCH, OLD_SEQUENCE = 205, 206, 207, 301, 302  # BEP 44

VERSION: Final = b"BZ\x00\x01"
_VERSION_ENTRY: Final = b"1:v4:" + VERSION
_TYPE_BYTES: Final = len(b"1:y1:qe")

_NODE4, _NODE6 = ID_BYTES + 6, ID_BYTES + 18

Want: TypeAlias = tuple[bytes, ...]
"""The families of nodes that are asked for, of `n4` and `n6`; empty for that of the datagram (BEP 32)."""
BOTH: Final[Want] = (b"n4", b"n6")


class Contact(NamedTuple):
    """A node that can be asked.

    Attributes:
        id: 20 bytes.
        address: where it is; its port is never 0.
    """

    id: bytes
    address: Address


def pack_contacts(contacts: Iterable[Contact]) -> bytes:
    """Compact node info: 26 bytes each for IPv4, 38 for IPv6; all of one family."""
    return b"".join(contact.id + contact.address.compact() for contact in contacts)


def unpack_contacts(nodes: bytes, *, ipv6: bool = False) -> list[Contact]:
    """The nodes in compact node info, at most 16; those with port 0 are left out."""
    size = _NODE6 if ipv6 else _NODE4
    found = []
    for at in range(0, min(len(nodes), MAX_CONTACTS * size) // size * size, size):
        place = nodes[at + ID_BYTES : at + size]
        address = parse_compact(place, ipv6=True)[0] if ipv6 else _address4(place)
        if address.port and address.is_ipv6 is ipv6:  # an IPv4 address mapped into IPv6 is none of both
            found.append(Contact(nodes[at : at + ID_BYTES], address))
    return found


def unpack_peers(values: Iterable[bytes]) -> list[Address]:
    """The peers in compact form, 6 or 18 bytes each; those with port 0 are left out."""
    found = (_address4(each) if len(each) == 6 else parse_compact(each, ipv6=True)[0] for each in values)
    return [address for address in found if address.port]


def _address4(place: bytes) -> Address:
    return Address(f"{place[0]}.{place[1]}.{place[2]}.{place[3]}", place[4] << 8 | place[5])


# ---------------------------------------------------------------------- what is asked


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""

    METHOD: ClassVar[bytes] = b"ping"


@dataclass(frozen=True, slots=True)
class FindNode:
    """Which nodes are closest to `target`?"""

    METHOD: ClassVar[bytes] = b"find_node"
    target: bytes
    want: Want = ()


@dataclass(frozen=True, slots=True)
class GetPeers:
    """Who shares the torrent?

    Attributes:
        info_hash: 20 bytes.
        want: families of nodes.
        no_seeds: peers that are no seeds, if possible (BEP 33).
        scrape: how many there are, as filters (BEP 33).
    """

    METHOD: ClassVar[bytes] = b"get_peers"
    info_hash: bytes
    want: Want = ()
    no_seeds: bool = False
    scrape: bool = False


@dataclass(frozen=True, slots=True)
class AnnouncePeer:
    """I share the torrent.

    Attributes:
        info_hash: 20 bytes.
        port: where I listen, 1 to 65535; with `implied_port` it does not count.
        token: from the reply to a `GetPeers`.
        implied_port: I listen at the port that this datagram comes from.
        seed: I have all of it (BEP 33).
    """

    METHOD: ClassVar[bytes] = b"announce_peer"
    info_hash: bytes
    port: int
    token: bytes
    implied_port: bool = False
    seed: bool = False


@dataclass(frozen=True, slots=True)
class GetItem:
    """What is stored under `target`? With `seq`: if it is newer than that (BEP 44)."""

    METHOD: ClassVar[bytes] = b"get"
    target: bytes
    seq: int | None = None
    want: Want = ()


@dataclass(frozen=True, slots=True)
class PutItem:
    """Store this (BEP 44).

    Attributes:
        token: from the reply to a `GetItem`.
        value: canonical bencode, at most 1000 bytes.
        key: 32 bytes of the public key of a mutable item, or None for an immutable one.
        salt: up to 64 bytes.
        seq: 0 to 2^63 - 1.
        signature: 64 bytes.
        cas: the sequence number that is replaced, or None for any.
    """

    METHOD: ClassVar[bytes] = b"put"
    token: bytes
    value: bytes
    key: bytes | None = None
    salt: bytes = b""
    seq: int = 0
    signature: bytes = b""
    cas: int | None = None


@dataclass(frozen=True, slots=True)
class SampleInfohashes:
    """Which torrents do you know (BEP 51), and which nodes are closest to `target`?"""

    METHOD: ClassVar[bytes] = b"sample_infohashes"
    target: bytes
    want: Want = ()


Ask: TypeAlias = Ping | FindNode | GetPeers | AnnouncePeer | GetItem | PutItem | SampleInfohashes


# ---------------------------------------------------------------------- the three kinds of message


@dataclass(frozen=True, slots=True)
class Query:
    """A question.

    Attributes:
        transaction: 1 to 20 bytes that come back in the answer.
        sender: the id of the node that asks.
        ask: what it asks.
        read_only: the sender answers nobody, and wants to be in no table (BEP 43).
        version: client and version, four bytes as a rule.
    """

    transaction: bytes
    sender: bytes
    ask: Ask
    read_only: bool = False
    version: bytes = VERSION

    def encode(self) -> bytes:
        """The datagram."""
        return b"".join(
            (
                b"d1:a",
                _dictionary([*_before_id(self.ask), (b"2:id", _text(self.sender)), *_arguments(self.ask)]),
                b"1:q",
                _text(self.ask.METHOD),
                b"2:roi1e" if self.read_only else b"",
                b"1:t",
                _text(self.transaction),
                b"1:v" + _text(self.version) if self.version else b"",
                b"1:y1:qe",
            )
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        transaction: of the query.
        sender: the id of the node that answers.
        nodes: compact IPv4 nodes (`unpack_contacts`), or None.
        nodes6: compact IPv6 nodes, or None.
        token: for a write, or None.
        values: compact peers (`unpack_peers`), of both families (BEP 32).
        value: a stored item, canonical bencode, or None.
        key, seq, signature: of a mutable item, or None.
        samples: info hashes of 20 bytes each, joined, or None where the sender knows no BEP 51.
        interval: seconds until another sample makes sense.
        count: how many info hashes the sender knows.
        seeds, peers: filters of 256 bytes (BEP 33), or None.
        external: where the sender sees us (BEP 42), or None.
        version: client and version.
    """

    transaction: bytes
    sender: bytes
    nodes: bytes | None = None
    nodes6: bytes | None = None
    token: bytes | None = None
    values: tuple[bytes, ...] = ()
    value: bytes | None = None
    key: bytes | None = None
    seq: int | None = None
    signature: bytes | None = None
    samples: bytes | None = None
    interval: int = 0
    count: int = 0
    seeds: bytes | None = None
    peers: bytes | None = None
    external: Address | None = None
    version: bytes = VERSION

    def encode(self) -> bytes:
        """The datagram."""
        said = [(b"2:id", _text(self.sender))]
        if self.peers is not None and self.seeds is not None:
            said[:0] = [(b"4:BFpe", _text(self.peers)), (b"4:BFsd", _text(self.seeds))]
        if self.samples is not None:
            said.append((b"8:interval", b"i%de" % self.interval))
        if self.key is not None:
            said.append((b"1:k", _text(self.key)))
        if self.nodes is not None:
            said.append((b"5:nodes", _text(self.nodes)))
        if self.nodes6 is not None:
            said.append((b"6:nodes6", _text(self.nodes6)))
        if self.samples is not None:
            said += [(b"3:num", b"i%de" % self.count), (b"7:samples", _text(self.samples))]
        if self.seq is not None:
            said.append((b"3:seq", b"i%de" % self.seq))
        if self.signature is not None:
            said.append((b"3:sig", _text(self.signature)))
        if self.token is not None:
            said.append((b"5:token", _text(self.token)))
        if self.value is not None:
            said.append((b"1:v", self.value))
        if self.values:
            said.append((b"6:values", b"l" + b"".join(map(_text, self.values)) + b"e"))
        return b"".join(
            (
                b"d",
                b"2:ip" + _text(self.external.compact()) if self.external is not None else b"",
                b"1:r",
                _dictionary(said),
                b"1:t",
                _text(self.transaction),
                b"1:v" + _text(self.version) if self.version else b"",
                b"1:y1:re",
            )
        )

    def contacts(self, *, ipv6: bool) -> list[Contact]:
        """The nodes of a family, at most 16."""
        nodes = self.nodes6 if ipv6 else self.nodes
        return unpack_contacts(nodes, ipv6=ipv6) if nodes else []


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error in the place of an answer.

    Attributes:
        transaction: of the query.
        code: BEP 5 has 201 to 204, BEP 44 205 to 207, 301 and 302.
        text: up to 200 characters for people.
        external: where the sender sees us (BEP 42), or None.
    """

    transaction: bytes
    code: int
    text: str = ""
    external: Address | None = None

    def encode(self) -> bytes:
        """The datagram."""
        ip = b"2:ip" + _text(self.external.compact()) if self.external is not None else b""
        said = encode([self.code, self.text])
        return b"d1:e%b%b1:t%b1:v%b1:y1:ee" % (said, ip, _text(self.transaction), _text(VERSION))


Message: TypeAlias = Query | Reply | Refusal


def _text(data: bytes) -> bytes:
    return b"%d:%b" % (len(data), data)


def _dictionary(said: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A dictionary of keys and values that are bencoded and sorted."""
    return b"d" + b"".join([part for pair in said for part in pair]) + b"e"


def _arguments(ask: Ask) -> list[tuple[bytes, bytes]]:
    """Keys and values after the id, bencoded, in the order of their keys."""
    match ask:
        case Ping():
            return []
        case FindNode() | SampleInfohashes():
            return [(b"6:target", _text(ask.target)), *_want(ask.want)]
        case GetPeers():
            return [
                (b"9:info_hash", _text(ask.info_hash)),
                *([(b"6:noseed", b"i1e")] if ask.no_seeds else []),
                *([(b"6:scrape", b"i1e")] if ask.scrape else []),
                *_want(ask.want),
            ]
        case AnnouncePeer():
            return [
                *([(b"12:implied_port", b"i1e")] if ask.implied_port else []),
                (b"9:info_hash", _text(ask.info_hash)),
                (b"4:port", b"i%de" % ask.port),
                *([(b"4:seed", b"i1e")] if ask.seed else []),
                (b"5:token", _text(ask.token)),
            ]
        case GetItem():
            seq = [] if ask.seq is None else [(b"3:seq", b"i%de" % ask.seq)]
            return [*seq, (b"6:target", _text(ask.target)), *_want(ask.want)]
        case PutItem():
            return _put_arguments(ask)


def _before_id(ask: Ask) -> list[tuple[bytes, bytes]]:
    cas = ask.cas if isinstance(ask, PutItem) and ask.key is not None else None
    return [] if cas is None else [(b"3:cas", b"i%de" % cas)]


def _put_arguments(ask: PutItem) -> list[tuple[bytes, bytes]]:
    if ask.key is None:
        return [(b"5:token", _text(ask.token)), (b"1:v", ask.value)]
    return [
        (b"1:k", _text(ask.key)),
        *([(b"4:salt", _text(ask.salt))] if ask.salt else []),
        (b"3:seq", b"i%de" % ask.seq),
        (b"3:sig", _text(ask.signature)),
        (b"5:token", _text(ask.token)),
        (b"1:v", ask.value),
    ]


def _want(want: Want) -> list[tuple[bytes, bytes]]:
    return [(b"4:want", b"l" + b"".join(map(_text, want)) + b"e")] if want else []


def without_version(datagram: bytes) -> bytes:
    """A message of ours that does not tell which client sends it: keys are in order, and `v` comes before `y`."""
    return datagram[:-_TYPE_BYTES].removesuffix(_VERSION_ENTRY) + datagram[-_TYPE_BYTES:]
