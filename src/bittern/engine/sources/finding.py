"""How one torrent finds its peers: in which ways it may, and what each of them brings to the peerbook."""

from collections.abc import Iterator, Sequence

from bittern.base.address import Address
from bittern.base.errors import TrackerError
from bittern.codec.info import Info
from bittern.engine.effects import Connect
from bittern.engine.swarm.company import Company
from bittern.engine.swarm.holepunch import Holepunching
from bittern.engine.swarm.members import Members
from bittern.engine.swarm.names import Names
from bittern.engine.swarm.peer import Peer
from bittern.engine.swarm.peerbook import Peerbook, Source
from bittern.engine.world import Shared
from bittern.wire.announce import AnnounceReply
from bittern.wire.stream import LinkLost

from .allowed import sources_for
from .announcer import Announcer
from .nodes import NodeExchange
from .pex import PeerExchange


class Finding:
    """The sources of one torrent.

    Args:
        company: its peers.
        members: who is being dialed.
        book: known addresses.
        names: what the torrent is called, and where by which name.
        announcer: its announces.
        shared: surroundings of the torrent.

    Attributes:
        sources: who may name peers.
        pex: what peers tell of peers.
        punching: how those are reached that nobody can connect to.
        nodes: what is said of nodes of the distributed hash table.
    """

    def __init__(
        self,
        company: Company,
        members: Members,
        book: Peerbook,
        names: Names,
        announcer: Announcer,
        shared: Shared,
    ) -> None:
        settings = shared.settings
        self.sources = sources_for(None, settings)
        self.punching = Holepunching(company, self._meet, lambda address: address in shared.ourselves.known)
        self.pex = PeerExchange(company, book, settings, self.punching)
        self.punching.on = self.pex.on and settings.utp
        self.nodes = NodeExchange(shared, on=Source.DHT in self.sources)
        self._company = company
        self._members = members
        self._book = book
        self._names = names
        self._announcer = announcer
        self._settings = settings
        book.keep(self.sources)

    def limit_to(self, info: Info, now: float) -> bool:
        """Find peers in the ways that a torrent of `info` may use, and in no other, from now on.

        Whom others had named, it parts with.

        Returns:
            Whether it exchanged peers until now and does no longer: the peers are to be told.
        """
        self.sources = sources_for(info, self._settings)
        self.nodes.on = Source.DHT in self.sources
        if strangers := self._book.keep(self.sources):
            self._members.stop_dialing(now)
            self._company.leave_strangers(strangers, now)
        ends = self.pex.on and Source.PEX not in self.sources
        if ends:
            self.pex.on = self.punching.on = False
        return ends

    def left(self, peer: Peer, *, complete: bool) -> None:
        """A peer is gone; `complete`: we have everything that we want."""
        self.pex.left(peer, complete=complete)
        self.punching.left(peer)

    def add(self, addresses: Sequence[Address], source: Source, now: float) -> int:
        """Remember addresses of peers; how many were new. None are, of a source that the torrent may not use."""
        self._company.touch_all()
        return sum(self._book.add(address, source, now) for address in addresses)

    def dials(self, now: float) -> Iterator[Connect]:
        """The connections to make now."""
        for wish in self._members.dials(now):
            self.punching.dialing(wish.address, now)
            yield wish

    def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """A connection could not be made: there may be another way to whom it was to lead to."""
        self._company.touch_all()
        address = self._members.connect_failed(ticket, reason, now)
        if address is not None:
            self.punching.unreachable(address, now)

    def tracker_said(self, ticket: int, said: AnnounceReply | TrackerError, now: float, *, welcome: bool) -> None:
        """A tracker answered, refused, or did not answer.

        Args:
            ticket: of the question.
            said: the answer.
            now: the time.
            welcome: whether anybody is sought: a torrent that is paused seeks nobody.
        """
        self._company.touch_all()
        name = self._announcer.hash_of(ticket)
        reply = self._announcer.heard(ticket, said, now)
        if reply is not None:
            self._names.met(reply.peers, name)
            if welcome:
                self.add(reply.peers, Source.TRACKER, now)

    def _meet(self, address: Address, now: float) -> None:
        self._company.stir()
        self._members.meet(address, now)
