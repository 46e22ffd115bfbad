"""What we look for in the table: nodes, peers, items, samples; and what we write where it was looked for."""

from collections import deque
from collections.abc import Iterable
from statistics import median_low
from typing import Final, Protocol

from bittern.wire.krpc import (
    AnnouncePeer,
    Ask,
    Contact,
    FindNode,
    GetItem,
    GetPeers,
    PutItem,
    Reply,
    SampleInfohashes,
    Want,
    unpack_peers,
)

from .bloom import Filter
from .calls import Asker
from .enough import WIDTH
from .events import Event, ItemFound, PeersFound, SamplesFound, SearchDone
from .items import Item, Verify, item_in
from .lookup import Candidate, Lookup

MAX_ACTIVE: Final = 16
"""Searches at once; more wait for their turn."""
MEMORY: Final = 15
"""Lookups that say how close together nodes stand, the latest."""
ENOUGH: Final = 3
"""Of them that say something."""
MAX_PEERS_FOUND: Final = 2000
"""Peers that one search tells of."""


class Line(Protocol):
    """Who carries the questions of a search."""

    def ask(self, contact: Contact, ask: Ask, asker: Asker, now: float) -> None:
        """Ask `contact`; the answer comes to `asker`."""
        ...

    def tell(self, event: Event) -> None:
        """Something was found."""
        ...


class Search:
    """Looks for the nodes round a target; the kinds below look for more.

    Args:
        number: names it in events.
        lookup: whom to ask.
        line: carries questions.
        ipv6: the address family.
        want: the families of nodes to ask for, empty for our own.
    """

    def __init__(self, number: int, lookup: Lookup, line: Line, *, ipv6: bool, want: Want = ()) -> None:
        self.number = number
        self.lookup = lookup
        self.stored = 0
        self.is_over = False
        self._line = line
        self._ipv6 = ipv6
        self._want = want
        self._to_write: deque[Candidate] | None = None  # None while it is looked for
        self._writing = 0
        self._writes = 0

    def go_on(self, now: float) -> None:
        """Ask whoever is next."""
        if self.is_over:
            return
        if self._to_write is None:
            self.lookup.thorough = self._is_thorough()
            for contact in self.lookup.take_next():
                self._line.ask(contact, self._question(), self, now)
            if not self.lookup.is_done:
                return
            # Who takes nothing does not stand in for those that do.
            self._to_write = deque(self.lookup.closest(lambda candidate: self._write(candidate) is not None))
        while self._to_write and self._writing < WIDTH:
            candidate = self._to_write.popleft()
            ask = self._write(candidate)
            assert ask is not None
            self._writing += 1
            self._writes += 1
            self._line.ask(candidate.contact, ask, _Write(self), now)
        if not self._writing:
            self.abandon()

    def abandon(self) -> None:
        """Ask nobody any more, and write nothing: what was found is the result."""
        if not self.is_over:
            self.is_over = True
            self._tell_result()

    # ------------------------------------------------------------------ answers

    def answered(self, contact: Contact, reply: Reply, now: float) -> None:
        """A node told what it knows."""
        answer = Contact(reply.sender, contact.address)
        candidate = self.lookup.answered(contact, answer, reply.contacts(ipv6=self._ipv6))
        if candidate is not None:
            candidate.token = reply.token
            self._gather(candidate, reply)
        self.go_on(now)

    def failed(self, contact: Contact, now: float) -> None:
        """A node told nothing."""
        self.lookup.failed(contact)
        self.go_on(now)

    def slow(self, contact: Contact, now: float) -> None:
        """A node tells nothing yet."""
        self.lookup.slow(contact)
        self.go_on(now)

    def wrote(self, now: float, *, stored: bool) -> None:
        """A node took what was written, or did not."""
        self._writing -= 1
        self.stored += stored
        self.go_on(now)

    # ------------------------------------------------------------------ what the kinds differ in

    def _question(self) -> Ask:
        return FindNode(self.lookup.target, self._want)

    def _is_thorough(self) -> bool:
        """Whether it matters that nobody stands in the way."""
        return False

    def _gather(self, candidate: Candidate, reply: Reply) -> None:
        """Take what `candidate` told beside nodes."""

    def _write(self, candidate: Candidate) -> Ask | None:
        """What to write to `candidate`, if anything."""
        return None

    def _tell_result(self) -> None:
        closest = tuple(candidate.contact for candidate in self.lookup.closest())
        asked, answered = self.lookup.asked + self._writes, self.lookup.answers
        done = SearchDone(self.number, self.lookup.target, asked, answered, self.stored, closest, self._scrape())
        self._line.tell(done)

    def _scrape(self) -> tuple[Filter, Filter] | None:
        return None


class _Write:
    """The asker of a write: only whether it was taken matters."""

    __slots__ = ("_search",)

    def __init__(self, search: Search) -> None:
        self._search = search

    def answered(self, contact: Contact, reply: Reply, now: float) -> None:
        """It was stored."""
        self._search.wrote(now, stored=True)

    def failed(self, contact: Contact, now: float) -> None:
        """It was not stored."""
        self._search.wrote(now, stored=False)

    def slow(self, contact: Contact, now: float) -> None:
        """Wait."""


class PeerSearch(Search):
    """Looks for the peers of a torrent, and announces us where they are told of.

    Args:
        announce: what to write, with any token; None to look only.
        no_seeds: only peers that are no seeds, if possible.
        scrape: how many there are.
    """

    def __init__(
        self,
        number: int,
        lookup: Lookup,
        line: Line,
        *,
        ipv6: bool,
        announce: AnnouncePeer | None = None,
        no_seeds: bool = False,
        scrape: bool = False,
    ) -> None:
        super().__init__(number, lookup, line, ipv6=ipv6)
        self._announce = announce
        self._ask = GetPeers(lookup.target, (), no_seeds, scrape)
        self._found: dict[bytes, None] = {}
        self._filters: tuple[Filter, Filter] | None = None

    def _question(self) -> Ask:
        return self._ask

    def _is_thorough(self) -> bool:
        return self._announce is not None or not self._found

    def _gather(self, candidate: Candidate, reply: Reply) -> None:
        room = MAX_PEERS_FOUND - len(self._found)
        fresh = [value for value in dict.fromkeys(reply.values) if value not in self._found][:room]
        if fresh:
            self._found.update(dict.fromkeys(fresh))
            peers = unpack_peers(fresh)
            if peers:
                self._line.tell(PeersFound(self.number, self.lookup.target, tuple(peers)))
        if self._ask.scrape and reply.seeds is not None and reply.peers is not None:
            if self._filters is None:
                self._filters = Filter(), Filter()
            self._filters[0].join(Filter.from_bytes(reply.seeds))
            self._filters[1].join(Filter.from_bytes(reply.peers))

    def _write(self, candidate: Candidate) -> Ask | None:
        if self._announce is None or candidate.token is None:
            return None
        asked = self._announce
        return AnnouncePeer(asked.info_hash, asked.port, candidate.token, asked.implied_port, asked.seed)

    def _scrape(self) -> tuple[Filter, Filter] | None:
        return self._filters


class ItemSearch(Search):
    """Looks for an item, and stores one.

    Args:
        verify: checks signatures.
        salt: of the item that is looked for.
        put: what to store; None to look only.
        cas: the sequence number that is to be replaced, or None for any.
    """

    def __init__(
        self,
        number: int,
        lookup: Lookup,
        line: Line,
        *,
        ipv6: bool,
        verify: Verify,
        salt: bytes = b"",
        put: Item | None = None,
        cas: int | None = None,
    ) -> None:
        super().__init__(number, lookup, line, ipv6=ipv6)
        self._verify = verify
        self._salt = salt
        self._put = put
        self._cas = cas
        self._best: Item | None = None

    def _question(self) -> Ask:
        return GetItem(self.lookup.target)

    def _is_thorough(self) -> bool:
        return self._put is not None or self._best is None

    def _gather(self, candidate: Candidate, reply: Reply) -> None:
        item = item_in(reply, self.lookup.target, self._salt, self._verify)
        candidate.has_value = item is not None or reply.seq is not None  # a short answer has only the number
        if item is not None and (self._best is None or item.seq > self._best.seq):
            self._best = item
            self._line.tell(ItemFound(self.number, item))

    def _write(self, candidate: Candidate) -> Ask | None:
        item = self._put
        if item is None or candidate.token is None:
            return None
        cas = self._cas if candidate.has_value else None  # BEP 44: not to nodes that had nothing
        return PutItem(candidate.token, item.value, item.key, item.salt, item.seq, item.signature, cas)


class SampleSearch(Search):
    """Asks the nodes on the way to a target for torrents they know (BEP 51)."""

    def _question(self) -> Ask:
        return SampleInfohashes(self.lookup.target)

    def _gather(self, candidate: Candidate, reply: Reply) -> None:
        if reply.samples is not None:
            hashes = tuple(reply.samples[at : at + 20] for at in range(0, len(reply.samples), 20))
            found = SamplesFound(self.number, candidate.contact, hashes, reply.count, reply.interval)
            self._line.tell(found)


class Searches:
    """The searches of a node: some at once, the others in the order in which they came."""

    def __init__(self) -> None:
        self._active: dict[int, Search] = {}
        self._waiting: dict[int, tuple[Search, tuple[Contact, ...]]] = {}
        self._reaches: deque[int] = deque(maxlen=MEMORY)
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._active) + len(self._waiting)

    def number(self) -> int:
        """The name of the next search."""
        self._numbers += 1
        return self._numbers

    @property
    def radius(self) -> int:
        """Within which distance eight nodes are to be expected, wherever one looks; 0 when that is not known yet."""
        return median_low(self._reaches) if len(self._reaches) >= ENOUGH else 0

    def learn(self, lookup: Lookup) -> None:
        """A lookup of a target that nobody could foresee has come to its end: so close together nodes stand."""
        reach = lookup.reach()
        if reach is not None:
            self._reaches.append(reach)

    def add(self, search: Search, begin: Iterable[Contact] = ()) -> None:
        """Run `search` when it is its turn, beginning with nodes that are not in the table."""
        self._waiting[search.number] = search, tuple(begin)

    def abandon(self, number: int) -> None:
        """Let a search end as it stands, whether it has begun or not."""
        search, _ = self._waiting.pop(number, (self._active.get(number), ()))
        if search is not None:
            search.abandon()

    def take_ready(self) -> list[tuple[Search, tuple[Contact, ...]]]:
        """The searches that begin now."""
        self._active = {number: search for number, search in self._active.items() if not search.is_over}
        ready = []
        while self._waiting and len(self._active) < MAX_ACTIVE:
            number = next(iter(self._waiting))
            search, begin = self._waiting.pop(number)
            self._active[number] = search
            ready.append((search, begin))
        return ready
