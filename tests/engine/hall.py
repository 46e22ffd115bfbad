"""The company of a torrent that is not there: peers come, parts deal with them."""

from random import Random

from bittern.base.bitfield import Bitfield
from bittern.base.ids import PeerId
from bittern.base.tracing import silent
from bittern.engine.download.download import Download
from bittern.engine.events import Event, PeerDropped
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.company import Company
from bittern.engine.swarm.members import Members
from bittern.engine.swarm.peer import Peer
from bittern.engine.swarm.peerbook import Peerbook
from bittern.engine.world import Shared
from bittern.sim.world import World
from bittern.wire.decoder import Scratch
from bittern.wire.handshake import Handshake
from bittern.wire.messages import Message
from bittern.wire.peerwire import PeerWire
from tests.engine.peers import HASH, Line, deep, messages_of, take_sent
from tests.wire.wiring import Recorder

BITS = bytes([0, 0, 0, 0, 0, 0, 0, 4])


class Hall:
    """Peers, their peerbook and the surroundings.

    Args:
        settings: of the engine.
    """

    def __init__(self, settings: EngineSettings | None = None) -> None:
        self.chance = World(Random, 0).chance("hall")
        ours = PeerId(b"-BZ0100-mmmmmmmmmmmm")
        self.shared = Shared(settings or EngineSettings(), ours, self.chance, lambda *_: False, silent)
        self.book = Peerbook(self.chance.rng_for("peerbook"), ip_filter=self.shared.ip_filter)
        self.members = Members(1, self.book, self.shared)
        self.gone: list[int] = []
        self.company = Company(1, self.members, self.book, self.shared, lambda peer, _: self.gone.append(peer.number))

    def comes(self, host: str, download: Download | None = None) -> Peer:
        """A peer that has all pieces, if there is a download; it speaks the fast extension."""
        port = len(self.members.peers) + 1
        wire = PeerWire(Line(host, port), Scratch(), None, 0.0)  # type: ignore[arg-type]  # nobody greets
        hello = Handshake(BITS, HASH, PeerId(b"-XX0000-%012d" % port))
        peer = self.members.admit(wire, hello, 0.0, incoming=True)
        assert peer is not None
        wire.land_nowhere(Recorder(), peer, self.company.touch)
        if download is not None:
            peer.pieces, peer.pipeline = Bitfield.full(download.have.size), deep(download, peer.number)
            wire.land(Recorder(), peer, peer.pipeline, self.company.touch)
        self.shared.events.clear()
        return peer

    def events(self) -> list[Event]:
        """What happened since the last call."""
        events, self.shared.events = self.shared.events, []
        return events

    def offenders(self) -> list[int]:
        """The peers that were dropped for an offence, by port, since the last call."""
        return [event.address.port for event in self.events() if isinstance(event, PeerDropped) and event.offence]


def said(peer: Peer) -> list[Message]:
    """What a peer was told since the last call."""
    return messages_of(take_sent(peer))
