"""Reading the datagrams of the distributed hash table: whatever comes, it is a message in bounds or one error."""

from typing import Final

from bittern.base.address import Address, parse_compact
from bittern.base.errors import BencodeError, KrpcError
from bittern.codec.bencode import Limits, Value, decode, encode

from .krpc import (
    FILTER_BYTES,
    GENERIC,
    ID_BYTES,
    MAX_DATAGRAM,
    MAX_INTERVAL,
    MAX_PEERS,
    MAX_SALT,
    MAX_SAMPLES,
    MAX_SEQ,
    MAX_TEXT,
    MAX_TOKEN,
    MAX_TRANSACTION,
    MAX_VALUE,
    PROTOCOL,
    SALT_TOO_BIG,
    TOO_BIG,
    UNKNOWN,
    AnnouncePeer,
    Ask,
    FindNode,
    GetItem,
    GetPeers,
    Message,
    Ping,
    PutItem,
    Query,
    Refusal,
    Reply,
    SampleInfohashes,
    Want,
)
from .stream import Buffer

_LIMITS: Final = Limits(depth=10, tokens=1000, size=MAX_DATAGRAM)
_MAX_VERSION: Final = 16


def read_message(datagram: Buffer) -> Message:
    """The message that a datagram is.

    Raises:
        KrpcError: it is none, or beyond the bounds; with a transaction where an error is to be sent back.
    """
    try:
        said = decode(datagram, strict=False, limits=_LIMITS)
    except BencodeError as error:
        raise KrpcError(PROTOCOL, str(error)) from None
    if not isinstance(said, dict):
        raise KrpcError(PROTOCOL, "not a dictionary")
    transaction = said.get(b"t")
    if not isinstance(transaction, bytes) or not 0 < len(transaction) <= MAX_TRANSACTION:
        raise KrpcError(PROTOCOL, "no transaction id of 1 to 20 bytes")
    kind = said.get(b"y")
    if kind == b"q":
        try:
            return _query(said, transaction, datagram)
        except KrpcError as error:
            raise KrpcError(error.code, error.reason, transaction) from None
    if kind == b"r":
        return _reply(said, transaction, datagram)
    if kind == b"e":
        return _refusal(said, transaction)
    raise KrpcError(PROTOCOL, "neither query nor reply nor error")


# ---------------------------------------------------------------------- queries


def _query(said: dict[bytes, Value], transaction: bytes, datagram: Buffer) -> Query:
    method, arguments = said.get(b"q"), said.get(b"a")
    if not isinstance(method, bytes) or not isinstance(arguments, dict):
        raise KrpcError(PROTOCOL, "a query without method or arguments")
    return Query(
        transaction,
        _id(arguments, b"id"),
        _ask(method, arguments, datagram),
        read_only=said.get(b"ro") == 1,
        version=_version(said),
    )


def _ask(method: bytes, said: dict[bytes, Value], datagram: Buffer) -> Ask:
    match method:
        case b"ping":
            return Ping()
        case b"find_node":
            return FindNode(_id(said, b"target"), _want(said))
        case b"get_peers":
            no_seeds, scrape = said.get(b"noseed") == 1, said.get(b"scrape") == 1
            return GetPeers(_id(said, b"info_hash"), _want(said), no_seeds, scrape)
        case b"announce_peer":
            return _announce(said)
        case b"get":
            return GetItem(_id(said, b"target"), _sequence(said.get(b"seq"), None), _want(said))
        case b"put":
            return _put(said, datagram)
        case b"sample_infohashes":
            return SampleInfohashes(_id(said, b"target"), _want(said))
    # What is new may still be looked up: with a target it is answered as find_node is.
    for key in (b"target", b"info_hash"):
        if key in said:
            return FindNode(_id(said, key), _want(said))
    raise KrpcError(UNKNOWN, "unknown method")


def _announce(said: dict[bytes, Value]) -> AnnouncePeer:
    port, implied = said.get(b"port", 0), said.get(b"implied_port")
    implied_port = isinstance(implied, int) and implied != 0
    if not isinstance(port, int) or not 0 < port < 65536:
        if not implied_port:
            raise KrpcError(PROTOCOL, "no port")
        port = 1  # does not count
    return AnnouncePeer(_id(said, b"info_hash"), port, _token(said), implied_port, said.get(b"seed") == 1)


def _put(said: dict[bytes, Value], datagram: Buffer) -> PutItem:
    token, value = _token(said), _value(said, datagram)
    if value is None:
        raise KrpcError(PROTOCOL, "nothing to store")
    if b"k" not in said:
        return PutItem(token, value)
    key, signature, salt = said[b"k"], said.get(b"sig"), said.get(b"salt", b"")
    if not isinstance(key, bytes) or len(key) != 32 or not isinstance(signature, bytes) or len(signature) != 64:
        raise KrpcError(PROTOCOL, "no key of 32 and signature of 64 bytes")
    if not isinstance(salt, bytes):
        raise KrpcError(PROTOCOL, "no salt")
    if len(salt) > MAX_SALT:
        raise KrpcError(SALT_TOO_BIG, "a salt of more than 64 bytes")
    seq = _sequence(said.get(b"seq"), -1)
    if seq is None or seq < 0:
        raise KrpcError(PROTOCOL, "no sequence number")
    cas = said.get(b"cas")
    return PutItem(token, value, key, salt, seq, signature, cas if isinstance(cas, int) and cas >= 0 else None)


def _value(said: dict[bytes, Value], datagram: Buffer) -> bytes | None:
    """The item in its bencoding: what is signed and hashed are the bytes that were sent."""
    if b"v" not in said:
        return None
    value = encode(said[b"v"])
    if len(value) > MAX_VALUE:
        raise KrpcError(TOO_BIG, "a value of more than 1000 bytes")
    if b"1:v" + value not in bytes(datagram):
        raise KrpcError(PROTOCOL, "a value that is not canonical bencode")
    return value


# ---------------------------------------------------------------------- answers


def _reply(said: dict[bytes, Value], transaction: bytes, datagram: Buffer) -> Reply:
    told = said.get(b"r")
    if not isinstance(told, dict):
        raise KrpcError(PROTOCOL, "a reply without values")
    samples = _bytes(told, b"samples")
    if samples is not None and len(samples) % 20:
        raise KrpcError(PROTOCOL, "samples that are not 20 bytes each")
    token = _bytes(told, b"token")
    seeds, peers = _sized(told, b"BFsd", FILTER_BYTES), _sized(told, b"BFpe", FILTER_BYTES)
    scraped = seeds is not None and peers is not None  # one without the other says nothing
    return Reply(
        transaction,
        _id(told, b"id"),
        nodes=_nodes(told, b"nodes", ID_BYTES + 6),
        nodes6=_nodes(told, b"nodes6", ID_BYTES + 18),
        token=token if token and len(token) <= MAX_TOKEN else None,
        values=_values(told.get(b"values")),
        value=_value(told, datagram),
        key=_sized(told, b"k", 32),
        seq=_sequence(told.get(b"seq"), None),
        signature=_sized(told, b"sig", 64),
        samples=samples[: 20 * MAX_SAMPLES] if samples is not None else None,
        interval=min(_count(told, b"interval"), MAX_INTERVAL) if samples is not None else 0,
        count=_count(told, b"num") if samples is not None else 0,
        seeds=seeds if scraped else None,
        peers=peers if scraped else None,
        external=_external(said),
        version=_version(said),
    )


def _refusal(said: dict[bytes, Value], transaction: bytes) -> Refusal:
    told = said.get(b"e")
    code, text = told[:2] if isinstance(told, list) and len(told) >= 2 else (GENERIC, b"")
    return Refusal(
        transaction,
        code if isinstance(code, int) else GENERIC,
        text[: 4 * MAX_TEXT].decode(errors="replace")[:MAX_TEXT] if isinstance(text, bytes) else "",
        _external(said),
    )


# ---------------------------------------------------------------------- fields


def _id(said: dict[bytes, Value], key: bytes) -> bytes:
    value = said.get(key)
    if not isinstance(value, bytes) or len(value) != ID_BYTES:
        raise KrpcError(PROTOCOL, f"no {key.decode()} of 20 bytes")
    return value


def _token(said: dict[bytes, Value]) -> bytes:
    token = said.get(b"token")
    if not isinstance(token, bytes) or not 0 < len(token) <= MAX_TOKEN:
        raise KrpcError(PROTOCOL, "no token")
    return token


def _want(said: dict[bytes, Value]) -> Want:
    want = said.get(b"want")
    return tuple(family for family in (b"n4", b"n6") if family in want) if isinstance(want, list) else ()


def _version(said: dict[bytes, Value]) -> bytes:
    version = said.get(b"v")
    return version if isinstance(version, bytes) and len(version) <= _MAX_VERSION else b""


def _sequence(value: Value | None, default: int | None) -> int | None:
    return value if isinstance(value, int) and 0 <= value <= MAX_SEQ else default


def _bytes(said: dict[bytes, Value], key: bytes) -> bytes | None:
    value = said.get(key)
    return value if isinstance(value, bytes) else None


def _sized(said: dict[bytes, Value], key: bytes, size: int) -> bytes | None:
    value = said.get(key)
    return value if isinstance(value, bytes) and len(value) == size else None


def _count(said: dict[bytes, Value], key: bytes) -> int:
    value = said.get(key)
    return value if isinstance(value, int) and value >= 0 else 0


def _nodes(said: dict[bytes, Value], key: bytes, size: int) -> bytes | None:
    nodes = _bytes(said, key)
    if nodes is not None and len(nodes) % size:
        raise KrpcError(PROTOCOL, f"{key.decode()} that are not {size} bytes each")
    return nodes


def _values(values: Value | None) -> tuple[bytes, ...]:
    if not isinstance(values, list):
        return ()
    return tuple(each for each in values[:MAX_PEERS] if isinstance(each, bytes) and len(each) in (6, 18))


def _external(said: dict[bytes, Value]) -> Address | None:
    """Where we are seen: compact, with or without a port (both are about)."""
    ip = said.get(b"ip")
    if not isinstance(ip, bytes) or len(ip) not in (4, 6, 16, 18):
        return None
    whole = ip if len(ip) in (6, 18) else ip + b"\0\0"
    return parse_compact(whole, ipv6=len(whole) == 18)[0]
