"""Keeping a table in order: finding the first nodes, asking old ones whether they are there, filling idle buckets."""

from collections.abc import Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from bittern.base.address import Address
from bittern.wire.krpc import BOTH, Ask, Contact, FindNode, Ping, Reply

from .calls import Asker
from .table import FRESH_SECONDS, Table

if TYPE_CHECKING:
    from random import Random

FEW: Final = 4
"""With fewer nodes than this the beginning is made again."""
VAIN: Final = 16
"""After so many questions to nodes of the table, and no answer, it is made again, too: they may all be gone."""
RETRY_SECONDS: Final = 5.0
"""After the first beginning that failed; twice as long after each more."""
MAX_RETRY_SECONDS: Final = 300.0
SOON_SECONDS: Final = 1.0
"""While there are few, the beginning is made so soon after somebody told of a node."""
ROUND_SECONDS: Final = 5.0
"""Between two questions to old nodes."""
SELF_SECONDS: Final = 30 * 60.0
"""Between two lookups of our own id."""
STRANGERS_PER_SECOND: Final = 5.0
"""Questions to nodes that asked us and that we do not know, or that somebody told of."""
OPENING: Final = 3
"""Lookups of anything, one in a round, with which a node begins: they fill its table, and tell how large all is."""
MAX_STRANGERS: Final = 100
"""Of them that wait."""


class Hands(Protocol):
    """Who does what upkeep decides."""

    def ask(self, contact: Contact, ask: Ask, asker: Asker, now: float) -> None:
        """Ask `contact`."""
        ...

    def look_up(self, target: bytes, begin: Iterable[Contact], now: float) -> None:
        """Look for the nodes round `target`."""
        ...


class Upkeep:
    """Decides what is asked for the table's sake.

    Args:
        table: the nodes that are known.
        own_id: the node's id.
        hands: carries it out.
        rng: spreads it over time.
        saved: nodes from before.
        routers: addresses of nodes that everybody knows.
        now: seconds.
    """

    def __init__(
        self,
        table: Table,
        own_id: bytes,
        hands: Hands,
        *,
        rng: "Random",
        saved: Sequence[Contact],
        routers: Sequence[Address],
        now: float,
    ) -> None:
        self._table = table
        self._id = own_id
        self._hands = hands
        self._rng = rng
        self._saved = tuple(saved)
        self._routers = dict.fromkeys(routers)
        self._strangers: dict[Address, Contact] = {}
        self._stranger_due = now
        self._retry = RETRY_SECONDS
        self._opening = OPENING
        self._begin_due = now
        self._begun_at = -inf
        self._vain = 0
        self._round_due = now + ROUND_SECONDS
        self._self_due = now + SELF_SECONDS

    def move(self, own_id: bytes, table: Table, now: float) -> None:
        """The node has another id, and a table round it."""
        self._id, self._table = own_id, table
        self._self_due = now

    def unanswered(self) -> None:
        """A node of the table did not answer a question."""
        self._vain += 1

    def answered(self) -> None:
        """Somebody has answered a question."""
        self._vain = 0

    def add_router(self, address: Address, now: float) -> None:
        """A node that is known to be there; it is asked when others are few, and is no node of the table else."""
        self._routers[address] = None
        if self._is_lost:
            self._begin_due, self._retry = now, RETRY_SECONDS

    def is_router(self, address: Address) -> bool:
        """Whether it is one that everybody knows: those are not to be burdened more than needed."""
        return address in self._routers

    def meet(self, contact: Contact, now: float) -> None:
        """There may be a node; with an empty id if only its address is known. It will be asked."""
        if contact.address not in self._strangers:
            if len(self._strangers) >= MAX_STRANGERS:
                del self._strangers[next(iter(self._strangers))]
            self._strangers[contact.address] = contact
            if self._is_lost:  # it may be the first to begin with
                soon = max(now + SOON_SECONDS, self._begun_at + RETRY_SECONDS)
                self._begin_due = min(self._begin_due, soon)

    def next_deadline(self) -> float:
        """When there is something to do."""
        due = min(self._begin_due if self._is_lost else inf, self._round_due, self._self_due)
        return min(due, self._stranger_due) if self._strangers else due

    def advance(self, now: float) -> None:
        """Do what is due."""
        while self._strangers and now >= self._stranger_due:
            self._stranger_due = max(self._stranger_due, now - 1.0) + 1.0 / STRANGERS_PER_SECOND
            stranger = self._strangers.pop(next(iter(self._strangers)))
            self._hands.ask(stranger, Ping(), _Nobody(), now)
        if self._is_lost:
            if now >= self._begin_due:
                self._begin(now)
        else:
            self._retry = RETRY_SECONDS
        if now >= self._self_due:
            self._self_due = now + SELF_SECONDS * self._rng.uniform(0.8, 1.2)
            self._hands.look_up(self._id, (), now)
        if now >= self._round_due:
            self._round(now)

    @property
    def _is_lost(self) -> bool:
        """Whether it knows few, or nobody who answers."""
        return len(self._table) < FEW or self._vain >= VAIN

    def _begin(self, now: float) -> None:
        self._begin_due = now + self._retry * self._rng.uniform(0.8, 1.2)
        self._retry = min(2 * self._retry, MAX_RETRY_SECONDS)
        if self._saved or len(self._table) or self._routers:
            self._begun_at = now
        if self._saved or len(self._table):
            self._hands.look_up(self._id, self._saved, now)
        # Those near us, and those farthest away: if all began near themselves, the network would fall into halves.
        for target in (self._id, bytes(byte ^ 0xFF for byte in self._id)):
            beginner = _Beginner(self._hands, target)
            for address in self._routers:
                self._hands.ask(Contact(b"", address), FindNode(target, BOTH), beginner, now)  # BEP 32

    def _round(self, now: float) -> None:
        if self._opening and len(self._table) >= FEW:
            self._opening -= 1
            self._hands.look_up(self._rng.randbytes(20), (), now)
        index = self._table.idle_bucket(now)
        if index is not None:
            target = self._table.target_in(index, self._rng.randbytes(20), now)
            self._hands.look_up(target, (), now)
        stale = self._table.stalest()
        rest = FRESH_SECONDS if stale is None else stale.heard_at + FRESH_SECONDS - now
        if stale is not None and (stale.failures or rest <= 0):
            self._hands.ask(stale.contact, Ping(), _Nobody(), now)
            rest = ROUND_SECONDS
        rest = ROUND_SECONDS if self._opening else min(max(rest, ROUND_SECONDS), 60.0)
        self._round_due = now + rest * self._rng.uniform(0.8, 1.2)


class _Beginner:
    """Looks for a target from where the first routers that answer point to."""

    __slots__ = ("_hands", "_named", "_target")

    def __init__(self, hands: Hands, target: bytes) -> None:
        self._hands = hands
        self._target = target
        self._named: dict[Contact, None] = {}

    def answered(self, contact: Contact, reply: Reply, now: float) -> None:
        """A router named nodes."""
        fresh = [each for each in reply.contacts(ipv6=contact.address.is_ipv6) if each not in self._named]
        if fresh and len(fresh) * 2 >= len(self._named):  # else it says what another one said
            self._hands.look_up(self._target, fresh, now)
        self._named.update(dict.fromkeys(fresh))

    def failed(self, contact: Contact, now: float) -> None:
        """Another time."""

    def slow(self, contact: Contact, now: float) -> None:
        """Wait."""


class _Nobody:
    """Asks for the table's sake alone."""

    __slots__ = ()

    def answered(self, contact: Contact, reply: Reply, now: float) -> None:
        """The table knows."""

    def failed(self, contact: Contact, now: float) -> None:
        """The table knows."""

    def slow(self, contact: Contact, now: float) -> None:
        """Wait."""
