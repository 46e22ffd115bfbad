"""Datagrams and URLs of clients, and the fronts that answer them."""

from dataclasses import dataclass
from random import Random
from struct import Struct
from typing import Any
from urllib.parse import quote

from bittern.tracker.colleagues import Errand
from bittern.tracker.connection_ids import ConnectionIds
from bittern.tracker.counters import Counters
from bittern.tracker.http import HttpFront
from bittern.tracker.policy import Policy
from bittern.tracker.registry import Registry
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.udp import UdpFront
from bittern.wire.http_request import Answer, Request
from bittern.wire.tracker_udp_server import CONNECT_REQUEST

HASH = bytes(range(0x15, 0x15 + 20))
PEER_ID = b"-XX0000-%abcdef&=+ \x00"[:20]
TRANSACTION = b"abcd"
ANNOUNCE = Struct(">8sI4s20s20sQQQI4sIiH")
CONNECT = CONNECT_REQUEST + bytes(4) + TRANSACTION


@dataclass
class Desk:
    """A tracker of these tests: both fronts, on one registry."""

    udp: UdpFront
    http: HttpFront
    registry: Registry
    counters: Counters

    def ask_udp(self, data: bytes, host: bytes, now: float) -> bytes | None:
        """The answer to a datagram, where it needs nobody else."""
        answer = self.udp.answer(data, host, now)
        assert not isinstance(answer, Errand)
        return answer

    def ask_http(self, request: Request, host: bytes, now: float) -> Answer:
        """The answer to a request, where it needs nobody else."""
        answer = self.http.answer(request, host, now)
        assert isinstance(answer, Answer)
        return answer


def desk(policy: Policy | None = None, **changes: Any) -> Desk:
    """A tracker; `changes` are settings."""
    settings = TrackerSettings(**changes)
    policy = policy or Policy(per_second=0)
    registry = Registry(0.0, settings.life_seconds, settings.max_peers, Random(1).random)
    counters = Counters()
    return Desk(
        UdpFront(registry, policy, ConnectionIds(bytes(32)), settings, counters),
        HttpFront(registry, policy, settings, counters),
        registry,
        counters,
    )


def announce_datagram(
    connection: bytes,
    port: int = 6881,
    *,
    left: int = 1,
    event: int = 2,
    numwant: int = -1,
    ip: bytes = bytes(4),
    info_hash: bytes = HASH,
    options: bytes = b"",
) -> bytes:
    """An announce (BEP 15), with options (BEP 41) at its end."""
    fixed = ANNOUNCE.pack(
        connection, 1, TRANSACTION, info_hash, PEER_ID, 1 << 40, left, 7, event, ip, 0xABCD, numwant, port
    )
    return fixed + options


def scrape_datagram(connection: bytes, *hashes: bytes) -> bytes:
    """A scrape (BEP 15)."""
    return connection + bytes((0, 0, 0, 2)) + TRANSACTION + b"".join(hashes)


def query(**said: bytes | int | str) -> str:
    """The query of an announce that says the least that it must, and `said`."""
    fields: dict[str, bytes | int | str] = {"info_hash": HASH, "peer_id": PEER_ID, "port": 6881, **said}
    return "&".join(
        f"{key}={quote(value if isinstance(value, bytes) else str(value), safe='')}" for key, value in fields.items()
    )
