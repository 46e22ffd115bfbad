"""Nodes of the distributed hash table: which peers of a torrent are told of ours, and whose are heard of (BEP 5)."""

from bittern.base.address import Address
from bittern.engine.events import NodeHeard
from bittern.engine.swarm.peer import Peer
from bittern.engine.world import Shared
from bittern.wire.handshake import Handshake, Reserved

NONE = Reserved(0)


class NodeExchange:
    """What is said of nodes. Nothing is where we have none, and in swarms that keep to themselves.

    Args:
        shared: says where our node is, and takes what is heard; whether it is so, our node finds out.
        on: see below.

    Attributes:
        on: whether the torrent may use the table.
    """

    def __init__(self, shared: Shared, *, on: bool) -> None:
        self.on = on
        self._shared = shared

    @property
    def bits(self) -> Reserved:
        """What our handshake says of it."""
        return Reserved.DHT if self.on and self._shared.ourselves.node_port else NONE

    def greet(self, peer: Peer, handshake: Handshake) -> None:
        """Tell a peer whose handshake came where our node is, if it has one, too."""
        if self.bits and handshake.supports(Reserved.DHT):
            peer.wire.send_port(self._shared.ourselves.node_port)

    def heard(self, peer: Peer, port: int) -> None:
        """A peer says that it runs a node; its first word counts."""
        if self.bits and port and not peer.has_node:
            peer.has_node = True
            self._shared.events.append(NodeHeard(Address(peer.address.host, port)))
