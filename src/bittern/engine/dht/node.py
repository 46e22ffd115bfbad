"""One node of the distributed hash table, at one socket address: datagrams in, datagrams and events out.

It knows no socket and no clock. Every socket address has a node of its own, with an id of its own (BEP 45); IPv4 and
IPv6 are two networks that tell each other about nodes (BEP 32).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from bittern.base.address import Address
from bittern.base.errors import KrpcError
from bittern.wire.krpc import BOTH, AnnouncePeer, Ask, Contact, Ping, Query, Refusal, Reply, Want, without_version
from bittern.wire.krpc_reader import read_message

from .answers import Answers, fit
from .bound_ids import bind_id
from .calls import Asker, Calls
from .events import Event, OtherFamily
from .gate import Gate
from .identity import Identity
from .items import Item, Verify
from .lookup import ALPHA, Lookup
from .places import is_near, is_plausible, nobody
from .searches import ItemSearch, PeerSearch, SampleSearch, Search, Searches
from .state import NodeState
from .table import Table
from .upkeep import FEW, Upkeep

if TYPE_CHECKING:
    from random import Random

OFFLINE_SECONDS: Final = 20.0
"""When nothing came for so long, it is not the fault of those who do not answer."""
MAX_CHALLENGES: Final = 256
"""Askers at once that are asked back before they get a long answer."""
BEGIN: Final = 64
"""Nodes of our own table with which a search begins; who is far away is asked only where others are not enough."""
_ASKED_BACK: Final = 23  # a third of the bytes of a ping: who was asked back gets so much less


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """How a node behaves.

    Attributes:
        ipv6: its address family.
        read_only: it asks and does not answer, and nobody keeps it in a table (BEP 43): for short runs.
        alpha: questions of one lookup on their way at once.
        reply_rate: bytes per second of all that it answers.
        routers: nodes to begin with.
        anonymous: its messages do not tell which client it is.
    """

    ipv6: bool = False
    read_only: bool = False
    alpha: int = ALPHA
    reply_rate: float = 16_000.0
    routers: tuple[Address, ...] = ()
    anonymous: bool = False


class Node:
    """Asks, answers, and keeps a table of others.

    Args:
        settings: how it behaves.
        rng: its stream of chance.
        entropy: makes ids, secrets and transaction ids.
        verify: checks ed25519 signatures (BEP 44).
        now: seconds, as for all that follows.
        state: what it kept from before.
        host: where others see it, if that is known: its id is bound to that (BEP 42).
        shuns: whether nothing is said to a host, nor heard from there.
    """

    def __init__(
        self,
        settings: NodeSettings,
        *,
        rng: "Random",
        entropy: Callable[[int], bytes],
        verify: Verify,
        now: float,
        state: NodeState | None = None,
        host: str | None = None,
        shuns: Callable[[str], bool] = nobody,
    ) -> None:
        self.settings = settings
        self._shuns = shuns
        own_id = state.id if state is not None else entropy(20)
        if state is None and host is not None and not is_near(host):
            own_id = bind_id(host, own_id)
        self._identity = Identity(own_id, entropy)
        self._verify = verify
        self._calls = Calls(entropy)
        self._gate = Gate(settings.reply_rate)
        self.table = Table(own_id, now)
        self._answers = Answers(
            own_id, self.table, ipv6=settings.ipv6, rng=rng, entropy=entropy, verify=verify, now=now
        )
        saved = state.contacts if state is not None else ()
        self._upkeep = Upkeep(self.table, own_id, self, rng=rng, saved=saved, routers=settings.routers, now=now)
        self._searches = Searches()
        self._other: Node | None = None
        self._challenged: dict[Address, _Challenge] = {}
        self._heard_at = now
        self._datagrams: list[tuple[bytes, Address]] = []
        self._events: list[Event] = []

    @property
    def id(self) -> bytes:
        """20 bytes; they change when others agree on our address."""
        return self._identity.id

    @property
    def stored(self) -> tuple[int, int]:
        """Torrents and items that others stored here."""
        return len(self._answers.peers), len(self._answers.items)

    # ------------------------------------------------------------------ time and datagrams

    def next_deadline(self) -> float:
        """When `advance` has something to do, `math.inf` for never."""
        due = self._calls.next_deadline()
        return min(self._upkeep.next_deadline(), inf if due is None else due)

    def advance(self, now: float) -> None:
        """Let time pass: give up on who does not answer, look after the table, begin searches."""
        slow, gone = self._calls.take_due(now)
        for call in slow:
            call.asker.slow(call.contact, now)
        online = now - self._heard_at < OFFLINE_SECONDS
        for call in gone:
            if self.table.find(call.contact) is not None:
                self._upkeep.unanswered()
                if online:
                    self.table.failed(call.contact, now)
            call.asker.failed(call.contact, now)
        self._answers.expire(now)
        self._upkeep.advance(now)
        self._begin_searches(now)

    def receive(self, datagram: bytes, address: Address, now: float) -> None:
        """A datagram came from `address`."""
        if self._shuns(address.host):
            return
        try:
            message = read_message(datagram)
        except KrpcError as error:
            if error.transaction is not None and not self.settings.read_only and self._gate.admits(address, now):
                refusal = Refusal(error.transaction, error.code, error.reason[:60], address)
                self._reply(refusal, len(datagram), address, now)
            return
        if isinstance(message, Query):
            if not self.settings.read_only and self._gate.admits(address, now):
                self._on_query(message, len(datagram), address, now)
        else:
            self._on_answer(message, address, now)
            self._begin_searches(now)

    def take_datagrams(self) -> list[tuple[bytes, Address]]:
        """What is to be sent, and where to."""
        taken, self._datagrams = self._datagrams, []
        if self.settings.anonymous:
            taken = [(without_version(datagram), address) for datagram, address in taken]
        return taken if self._shuns is nobody else [each for each in taken if not self._shuns(each[1].host)]

    def take_events(self) -> list[Event]:
        """What was found."""
        taken, self._events = self._events, []
        return taken

    def state(self) -> NodeState:
        """What to keep for the next run."""
        return NodeState(self.id, tuple(entry.contact for entry in self.table if not entry.failures))

    # ------------------------------------------------------------------ what can be asked of a node

    def meet(self, address: Address, now: float) -> None:
        """There may be a node at `address`: a peer said so (BEP 5's PORT), or a torrent."""
        if address.port and address.is_ipv6 is self.settings.ipv6:
            self._upkeep.meet(Contact(b"", address), now)

    def add_router(self, address: Address, now: float) -> None:
        """There is a node at `address` to begin with."""
        self._upkeep.add_router(address, now)

    def pair(self, other: "Node") -> None:
        """We have a node in the other family, too: its nodes are told to who wants them, and looked for (BEP 32)."""
        self._other = other
        self._answers.other_family = other.compact_closest

    def compact_closest(self, target: bytes, count: int) -> bytes:
        """Up to `count` nodes closest to `target`, in compact form."""
        return b"".join([entry.compact for entry in self.table.closest(target, count)])

    def find_nodes(self, target: bytes, now: float) -> int:
        """Look for the nodes round `target`; the number of the search, as for all that follow."""
        return self._start(Search(self._searches.number(), self._lookup(target), self, ipv6=self.settings.ipv6), now)

    def find_peers(
        self,
        info_hash: bytes,
        now: float,
        *,
        announce: AnnouncePeer | None = None,
        no_seeds: bool = False,
        scrape: bool = False,
    ) -> int:
        """Look for the peers of a torrent; with `announce` (whatever its token) tell that we are one."""
        search = PeerSearch(
            self._searches.number(),
            self._lookup(info_hash),
            self,
            ipv6=self.settings.ipv6,
            announce=announce,
            no_seeds=no_seeds,
            scrape=scrape,
        )
        return self._start(search, now)

    def get_item(self, target: bytes, now: float, *, salt: bytes = b"") -> int:
        """Look for what is stored under `target`; mutable items with a salt need it."""
        return self._items(target, salt, None, None, now)

    def put_item(self, item: Item, now: float, *, cas: int | None = None) -> int:
        """Store `item` where it belongs; with `cas` only in the place of that version."""
        return self._items(item.target, item.salt, item, cas, now)

    def sample(self, target: bytes, now: float) -> int:
        """Ask the nodes on the way to `target` for torrents that they know (BEP 51)."""
        search = SampleSearch(self._searches.number(), self._lookup(target), self, ipv6=self.settings.ipv6)
        return self._start(search, now)

    # ------------------------------------------------------------------ for our parts

    def ask(self, contact: Contact, ask: Ask, asker: Asker, now: float) -> None:
        """Send a question; what becomes of it is told to `asker`."""
        read_only = self.settings.read_only
        datagram = self._calls.ask(self.id, contact, ask, asker, now, read_only=read_only)
        self._datagrams.append((datagram, contact.address))

    def tell(self, event: Event) -> None:
        """Something was found."""
        self._events.append(event)

    def look_up(self, target: bytes, begin: Iterable[Contact], now: float) -> None:
        """Look for nodes for the table's sake."""
        want = BOTH if self._other_lacks_nodes() else ()
        search = _Refresh(self._searches, self._lookup(target, radius=0), self, ipv6=self.settings.ipv6, want=want)
        self._searches.add(search, begin)

    # ------------------------------------------------------------------ queries

    def _on_query(self, query: Query, size: int, address: Address, now: float) -> None:
        if query.sender == self.id:
            return  # ourselves, or somebody who plays us
        answer = self._answers.answer(query, address, now)
        self._reply(answer, size, address, now, ask_back=not query.read_only)
        if not query.read_only:
            contact = Contact(query.sender, address)
            if self.table.asked_us(contact, now) and not self._upkeep.is_router(address):
                self._upkeep.meet(contact, now)

    def _reply(
        self, answer: Reply | Refusal, size: int, address: Address, now: float, *, ask_back: bool = False
    ) -> None:
        allowance = self._gate.allowance(address, size, now)
        datagram, whole = fit(answer, allowance)
        if not whole and ask_back and address not in self._challenged and len(self._challenged) < MAX_CHALLENGES:
            # Only who receives at that address can answer; then it may have all of it.
            challenge = self._challenged[address] = _Challenge(self, answer, size - _ASKED_BACK)
            self.ask(Contact(b"", address), Ping(), challenge, now)
        elif len(datagram) <= allowance:
            self._gate.sent(len(datagram))
            self._datagrams.append((datagram, address))

    def met_challenge(self, challenge: "_Challenge", address: Address, now: float) -> None:
        """Who was asked back has answered, or has not until now."""
        if self._challenged.get(address) is challenge:  # else it has its answer, and another question was asked back
            del self._challenged[address]
            self._reply(challenge.answer, challenge.size, address, now)

    # ------------------------------------------------------------------ answers

    def _on_answer(self, message: Reply | Refusal, address: Address, now: float) -> None:
        call = self._calls.take(message.transaction, address)
        if call is None:
            return
        self._heard_at = now
        self._upkeep.answered()
        self._gate.prove(address, now)
        if message.external is not None and self._identity.told(address.host, message.external.host, now):
            self._move(now)
        if isinstance(message, Refusal):
            self.table.refused(call.contact, now)
            call.asker.failed(call.contact, now)
            return
        if not self._upkeep.is_router(address) or len(self.table) < FEW:
            if call.contact.id and call.contact.id != message.sender:
                self.table.failed(call.contact, now)
            self.table.answered(Contact(message.sender, address), now)
        if self._other_lacks_nodes():
            foreign = message.contacts(ipv6=not self.settings.ipv6)
            self.tell(OtherFamily(tuple(each for each in foreign if is_plausible(each.address, address))))
        call.asker.answered(call.contact, message, now)

    def _move(self, now: float) -> None:
        """We have another id: the same nodes stand elsewhere as seen from it."""
        contacts = [entry.contact for entry in self.table]
        self.table = Table(self.id, now)
        for contact in contacts:
            self.table.answered(contact, now)
        self._answers.move(self.id, self.table)
        self._upkeep.move(self.id, self.table, now)

    def _other_lacks_nodes(self) -> bool:
        return self._other is not None and len(self._other.table) < FEW

    # ------------------------------------------------------------------ searches

    def _lookup(self, target: bytes, radius: int | None = None) -> Lookup:
        radius = self._searches.radius if radius is None else radius
        return Lookup(target, alpha=self.settings.alpha, radius=radius, own_id=self.id, shuns=self._shuns)

    def _items(self, target: bytes, salt: bytes, put: Item | None, cas: int | None, now: float) -> int:
        search = ItemSearch(
            self._searches.number(),
            self._lookup(target),
            self,
            ipv6=self.settings.ipv6,
            verify=self._verify,
            salt=salt,
            put=put,
            cas=cas,
        )
        return self._start(search, now)

    def abandon(self, search: int, now: float) -> None:
        """Let a search end as it stands: nobody is asked or told anything for it any more."""
        self._searches.abandon(search)
        self._begin_searches(now)

    def _start(self, search: Search, now: float) -> int:
        self._searches.add(search)
        self._begin_searches(now)
        return search.number

    def _begin_searches(self, now: float) -> None:
        while ready := self._searches.take_ready():  # where nobody is there to be asked they are over at once
            for search, begin in ready:
                near = [entry.contact for entry in self.table.closest(search.lookup.target, BEGIN)]
                search.lookup.begin((*near, *begin))
                search.go_on(now)


class _Refresh(Search):
    """A search for the table's sake: nobody is told, but how close together nodes stand is learned."""

    def __init__(self, searches: Searches, lookup: Lookup, line: Node, *, ipv6: bool, want: Want) -> None:
        super().__init__(searches.number(), lookup, line, ipv6=ipv6, want=want)
        self._searches = searches

    def _tell_result(self) -> None:
        self._searches.learn(self.lookup)


class _Challenge:
    """An answer that waits until its asker has shown that it is where it says.

    Attributes:
        answer: the whole of it.
        size: bytes that count as asked.
    """

    __slots__ = ("_node", "answer", "size")

    def __init__(self, node: Node, answer: Reply | Refusal, size: int) -> None:
        self._node = node
        self.answer = answer
        self.size = size

    def answered(self, contact: Contact, reply: Reply, now: float) -> None:
        """It is."""
        self._node.met_challenge(self, contact.address, now)

    def failed(self, contact: Contact, now: float) -> None:
        """It is not; but it may be slow, or have refused to say."""
        self._node.met_challenge(self, contact.address, now)

    def slow(self, contact: Contact, now: float) -> None:
        """A short answer now is better than a long one when nobody waits for it."""
        self._node.met_challenge(self, contact.address, now)
