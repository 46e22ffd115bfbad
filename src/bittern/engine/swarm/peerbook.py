"""Known addresses of one swarm: the one place for filter, dedupe, backoff and bans."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, unique
from typing import TYPE_CHECKING

from bittern.base.address import Address, is_alias
from bittern.base.ids import InfoHashV1
from bittern.base.transport import Transport
from bittern.wire.ut_pex import PexFlag

from .approach import Approach, Past
from .bans import Bans
from .ip_filter import Blocked, IpFilter
from .reach import may_be_dialed
from .scouting import Scouting

if TYPE_CHECKING:
    from random import Random

MOST_CANDIDATES = 3000
RETRY_SECONDS = 15.0
RETRY_MOST_SECONDS = 900.0
FAILURES_MOST = 8
MOST_HEARSAY = 1000
"""Candidates that are known from other peers alone; those who lie leave room for what trackers say."""
HEARSAY_FAILURES_MOST = 2
HEARSAY_RELUCTANCE = 1.0
"""Ranks are 0 to 1: whatever its rank, hearsay comes after all others."""
SATED_SECONDS = 3600.0
"""Where neither side has anything for the other, this long passes before it is dialed again."""


@unique
class Source(Enum):
    """Who named an address."""

    MANUAL = "manual"
    TRACKER = "tracker"
    DHT = "dht"
    PEX = "pex"
    LSD = "lsd"
    INCOMING = "incoming"
    RESUME = "resume"


@unique
class _State(Enum):
    IDLE = "idle"
    DIALING = "dialing"
    CONNECTED = "connected"


@dataclass(slots=True)
class Candidate:
    """A known address.

    Attributes:
        address: where it listens.
        source: who named it first.
        failures: tries in a row that led to nothing.
        reached: somebody of the swarm answered us there, in an earlier run perhaps.
        retry_at: not to be tried before.
        past: what is known of how to reach it.
        tried_at: when it was dialed last.
        scout: whether it is dialed out of turn, because nobody else is there.
    """

    address: Address
    source: Source
    order: float
    state: _State = _State.IDLE
    failures: int = 0
    retry_at: float = 0.0
    reached: bool = False
    past: Past = field(default_factory=Past)
    tried_at: float = 0.0
    scout: bool = False


class Peerbook:
    """The candidates of one torrent.

    Args:
        rng: spreads the order in which candidates are tried.
        bans: of all torrents; None for bans of its own.
        ip_filter: of all torrents; None for none.
        torrent: whose candidates these are: it may be exempt from the filter.
    """

    def __init__(
        self,
        rng: "Random",
        bans: Bans | None = None,
        ip_filter: IpFilter | None = None,
        torrent: InfoHashV1 | None = None,
    ) -> None:
        self._rng = rng
        self._filter = ip_filter if ip_filter is not None else IpFilter()
        self._torrent = torrent
        self.untold = 0
        """Those among them that nobody was told of."""
        self.blocked = 0
        """Addresses that the filter kept out, or had us forget, and connections that ended for it or for a client."""
        self._candidates: dict[Address, Candidate] = {}
        self._bans = bans if bans is not None else Bans()
        self._scouting = Scouting(rng)
        self._own: dict[Address, None] = {}
        self._ours: tuple[Address, ...] = ()
        self._rank: Callable[[Address], float | None] | None = None
        self._next_due: float | None = None  # of the idle candidates, when `_due_known`
        self._due_known = False
        self._counts: Counter[Source] = Counter()
        self._sources: Collection[Source] = frozenset(Source)

    def __len__(self) -> int:
        return len(self._candidates)

    def __contains__(self, address: Address) -> bool:
        return address in self._candidates

    @property
    def counts(self) -> dict[Source, int]:
        """How many candidates each source named, the most trusted one where several did."""
        return {source: self._counts[source] for source in Source if self._counts[source]}

    def add(self, address: Address, source: Source, now: float, said: PexFlag = PexFlag.NONE) -> bool:
        """Remember `address`; False when it is known, banned, filtered, ourselves or no unicast address.

        Args:
            address: of a peer.
            source: who names it.
            now: the time.
            said: what is told of how it can be reached.
        """
        if source not in self._sources or address in self._own or address in self._ours:
            return False
        if address in self._candidates:
            self._confirm(self._candidates[address], source)
            self._candidates[address].past.said |= said
            return False
        named = source is Source.MANUAL and is_alias(address.host)  # by the user, who gave a name that a proxy looks up
        if self._bans.banned(address.host, now) or not (named or may_be_dialed(address)):
            return False
        if self.filters(address.host):
            self.turned_away(Blocked.CANDIDATE)
            return False
        if len(self._candidates) >= MOST_CANDIDATES and not self._forget_one(any_idle=source is Source.MANUAL):
            return False
        if source is Source.PEX and self._counts[source] >= MOST_HEARSAY and not self._forget_one(hearsay=True):
            return False
        # The user's own word is tried first; the others by their rank, or in an order of chance while there is none.
        order = -1.0 if source is Source.MANUAL else self._rng.random()
        rank = self._rank(address) if self._rank is not None and source is not Source.MANUAL else None
        order = 1.0 - rank if rank is not None else order
        order += _reluctance(address, source) if source is not Source.MANUAL else 0.0
        self._candidates[address] = Candidate(address, source, order, retry_at=now, reached=source is Source.RESUME)
        self._candidates[address].past.said = said
        self._counts[source] += 1
        self._due_known = False
        return True

    def rank(self, rank: Callable[[Address], float | None]) -> None:
        """Try candidates in the order of `rank`, the highest first (BEP 40); those without a rank as chance has it."""
        for candidate in self._candidates.values():
            if candidate.source is not Source.MANUAL and (value := rank(candidate.address)) is not None:
                candidate.order = 1.0 - value + _reluctance(candidate.address, candidate.source)
        self._rank = rank

    def next(self, now: float) -> Candidate | None:
        """The candidate to dial now, marked as being dialed; None when there is none."""
        while (best := self._best(now)) is not None:
            self._due_known = False
            if not self._bans.banned(best.address.host, now):
                best.state = _State.DIALING
                break
            best.retry_at = self._bans.until(best.address.host)
        if best is None:
            best = self._next_scout(now)
        if best is not None:
            best.tried_at = now
        return best

    def _next_scout(self, now: float) -> Candidate | None:
        """Of those that answered before, who was left alone longest; None while nobody is to be tried out of turn."""
        due = self._scouting.due
        if due is None or due > now:
            return None
        self._scouting.goes(now)
        self._due_known = False
        best = min(self._scouts(), key=lambda candidate: candidate.tried_at, default=None)
        if best is not None:
            best.state, best.scout = _State.DIALING, True
        return best

    def _scouts(self) -> Iterator[Candidate]:
        """Who may be tried out of turn."""
        idle = (c for c in self._candidates.values() if c.state is _State.IDLE and c.reached)
        return (candidate for candidate in idle if not self._bans.until(candidate.address.host))

    def take(self, address: Address, now: float) -> Candidate | None:
        """The candidate at `address`, marked as being dialed, whenever its turn would be.

        None where it is unknown, banned, connected or being dialed.
        """
        candidate = self._candidates.get(address)
        if candidate is None or candidate.state is not _State.IDLE or self._bans.banned(address.host, now):
            return None
        candidate.state = _State.DIALING
        self._due_known = False
        return candidate

    def next_due(self) -> float | None:
        """When the next candidate may be dialed."""
        if not self._due_known:
            due = [c.retry_at for c in self._candidates.values() if c.state is _State.IDLE]
            if self._scouting.due is not None and next(self._scouts(), None) is not None:
                due.append(self._scouting.due)
            self._next_due = min(due, default=None)
            self._due_known = True
        return self._next_due

    def connected(self, address: Address, *, reached: bool = False) -> None:
        """A handshake with `address` succeeded, whoever dialed; `reached`: it was us who did, so it listens there."""
        candidate = self._candidates.get(address)
        if candidate is not None:
            candidate.state = _State.CONNECTED
            candidate.failures = 0
            candidate.scout = False
            candidate.reached = candidate.reached or reached
            self._due_known = False

    def learn(self, address: Address, approach: Approach) -> None:
        """Somebody answered at `address` when it was dialed by this approach."""
        candidate = self._candidates.get(address)
        if candidate is not None:
            candidate.past.first = approach.transport
            candidate.past.plain = not approach.encrypted

    def unanswered(self, address: Address, transport: Transport) -> None:
        """Connections over this transport are taken at `address`, and nobody says a word: the other one is next."""
        candidate = self._candidates.get(address)
        if candidate is not None:
            candidate.past.first = Transport.UTP if transport is Transport.TCP else Transport.TCP

    def codes(self, addresses: Iterable[Address]) -> bytes:
        """How each of these was reached, in a byte for each, for another run (see `Past.code`)."""
        pasts = [self.past(address) for address in addresses]
        return bytes([past.code if past is not None else 0 for past in pasts])

    def recall(self, addresses: Iterable[Address], codes: bytes) -> None:
        """How these were reached in an earlier run; of those behind the last code nothing is known."""
        for address, code in zip(addresses, codes, strict=False):
            past = self.past(address)
            if past is not None:
                past.recall(code)

    def past(self, address: Address) -> Past | None:
        """What is known of how to reach `address`; None where it is no candidate."""
        candidate = self._candidates.get(address)
        return candidate.past if candidate is not None else None

    def unreachable(self, address: Address, now: float) -> None:
        """No connection could be made to `address`; that counts, unless it was tried out of turn, or too early."""
        candidate = self._candidates.get(address)
        early = candidate is not None and candidate.reached and self._scouting.was_cut_off(candidate.tried_at)
        if candidate is not None and (candidate.scout or early):
            candidate.state, candidate.scout = _State.IDLE, False
            candidate.retry_at = min(candidate.retry_at, self._scouting.soon(now)) if early else candidate.retry_at
            self._due_known = False
        else:
            self.ended(address, now, useful=False)

    def company(self, now: float) -> None:
        """Somebody of the swarm is connected. After a time without anybody, all that answered before are tried soon."""
        self._due_known = False
        if self._scouting.reunited(now):
            for candidate in self._scouts():
                if candidate.failures:
                    candidate.retry_at = min(candidate.retry_at, self._scouting.soon(now))

    def deserted(self, now: float) -> None:
        """Nobody of the swarm is connected any more."""
        self._scouting.deserted(now)
        self._due_known = False

    def ended(self, address: Address, now: float, *, useful: bool, sated: bool = False, vanished: bool = False) -> None:
        """A try or a connection ended.

        Args:
            address: the other side.
            now: the time.
            useful: whether data went over it.
            sated: whether both sides have everything.
            vanished: whether the other side fell silent. Of who was useful we have waited long enough: it may have
                given up the connection, and be there.
        """
        candidate = self._candidates.get(address)
        if candidate is None:
            return
        self._due_known = False
        candidate.state = _State.IDLE
        candidate.reached = candidate.reached and not candidate.scout  # it answers, and leads to nothing
        candidate.scout = False
        candidate.failures = 0 if useful or sated else candidate.failures + 1
        wait = SATED_SECONDS if sated else min(RETRY_SECONDS * 2 ** max(0, candidate.failures - 1), RETRY_MOST_SECONDS)
        retry_at = now + (0.0 if vanished and useful else wait * (0.75 + self._rng.random() / 2))
        candidate.retry_at = max(retry_at, self._bans.until(address.host))
        hearsay = candidate.source is Source.PEX and not candidate.reached
        most = HEARSAY_FAILURES_MOST if hearsay else FAILURES_MOST
        missed = candidate.reached and self._scouting.due is not None  # it may be our own network that fails
        if not missed and candidate.failures >= most and candidate.source is not Source.MANUAL:
            self._drop(address)

    def hungry(self, now: float) -> None:
        """We want something (again): who was left alone because both sides had everything may be dialed now."""
        self._scouting.hungry = True
        for candidate in self._candidates.values():
            if not candidate.failures:
                candidate.retry_at = max(min(candidate.retry_at, now), self._bans.until(candidate.address.host))
        self._due_known = False

    def content(self) -> None:
        """We want nothing any more: whoever does will find us."""
        self._scouting.hungry = False
        self._due_known = False

    def is_self(self, address: Address) -> None:
        """`address` turned out to be our own."""
        if address in self._candidates:
            self._drop(address)
        self._own[address] = None

    def ours(self, addresses: tuple[Address, ...]) -> None:
        """These are our own, as others see us; they replace those that were told before."""
        self._ours = addresses
        for address in addresses:
            if address in self._candidates and self._candidates[address].state is _State.IDLE:
                self._drop(address)

    def keep(self, sources: Collection[Source]) -> list[Address]:
        """Forget what others than `sources` named, and say what that was: nobody may stay connected there.

        From now on they are not believed any more.
        """
        self._sources = sources
        strange = [address for address, candidate in self._candidates.items() if candidate.source not in sources]
        for address in strange:
            self._drop(address)
        return strange

    def reached(self, most: int) -> list[Address]:
        """Where the swarm may be found again in another run: somebody of it answered there when we dialed.

        Those that are connected come first, then who failed least since.
        """
        good = [c for c in self._candidates.values() if c.reached and not self._bans.until(c.address.host)]
        good.sort(key=lambda c: (c.state is not _State.CONNECTED, c.failures))
        return [candidate.address for candidate in good[:most]]

    def ban(self, host: str) -> None:
        """Never deal with `host` again, in no torrent: an IP address, whatever the port."""
        self._bans.ban(host)
        self.bans_changed(host, 0.0)

    def bans_changed(self, host: str, now: float) -> None:
        """`host` is banned, or is no longer: its candidates wait until the ban ends."""
        for candidate in self._candidates.values():
            if candidate.address.host == host:
                candidate.retry_at = max(now, self._bans.until(host))
                self._due_known = False

    def banned(self, host: str, now: float) -> bool:
        """Whether `host` is banned."""
        return self._bans.banned(host, now)

    def filters(self, host: str) -> bool:
        """Whether the filter keeps `host` out."""
        return self._filter.blocks(host, self._torrent)

    def turned_away(self, what: Blocked) -> None:
        """Somebody is kept out by the filter, or because of its client."""
        self.blocked += 1
        self.untold += 1
        self._filter.counts[what] += 1

    def filter_changed(self) -> None:
        """The filter is another: forget whom it keeps out."""
        strange = [address for address in self._candidates if self.filters(address.host)]
        for address in strange:
            self._drop(address)
            self.turned_away(Blocked.CANDIDATE)

    def _best(self, now: float) -> Candidate | None:
        best = None
        for candidate in self._candidates.values():
            if candidate.state is _State.IDLE and candidate.retry_at <= now:
                key = (candidate.failures, candidate.order)
                if best is None or key < (best.failures, best.order):
                    best = candidate
        return best

    def _confirm(self, candidate: Candidate, source: Source) -> None:
        """A known address is named again: what was hearsay is so no longer when somebody else says it, too."""
        if candidate.source is Source.PEX and source is not Source.PEX:
            candidate.order = -1.0 if source is Source.MANUAL else candidate.order - HEARSAY_RELUCTANCE
            self._counts[candidate.source] -= 1
            self._counts[source] += 1
            candidate.source = source

    def _forget_one(self, *, any_idle: bool = False, hearsay: bool = False) -> bool:
        """Make room by the one that failed most; for the user's own word also by one that did not.

        With `hearsay` by one of those that are known from other peers alone.
        """
        worst = max(
            (
                c
                for c in self._candidates.values()
                if c.state is _State.IDLE and (c.failures or any_idle) and (not hearsay or c.source is Source.PEX)
            ),
            key=lambda c: (c.source is not Source.MANUAL, c.failures, c.order),
            default=None,
        )
        if worst is None:
            return False
        self._drop(worst.address)
        return True

    def _drop(self, address: Address) -> None:
        self._counts[self._candidates.pop(address).source] -= 1
        self._due_known = False


def _reluctance(address: Address, source: Source) -> float:
    """Ports of a system's services are tried last: no peer listens there, but somebody may want us to attack one.

    What other peers say is tried after what trackers say.
    """
    return (2.0 if address.port < 1024 else 0.0) + (HEARSAY_RELUCTANCE if source is Source.PEX else 0.0)
