"""The nodes of one process as one: what is looked for is looked for in both address families (BEP 32).

Where we have several addresses of one family, there is a node at each, and to others they are strangers (BEP 45); what
is looked for is looked for by one of them, in turns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from bittern.base.address import Address
from bittern.wire.krpc import AnnouncePeer

from .bloom import Filter
from .events import Event, ItemFound, OtherFamily, PeersFound, SamplesFound, SearchDone
from .items import Item
from .node import Node


@dataclass(slots=True)
class _Both:
    """A search that runs in each family."""

    left: int
    done: list[SearchDone] = field(default_factory=list)


class Dht:
    """Some nodes, each at a socket address of its own, named by their place in the order in which they are given.

    Args:
        nodes: of one family or of both.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = tuple(nodes)
        self._families = [
            family for ipv6 in (False, True) if (family := [node for node in nodes if node.settings.ipv6 is ipv6])
        ]
        self._numbers = 0
        self._searches: dict[int, _Both] = {}
        self._names: dict[tuple[Node, int], int] = {}
        self._events: list[Event] = []
        if len(self._families) == 2:
            for family, (other, *_) in zip(self._families, reversed(self._families), strict=True):
                for node in family:
                    node.pair(other)

    def next_deadline(self) -> float:
        """When `advance` has something to do, `math.inf` for never."""
        return min((node.next_deadline() for node in self.nodes), default=inf)

    def advance(self, now: float) -> None:
        """Let time pass."""
        for node in self.nodes:
            node.advance(now)

    def receive(self, at: int, datagram: bytes, address: Address, now: float) -> None:
        """A datagram came to node `at` from `address`."""
        node = self.nodes[at]
        if node.settings.ipv6 is address.is_ipv6:
            node.receive(datagram, address, now)

    def take_datagrams(self) -> list[tuple[int, bytes, Address]]:
        """What is to be sent: by which node, and where to."""
        return [(at, *each) for at, node in enumerate(self.nodes) for each in node.take_datagrams()]

    def take_events(self, now: float) -> list[Event]:
        """What was found; a search is done when it is done in both families."""
        for node in self.nodes:
            for event in node.take_events():
                self._on_event(node, event, now)
        taken, self._events = self._events, []
        return taken

    def meet(self, address: Address, now: float) -> None:
        """There may be a node at `address`: the one of ours that knows fewest asks it."""
        node = min(self._of(address), key=lambda each: len(each.table), default=None)
        if node is not None:
            node.meet(address, now)

    def add_router(self, address: Address, now: float) -> None:
        """There is a node at `address` to begin with."""
        for node in self._of(address):
            node.add_router(address, now)

    # ------------------------------------------------------------------ searches, see Node

    def find_nodes(self, target: bytes, now: float) -> int:
        """Look for the nodes round `target`."""
        return self._start(lambda node: node.find_nodes(target, now))

    def find_peers(
        self,
        info_hash: bytes,
        now: float,
        *,
        announce: AnnouncePeer | None = None,
        no_seeds: bool = False,
        scrape: bool = False,
    ) -> int:
        """Look for the peers of a torrent, and announce us if `announce` is given."""
        return self._start(
            lambda node: node.find_peers(info_hash, now, announce=announce, no_seeds=no_seeds, scrape=scrape)
        )

    def get_item(self, target: bytes, now: float, *, salt: bytes = b"") -> int:
        """Look for what is stored under `target`."""
        return self._start(lambda node: node.get_item(target, now, salt=salt))

    def put_item(self, item: Item, now: float, *, cas: int | None = None) -> int:
        """Store `item`."""
        return self._start(lambda node: node.put_item(item, now, cas=cas))

    def sample(self, target: bytes, now: float) -> int:
        """Ask the nodes on the way to `target` for torrents that they know."""
        return self._start(lambda node: node.sample(target, now))

    def abandon(self, search: int, now: float) -> None:
        """Let a search end as it stands: nobody is asked or told anything for it any more."""
        for (node, number), name in list(self._names.items()):
            if name == search:
                node.abandon(number, now)

    def _start(self, begin: Callable[[Node], int]) -> int:
        self._numbers += 1
        self._searches[self._numbers] = _Both(len(self._families))
        for family in self._families:
            able = [node for node in family if len(node.table)] or family
            node = able[self._numbers % len(able)]
            self._names[node, begin(node)] = self._numbers
        return self._numbers

    def _on_event(self, node: Node, event: Event, now: float) -> None:
        if isinstance(event, OtherFamily):
            for contact in event.contacts:
                self.meet(contact.address, now)
        elif isinstance(event, SearchDone):
            self._on_done(self._names.pop((node, event.search)), event)
        elif isinstance(event, PeersFound | ItemFound | SamplesFound):
            number = self._names.get((node, event.search))
            if number is not None:  # else it comes too late
                self._events.append(replace(event, search=number))

    def _on_done(self, number: int, event: SearchDone) -> None:
        both = self._searches[number]
        both.done.append(event)
        both.left -= 1
        if both.left:
            return
        del self._searches[number]
        whole = SearchDone(
            number,
            event.target,
            asked=sum(done.asked for done in both.done),
            answered=sum(done.answered for done in both.done),
            stored=sum(done.stored for done in both.done),
            closest=tuple(contact for done in both.done for contact in done.closest),
            scrape=_joined([done.scrape for done in both.done if done.scrape is not None]),
        )
        self._events.append(whole)

    def _of(self, address: Address) -> list[Node]:
        """Our nodes of the family of `address`."""
        return [node for node in self.nodes if node.settings.ipv6 is address.is_ipv6]


def _joined(scrapes: list[tuple[Filter, Filter]]) -> tuple[Filter, Filter] | None:
    if not scrapes:
        return None
    whole = Filter(), Filter()
    for seeds, peers in scrapes:
        whole[0].join(seeds)
        whole[1].join(peers)
    return whole
