"""When nobody is left of a swarm that something is wanted of: who is tried, and what follows when somebody answers.

A network that passes nothing for a while looks as if all peers had gone. Each would be left alone longer and longer,
and found again long after the network came back. So one of those who answered before is tried now and then, whatever
they failed since; and when anybody is there again, all of them soon are.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

SCOUT_SECONDS = 15.0
"""While nobody is there, somebody who answered before is tried so often."""
REUNION_SECONDS = 5.0
"""When somebody is there again, the others are tried within so long, those that failed meanwhile."""
REUNION_REST_SECONDS = 120.0
"""That happens once in so long at most."""


class Scouting:
    """Whether and when somebody is tried out of turn.

    Args:
        rng: spreads those that are tried again.

    Attributes:
        hungry: whether anything is wanted of the swarm.
        alone: whether nobody of it is connected.
    """

    def __init__(self, rng: "Random") -> None:
        self.hungry = False
        self.alone = True
        self._rng = rng
        self._due = 0.0
        self._reunited_at = -REUNION_REST_SECONDS

    @property
    def due(self) -> float | None:
        """When the next scout may go; None while there is no need for any."""
        return self._due if self.hungry and self.alone else None

    def goes(self, now: float) -> None:
        """Somebody is tried."""
        self._due = now + SCOUT_SECONDS

    def deserted(self, now: float) -> None:
        """The last one has left."""
        self.alone = True
        self._due = now + SCOUT_SECONDS

    def reunited(self, now: float) -> bool:
        """Somebody is there again; whether the others are to be tried soon."""
        missed = self.hungry and self.alone and now - self._reunited_at >= REUNION_REST_SECONDS
        self.alone = False
        if missed:
            self._reunited_at = now
        return missed

    def was_cut_off(self, tried_at: float) -> bool:
        """Whether a try that began then began while nobody was there, and somebody is now."""
        return not self.alone and tried_at < self._reunited_at

    def soon(self, now: float) -> float:
        """When one of the others is to be tried."""
        return now + REUNION_SECONDS * self._rng.random()
