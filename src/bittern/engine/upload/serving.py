"""Whom we serve and what we refuse: slots given and taken, requests admitted, and no request left without an answer."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK, Geometry
from bittern.base.ids import InfoHashV1
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from bittern.wire import donthave

from .admission import CHOKED_MOST, PLAIN_SHARE, is_honest
from .allowed_fast import allowance, is_beginner, offers_per_round
from .choker import (
    OPTIMISTIC_SECONDS,
    SEED_RANKINGS,
    Contender,
    Ranking,
    by_chance,
    rechoke,
    round_robin,
    tit_for_tat,
)
from .pools import has_free_slot, split
from .slots import slots_for
from .superseed import SuperSeed

if TYPE_CHECKING:
    from random import Random

CROWD = 2
"""Where there are more peers than so many times the slots, some may be set back for others."""


class Serving:
    """The upload slots of one torrent.

    Args:
        settings: of the engine.
        info_hash: of the torrent.
        rng: draws the optimistic unchoke.
    """

    def __init__(self, settings: EngineSettings, info_hash: InfoHashV1, rng: "Random") -> None:
        self._info_hash = info_hash
        self._slots = slots_for(settings.slot_count, settings.upload_slots, settings.max_peers)
        self._seed_ranking = SEED_RANKINGS[settings.seed_choker]
        self._most_queued = settings.max_requests_queued
        self._offers = offers_per_round(self._slots.count)
        self._rng = rng
        self._geometry = Geometry(0, BLOCK)
        self._have = Bitfield(0)
        self._lost: dict[int, None] = {}
        self._super: SuperSeed | None = None
        self._reserved: frozenset[int] | None = None  # the only peers that may be served
        self.secretive = False
        """Whether pieces are shown one by one now; no property, as each turn of each torrent asks."""
        self._hides = False

    def ready(self, geometry: Geometry, have: Bitfield) -> None:
        """The metadata is known: `have` are the pieces that are stored, kept up to date by their owner."""
        self._geometry = geometry
        self._have = have
        self.hide({}, on=self._hides)

    def hide(self, peers: Mapping[int, Peer], *, on: bool) -> None:
        """Show pieces one by one (BEP 16), from now on or from `ready` on, if we have all of them then; or no longer.

        Args:
            peers: those that know already what we have.
            on: whether to begin, or to end.
        """
        self._hides = on
        if not on:
            self.reveal(peers)
        elif self._super is None and self._have.size and self._have.complete:
            self._super = SuperSeed(self._have.size, self._rng, peers)
            self.secretive = True

    @property
    def visible(self) -> Bitfield:
        """What a peer that joins is told that we have."""
        if self._super is not None:
            return Bitfield(self._have.size)
        if not self._lost:
            return self._have
        left = self._have.copy()
        for piece in self._lost:
            left.discard(piece)
        return left

    def lose(self, piece: int, peers: Iterable[Peer]) -> None:
        """A piece cannot be read: it is taken back (BEP 54), and refused until `recover`."""
        if piece not in self._lost:
            self._lost[piece] = None
            for peer in peers:
                number = peer.says.extensions.get(donthave.NAME)
                if number:
                    peer.wire.send_extended(number, donthave.encode(piece))

    def unreadable(self, waiting: Iterable[tuple[Peer, int, int, int]], peers: Iterable[Peer]) -> list[Peer]:
        """What we promised cannot be read: refuse it, and take the pieces back.

        Args:
            waiting: who waits for what: (peer, piece, begin, length).
            peers: all who are to be told.

        Returns:
            Those who waited.
        """
        readers = []
        for peer, piece, begin, length in waiting:
            for at in range(begin, begin + length, BLOCK):
                self.decline(peer, (piece, at, min(BLOCK, begin + length - at)))
            readers.append(peer)
            self.lose(piece, peers)
        return readers

    def recover(self, peers: Iterable[Peer]) -> None:
        """The storage may be well again: what could not be read is offered anew."""
        lost, self._lost = self._lost, {}
        for peer in peers:
            peer.wire.send_haves(lost)

    def show(self, changed: Mapping[int, Peer], peers: Mapping[int, Peer]) -> None:
        """Super-seeding: some peers came or may have got something, others may be gone."""
        if self._super is not None:
            self._super.keep_only(peers)
            holders = {number: peer.pieces for number, peer in changed.items() if peer.pieces is not None}
            self._tell(self._super.update(holders), peers)
            if self._super.fed:
                self.reveal(peers)

    def reveal(self, peers: Mapping[int, Peer]) -> None:
        """Super-seeding is over: there are others now that have everything, or could have."""
        hidden, self._super = self._super, None
        self.secretive = False
        if hidden is not None:
            for peer in peers.values():
                peer.wire.send_haves(hidden.hidden(peer.number))

    def _tell(self, shown: list[tuple[int, int]], peers: Mapping[int, Peer]) -> None:
        for number, piece in shown:
            peers[number].wire.send_have(piece)

    def reserve(self, only: frozenset[int] | None, peers: Mapping[int, Peer]) -> None:
        """In a crowd, where most wait anyway: serve nobody but `only` (Suggesting.last_takers), or everybody again."""
        only = only if len(peers) > CROWD * self._slots.count else None
        before, self._reserved = self._reserved, only
        if only is None:
            for peer in peers.values():
                if before is not None and peer.peer_interested:
                    self.interested(peer, peers.values())
            return
        for peer in peers.values():
            if not peer.am_choking and peer.peer_interested and peer.number not in only:
                self._choke(peer)

    def _may_serve(self, peer: Peer) -> bool:
        return self._reserved is None or peer.number in self._reserved

    def interested(self, peer: Peer, peers: Iterable[Peer]) -> None:
        """A peer wants something: a free slot is given at once, else it waits for the next round."""
        if peer.am_choking and self._may_serve(peer) and has_free_slot(peer, peers, self._slots.count):
            self._unchoke(peer)
        elif peer.am_choking:
            self._allow(peer)

    def admit(self, peer: Peer, runs: Iterable[tuple[int, int, int, int]]) -> None:
        """Queue what is served and refuse the rest.

        Args:
            peer: who asks.
            runs: (piece, begin, length, count), see PeerSink.

        Raises:
            RemoteProtocolError: a request that no honest client makes, or too many while choked.
        """
        queue = peer.uploads
        for piece, begin, length, count in runs:
            if not is_honest(self._geometry, piece, begin, length, count):
                raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, f"request {piece}:{begin}+{length}")
            taken = min(count, self._room(peer, piece))
            if not peer.fast and taken < count and queue.queued + taken >= self._most_queued * PLAIN_SHARE:
                raise RemoteProtocolError(Offence.REQUEST_FLOOD, f"{queue.queued + count} requests wait")
            if taken:
                queue.add(piece, begin, min(length, taken * BLOCK), taken)
                if peer.am_choking and queue.allowed is not None:
                    queue.allowed[piece] -= taken
            for at in range(begin + taken * BLOCK, begin + length, BLOCK):
                self.refuse(peer, (piece, at, min(BLOCK, begin + length - at)))

    def _room(self, peer: Peer, piece: int) -> int:
        """How many blocks of `piece` may be queued now."""
        queue = peer.uploads
        most = self._most_queued if peer.fast else self._most_queued * PLAIN_SHARE
        if piece not in self._have or piece in self._lost or queue.queued >= most:
            return 0
        if self._super is not None and not self._super.shows(peer.number, piece):
            return 0
        room = most - queue.queued
        if not peer.am_choking:
            return room
        return min(room, queue.allowed.get(piece, 0)) if queue.allowed and is_beginner(peer.pieces) else 0

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
            peer.uploads.stint.interrupted = True
            self._choke(peer)

    def rechoke(self, peers: Mapping[int, Peer], now: float, *, seeding: bool) -> None:
        """A round: the best, and some by chance, are served until the next.

        Args:
            peers: all of the torrent, by their numbers.
            now: the time.
            seeding: whether we want nothing ourselves.
        """
        if self._super is not None:
            self._super.keep_only(peers)
            self._tell(self._super.next_round(), peers)
        piece_size = self._geometry.piece_size
        for peer in peers.values():
            peer.uploads.stint.next_round(served=not peer.am_choking, interested=peer.peer_interested)
        everybody = {
            peer: _contender(peer, now, piece_size, seeding=seeding) for peer in peers.values() if self._may_serve(peer)
        }
        ranking = self._seed_ranking if seeding else tit_for_tat
        contenders, apart = split(everybody, ranking)
        used = sum(one.served and one.interested for one in contenders)
        self._slots.next_round(used, sum(one.takes for one in contenders))
        lucky = [] if ranking is round_robin else self._lucky(peers, contenders, ranking, now)
        keep = rechoke(contenders, self._slots.count, lucky, ranking) | apart
        self._offers = offers_per_round(self._slots.count)
        for peer in peers.values():
            if peer.am_choking and peer.number in keep:
                self._unchoke(peer)
            elif peer.peer_interested and peer.number not in keep:
                (self._allow if peer.am_choking else self._choke)(peer)

    def _lucky(self, peers: Mapping[int, Peer], contenders: list[Contender], ranking: Ranking, now: float) -> list[int]:
        """The optimistic unchokes: each kept for its time, then drawn anew."""
        lucky = [
            peer.number for peer in peers.values() if peer.uploads.stint.optimistic_until > now and peer.peer_interested
        ]
        for number in by_chance(contenders, self._slots.count, lucky, ranking, self._rng):
            peers[number].uploads.stint.optimistic_until = now + OPTIMISTIC_SECONDS
            lucky.append(number)
        return lucky

    def _allow(self, peer: Peer) -> None:
        """BEP 6: a beginner that has to wait may ask for some pieces all the same."""
        queue = peer.uploads
        if not peer.fast or self._super is not None or queue.allowed is not None or not is_beginner(peer.pieces):
            return
        if not self._offers:
            return
        self._offers -= 1
        whole = allowance(peer.address.host, self._info_hash, self._geometry)
        lacks = (
            piece for piece in whole if piece in self.visible and (peer.pieces is None or piece not in peer.pieces)
        )
        queue.allowed = {piece: whole[piece] for piece in lacks}
        for piece in queue.allowed:
            peer.wire.send_allowed_fast(piece)

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
        peer.uploads.stint.begin(peer.uploads.sent)
        peer.wire.send_unchoke()


def _contender(peer: Peer, now: float, piece_size: int, *, seeding: bool) -> Contender:
    """A peer as the choker sees it, at the end of a round."""
    uploads, pieces = peer.uploads, peer.pieces
    return Contender(
        number=peer.number,
        interested=peer.peer_interested,
        gives=peer.down.rate(now),
        takes=peer.up.rate(now),
        snubbed=not seeding and peer.pipeline is not None and peer.pipeline.snubbed,
        age=now - peer.joined_at,
        served=not peer.am_choking or uploads.stint.interrupted,
        stint=uploads.stint.used(uploads.sent, piece_size),
        waited=uploads.stint.waited,
        progress=pieces.count / pieces.size if pieces is not None and pieces.size else 0.0,
        debt=(uploads.sent - peer.pipeline.arrived) / piece_size if peer.pipeline is not None and not seeding else 0.0,
    )
