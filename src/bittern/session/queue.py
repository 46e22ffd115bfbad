"""Who may run: a pure decision over a snapshot of the queue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, unique
from math import inf
from typing import TypeVar

from bittern.base.errors import SessionError

T = TypeVar("T")


@unique
class Kind(Enum):
    """What a torrent of the queue would do."""

    DOWNLOAD = "download"
    SEED = "seed"


@dataclass(frozen=True, slots=True)
class Queued:
    """A torrent that the queue decides about: neither paused nor finished nor failed.

    Attributes:
        number: unique; the decision names it.
        kind: what it does, or would do.
        priority: the higher runs first.
        position: then the lower.
        forced: runs whatever the limits are, and takes no place.
        running: whether it is in its swarm now.
        slow: whether it hardly moved anything for a while; then it takes no place. False where that cannot be
            known: it has just begun, or waits.
    """

    number: int
    kind: Kind
    priority: int = 0
    position: int = 0
    forced: bool = False
    running: bool = False
    slow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """How many may run at a time; infinity for no limit.

    Attributes:
        downloads: that are not slow.
        seeds: that are not slow.
        total: that are not slow, of both kinds.

    Raises:
        SessionError: a number is negative.
    """

    downloads: float = inf
    seeds: float = inf
    total: float = inf

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) >= 0:
                raise SessionError(f"{name} = {getattr(self, name)}: must not be negative")

    @property
    def unlimited(self) -> bool:
        """Whether everybody may run."""
        return self.downloads == self.seeds == self.total == inf


def who_runs(queue: Iterable[Queued], places: Places) -> frozenset[int]:
    """The numbers of those that are to run; all others wait.

    Forced ones run. The others come in the order of priority, then of position; downloads before seeds. Each takes a
    place of its kind and one of the total, or waits where there is none left. A slow one that runs keeps running and
    takes no place, so that the next has a chance; one that waits is never slow.
    """
    left = {Kind.DOWNLOAD: places.downloads, Kind.SEED: places.seeds}
    total = places.total
    running = []
    for torrent in sorted(queue, key=_rank):
        if torrent.forced or (torrent.running and torrent.slow):
            running.append(torrent.number)
        elif left[torrent.kind] >= 1 and total >= 1:
            left[torrent.kind] -= 1
            total -= 1
            running.append(torrent.number)
    return frozenset(running)


def moved(order: Sequence[T], member: T, position: int) -> list[T]:
    """`order` with `member` at `position`, counted from 0; one beyond an end is that end."""
    rest = [each for each in order if each is not member]
    at = min(max(position, 0), len(rest))
    return [*rest[:at], member, *rest[at:]]


def _rank(torrent: Queued) -> tuple[bool, int, int, int]:
    return torrent.kind is Kind.SEED, -torrent.priority, torrent.position, torrent.number
