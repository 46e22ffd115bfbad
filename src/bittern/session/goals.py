"""When a torrent has shared enough, and what becomes of it then."""

from dataclasses import dataclass
from enum import Enum, unique
from math import isnan

from bittern.base.errors import SessionError


@unique
class AtGoal(Enum):
    """What becomes of a torrent that reached its goal."""

    PAUSE = "pause"
    """It leaves its swarm and stays in the session, FINISHED."""
    REMOVE = "remove"
    """It is taken out of the session; its files stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """When enough was shared: at the first of these; none set means never.

    Attributes:
        ratio: so many times its size was uploaded.
        seed_minutes: it was complete and in its swarm for so long, all runs together.
        idle_minutes: nobody asked for anything for so long.
        then: what becomes of it.

    Raises:
        SessionError: a value is negative or no number.
    """

    ratio: float | None = None
    seed_minutes: float | None = None
    idle_minutes: float | None = None
    then: AtGoal = AtGoal.PAUSE

    def __post_init__(self) -> None:
        for name in ("ratio", "seed_minutes", "idle_minutes"):
            value = getattr(self, name)
            if value is not None and (value < 0 or isnan(value)):
                raise SessionError(f"{name} = {value}: must not be negative")

    @property
    def never(self) -> bool:
        """Whether it cannot be reached."""
        return self.ratio is None and self.seed_minutes is None and self.idle_minutes is None


def reached(goal: Goal, *, uploaded: int, total_bytes: int, seeded_seconds: float, idle_seconds: float) -> bool:
    """Whether a complete torrent has shared enough.

    Args:
        goal: its goal.
        uploaded: bytes ever sent.
        total_bytes: its size.
        seeded_seconds: it was complete and in its swarm for so long.
        idle_seconds: since a byte was sent, or since it was complete.
    """
    return (
        (goal.ratio is not None and uploaded >= goal.ratio * total_bytes)
        or (goal.seed_minutes is not None and seeded_seconds >= goal.seed_minutes * 60)
        or (goal.idle_minutes is not None and idle_seconds >= goal.idle_minutes * 60)
    )
