"""The tracker's side of announces over UDP (BEP 15, 41), as flat as the rate of a busy tracker needs it.

Numbers that only travel through stay bytes: the connection id, the transaction id, and the port, which with the
sender's packed address makes a compact peer. `tracker_udp` has the same datagrams as values, for clients.
"""

# HOT: bench/tracker.py
from collections.abc import Iterable
from struct import Struct
from typing import Final

from .tracker_udp import MAX_SCRAPE, PROTOCOL_ID, Action

CONNECT: Final = int(Action.CONNECT)
ANNOUNCE: Final = int(Action.ANNOUNCE)
SCRAPE: Final = int(Action.SCRAPE)
ERROR: Final = int(Action.ERROR)
"""Actions as plain numbers."""

CONNECT_REQUEST: Final = PROTOCOL_ID.to_bytes(8)
"""Stands for the connection id in a request for one."""
HEAD: Final = Struct(">8sI4s")
"""How a request begins: connection id, action, transaction id."""
ANNOUNCE_SIZE: Final = 98
"""Bytes of an announce without options."""
MAX_PEER_BYTES: Final = 1352
"""Bytes of peers in one answer: with all headers below 1,400, so that no path has to cut it up."""

_ANNOUNCE = Struct(">16x20s28xQ8xI4s4xi2s")
_ANNOUNCED = Struct(">I4sIII")
_REPLY = Struct(">I4s")
_COUNTS = Struct(">III")
_NOTHING, _URL_DATA = 1, 2


def parse_announce(data: bytes | bytearray) -> tuple[bytes, int, int, bytes, int, bytes]:
    """What matters to a tracker in an announce of at least `ANNOUNCE_SIZE` bytes.

    Returns:
        info hash; bytes left; event (0 none, 1 completed, 2 started, 3 stopped, others mean nothing); the IPv4
        address that it claims, four zeros for none; peers wanted, negative for any number; port, two bytes.
    """
    return _ANNOUNCE.unpack_from(data)


def parse_url_data(data: bytes | bytearray) -> str:
    """Path and query of the URL that the client uses, from the options of an announce (BEP 41); "" for none.

    Unknown options are passed over, and one that is cut off ends the list.
    """
    said, at, size = bytearray(), ANNOUNCE_SIZE, len(data)
    while at < size and data[at] != 0:
        if data[at] == _NOTHING:
            at += 1
            continue
        end = at + 2 + (data[at + 1] if at + 1 < size else size)
        if data[at] == _URL_DATA and end <= size:
            said += data[at + 2 : end]
        at = end
    return said.decode("latin-1")


def parse_scrape(data: bytes | bytearray) -> list[bytes]:
    """The info hashes of a scrape, the first `MAX_SCRAPE`; empty when its length is not that of any scrape."""
    size = len(data)
    if size <= HEAD.size or (size - HEAD.size) % 20:
        return []
    end = min(size, HEAD.size + 20 * MAX_SCRAPE)
    return [bytes(data[at : at + 20]) for at in range(HEAD.size, end, 20)]


def connected(transaction: bytes, connection: bytes) -> bytes:
    """The answer that gives a connection id."""
    return _REPLY.pack(CONNECT, transaction) + connection


def announced(transaction: bytes, interval: int, leechers: int, seeds: int, peers: bytes) -> bytes:
    """The answer to an announce; `peers` are compact, of the sender's family, and cut to `MAX_PEER_BYTES` before."""
    return _ANNOUNCED.pack(ANNOUNCE, transaction, interval, leechers, seeds) + peers


def scraped(transaction: bytes, counts: Iterable[tuple[int, int, int]]) -> bytes:
    """The answer to a scrape: seeds, downloads ever completed and leechers of each swarm, in the order asked for."""
    return _REPLY.pack(SCRAPE, transaction) + b"".join(_COUNTS.pack(*each) for each in counts)


def refused(transaction: bytes, words: str) -> bytes:
    """The answer that says why there is none."""
    return _REPLY.pack(ERROR, transaction) + words.encode()
