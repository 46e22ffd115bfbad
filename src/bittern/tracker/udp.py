"""The UDP front (BEP 15, 41): one datagram in, at most one out, and never a longer one to who has not proven itself."""

# HOT: bench/tracker.py
from collections.abc import Sequence
from typing import TypeAlias

from bittern.base.errors import TrackerError
from bittern.wire.tracker_udp_server import (
    ANNOUNCE,
    ANNOUNCE_SIZE,
    CONNECT,
    CONNECT_REQUEST,
    HEAD,
    MAX_PEER_BYTES,
    SCRAPE,
    announced,
    connected,
    parse_announce,
    parse_scrape,
    parse_url_data,
    refused,
    scraped,
)

from . import questions
from .colleagues import Colleagues, Errand
from .connection_ids import ConnectionIds
from .counters import Counters
from .policy import Policy, too_many
from .registry import Registry
from .settings import TrackerSettings, peers_wanted

_STALE = "unknown connection id"
_NO_ADDRESS = bytes(4)
_NO_PORT = bytes(2)

Reply: TypeAlias = bytes | Errand[bytes | None] | None
"""An answer, what has to be done for it first, or none."""


class UdpFront:
    """Answers datagrams.

    Args:
        registry: the swarms.
        policy: who is served.
        ids: connection ids.
        settings: how to behave.
        counters: told of each answer.
        colleagues: those who are home to swarms that are not in `registry`. Announces for those never come here,
            but a scrape may name any.
    """

    def __init__(
        self,
        registry: Registry,
        policy: Policy,
        ids: ConnectionIds,
        settings: TrackerSettings,
        counters: Counters,
        colleagues: Colleagues | None = None,
    ) -> None:
        self._registry = registry
        self._policy = policy
        self._ids = ids
        self._interval = settings.interval_seconds
        self._trust_ip = settings.trust_ip
        self._counters = counters.udp
        self._colleagues = colleagues

    def answer(self, data: bytes | bytearray, host: bytes, now: float) -> Reply:
        """What to send back to the packed address `host` (4 or 16 bytes) for `data`; None for nothing.

        Only an announce from who has a valid connection id gets more bytes than it sent.
        """
        if len(data) < HEAD.size:
            self._counters.dropped += 1
            return None
        connection, action, transaction = HEAD.unpack_from(data)
        if action == CONNECT and connection == CONNECT_REQUEST and len(data) == HEAD.size:
            self._counters.connects += 1
            return connected(transaction, self._ids.give(host, now))
        if action not in (ANNOUNCE, SCRAPE) or (action == ANNOUNCE and len(data) < ANNOUNCE_SIZE):
            self._counters.dropped += 1
            return None
        if not self._ids.valid(connection, host, now):
            return self._refuse(data, transaction, _STALE)
        if not self._policy.within_rate(host, now):
            return self._refuse(data, transaction, str(too_many()))
        try:
            return self._announce(data, host, transaction) if action == ANNOUNCE else self._scrape(data, transaction)
        except TrackerError as error:
            return self._refuse(data, transaction, str(error))

    def _refuse(self, data: bytes | bytearray, transaction: bytes, words: str) -> bytes:
        self._counters.refused += 1
        return refused(transaction, words)[: len(data)]

    def _announce(self, data: bytes | bytearray, host: bytes, transaction: bytes) -> bytes:
        info_hash, left, event, claimed, numwant, port = parse_announce(data)
        if self._policy.private:
            self._policy.check(info_hash, parse_url_data(data))
        if port == _NO_PORT:
            raise TrackerError("no port")
        if self._trust_ip and claimed != _NO_ADDRESS and len(host) == 4:
            host = claimed
        fit = MAX_PEER_BYTES // (len(host) + 2)
        count = min(peers_wanted(numwant), fit)
        seeds, leechers, peers = self._registry.announce(info_hash, host + port, left == 0, event, count)
        self._counters.announces += 1
        return announced(transaction, self._interval, leechers, seeds, peers)

    def _scrape(self, data: bytes | bytearray, transaction: bytes) -> Reply:
        hashes = parse_scrape(data)
        if not hashes:
            self._counters.dropped += 1
            return None
        if self._policy.needs_passkey:
            raise TrackerError("scrape over HTTP")  # BEP 41 lets only announces say the path
        self._counters.scrapes += 1

        def finish(counts: Sequence[tuple[int, int, int]]) -> bytes | None:
            return scraped(transaction, counts)

        return questions.scrape(hashes, self._registry, self._colleagues, finish, None)
