"""Trackers over UDP (BEP 15, 41): datagrams of both sides, no sockets.

All numbers are big-endian. A request begins with a connection id (8 bytes), action and transaction id (4 each), an
answer with action and transaction id. Datagrams may be longer than what is understood of them.
"""

from dataclasses import dataclass
from enum import IntEnum, unique
from struct import Struct
from typing import Final
from urllib.parse import urlsplit

from bittern.base.address import compact, parse_compact
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1, PeerId

from .announce import (
    DEFAULT_INTERVAL,
    MAX_PEERS,
    MAX_TEXT,
    AnnounceReply,
    AnnounceRequest,
    Event,
    ScrapeEntry,
    clamp_interval,
)
from .stream import Buffer
from .urls import ascii_host, escaped

PROTOCOL_ID: Final = 0x41727101980
"""Stands for the connection id in a request for one."""
MAX_SCRAPE: Final = 74
"""Info hashes of one scrape: what fits into a packet of an Ethernet."""
MAX_URL_DATA: Final = 1000
"""Bytes of path and query that are sent along."""

_HEAD = Struct(">QII")
_ANNOUNCE = Struct(">QII20s20sQQQIIIIH")
_REPLY = Struct(">II")
_CONNECTED = Struct(">IIQ")
_ANNOUNCED = Struct(">IIIII")
_COUNTS = Struct(">III")
_UNSAID = 0xFFFFFFFF
_MOST_BYTES = (1 << 64) - 1
_EVENTS: Final[dict[Event | None, int]] = {None: 0, Event.COMPLETED: 1, Event.STARTED: 2, Event.STOPPED: 3}
_MEANINGS: Final = {number: event for event, number in _EVENTS.items()}


@unique
class Action(IntEnum):
    """What a datagram is about."""

    CONNECT = 0
    ANNOUNCE = 1
    SCRAPE = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Connect:
    """A client asks for a connection id."""

    transaction: int


@dataclass(frozen=True, slots=True)
class Announce:
    """A client announces itself.

    Attributes:
        request: what it says of itself.
        url_data: path and query of the URL it uses (BEP 41), empty where it says nothing of them.
    """

    connection: int
    transaction: int
    request: AnnounceRequest
    url_data: bytes = b""


@dataclass(frozen=True, slots=True)
class Scrape:
    """A client asks for the state of swarms."""

    connection: int
    transaction: int
    info_hashes: tuple[InfoHashV1, ...]


Request = Connect | Announce | Scrape


@dataclass(frozen=True, slots=True)
class Connected:
    """The tracker gives a connection id, to be used for a minute."""

    transaction: int
    connection: int


@dataclass(frozen=True, slots=True)
class Announced:
    """The tracker answers an announce."""

    transaction: int
    reply: AnnounceReply


@dataclass(frozen=True, slots=True)
class Scraped:
    """The tracker tells the state of the swarms that were asked for, in that order."""

    transaction: int
    entries: tuple[ScrapeEntry, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The tracker refuses, in words: unchecked remote text of at most 500 characters."""

    transaction: int
    words: str


Reply = Connected | Announced | Scraped | Refused


def endpoint(tracker: str) -> tuple[str, int]:
    """Host and port of a tracker's URL; the host is a name in ASCII (IDNA), or a numeric address.

    Raises:
        TrackerError: it is no UDP tracker's URL; a port is needed.
    """
    try:
        parts = urlsplit(tracker)
        host, port = parts.hostname or "", parts.port
        host = ascii_host(host)
        usable = parts.scheme == "udp" and host.isprintable() and " " not in host
    except ValueError:  # UnicodeError is one
        host, port, usable = "", None, False
    if not usable or not host or not port:
        raise TrackerError(f"{tracker}: not the URL of a UDP tracker, which is udp://HOST:PORT")
    return host, port


def url_data(tracker: str) -> bytes:
    """Path and query of a tracker's URL, as they are sent along (BEP 41).

    Raises:
        TrackerError: they are too long, or it is no URL.
    """
    try:
        parts = urlsplit(tracker)
    except ValueError:
        raise TrackerError(f"{tracker}: not a URL") from None
    said = escaped(parts.path + ("?" + parts.query if parts.query else "")).encode("ascii")
    if len(said) > MAX_URL_DATA:
        raise TrackerError(f"path and query have {len(said)} bytes, more than {MAX_URL_DATA}")
    return said


# --- the client's side


def encode_request(request: Request) -> bytes:
    """The datagram of a request."""
    match request:
        case Connect(transaction):
            return _HEAD.pack(PROTOCOL_ID, Action.CONNECT, transaction)
        case Scrape(connection, transaction, info_hashes):
            return _HEAD.pack(connection, Action.SCRAPE, transaction) + b"".join(info_hashes[:MAX_SCRAPE])
        case Announce(connection, transaction, said, data):
            fixed = _ANNOUNCE.pack(
                connection,
                Action.ANNOUNCE,
                transaction,
                said.info_hash,
                said.peer_id,
                min(said.downloaded, _MOST_BYTES),
                min(said.left, _MOST_BYTES),
                min(said.uploaded, _MOST_BYTES),
                _EVENTS.get(said.event, 0),  # there is no number for `paused`
                0,  # our address: the tracker sees it
                said.key or 0,
                _UNSAID if said.numwant is None else said.numwant,
                said.port,
            )
            # BEP 41: parts of at most 255 bytes
            parts = (data[at : at + 255] for at in range(0, len(data), 255))
            return fixed + b"".join(bytes((2, len(part))) + part for part in parts)


def transaction_of(datagram: Buffer) -> int | None:
    """The transaction id of what may be an answer; None where it is none."""
    if len(datagram) < _REPLY.size:
        return None
    action, transaction = _REPLY.unpack_from(datagram)
    return int(transaction) if action <= Action.ERROR else None


def parse_reply(datagram: Buffer, *, ipv6: bool) -> Reply:
    """Read an answer.

    Args:
        datagram: all of it.
        ipv6: whether it came by IPv6: then the peers in it have IPv6 addresses.

    Raises:
        TrackerError: it is shorter than it must be, or of no known kind.
    """
    size = len(datagram)
    if size < _REPLY.size:
        raise TrackerError(f"its answer has {size} bytes, too few for any")
    action, transaction = _REPLY.unpack_from(datagram)
    rest = bytes(datagram[_REPLY.size :])
    if action == Action.ERROR:
        words = rest[: 4 * MAX_TEXT].decode(errors="replace").rstrip("\0")[:MAX_TEXT]
        return Refused(transaction, words or "refused without a reason")
    if action == Action.CONNECT and size >= _CONNECTED.size:
        return Connected(transaction, _CONNECTED.unpack_from(datagram)[2])
    if action == Action.ANNOUNCE and size >= _ANNOUNCED.size:
        _, _, interval, leechers, seeds = _ANNOUNCED.unpack_from(datagram)
        named = bytes(datagram[_ANNOUNCED.size : _ANNOUNCED.size + MAX_PEERS * 18])
        peers = dict.fromkeys(peer for peer in parse_compact(named, ipv6=ipv6) if peer.port)
        usable = 0 < interval < 1 << 31  # some trackers take it for a signed number
        reply = AnnounceReply(
            interval=clamp_interval(interval if usable else DEFAULT_INTERVAL),
            peers=tuple(peers)[:MAX_PEERS],
            complete=_count(seeds),
            incomplete=_count(leechers),
        )
        return Announced(transaction, reply)
    if action == Action.SCRAPE:
        whole = rest[: len(rest) - len(rest) % _COUNTS.size]
        counts = _COUNTS.iter_unpack(whole[: MAX_SCRAPE * _COUNTS.size])
        return Scraped(transaction, tuple(ScrapeEntry(seeds, done, leechers) for seeds, done, leechers in counts))
    raise TrackerError(f"its answer makes no sense: action {action} in {size} bytes")


# --- the tracker's side


def encode_reply(reply: Reply) -> bytes:
    """The datagram of an answer; all peers in it are of one family."""
    match reply:
        case Connected(transaction, connection):
            return _CONNECTED.pack(Action.CONNECT, transaction, connection)
        case Announced(transaction, said):
            counts = [_UNSAID if count is None else count for count in (said.incomplete, said.complete)]
            head = _ANNOUNCED.pack(Action.ANNOUNCE, transaction, said.interval, *counts)
            return head + b"".join(compact(said.peers))
        case Scraped(transaction, entries):
            swarms = (_COUNTS.pack(entry.complete, entry.downloaded, entry.incomplete) for entry in entries)
            return _REPLY.pack(Action.SCRAPE, transaction) + b"".join(swarms)
        case Refused(transaction, words):
            return _REPLY.pack(Action.ERROR, transaction) + words.encode()


def parse_request(datagram: Buffer) -> Request:
    """Read a request.

    Raises:
        TrackerError: it is none; nobody is to be answered.
    """
    size = len(datagram)
    if size < _HEAD.size:
        raise TrackerError(f"{size} bytes are too few for a request")
    connection, action, transaction = _HEAD.unpack_from(datagram)
    if action == Action.CONNECT and connection == PROTOCOL_ID:
        return Connect(transaction)
    if action == Action.ANNOUNCE and size >= _ANNOUNCE.size:
        return _parse_announce(datagram)
    if action == Action.SCRAPE and size >= _HEAD.size + 20:
        said = bytes(datagram[_HEAD.size : _HEAD.size + 20 * MAX_SCRAPE])
        hashes = (said[at : at + 20] for at in range(0, len(said) - len(said) % 20, 20))
        return Scrape(connection, transaction, tuple(map(InfoHashV1, hashes)))
    raise TrackerError(f"no request: action {action} in {size} bytes")


def _parse_announce(datagram: Buffer) -> Announce:
    connection, _, transaction, info_hash, peer_id, downloaded, left, uploaded, event, _, key, numwant, port = (
        _ANNOUNCE.unpack_from(datagram)
    )
    request = AnnounceRequest(
        info_hash=InfoHashV1(info_hash),
        peer_id=PeerId(peer_id),
        port=port,
        uploaded=uploaded,
        downloaded=downloaded,
        left=left,
        event=_MEANINGS.get(event),
        numwant=None if numwant >= 1 << 31 else numwant,
        key=key,
    )
    return Announce(connection, transaction, request, _options(bytes(datagram[_ANNOUNCE.size :])))


def _options(data: bytes) -> bytes:
    """The path and query among the options of an announce (BEP 41); what is cut off is not there."""
    said, at = bytearray(), 0
    while at < len(data) and data[at] != 0:
        if data[at] == 1:
            at += 1
            continue
        length = data[at + 1] if at + 1 < len(data) else 0
        if data[at] == 2:
            said += data[at + 2 : at + 2 + length]
        at += 2 + length
    return bytes(said)


def _count(number: int) -> int | None:
    return number if number < 1 << 31 else None
