"""A world without clocks: virtual time, one heap of events, and chance that comes from one seed.

The same seed gives the same run, in any process and on any machine: ties in time are broken by the order in
which events were planned, nothing walks a set, nothing looks at an address in memory. The world imports no
random number generator; whoever makes it hands one in, as a rule `random.Random`.
"""

from collections.abc import Callable
from hashlib import sha256
from heapq import heappop, heappush
from typing import TYPE_CHECKING, TypeAlias

from .trace import Trace

if TYPE_CHECKING:
    from random import Random

Dice: TypeAlias = "Callable[[int], Random]"
"""Makes a generator from a seed; `random.Random` itself is one."""

MAX_EVENTS_AT_ONCE = 1_000_000
"""Events of one instant after which a world is taken to run in circles."""


class EndlessInstantError(RuntimeError):
    """Events keep planning events for the same instant: someone wakes, and is woken, without progress."""


class World:
    """Virtual time and what is planned in it.

    Attributes:
        seed: where all chance in this world comes from.
        now: seconds since the world began.
        trace: what happened until now, as a running hash.
    """

    def __init__(self, dice: Dice, seed: int = 0) -> None:
        self.seed = seed
        self.now = 0.0
        self.trace = Trace()
        self._dice = dice
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._planned = 0
        self._at_once = 0

    def chance(self, name: str) -> "SimChance":
        """The source of randomness of the process called `name`."""
        return SimChance(self._dice, self.seed, name)

    def at(self, due: float, call: Callable[[], None]) -> None:
        """Call `call` at `due`, or now if that is past, after everything planned for that instant before."""
        self._planned += 1
        heappush(self._events, (max(due, self.now), self._planned, call))

    def after(self, delay: float, call: Callable[[], None]) -> None:
        """Call `call` in `delay` seconds."""
        self.at(self.now + delay, call)

    def step(self) -> bool:
        """Let the next event happen; False when none is planned.

        Raises:
            EndlessInstantError: after a million events without time passing.
        """
        if not self._events:
            return False
        due, _, call = heappop(self._events)
        if due > self.now:
            self.now = due
            self._at_once = 0
        self._at_once += 1
        if self._at_once > MAX_EVENTS_AT_ONCE:
            raise EndlessInstantError(f"time stands still at {self.now} (seed {self.seed}), last: {call!r}")
        call()
        return True

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Let events happen for `seconds`, or until `until` holds after one of them.

        Returns:
            Whether `until` holds; True when there is none. Time has advanced by `seconds` if it does not.
        """
        end = self.now + seconds
        if until is not None and until():
            return True
        events, step = self._events, self.step
        while events and events[0][0] <= end:
            step()
            if until is not None and until():
                return True
        self.now = end
        return until is None


class SimChance:
    """The randomness of one simulated process: named streams and entropy, all from the world's seed."""

    def __init__(self, dice: Dice, seed: int, name: str) -> None:
        self._dice = dice
        self._root = b"%d/%b" % (seed, name.encode())
        self._entropy = self.rng_for("entropy")

    def rng_for(self, part: str, key: bytes = b"") -> "Random":
        """An own stream for `part`; the same arguments give the same stream from its beginning."""
        name = b"%b/%d/%b/%b" % (self._root, len(part), part.encode(), key)
        return self._dice(int.from_bytes(sha256(name).digest()))

    def entropy(self, count: int) -> bytes:
        """The next `count` bytes of one long stream."""
        return self._entropy.randbytes(count)
