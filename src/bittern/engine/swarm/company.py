"""The peers of one torrent as its parts deal with them: who is to be looked at, who goes, who is never to come back."""

from collections.abc import Callable, Collection

from bittern.base.address import Address
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.engine.events import AddressesBlocked
from bittern.engine.world import Shared
from bittern.wire.handshake import Handshake
from bittern.wire.peerwire import PeerWire

from .ip_filter import Blocked
from .members import ALL_TAKEN, FILTERED, Members
from .peer import Peer
from .peerbook import Peerbook
from .turnover import unheard


class Company:
    """Who is here.

    Args:
        torrent: its number.
        members: who came in.
        book: known addresses.
        shared: surroundings of the torrent.
        parted: is called with each peer that is gone, and the time: every part is to forget it.

    Attributes:
        peers: by their numbers, in order of arrival.
        touched: those among them with something to settle at the end of the turn; its owner takes it.
        others: names of those who send blocks and are no peers, by number: web seeds.
        convict: one of these names sent bad data; False where the name is none of theirs.
    """

    def __init__(
        self,
        torrent: int,
        members: Members,
        book: Peerbook,
        shared: Shared,
        parted: Callable[[Peer, float], None],
    ) -> None:
        self.peers = members.peers
        self.touched: dict[int, Peer] = {}
        self.others: dict[int, str] = {}
        self.convict: Callable[[str], bool] = lambda _: False
        self._torrent = torrent
        self._members = members
        self._book = book
        self._shared = shared
        self._parted = parted

    def touch(self, peer: Peer) -> None:
        """Something about `peer` is to be settled at the end of the turn."""
        self.touched[peer.number] = peer
        self._shared.dirty[self._torrent] = None

    def stir(self) -> None:
        """Something changed that is to be settled, for whomever."""
        self._shared.dirty[self._torrent] = None

    def touch_all(self) -> None:
        """Something changed that may matter to everybody."""
        self.touched.update(self.peers)
        self._shared.dirty[self._torrent] = None

    def receive(
        self, wire: PeerWire, handshake: Handshake, now: float, *, incoming: bool, refusal: str | None
    ) -> Peer | None:
        """A handshake is complete: the new peer, for which another one may have to go; None when it is not let in.

        Args:
            wire: its connection, which is closed where there is no peer.
            handshake: what it said.
            now: the time.
            incoming: whether it connected to us.
            refusal: why nobody is let in at all.
        """
        self._members.answered(wire)
        crossed = self._members.crossed(wire, handshake, now, incoming=incoming)
        if crossed is not None:
            self.drop(crossed, Offence.DUPLICATE_PEER.value, now)
        if not incoming and wire.link.address not in self._book:  # it was dialed before that was known
            refusal = "who named it may not name any peer"
        if refusal is None and not self._members.unfit(handshake, wire.link.address, now):
            self._make_room(wire.link.address, now)
        peer = self._members.admit(wire, handshake, now, incoming=incoming, refusal=refusal)
        if peer is None:
            self.touch_all()  # there may be room for a dial
        else:
            self._shared.crowds.gathered(self._torrent, self)
        return peer

    def unheard(self, now: float) -> Peer | None:
        """The peer that was of no use for longest, and gives way to anybody."""
        return unheard(self.peers.values(), now)

    def give_way(self, peer: Peer, now: float) -> None:
        """A newcomer has the place of `peer`, which neither gave nor wanted anything."""
        self.drop(peer, "it is of no use, and another peer wants its place", now, sated=True)

    def ban(self, peer: Peer, offence: RemoteProtocolError, now: float) -> None:
        """Have nothing to do with a peer's address any more, over no connection."""
        self._book.ban(peer.address.host)
        peer.wire.close()
        self.forget(peer, str(offence), now, offence=True)
        self.expel(peer.address.host, now)

    def expel(self, host: str, now: float) -> None:
        """`host` is banned: end every connection with it, whatever the port."""
        for peer in [peer for peer in self.peers.values() if peer.address.host == host]:
            self.drop(peer, "the address is banned", now)

    def shut_out(self, now: float) -> None:
        """The IP filter is another: end every connection with whom it keeps out."""
        self._members.filter_changed()
        for peer in [peer for peer in self.peers.values() if self._book.filters(peer.address.host)]:
            self._book.turned_away(Blocked.PEER)
            self.drop(peer, FILTERED, now)
        self.touch_all()

    def tell_blocked(self) -> None:
        """Say how many the filter kept out since that was said last."""
        self._shared.events.append(AddressesBlocked(self._torrent, self._book.untold))
        self._book.untold = 0

    def leave_strangers(self, addresses: Collection[Address], now: float) -> None:
        """`addresses` were named by who may not name any (BEP 27): end the connections with them."""
        for peer in [peer for peer in self.peers.values() if peer.address in addresses]:
            self.drop(peer, "the torrent is private, and no tracker named the peer", now)

    def ban_hosts(self, hosts: Collection[str]) -> list[Peer]:
        """Have nothing to do with `hosts` any more, also with those who have left; the peers from there, to be banned.

        They are not shown out here: what else is known of them may matter first.
        """
        for host in hosts:
            if not self.convict(host):
                self._book.ban(host)
        return [peer for peer in self.peers.values() if peer.address.host in hosts]

    def drop(self, peer: Peer, reason: str, now: float, *, sated: bool = False) -> None:
        """End a connection for a reason of our own; `sated`: neither side failed."""
        peer.wire.close()
        self.forget(peer, reason, now, sated=sated)

    def forget(
        self, peer: Peer, reason: str, now: float, *, offence: bool = False, sated: bool = False, vanished: bool = False
    ) -> None:
        """A connection has ended; see `Members.left`."""
        if self.peers.pop(peer.number, None) is None:
            return
        self.touched.pop(peer.number, None)
        self._parted(peer, now)
        self.touch_all()
        self._members.left(peer, reason, offence=offence, now=now, sated=sated, vanished=vanished)
        if not self.peers:
            self._shared.crowds.scattered(self._torrent)

    def _make_room(self, newcomer: Address, now: float) -> None:
        """Let somebody make room for a newcomer, here, or in another torrent where all have too many together."""
        idle, weaker = self._members.gives_way(newcomer, now)
        if idle is not None:
            self.give_way(idle, now)
        elif weaker is not None:
            self.drop(weaker, "a peer of higher rank wants its place", now)
        elif self._members.no_room(newcomer) == ALL_TAKEN:
            self._shared.crowds.relieve(now)
