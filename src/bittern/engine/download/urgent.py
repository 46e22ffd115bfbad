"""Pieces that are needed at a time: somebody plays the file while it comes."""

from bittern.base.geometry import BLOCK

from .requests import Pipeline

_SILENCE_SECONDS = 2.0
"""A peer whose rate is not known and that owes blocks for so long may never bring them."""


class Urgent:
    """Deadlines of pieces; no piece has one that has come.

    Attributes:
        due: when each is needed.
    """

    def __init__(self) -> None:
        self.due: dict[int, float] = {}
        self._order: list[int] | None = None

    def set(self, piece: int, due: float | None) -> None:
        """`piece` is needed at `due`; None: at no time any more."""
        if due is None:
            self.due.pop(piece, None)
        else:
            self.due[piece] = due
        self._order = None

    def in_order(self) -> list[int]:
        """The pieces, earliest first, then by number."""
        if self._order is None:
            self._order = sorted(self.due, key=lambda piece: (self.due[piece], piece))
        return self._order


def ready_in(pipeline: Pipeline, now: float) -> float:
    """Seconds until a peer has brought what it owes, by its measured rate; infinity when it seems to bring nothing."""
    if not pipeline.waiting:
        return 0.0
    if pipeline.rate > 0 and not pipeline.snubbed:
        return (pipeline.outstanding + 1) * BLOCK / pipeline.rate
    return float("inf") if now - pipeline.heard_at > _SILENCE_SECONDS else 0.0
