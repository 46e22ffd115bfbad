"""Holepunching (BEP 55) of one torrent: to be brought together with a peer, to bring others together, to come.

A peer that nobody can connect to is reached when both sides connect at the same moment: each one's router lets in what
comes from where something was just sent to. A peer that both are connected to says when.

Nobody is to make us send datagrams to a stranger: as the one between we name none but peers that we are connected to,
as the one who is called we come a few times for each who calls, and never to where peers cannot be.
"""

from collections.abc import Callable
from math import inf

from bittern.base.address import Address
from bittern.base.transport import Transport
from bittern.wire.holepunch import NAME, Holepunch, HolepunchError, HolepunchKind
from bittern.wire.stream import Buffer
from bittern.wire.ut_pex import PexFlag

from .company import Company
from .peer import Peer
from .reach import is_unicast, sees

INTERVAL_SECONDS = 6.0
"""As the mean over long times, one peer makes us act so often at most."""
MOST_AT_ONCE = 10
"""So often it may make us act one right after the other."""
ASK_AGAIN_SECONDS = 120.0
"""Nobody is asked for the same peer again before."""
MOST_TOLD = 500
"""Peers that may be brought together with us, which are remembered."""
MOST_BETWEEN = 4
"""Peers between, for each of them."""
FIRST_PORT = 1024
"""Below, there are services of systems: no peer, but somebody may want us to send something there."""


class Pace:
    """How often something may happen: once in an interval, a few times at once after a pause."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = -inf

    def permits(self, now: float) -> bool:
        """Whether it may happen now, which counts then."""
        if self._until - now > INTERVAL_SECONDS * (MOST_AT_ONCE - 1):
            return False
        self._until = max(self._until, now) + INTERVAL_SECONDS
        return True


class Between:
    """Who could bring us together with whom: peers that told of others who speak the extension."""

    def __init__(self) -> None:
        self._known: dict[Address, dict[int, None]] = {}
        self._reached: dict[Address, None] = {}
        self._asked: dict[Address, float] = {}

    def told(self, teller: int, address: Address, *, hidden: bool) -> None:
        """The peer `teller` is connected to one at `address`, which speaks the extension.

        Args:
            teller: its number.
            address: where others know the other one.
            hidden: it was not the teller who made the connection.
        """
        if not hidden:
            self._reached[address] = None
        tellers = self._known.pop(address, {})
        if len(tellers) < MOST_BETWEEN:
            tellers[teller] = None
        self._known[address] = tellers
        if len(self._known) > MOST_TOLD:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._reached.pop(oldest, None)

    def hides(self, address: Address) -> bool:
        """Whether who told of `address` had not connected to it."""
        return address in self._known and address not in self._reached

    def take(self, address: Address, now: float) -> list[int]:
        """Those to ask for the peer at `address`, first those who told first; nobody where that was done lately."""
        self._asked = {other: due for other, due in self._asked.items() if due > now}
        if address in self._asked or address not in self._known:
            return []
        self._asked[address] = now + ASK_AGAIN_SECONDS
        return list(self._known[address])

    def asked_for(self, host: str, now: float) -> bool:
        """Whether somebody was asked, not long ago, for a peer at `host`."""
        return any(address.host == host and due > now for address, due in self._asked.items())


class Holepunching:
    """The three roles.

    Args:
        company: the peers.
        dial: connects to an address over uTP at once, if there is room for that and no connection with it.
        is_ours: whether an address is our own.

    Attributes:
        on: whether we speak the extension at all: not without uTP, and not in a private torrent (BEP 27).
    """

    def __init__(
        self, company: Company, dial: Callable[[Address, float], None], is_ours: Callable[[Address], bool]
    ) -> None:
        self.on = False
        self._company = company
        self._dial = dial
        self._is_ours = is_ours
        self._between = Between()
        self._paces: dict[int, Pace] = {}
        self._calls: dict[int, Pace] = {}

    def told(self, teller: Peer, address: Address, flags: PexFlag) -> None:
        """A peer told of another, and whether it speaks the extension."""
        if self.on and flags & PexFlag.HOLEPUNCH:
            self._between.told(teller.number, address, hidden=not flags & PexFlag.REACHABLE)

    def left(self, peer: Peer) -> None:
        """A peer is gone."""
        self._paces.pop(peer.number, None)
        self._calls.pop(peer.number, None)

    def dialing(self, address: Address, now: float) -> None:
        """A candidate is being dialed: if nobody that we know of ever reached it so, it is also called at once."""
        if self._between.hides(address):
            self.unreachable(address, now)

    def unreachable(self, address: Address, now: float) -> None:
        """Nobody answered at `address`: ask all who could bring us together, of whom one is enough."""
        for number in self._between.take(address, now) if self.on else ():
            peer = self._company.peers.get(number)
            if peer is not None and speaks(peer):
                _send(peer, HolepunchKind.RENDEZVOUS, address)

    def heard(self, peer: Peer, payload: Buffer, now: float) -> None:
        """A message of the extension came.

        Raises:
            RemoteProtocolError: BAD_EXTENSION.
        """
        message = Holepunch.parse(payload)
        if message is None or not self.on or not speaks(peer):
            return
        if message.kind is HolepunchKind.RENDEZVOUS:
            if self._paces.setdefault(peer.number, Pace()).permits(now):
                self._bring_together(peer, message.address, now)
        elif message.kind is HolepunchKind.CONNECT:
            self._called(peer, message.address, now)

    def _bring_together(self, asker: Peer, address: Address, now: float) -> None:
        """Tell both sides to connect to each other, or the one that asked why not."""
        target = self._at(address)
        here, there = whence(asker), whence(target) if target is not None else None
        if target is None:
            ours = self._is_ours(address)
            error = HolepunchError.NO_SELF if ours else HolepunchError.NOT_CONNECTED
            error = error if ours or is_unicast(address) else HolepunchError.NO_SUCH_PEER
        elif target is asker:
            error = HolepunchError.NO_SUCH_PEER
        elif not speaks(target):
            error = HolepunchError.NO_SUPPORT
        elif here is None or there is None or not (sees(asker.address.host, there) and sees(there.host, here)):
            error = HolepunchError.NOT_CONNECTED
        else:
            if self._calls.setdefault(target.number, Pace()).permits(now):
                _send(asker, HolepunchKind.CONNECT, there)
                _send(target, HolepunchKind.CONNECT, here)
            return
        _send(asker, HolepunchKind.ERROR, address, error)

    def _called(self, between: Peer, address: Address, now: float) -> None:
        """Come, if that can be a peer, and whoever calls does not do so too often."""
        if not is_unicast(address) or address.port < FIRST_PORT or not sees(between.address.host, address):
            return
        if self._is_ours(address) or self._at(address) is not None:
            return
        asked = self._between.asked_for(address.host, now)
        if asked or self._paces.setdefault(between.number, Pace()).permits(now):
            self._dial(address, now)

    def _at(self, address: Address) -> Peer | None:
        peers = self._company.peers.values()
        return next((peer for peer in peers if address == peer.address or address in peer.listens_at), None)


def speaks(peer: Peer) -> bool:
    """Whether a peer speaks the extension."""
    return bool(peer.says.extensions.get(NAME))


def whence(peer: Peer) -> Address | None:
    """Where datagrams reach a peer if they reach it at all: not behind the port that its TCP connection came from."""
    if not peer.incoming or peer.transport is Transport.UTP:
        return peer.address
    return peer.listens_at[0] if peer.listens_at else None


def _send(peer: Peer, kind: HolepunchKind, address: Address, error: HolepunchError | None = None) -> None:
    peer.wire.send_extended(peer.says.extensions[NAME], Holepunch(kind, address, error).encode())
