"""Looking something up: asking nodes that are ever closer to a target, until the closest ones have answered (BEP 5).

Whoever wants to stand round a target can make up many nodes. So nodes whose ids do not belong to their addresses
(BEP 42) are asked beside the others, not in their place; few of one network are asked; who names nodes that do not
exist is not believed for long; and where nodes stand closer together than they do elsewhere, more of them are asked.
Who is asked first may name nobody but its like, who then answer and stand closer than anybody else. So a lookup that
has found nothing, or after which we write, is thorough: it also asks nodes that stand farther away, who know others,
and a crowd counts for no more nodes than would stand there without it.
"""

from bisect import insort
from collections.abc import Callable, Iterable
from enum import Enum, auto, unique
from typing import Final

from bittern.base.address import Address
from bittern.wire.krpc import Contact

from .bound_ids import is_bound
from .enough import WIDTH, Enough
from .places import is_near, is_plausible, network_of, nobody, owner_of

ALPHA: Final = 4
"""Questions on their way at once."""
THOROUGH: Final = 32
"""As many, in a thorough lookup."""
MAX_WIDTH: Final = 64
"""Nodes whose answers are enough, where they stand suspiciously close together."""
MAX_THOROUGH: Final = 96
"""As many, in a thorough lookup."""
MAX_ASKED: Final = 200
"""Questions of one lookup."""
MAX_UNBOUND: Final = 16
"""Of those to nodes whose ids are not bound to their addresses."""
MAX_CANDIDATES: Final = 400
"""Nodes that are remembered."""
PER_NETWORK: Final = 2
"""Nodes of one /24 (IPv6: /64) that are remembered from what others told."""
_LIES: Final = 3
"""So many nodes that do not answer, and none that does: who named them is not believed."""


@unique
class _State(Enum):
    FRESH = auto()
    ASKED = auto()
    SLOW = auto()
    ANSWERED = auto()
    FAILED = auto()


class Candidate:
    """A node that may be asked.

    Attributes:
        contact: its id and address.
        distance: from the target.
        bound: whether its id belongs to its address.
        token: what it wants to see when we write, if it answered.
        has_value: whether it has a version of what is looked for.
    """

    __slots__ = ("bound", "contact", "distance", "has_value", "led", "misled", "named_by", "state", "token")

    def __init__(self, contact: Contact, distance: int, *, bound: bool) -> None:
        self.contact = contact
        self.distance = distance
        self.bound = bound
        self.token: bytes | None = None
        self.has_value = False
        self.state = _State.FRESH
        self.named_by: list[Candidate] = []
        self.led = self.misled = 0  # nodes that it named and that answered, or did not

    @property
    def believed(self) -> bool:
        """Whether anybody vouches for it who did not only name nodes that do not exist."""
        return not self.named_by or any(by.led or by.misled < _LIES for by in self.named_by)


class Lookup:
    """The candidates of one lookup, and whom to ask next.

    Args:
        target: 20 bytes.
        alpha: questions on their way at once.
        radius: a distance within which `WIDTH` nodes are to be expected; 0 when that is not known.
        own_id: ours, which others name.

    Attributes:
        thorough: whether more than eight nodes must have answered before it is done; may change on the way.
    """

    def __init__(
        self,
        target: bytes,
        *,
        alpha: int = ALPHA,
        radius: int = 0,
        own_id: bytes = b"",
        shuns: Callable[[str], bool] = nobody,
    ) -> None:
        self._shuns = shuns
        self.target = target
        self.thorough = False
        self._own_id = own_id
        self._number = int.from_bytes(target)
        self._alpha = alpha
        self._radius = radius
        self._ranked: list[Candidate] = []  # closest first
        self._known: dict[Contact, Candidate] = {}  # of several addresses for one id, only one may be true
        self._owners: set[str] = set()  # only asked whether something is in it
        self._networks: dict[str, int] = {}
        self._flying = 0
        self.asked = 0
        """Questions asked."""
        self.answers = 0
        """Answers that came."""

    # ------------------------------------------------------------------ what is known

    def begin(self, contacts: Iterable[Contact]) -> None:
        """Nodes that we know ourselves."""
        for contact in contacts:
            self._add(contact, None)

    def answered(self, asked: Contact, answer: Contact, named: Iterable[Contact]) -> Candidate | None:
        """`asked` answered as `answer` and named other nodes; None if it is not who it was said to be."""
        candidate = self._land(asked)
        if candidate is None:
            return None
        if asked.id != answer.id:
            # Whoever named it made up its id: it stands elsewhere, and what it says is worth nothing here.
            self._fail(candidate)
            return None
        candidate.state = _State.ANSWERED
        self.answers += 1
        for by in candidate.named_by:
            by.led += 1
        for contact in named:
            if is_plausible(contact.address, asked.address):
                self._add(contact, candidate)
        return candidate

    def failed(self, contact: Contact) -> None:
        """`contact` did not answer, or refused."""
        candidate = self._land(contact)
        if candidate is not None:
            self._fail(candidate)

    def slow(self, contact: Contact) -> None:
        """`contact` takes its time: another one may be asked meanwhile."""
        candidate = self._known.get(contact)
        if candidate is not None and candidate.state is _State.ASKED:
            candidate.state = _State.SLOW
            self._flying -= 1

    # ------------------------------------------------------------------ what to do

    def take_next(self) -> list[Contact]:
        """Whom to ask now; each counts as asked from now on."""
        chosen = []
        near = self._enough()
        others = 0  # closer ones that have answered, or may do so any moment
        # Who is thorough has far to go still when the closest have answered: then it goes on twice as fast.
        alpha = self._alpha * 2 if self.thorough and self.answers >= WIDTH else self._alpha
        for candidate in self._wanted(self._enough()):
            if self._flying >= alpha or self.asked >= MAX_ASKED:
                break
            if candidate.state is _State.FRESH:
                if candidate.bound:
                    if near.reached(candidate.distance):
                        break
                elif near.all + others >= WIDTH:
                    continue
                candidate.state = _State.ASKED
                self._flying += 1
                self.asked += 1
                chosen.append(candidate.contact)
            if candidate.state is _State.SLOW:
                continue
            if candidate.bound:
                near.add(candidate.distance)
            else:
                others += 1
        return chosen

    @property
    def is_done(self) -> bool:
        """Whether nobody is left that is worth asking, or waiting for."""
        busy = {_State.ASKED, _State.SLOW} if self.asked >= MAX_ASKED else {_State.FRESH, _State.ASKED, _State.SLOW}
        return not any(candidate.state in busy for candidate in self._wanted(self._enough()))

    def closest(self, able: Callable[[Candidate], bool] = lambda _: True) -> list[Candidate]:
        """Those that answered and stand round the target, of those that are `able`."""
        wanted = self._wanted(Enough(WIDTH, MAX_WIDTH, self._radius), able)
        return [candidate for candidate in wanted if candidate.state is _State.ANSWERED]

    def reach(self) -> int | None:
        """The distance of the eighth closest node that answered, or None when there are not so many."""
        near = [c.distance for c in self._ranked if c.state is _State.ANSWERED and c.bound]
        return near[WIDTH - 1] if len(near) >= WIDTH else None

    def _enough(self) -> Enough:
        if self.thorough:
            return Enough(THOROUGH, MAX_THOROUGH, self._radius)
        return Enough(WIDTH, MAX_WIDTH, self._radius)

    def _wanted(self, near: Enough, able: Callable[[Candidate], bool] = lambda _: True) -> list[Candidate]:
        """The closest nodes that must have answered or failed: enough bound ones, and eight of any kind."""
        wanted = []
        unbound = answered = 0
        for candidate in self._ranked:
            state = candidate.state
            if state is _State.FAILED or (state is _State.FRESH and not candidate.believed):
                unbound += state is _State.FAILED and not candidate.bound
                continue
            if state is _State.ANSWERED and not able(candidate):
                continue
            if candidate.bound:
                if near.reached(candidate.distance):
                    break
                if state is _State.ANSWERED:
                    near.add(candidate.distance)
            elif answered >= WIDTH or unbound >= MAX_UNBOUND:
                continue
            else:
                unbound += 1
            answered += state is _State.ANSWERED
            wanted.append(candidate)
        return wanted

    # ------------------------------------------------------------------ candidates

    def _add(self, contact: Contact, by: Candidate | None) -> None:
        if contact.id == self._own_id:
            return
        known = self._known.get(contact)
        if known is not None:
            if by is not None and known.named_by and by not in known.named_by:
                known.named_by.append(by)
            return
        if self._shuns(contact.address.host):
            return
        owner, network = self._claims(contact.address)
        if owner in self._owners:
            return
        if by is not None and self._networks.get(network, 0) >= PER_NETWORK:
            return
        distance = int.from_bytes(contact.id) ^ self._number
        if len(self._ranked) >= MAX_CANDIDATES and not self._forget_farther_than(distance):
            return
        candidate = Candidate(contact, distance, bound=is_bound(contact.id, contact.address.host))
        if by is not None:
            candidate.named_by.append(by)
        self._known[contact] = candidate
        self._owners.add(owner)
        self._networks[network] = self._networks.get(network, 0) + 1
        insort(self._ranked, candidate, key=_distance)

    def _forget_farther_than(self, distance: int) -> bool:
        last = self._ranked[-1]
        if last.distance <= distance or last.state in {_State.ASKED, _State.SLOW}:
            return False
        self._ranked.pop()
        del self._known[last.contact]
        if last.state is not _State.FAILED:  # else it is done
            self._release(last)
        return True

    def _land(self, contact: Contact) -> Candidate | None:
        """The candidate of a question that has come to its end."""
        candidate = self._known.get(contact)
        if candidate is None or candidate.state not in {_State.ASKED, _State.SLOW}:
            return None
        self._flying -= candidate.state is _State.ASKED
        return candidate

    def _fail(self, candidate: Candidate) -> None:
        candidate.state = _State.FAILED
        for by in candidate.named_by:
            by.misled += 1
        self._release(candidate)

    def _release(self, candidate: Candidate) -> None:
        """Others of its network get its place."""
        owner, network = self._claims(candidate.contact.address)
        self._owners.discard(owner)
        self._networks[network] -= 1

    @staticmethod
    def _claims(address: Address) -> tuple[str, str]:
        owner = owner_of(address)
        return owner, owner if is_near(address.host) else network_of(address.host)


def _distance(candidate: Candidate) -> int:
    return candidate.distance
