"""Who is in the swarm with us, from the dial to the goodbye, and what the peerbook learns of it."""

from collections.abc import Iterator

from bittern.base.address import Address
from bittern.base.errors import Offence
from bittern.engine.effects import Connect
from bittern.engine.events import PeerDropped, PeerJoined
from bittern.engine.world import Shared
from bittern.wire.handshake import Handshake, Reserved
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import LinkLost

from .dialing import Dialing
from .ip_filter import Blocked
from .peer import Peer
from .peerbook import Peerbook, Source
from .places import is_this_machine, network_of
from .turnover import TURNOVER_SECONDS, least_useful, outranked, unheard, useless
from .welcome import crosses

FILTERED = "the IP filter blocks the address"
BLOCKED_CLIENT = "its client is blocked"
NETWORK_TAKEN = "its network has as many peers with us as one may have"
TORRENT_TAKEN = "we have as many peers as we want"
ALL_TAKEN = "we have as many connections as we want"
_COUNTED = {FILTERED: Blocked.INCOMING, BLOCKED_CLIENT: Blocked.CLIENT}


class Members:
    """The peers of one torrent, and the connections that may become some.

    Args:
        torrent: its number.
        book: known addresses.
        shared: surroundings of the torrent.

    Attributes:
        peers: by their numbers, in order of arrival.
    """

    def __init__(self, torrent: int, book: Peerbook, shared: Shared) -> None:
        self.peers: dict[int, Peer] = {}
        self._torrent = torrent
        self._book = book
        self._shared = shared
        self._dialing = Dialing(torrent, book, shared.settings, shared.places)
        self._last_number = 0
        self._turnover_due = 0.0
        self._ranked_for: tuple[Address, ...] = ()

    # --- dials

    def dials(self, now: float) -> Iterator[Connect]:
        """The connections to make now."""
        self._follow_our_address()
        while (wish := self._dialing.next(self._shared.next_ticket(), len(self.peers), now)) is not None:
            yield wish

    @property
    def dialing(self) -> int:
        """Connections under way, until their handshake."""
        return len(self._dialing)

    def next_due(self) -> float:
        """When `dials` may have something; infinity for never."""
        return self._dialing.next_due(len(self.peers))

    def connect_failed(self, ticket: int, reason: LinkLost, now: float) -> Address | None:
        """A connection could not be made; where to, when the dial has led to nothing by that."""
        failed = self._dialing.failed(ticket, reason, now)
        if failed is None:
            return None
        self._tell_dropped(*failed, offence=False)
        return failed[0]

    def meet(self, address: Address, now: float) -> None:
        """Dial `address` at once over uTP, whoever it is, if there is room: somebody there does the same (BEP 55)."""
        self._book.add(address, Source.PEX, now)
        self._dialing.meet(address, len(self.peers), now)

    def dialed(self, ticket: int, wire: int) -> bool:
        """A dial made a connection that goes on under the key `wire`; False when it is not wanted any more."""
        if ticket not in self._dialing:
            return False
        self._shared.effects.extend(self._dialing.rekey(ticket, wire))
        return True

    def stop_dialing(self, now: float) -> None:
        """Nothing that is under way is wanted any more."""
        self._shared.effects.extend(self._dialing.clear(now))

    def filter_changed(self) -> None:
        """The IP filter is another: whom it keeps out is not wanted any more."""
        self._book.filter_changed()
        self._shared.effects.extend(self._dialing.leave(self._book.filters))

    def wire_ended(self, wire: PeerWire, reason: str, *, offence: bool, now: float) -> None:
        """A wire ended before it became a peer."""
        if not wire.heard and self._dialing.unanswered(wire.key, now):
            return
        self._dialing.succeeded(wire.key)
        self._turned_away(wire.link.address, reason, now, incoming=False)
        self._tell_dropped(wire.link.address, reason, offence=offence)

    # --- coming

    def answered(self, wire: PeerWire) -> None:
        """The handshake of `wire` came: if we dialed it, the place of the dial is free."""
        self._dialing.answered(wire.key)

    def crossed(self, wire: PeerWire, handshake: Handshake, now: float, *, incoming: bool) -> Peer | None:
        """The peer whose connection gives way to a new one, `wire`, that leads to the same client."""
        twin, shared, address = self._twin(handshake), self._shared, wire.link.address
        if twin is None:
            return None
        replaced = crosses(twin, address, shared.peer_id, shared.ourselves.rank, incoming=incoming, now=now)
        return twin if replaced else None

    def gives_way(self, newcomer: Address, now: float) -> tuple[Peer | None, Peer | None]:
        """Who makes room for a new peer, where it is needed: one of no use so far, or else one of lower rank (BEP 40).

        Where the network of the newcomer has as many peers as it may, only these can.
        """
        lack = self.no_room(newcomer)
        if lack is None:
            return None, None
        if lack == NETWORK_TAKEN:
            return unheard(self._kin(newcomer), now), None
        crowd = self.peers.values()
        return unheard(crowd, now), outranked(crowd, newcomer, self._shared.ourselves.rank, now)

    def no_room(self, newcomer: Address) -> str | None:
        """Why there is no room for one more peer at this address; None where there is."""
        if len(self._kin(newcomer)) >= self._shared.settings.max_per_network:
            return NETWORK_TAKEN
        if len(self.peers) >= self._shared.settings.max_peers:
            return TORRENT_TAKEN
        return ALL_TAKEN if self._shared.places.full else None

    def unfit(self, handshake: Handshake, address: Address, now: float) -> bool:
        """Whether a newcomer would not be let in even if there was room."""
        ours = handshake.peer_id == self._shared.peer_id
        return ours or self._twin(handshake) is not None or self._unwelcome(handshake, address, now) is not None

    def admit(
        self, wire: PeerWire, handshake: Handshake, now: float, *, incoming: bool, refusal: str | None = None
    ) -> Peer | None:
        """The new peer of a complete handshake; None when it is not let in, and its wire closed.

        Args:
            wire: its connection.
            handshake: what it said.
            now: the time.
            incoming: whether it connected to us.
            refusal: why nobody is let in at all.
        """
        address = wire.link.address
        twin = self._twin(handshake)
        refusal = self._refusal(handshake, address, refusal, now)
        if twin is not None and not incoming:
            wire.close()
            self._also_at(twin, address, reached=True)
            return None
        if refusal is not None:
            wire.close()
            self._turned_away(address, refusal, now, incoming=incoming)
            self._tell_dropped(address, refusal, offence=refusal == Offence.SELF_CONNECTION.value)
            return None
        self._last_number += 1
        peer = Peer(
            number=self._last_number,
            wire=wire,
            address=address,
            peer_id=handshake.peer_id,
            fast=handshake.supports(Reserved.FAST),
            extended=handshake.supports(Reserved.LTEP),
            incoming=incoming,
            joined_at=now,
        )
        self.peers[peer.number] = peer
        self._book.company(now)
        self._shared.places.enter()
        self._book.connected(address, reached=not incoming)
        self._shared.events.append(
            PeerJoined(self._torrent, address, handshake.peer_id, peer.transport, peer.encrypted)
        )
        return peer

    def told_our_address(self, peer: Peer) -> None:
        """A peer says how it sees us."""
        if peer.says.your_ip is not None:
            self._shared.ourselves.told(peer.says.your_ip, peer.address.host)
            self._follow_our_address()

    def listens_on(self, peer: Peer, port: int, now: float) -> None:
        """A peer that connected to us says where it can be dialed: the first word counts."""
        if peer.incoming and not peer.listens_at:
            address = Address(peer.address.host, port)
            self._book.add(address, Source.INCOMING, now)
            self._also_at(peer, address)

    # --- going

    def left(self, peer: Peer, reason: str, *, offence: bool, now: float, sated: bool, vanished: bool) -> None:
        """A peer was taken out of `peers`.

        Args:
            peer: it.
            reason: why, for people.
            offence: whether it did what no peer should.
            now: the time.
            sated: whether neither side failed: there is no hurry to meet again.
            vanished: whether it fell silent without a word.
        """
        self._shared.places.leave()
        for address in (peer.address, *peer.listens_at):
            self._book.ended(address, now, useful=peer.was_useful, sated=sated, vanished=vanished)
        if not self.peers:
            self._book.deserted(now)
        self._tell_dropped(peer.address, reason, offence=offence)

    def to_part_with(self, now: float, *, seeding: bool) -> list[Peer]:
        """Some peers, when there are no places left and somebody waits for one: of no use, or at times the worst."""
        most, waiting_since = self._shared.settings.max_peers, self._book.next_due()
        full = len(self.peers) >= most or self._shared.places.full
        if not full or waiting_since is None or waiting_since > now:
            return []
        rank = self._shared.ourselves.rank
        if idle := useless(self.peers.values(), rank, now)[: 1 + most // 20]:
            return idle
        if now < self._turnover_due:
            return []
        self._turnover_due = now + TURNOVER_SECONDS
        return least_useful(self.peers.values(), rank, now, seeding=seeding)

    def _twin(self, handshake: Handshake) -> Peer | None:
        return next((peer for peer in self.peers.values() if peer.peer_id == handshake.peer_id), None)

    def _refusal(self, handshake: Handshake, address: Address, refusal: str | None, now: float) -> str | None:
        if handshake.peer_id == self._shared.peer_id:
            return Offence.SELF_CONNECTION.value
        if refusal is not None:
            return refusal
        unwelcome = self._unwelcome(handshake, address, now)
        if unwelcome is not None:
            if unwelcome in _COUNTED:
                self._book.turned_away(_COUNTED[unwelcome])
            return unwelcome
        if self._twin(handshake) is not None:
            return Offence.DUPLICATE_PEER.value
        return self.no_room(address)

    def _kin(self, address: Address) -> list[Peer]:
        """The peers of one network, in order of arrival; none where any number may be."""
        if is_this_machine(address.host):
            return []
        network = network_of(address.host)
        return [peer for peer in self.peers.values() if network_of(peer.address.host) == network]

    def _unwelcome(self, handshake: Handshake, address: Address, now: float) -> str | None:
        """Why we want nothing to do with who is at `address`, whatever it wants of us; None where we do."""
        if self._book.banned(address.host, now):
            return "the address is banned"
        if self._book.filters(address.host):
            return FILTERED
        return BLOCKED_CLIENT if handshake.peer_id.startswith(self._shared.settings.blocked_clients) else None

    def _follow_our_address(self) -> None:
        """Whoever told us our address, candidates are ranked by it (BEP 40), and it is not dialed."""
        ourselves = self._shared.ourselves
        if ourselves.known != self._ranked_for:
            self._ranked_for = ourselves.known
            self._book.rank(ourselves.rank)
            self._book.ours(ourselves.known)

    def _turned_away(self, address: Address, reason: str, now: float, *, incoming: bool) -> None:
        """A connection did not become a peer; over uTP who connects to us does so from where it listens."""
        if reason == Offence.SELF_CONNECTION.value:
            self._book.is_self(address)
        elif reason == BLOCKED_CLIENT:  # who runs it will run it for a while
            self._book.ended(address, now, useful=False, sated=True)
        elif not incoming:
            self._book.ended(address, now, useful=False)

    def _also_at(self, peer: Peer, address: Address, *, reached: bool = False) -> None:
        """A peer can be dialed at `address`, as it says or as we have found: no need to while it is connected."""
        peer.listens_at.insert(0 if reached else len(peer.listens_at), address)
        peer.reached = peer.reached or reached
        self._book.connected(address, reached=reached)

    def _tell_dropped(self, address: Address, reason: str, *, offence: bool) -> None:
        self._shared.events.append(PeerDropped(self._torrent, address, reason, offence))
