"""Peer exchange (BEP 11) of one torrent: its peers are told of each other, and what they tell is weighed."""

from bittern.base.address import Address
from bittern.base.transport import Transport
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.company import Company
from bittern.engine.swarm.holepunch import Holepunching, speaks
from bittern.engine.swarm.peer import Peer
from bittern.engine.swarm.peerbook import Peerbook, Source
from bittern.engine.swarm.places import is_this_machine
from bittern.engine.swarm.reach import scope_of, sees
from bittern.engine.swarm.turnover import is_sated
from bittern.wire.stream import Buffer
from bittern.wire.ut_pex import MOST, NAME, PexFlag, PexMessage

from .allowed import sources_for
from .gossip import MOST_LISTED, Ear, Gossip


class PeerExchange:
    """What the peers of one torrent hear from us of each other, and we from them.

    Args:
        company: the peers.
        book: where those go that are told of.
        settings: of the engine.
        punching: is told who speaks the holepunch extension.

    Attributes:
        on: whether anything is told and heard: not where the user, or the torrent (BEP 27), does not want it.
    """

    def __init__(self, company: Company, book: Peerbook, settings: EngineSettings, punching: Holepunching) -> None:
        self.on = Source.PEX in sources_for(None, settings)
        self._company = company
        self._book = book
        self._punching = punching
        self._gossip = Gossip()
        self._ears: dict[int, Ear] = {}

    def introduced(self, peer: Peer, now: float) -> None:
        """A peer said which extensions it speaks, for the first time or again."""
        if peer.says.extensions.get(NAME):
            self._gossip.joined(peer.number, now)
        else:
            self._gossip.left(peer.number)

    def left(self, peer: Peer, *, complete: bool) -> None:
        """A peer is gone.

        Args:
            peer: whose connection has ended.
            complete: whether we have everything that we want.
        """
        self._gossip.left(peer.number)
        self._ears.pop(peer.number, None)
        address = where(peer)
        if address is not None and is_sated(peer, complete=complete) and not self._book.filters(address.host):
            self._gossip.parted(address, flags_of(peer))

    def tell(self, now: float) -> None:
        """Let those whose turn it is know who came and who left."""
        due = self._gossip.due(now) if self.on else ()
        known: dict[int, dict[Address, PexFlag]] = {}
        for number in due:
            peer = self._company.peers[number]
            scope = scope_of(peer.address.host)
            if scope not in known:
                known[scope] = self._known_at(peer.address.host)
            message = self._gossip.next(number, known[scope], (peer.address, *peer.listens_at), now)
            if message is not None:
                peer.wire.send_extended(peer.says.extensions[NAME], message.encode())

    def heard(self, peer: Peer, payload: Buffer, now: float, *, complete: bool) -> int:
        """A peer tells of others; how many of them were new.

        Args:
            peer: who tells. Of what is in the local network it is believed only if it is there, too.
            payload: of its message.
            now: the time.
            complete: whether we have everything that we want: then we look for no seeds.

        Raises:
            RemoteProtocolError: BAD_EXTENSION, PEX_FLOOD.
        """
        if not self.on:
            return 0
        ear = self._ears.setdefault(peer.number, Ear())
        if not ear.hears(now):
            return 0
        message = PexMessage.parse(payload)
        if message.listed > MOST_LISTED:
            ear.winces(now)
        news = 0
        hosts: dict[str, None] = {}
        for address, flags in list(message.added.items())[:MOST]:
            if address.host in hosts or not sees(peer.address.host, address):
                continue
            if not is_this_machine(address.host):
                hosts[address.host] = None  # many ports of one host: somebody wants it to be attacked
            if not (complete and flags & PexFlag.SEED):
                news += self._book.add(address, Source.PEX, now, flags)
                self._punching.told(peer, address, flags)
        if news:
            self._company.stir()
        return news

    def _known_at(self, host: str) -> dict[Address, PexFlag]:
        """The peers that one at `host` may be told of."""
        found: dict[Address, PexFlag] = {}
        for peer in self._company.peers.values():
            address = where(peer)
            if address is not None and sees(host, address):
                found.setdefault(address, flags_of(peer))
        return found


def where(peer: Peer) -> Address | None:
    """Where others can connect to a peer, if need be by holepunching; None when that is not known."""
    if not peer.incoming or peer.listens_at:
        return peer.listens_at[0] if peer.incoming else peer.address
    return peer.address if speaks(peer) and peer.transport is Transport.UTP else None


def flags_of(peer: Peer) -> PexFlag:
    """What is known of a peer that is of interest to others."""
    says = peer.says
    return (
        (PexFlag.PREFERS_ENCRYPTION if says.prefers_encryption else PexFlag.NONE)
        | (PexFlag.SEED if peer.is_seed or says.upload_only else PexFlag.NONE)
        | (PexFlag.UTP if peer.transport is Transport.UTP else PexFlag.NONE)
        | (PexFlag.HOLEPUNCH if speaks(peer) else PexFlag.NONE)
        | (PexFlag.NONE if peer.incoming and not peer.reached else PexFlag.REACHABLE)
    )
