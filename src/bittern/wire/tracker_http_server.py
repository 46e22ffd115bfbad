"""The tracker's side of announces over HTTP (BEP 3, 7, 23, 24, 31, 48): queries to numbers, answers to bodies."""

# HOT: bench/tracker.py
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from math import inf
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from bittern.base.address import parse_compact
from bittern.base.errors import TrackerError
from bittern.codec.bencode import encode

MAX_FIELDS: Final = 200
"""Fields of a query that are read."""
MAX_SCRAPE: Final = 100
"""Info hashes of one scrape."""

_EVENTS: Final = {"completed": 1, "started": 2, "stopped": 3}
_SHORT = 60  # characters of a hash of which each byte is escaped
_REMEMBERED = 16384


class Announce(NamedTuple):
    """What matters to a tracker in an announce.

    Attributes:
        port: 1..65535.
        left: bytes that it misses; 1 when it does not say.
        event: as BEP 15 numbers them, 0 for none.
        numwant: peers wanted; -1 when it does not say.
        compact: whether it takes packed peers: only who says `compact=0` does not (BEP 23).
        ip: packed addresses that it claims to have (`ip`, `ipv4`, `ipv6`), those that are addresses.
    """

    info_hash: bytes
    port: int
    left: int
    event: int
    numwant: int
    compact: bool
    ip: tuple[bytes, ...]


def parse_announce(query: str) -> Announce:
    """Read the query of an announce.

    Raises:
        TrackerError: it lacks what an announce must say, or that makes no sense.
    """
    said = dict(_fields(query))
    info_hash = _unescaped(said.get("info_hash", ""))
    if len(info_hash) != 20:
        raise TrackerError("info_hash must have 20 bytes")
    peer_id = said.get("peer_id", "")
    # Nobody is told of it, so it is not worth its unescaping: each client has another.
    if len(peer_id) - 2 * peer_id.count("%") != 20:
        raise TrackerError("peer_id must have 20 bytes")
    number = _number(said.get("port", ""), 65535)
    if not number:
        raise TrackerError("port must be a number from 1 to 65535")
    left = _number(said.get("left", "1"), (1 << 64) - 1)
    numwant = _number(said.get("numwant", ""), 1 << 31)
    return Announce(
        info_hash,
        number,
        1 if left is None else left,
        _EVENTS.get(said.get("event", ""), 0),
        -1 if numwant is None else numwant,
        said.get("compact") != "0",
        tuple(filter(None, [_packed(said[key]) for key in ("ip", "ipv4", "ipv6") if key in said])),
    )


def parse_scrape(query: str) -> list[bytes]:
    """The info hashes of a scrape.

    Raises:
        TrackerError: it names none, or too many; nobody is told of all.
    """
    named = [_unescaped(value) for key, value in _fields(query) if key == "info_hash"]
    hashes = [each for each in named if len(each) == 20]
    if not 0 < len(hashes) <= MAX_SCRAPE:
        raise TrackerError(f"name 1 to {MAX_SCRAPE} info hashes")
    return hashes


def announced(interval: int, seeds: int, leechers: int, peers: bytes, host: bytes, *, compact: bool = True) -> bytes:
    """The body of the answer to an announce.

    Args:
        interval: seconds.
        seeds: in the swarm.
        leechers: in the swarm.
        peers: packed, of the family of `host`.
        host: packed address of who asked, which it is told (BEP 24).
        compact: whether `peers` are sent as they are (BEP 23, BEP 7), or as dictionaries (BEP 3).
    """
    ipv6 = len(host) == 16
    if not compact:
        named = [{"ip": peer.host, "port": peer.port} for peer in parse_compact(peers, ipv6=ipv6)]
        text = b"5:peers%b" % encode(named)
    elif ipv6:
        text = b"5:peers0:6:peers6%d:%b" % (len(peers), peers)
    else:
        text = b"5:peers%d:%b" % (len(peers), peers)
    return b"d8:completei%de11:external ip%d:%b10:incompletei%de8:intervali%de12:min intervali%de%be" % (
        seeds,
        len(host),
        host,
        leechers,
        interval,
        interval // 2,
        text,
    )


def scraped(counts: Iterable[tuple[bytes, tuple[int, int, int]]]) -> bytes:
    """The body of the answer to a scrape: seeds, downloads ever completed and leechers, by info hash."""
    files = {
        info_hash: {"complete": seeds, "downloaded": completed, "incomplete": leechers}
        for info_hash, (seeds, completed, leechers) in counts
    }
    return encode({"files": files})


def refused(error: TrackerError) -> bytes:
    """The body of an answer that says why there is none, and when to come again (BEP 31)."""
    said: dict[str, str | int] = {"failure reason": str(error)}
    if error.retry_in is not None:
        said["retry in"] = "never" if error.retry_in == inf else max(1, round(error.retry_in / 60))
    return encode(said)


def _fields(query: str) -> list[tuple[str, str]]:
    """Keys and values, both as they came."""
    return [
        (key, value) for key, _, value in [part.partition("=") for part in query.split("&", MAX_FIELDS)][:MAX_FIELDS]
    ]


def _unescaped(value: str) -> bytes:
    return _unescaped_short(value) if len(value) <= _SHORT else _unescape(value)


def _unescape(value: str) -> bytes:
    # `+` is a plus in the hashes of most clients: only forms turn blanks into it
    return unquote_to_bytes(value) if "%" in value else value.encode("ascii", "replace")


_unescaped_short = lru_cache(_REMEMBERED)(_unescape)  # what all peers of a swarm send alike


def _number(text: str, most: int) -> int | None:
    """The number that `text` is in ASCII digits, at most `most`; else None."""
    if "%" in text:
        text = _unescape(text).decode("latin-1")
    if not text.isdigit() or not text.isascii() or len(text) > 20:
        return None
    number = int(text)
    return number if number <= most else None


def _packed(text: str) -> bytes:
    try:
        return ip_address(_unescape(text).decode("ascii")).packed
    except ValueError:
        return b""
