"""Whom we serve and what we refuse: slots given and taken, requests admitted, and no request left without an answer."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK, Geometry
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer

from .admission import CHOKED_MOST, is_honest
from .choker import OPTIMISTIC_SECONDS, Contender, optimistic, rechoke

if TYPE_CHECKING:
    from random import Random


class Serving:
    """The upload slots of one torrent.

    Args:
        settings: of the engine.
        rng: draws the optimistic unchoke.
    """

    def __init__(self, settings: EngineSettings, rng: "Random") -> None:
        self._slots = settings.upload_slots
        self._most_queued = settings.max_requests_queued
        self._rng = rng

    def interested(self, peer: Peer, peers: Iterable[Peer]) -> None:
        """A peer wants something: a free slot is given at once, else it waits for the next round."""
        if peer.am_choking and sum(not other.am_choking and other.peer_interested for other in peers) < self._slots:
            self._unchoke(peer)

    def admit(self, peer: Peer, runs: Iterable[tuple[int, int, int, int]], geometry: Geometry, have: Bitfield) -> None:
        """Queue what is served and refuse the rest.

        Args:
            peer: who asks.
            runs: (piece, begin, length, count), see PeerSink.
            geometry: of the torrent.
            have: pieces that are stored.

        Raises:
            RemoteProtocolError: a request that no honest client makes, or too many while choked.
        """
        queue = peer.uploads
        for piece, begin, length, count in runs:
            if not is_honest(geometry, piece, begin, length, count):
                raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, f"request {piece}:{begin}+{length}")
            room = self._most_queued - queue.queued if piece in have and not peer.am_choking else 0
            taken = max(0, min(count, room))
            if taken:
                queue.add(piece, begin, min(length, taken * BLOCK), taken)
            for at in range(begin + taken * BLOCK, begin + length, BLOCK):
                self.refuse(peer, (piece, at, min(BLOCK, begin + length - at)))

    def refuse(self, peer: Peer, request: tuple[int, int, int]) -> None:
        """Say no to a request that just came.

        Raises:
            RemoteProtocolError: it goes on asking while it is choked.
        """
        if peer.am_choking:
            peer.uploads.refused += 1
            # What was on its way when we choked is no flood: as much as the peer may ask ahead.
            if peer.uploads.refused > self._most_queued + CHOKED_MOST:
                raise RemoteProtocolError(Offence.REQUEST_FLOOD, f"{peer.uploads.refused} requests while choked")
        self.decline(peer, request)

    def decline(self, peer: Peer, request: tuple[int, int, int]) -> None:
        """BEP 6: say no; a peer that lacks the message is choked, which says no to everything."""
        if peer.fast:
            peer.wire.send_reject(*request)
        elif not peer.am_choking:
            self._choke(peer)

    def rechoke(self, peers: Mapping[int, Peer], now: float, *, seeding: bool) -> None:
        """A round: the best, and one by chance, are served until the next."""
        contenders = [
            Contender(
                number=peer.number,
                interested=peer.peer_interested,
                rate=(peer.up if seeding else peer.down).rate(now),
                snubbed=not seeding and peer.pipeline is not None and peer.pipeline.snubbed,
                age=now - peer.joined_at,
            )
            for peer in peers.values()
        ]
        keep = rechoke(contenders, self._slots, self._lucky(peers, contenders, now))
        for peer in peers.values():
            if peer.am_choking and peer.number in keep:
                self._unchoke(peer)
            elif not peer.am_choking and peer.number not in keep and peer.peer_interested:
                self._choke(peer)

    def _lucky(self, peers: Mapping[int, Peer], contenders: list[Contender], now: float) -> int | None:
        """The optimistic unchoke: kept for its time, then drawn anew."""
        for peer in peers.values():
            if peer.optimistic_until > now and peer.peer_interested:
                return peer.number
        drawn = optimistic(contenders, rechoke(contenders, self._slots - 1, None), self._rng)
        if drawn is not None:
            peers[drawn].optimistic_until = now + OPTIMISTIC_SECONDS
        return drawn

    @staticmethod
    def _choke(peer: Peer) -> None:
        peer.am_choking = True
        peer.wire.send_choke()
        dropped = peer.uploads.clear()
        if peer.fast:  # BEP 6: a choke refuses nothing by itself
            for request in dropped:
                peer.wire.send_reject(*request)

    @staticmethod
    def _unchoke(peer: Peer) -> None:
        peer.am_choking = False
        peer.uploads.refused = 0
        peer.wire.send_unchoke()
