"""A distributed hash table of simulated nodes, which come and go, and of others that stand in somebody's way.

from random import Random
from bittern.sim.dht import DhtSwarm

swarm = DhtSwarm(Random, seed=1, loss=0.1)
swarm.join(300, seconds=300.0)
"""

from collections.abc import Sequence
from enum import Enum, auto, unique
from math import inf
from typing import TYPE_CHECKING

from bittern.base.address import Address
from bittern.engine.dht.bound_ids import bind_id
from bittern.engine.dht.events import Event, PeersFound, SearchDone
from bittern.engine.dht.node import Node, NodeSettings
from bittern.wire.krpc import AnnouncePeer, Contact, FindNode, GetPeers, Query, Reply, pack_contacts
from bittern.wire.krpc_reader import read_message

from .datagrams import Datagrams
from .world import Dice, World

if TYPE_CHECKING:
    from random import Random

PORT = 6881
_LIES = 8
_SHUFFLED = 60


@unique
class Telling(Enum):
    """What sybils name when they are asked for nodes."""

    CLOSEST = auto()
    """Those of their like that are closest to the target."""
    SHUFFLED = auto()
    """Others of their like each time: there seem to be very many."""
    INVENTED = auto()
    """Nodes that do not exist."""


class SimNode:
    """A node at an address of the simulated world.

    Attributes:
        address: where it is.
        node: the real thing.
        events: what it told.
    """

    def __init__(self, swarm: "DhtSwarm", address: Address, node: Node) -> None:
        self.address = address
        self.node = node
        self.events: list[Event] = []
        self._swarm = swarm
        self._planned = inf
        self._alive = True
        swarm.net.attach(address, self._receive)

    def touch(self) -> None:
        """Something was done with the node: send what it wants to send, and wake it when it wants to be woken."""
        for datagram, target in self.node.take_datagrams():
            self._swarm.net.send(datagram, self.address, target)
        self.events += self.node.take_events()
        due = self.node.next_deadline()
        if due < self._planned:
            self._planned = due
            self._swarm.world.at(due, self._wake)

    def leave(self) -> None:
        """Be gone without a word."""
        self._alive = False
        self._swarm.net.detach(self.address)

    def peers_of(self, search: int) -> set[Address]:
        """What a search has found until now."""
        return {
            peer
            for event in self.events
            if isinstance(event, PeersFound) and event.search == search
            for peer in event.peers
        }

    def done(self, search: int) -> SearchDone | None:
        """How a search ended, if it has."""
        return next((e for e in self.events if isinstance(e, SearchDone) and e.search == search), None)

    def _receive(self, datagram: bytes, source: Address) -> None:
        self.node.receive(datagram, source, self._swarm.world.now)
        self.touch()

    def _wake(self) -> None:
        now = self._swarm.world.now
        if not self._alive or self._planned > now:
            return
        self._planned = inf
        self.node.advance(now)
        self.touch()


class Sybil:
    """One of many nodes that stand round a target: it knows nobody but its like, and keeps nothing."""

    def __init__(self, swarm: "DhtSwarm", contact: Contact, like: Sequence[Contact], telling: Telling) -> None:
        self.contact = contact
        self._swarm = swarm
        self._like = like
        self._telling = telling
        swarm.net.attach(contact.address, self._receive)

    def show_itself(self, contacts: Sequence[Contact]) -> None:
        """Ask nodes something, so that they take it into their tables."""
        for contact in contacts:
            ask = Query(b"show", self.contact.id, FindNode(self.contact.id)).encode()
            self._swarm.net.send(ask, self.contact.address, contact.address)

    def _receive(self, datagram: bytes, source: Address) -> None:
        message = read_message(datagram)
        if not isinstance(message, Query):
            return
        reply = Reply(message.transaction, self.contact.id, token=b"sybil")
        ask = message.ask
        if isinstance(ask, FindNode | GetPeers):
            target = ask.target if isinstance(ask, FindNode) else ask.info_hash
            reply = Reply(
                message.transaction, self.contact.id, nodes=pack_contacts(self._named(target)), token=b"sybil"
            )
        self._swarm.net.send(reply.encode(), self.contact.address, source)

    def _named(self, target: bytes) -> list[Contact]:
        if self._telling is Telling.INVENTED:
            return [self._swarm.invent(target) for _ in range(_LIES)]
        number = int.from_bytes(target)
        ranked = sorted(self._like, key=lambda contact: int.from_bytes(contact.id) ^ number)
        return ranked[:8] if self._telling is Telling.CLOSEST else self._swarm.rng.sample(ranked[:_SHUFFLED], 8)


class DhtSwarm:
    """Nodes, and the network between them.

    Args:
        dice: makes generators from seeds.
        seed: where all chance comes from.
        loss: the part of all datagrams that is lost.

    Attributes:
        world: time and chance.
        net: carries datagrams.
        nodes: those that are there, in the order in which they came.
    """

    def __init__(self, dice: Dice, *, seed: int = 0, loss: float = 0.0) -> None:
        self.world = World(dice, seed)
        self.net = Datagrams(self.world, loss=loss)
        self.nodes: list[SimNode] = []
        self.rng: Random = self.world.chance("swarm").rng_for("who and where")
        self._born = 0
        self._churn_seconds = inf
        self._hosts: dict[str, None] = {}

    def join(self, count: int, seconds: float) -> None:
        """`count` nodes come, one after the other, in so many seconds."""
        for number in range(count):
            self.world.after(seconds * number / count, self._come)
        self.world.run(seconds)

    def _come(self) -> None:
        self.add()

    def add(self) -> SimNode:
        """A node comes, and knows two of those that are there."""
        self._born += 1
        chance = self.world.chance(f"node {self._born}")
        address = self._address()
        routers = self.rng.sample(self.nodes, min(2, len(self.nodes)))
        node = Node(
            NodeSettings(routers=tuple(router.address for router in routers)),
            rng=chance.rng_for("dht"),
            entropy=chance.entropy,
            verify=_believe,
            now=self.world.now,
            host=address.host,
        )
        made = SimNode(self, address, node)
        self.nodes.append(made)
        made.touch()
        return made

    def churn(self, per_hour: float) -> None:
        """From now on nodes go without a word, so many of all in an hour, and as many others come."""
        self._churn_seconds = 3600.0 / (per_hour * len(self.nodes))
        self.world.after(self.rng.expovariate(1.0) * self._churn_seconds, self._replace)

    def announce(self, node: SimNode, info_hash: bytes) -> int:
        """Let `node` say that it shares a torrent, at its own port."""
        announce = AnnouncePeer(info_hash, PORT, b"-", implied_port=True)
        number = node.node.find_peers(info_hash, self.world.now, announce=announce)
        node.touch()
        return number

    def look_for(self, node: SimNode, info_hash: bytes) -> int:
        """Let `node` look for the peers of a torrent."""
        number = node.node.find_peers(info_hash, self.world.now)
        node.touch()
        return number

    def besiege(self, target: bytes, count: int, *, bound: bool, telling: Telling = Telling.CLOSEST) -> list[Sybil]:
        """`count` nodes come that stand round `target`, four in each /24, and show themselves every five minutes.

        Args:
            target: 20 bytes.
            count: how many.
            bound: their ids belong to their addresses (BEP 42): the best of the eight that each may have.
            telling: what they name.
        """
        contacts: list[Contact] = []
        while len(contacts) < count:
            network = self._address().host.rpartition(".")[0]
            for last in range(101, 105):
                address = Address(f"{network}.{last}", PORT)
                contacts.append(Contact(self._id_near(target, address.host, bound=bound), address))
        sybils = [Sybil(self, contact, contacts, telling) for contact in contacts[:count]]
        self._show(target, sybils)
        return sybils

    def invent(self, target: bytes) -> Contact:
        """A node that does not exist, with an id near `target` that its address may have."""
        choices = [self._somewhere() for _ in range(16)]
        ids = [(self._id_near(target, host, bound=True), host) for host in choices]
        number = int.from_bytes(target)
        own_id, host = min(ids, key=lambda each: int.from_bytes(each[0]) ^ number)
        return Contact(own_id, Address(host, PORT))

    def _id_near(self, target: bytes, host: str, *, bound: bool) -> bytes:
        if not bound:
            return target[:16] + self.rng.randbytes(4)
        number = int.from_bytes(target)
        choices = (bind_id(host, self.rng.randbytes(19) + bytes((choice,))) for choice in range(8))
        return min(choices, key=lambda own_id: int.from_bytes(own_id) ^ number)

    def _show(self, target: bytes, sybils: Sequence[Sybil]) -> None:
        number = int.from_bytes(target)
        known = [Contact(node.node.id, node.address) for node in self.nodes]
        near = sorted(known, key=lambda contact: int.from_bytes(contact.id) ^ number)[:30]
        for sybil in sybils:
            sybil.show_itself([*near, *self.rng.sample(known, min(10, len(known)))])
        self.world.after(300.0, lambda: self._show(target, sybils))

    def _replace(self) -> None:
        self.nodes.pop(self.rng.randrange(len(self.nodes))).leave()
        self.add()
        self.world.after(self.rng.expovariate(1.0) * self._churn_seconds, self._replace)

    def _somewhere(self) -> str:
        rng = self.rng
        return f"{rng.randint(20, 99)}.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 99)}"

    def _address(self) -> Address:
        host = self._somewhere()
        while host in self._hosts:
            host = self._somewhere()
        self._hosts[host] = None
        return Address(host, PORT)


def _believe(*_: bytes) -> bool:
    return True
