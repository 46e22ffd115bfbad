"""What the workers of one tracker ask each other, as bytes, and how a worker answers.

Only workers of the same program write and read these, over sockets that nobody else has: they are not checked.
"""

# HOT: bench/tracker.py
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final, TypeAlias, TypeVar

from .colleagues import Colleagues, Errand, home_of
from .counters import Counters
from .figures import Figures
from .registry import Registry

T = TypeVar("T")
Counts: TypeAlias = tuple[int, int, int]
"""Seeds, downloads ever completed, leechers."""

FIGURES: Final = b"f"
"""The question for a worker's figures."""

_ANNOUNCE, _SCRAPE = b"a"[0], b"s"[0]
_ASKED = Struct(">B20s?BH")  # kind, info hash, seed, event, peers wanted; the address follows
_ANNOUNCED = Struct(">II")
_COUNTS = Struct(">III")


def ask_announce(info_hash: bytes, address: bytes, seed: bool, event: int, count: int) -> bytes:  # noqa: FBT001 - hot
    """The question that is an announce, as `Registry.announce` takes it."""
    return _ASKED.pack(_ANNOUNCE, info_hash, seed, event, count) + address


def announced(reply: bytes) -> tuple[int, int, bytes]:
    """What `Registry.announce` returned there."""
    seeds, leechers = _ANNOUNCED.unpack_from(reply)
    return seeds, leechers, reply[_ANNOUNCED.size :]


def ask_scrape(info_hashes: Sequence[bytes]) -> bytes:
    """The question for the counts of some swarms."""
    return bytes((_SCRAPE,)) + b"".join(info_hashes)


def scraped(reply: bytes) -> list[Counts]:
    """What `Registry.scrape` returned there, in the order asked for."""
    return list(_COUNTS.iter_unpack(reply))


def scrape(
    info_hashes: Sequence[bytes],
    registry: Registry,
    colleagues: Colleagues | None,
    finish: Callable[[Sequence[Counts]], T],
    otherwise: T,
) -> T | Errand[T]:
    """The answer that `finish` makes of the counts of some swarms, wherever they are at home.

    Args:
        info_hashes: of the swarms.
        registry: those at home here.
        colleagues: the workers that have the others, if there are any.
        finish: from the counts, in the order of the hashes, to the answer.
        otherwise: the answer when somebody does not reply.
    """
    homes = [] if colleagues is None else [home_of(each, colleagues.count) for each in info_hashes]
    if colleagues is None or all(home == colleagues.index for home in homes):
        return finish([registry.scrape(each) for each in info_hashes])
    away: dict[int, list[bytes]] = {}
    for home, info_hash in zip(homes, info_hashes, strict=True):
        if home != colleagues.index:
            away.setdefault(home, []).append(info_hash)

    def join(replies: Sequence[bytes]) -> T:
        found = {home: iter(scraped(reply)) for home, reply in zip(away, replies, strict=True)}
        return finish(
            [
                next(found[home]) if home in found else registry.scrape(info_hash)
                for home, info_hash in zip(homes, info_hashes, strict=True)
            ]
        )

    return colleagues.errand([(home, ask_scrape(asked)) for home, asked in away.items()], join, otherwise)


class Clerk:
    """Answers what other workers ask.

    Args:
        registry: the swarms that are at home here.
        counters: what was done here.
    """

    def __init__(self, registry: Registry, counters: Counters) -> None:
        self._registry = registry
        self._counters = counters

    def figures(self) -> Figures:
        """Those of this worker."""
        return Figures.of(self._registry, self._counters)

    def answer(self, question: bytes) -> bytes:
        """The reply to a question."""
        kind = question[0]
        if kind == _ANNOUNCE:
            _, info_hash, seed, event, count = _ASKED.unpack_from(question)
            seeds, leechers, peers = self._registry.announce(info_hash, question[_ASKED.size :], seed, event, count)
            return _ANNOUNCED.pack(seeds, leechers) + peers
        if kind == _SCRAPE:
            hashes = (question[at : at + 20] for at in range(1, len(question), 20))
            return b"".join(_COUNTS.pack(*self._registry.scrape(info_hash)) for info_hash in hashes)
        return self.figures().encode()
