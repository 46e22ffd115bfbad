"""What a tracker has done since it started."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Traffic:
    """Requests of one protocol that were answered.

    Attributes:
        refused: answers that are a refusal: not allowed, too often, or nonsense.
        dropped: what was not answered at all.
    """

    connects: int = 0
    announces: int = 0
    scrapes: int = 0
    refused: int = 0
    dropped: int = 0


@dataclass(slots=True)
class Counters:
    """Counted by the fronts, read by the pages."""

    udp: Traffic = field(default_factory=Traffic)
    http: Traffic = field(default_factory=Traffic)
