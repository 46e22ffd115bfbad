"""Trackers over HTTP (BEP 3, 7, 23, 24, 31, 48): the URL to GET and the answer's body, no sockets."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from math import inf
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from bittern.base.address import Address, parse_compact
from bittern.base.errors import BencodeError, TrackerError
from bittern.base.ids import InfoHashV1
from bittern.codec.bencode import Limits, Value, decode

from .announce import (
    DEFAULT_INTERVAL,
    MAX_INTERVAL,
    MAX_PEERS,
    MAX_TEXT,
    AnnounceReply,
    AnnounceRequest,
    ScrapeEntry,
    clamp_interval,
)
from .stream import Buffer
from .urls import ascii_url

MAX_REPLY: Final = 1 << 20
"""Bytes of the longest answer that is read, uncompressed."""

_LIMITS = Limits(depth=10, tokens=200_000, size=MAX_REPLY)


def announce_url(tracker: str, request: AnnounceRequest) -> str:
    """The URL to GET: the tracker's own, whose query string is kept, and `request`.

    Raises:
        TrackerError: `tracker` is no http or https URL.
    """
    said: dict[str, str | bytes | int | None] = {
        "info_hash": request.info_hash,
        "peer_id": request.peer_id,
        "port": request.port,
        "uploaded": request.uploaded,
        "downloaded": request.downloaded,
        "left": request.left,
        "compact": 1,
        "no_peer_id": 1,
        "event": request.event.value if request.event else None,
        "numwant": request.numwant,
        "key": f"{request.key:08x}" if request.key is not None else None,
        "trackerid": request.tracker_id,
        "supportcrypto": 1 if request.encryption.methods else None,  # as most clients say it; no BEP has it
        "requirecrypto": None if request.encryption.plain else 1,
    }
    return _with_query(_split(tracker), said.items())


def scrape_url(tracker: str, info_hashes: Iterable[InfoHashV1]) -> str | None:
    """The URL to GET for the state of swarms, or None when the tracker has none (BEP 48).

    Raises:
        TrackerError: `tracker` is no http or https URL.
    """
    parts = _split(tracker)
    folder, slash, name = parts.path.rpartition("/")
    if not slash or not name.startswith("announce"):
        return None
    parts = parts._replace(path=f"{folder}/scrape{name.removeprefix('announce')}")
    return _with_query(parts, (("info_hash", info_hash) for info_hash in info_hashes))


def parse_announce_reply(body: Buffer) -> AnnounceReply:
    """Read the body of an answer to an announce; senseless fields count as absent.

    Raises:
        TrackerError: the tracker refused (with `retry_in`, infinite for "never"), or its answer is not
            a bencoded dictionary.
    """
    said = _answer(body)
    interval, min_interval = said.get(b"interval"), said.get(b"min interval")
    tracker_id, warning = said.get(b"tracker id"), said.get(b"warning message")
    return AnnounceReply(
        interval=clamp_interval(interval if isinstance(interval, int) and interval > 0 else DEFAULT_INTERVAL),
        min_interval=clamp_interval(min_interval) if isinstance(min_interval, int) else None,
        peers=_peers(said.get(b"peers"), said.get(b"peers6")),
        complete=_count(said.get(b"complete")),
        incomplete=_count(said.get(b"incomplete")),
        tracker_id=tracker_id if isinstance(tracker_id, bytes) and len(tracker_id) <= MAX_TEXT else None,
        warning=_text(warning) if isinstance(warning, bytes) else None,
        external_ip=_external_ip(said.get(b"external ip")),
    )


def parse_scrape_reply(body: Buffer) -> Mapping[InfoHashV1, ScrapeEntry]:
    """Read the body of an answer to a scrape: the swarms that the tracker knows.

    Raises:
        TrackerError: the tracker refused, or its answer is not a bencoded dictionary.
    """
    files = _answer(body).get(b"files")
    swarms = {}
    for info_hash, entry in files.items() if isinstance(files, dict) else ():
        if len(info_hash) == 20 and isinstance(entry, dict):
            numbers = (_count(entry.get(key)) or 0 for key in (b"complete", b"downloaded", b"incomplete"))
            swarms[InfoHashV1(info_hash)] = ScrapeEntry(*numbers)
    return swarms


def _split(tracker: str) -> SplitResult:
    try:
        parts = urlsplit(ascii_url(tracker))
        usable = bool(parts.hostname) and parts.port != 0 and parts.scheme in ("http", "https")
    except ValueError:
        parts, usable = SplitResult("", "", "", "", ""), False
    if not usable:
        raise TrackerError(f"{tracker}: not the URL of an http or https tracker")
    return parts


def _with_query(parts: SplitResult, said: Iterable[tuple[str, str | bytes | int | None]]) -> str:
    ours = (
        f"{key}={quote(value if isinstance(value, bytes) else str(value), safe='')}"
        for key, value in said
        if value is not None
    )
    query = "&".join([parts.query, *ours] if parts.query else ours)
    return urlunsplit(parts._replace(query=query, fragment=""))


def _answer(body: Buffer) -> dict[bytes, Value]:
    try:
        said = decode(body, strict=False, limits=_LIMITS)
    except BencodeError as error:
        raise TrackerError(f"its answer is not bencode: {error}") from None
    if not isinstance(said, dict):
        raise TrackerError("its answer is not a dictionary")
    if b"failure reason" in said:
        reason = said[b"failure reason"]
        words = _text(reason) if isinstance(reason, bytes) else ""
        raise TrackerError(words or "refused without a reason", _retry_in(said.get(b"retry in")))
    return said


def _retry_in(minutes: object) -> float | None:
    """Seconds from the minutes of BEP 31."""
    if minutes == b"never":
        return inf
    if isinstance(minutes, bytes) and minutes.isdigit() and len(minutes) < 10:
        minutes = int(minutes)  # as in the example of BEP 31
    return float(min(minutes * 60, MAX_INTERVAL)) if isinstance(minutes, int) and minutes >= 0 else None


def _peers(peers: object, peers6: object) -> tuple[Address, ...]:
    found: list[Address] = []
    for value, ipv6 in ((peers, False), (peers6, True)):
        if isinstance(value, bytes):
            found += parse_compact(value[: MAX_PEERS * (18 if ipv6 else 6)], ipv6=ipv6)
        elif isinstance(value, list):
            found += filter(None, map(_peer, value[:MAX_PEERS]))
    unique = dict.fromkeys(peer for peer in found if peer.port)
    return tuple(unique)[:MAX_PEERS]


def _peer(entry: object) -> Address | None:
    """A peer of the old form; host names, which BEP 3 allows, are left to trackers nobody runs."""
    if not isinstance(entry, dict):
        return None
    ip, port = entry.get(b"ip"), entry.get(b"port")
    if not isinstance(ip, bytes) or not isinstance(port, int) or not 0 < port < 65536:
        return None
    try:
        return Address.of(ip.decode("ascii"), port)
    except ValueError:
        return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _text(value: bytes) -> str:
    return value[: 4 * MAX_TEXT].decode(errors="replace")[:MAX_TEXT]


def _external_ip(value: object) -> str | None:
    if not isinstance(value, bytes) or len(value) not in (4, 16):
        return None
    return Address.of(str(ip_address(value)), 0).host  # of IPv4 mapped into IPv6 there is the IPv4 address
