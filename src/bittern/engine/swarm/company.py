"""The peers of one torrent as its parts deal with them: who is to be looked at, who goes, who is never to come back."""

from collections.abc import Callable, Collection

from bittern.base.address import Address
from bittern.base.errors import RemoteProtocolError
from bittern.engine.world import Shared

from .members import Members
from .peer import Peer
from .peerbook import Peerbook


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

    def forget(self, peer: Peer, reason: str, now: float, *, offence: bool = False, sated: bool = False) -> None:
        """A connection has ended."""
        if self.peers.pop(peer.number, None) is None:
            return
        self.touched.pop(peer.number, None)
        self._parted(peer, now)
        self.touch_all()
        self._members.left(peer, reason, offence=offence, now=now, sated=sated)
