"""All pieces in random order, drawn one by one: what was not drawn yet needs no memory, however many there are."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


class Deck:
    """Pieces to draw, each once unless it is put back.

    A shuffle that goes no further than it is asked to: a drawn piece is replaced by the last one (Fisher and Yates).

    Args:
        rng: draws.
    """

    def __init__(self, rng: "Random") -> None:
        self._rng = rng
        self._left = 0
        self._moved: dict[int, int] = {}  # places that another piece than their own is at
        self._back: list[int] = []

    def __len__(self) -> int:
        return self._left + len(self._back)

    def fill(self, size: int) -> None:
        """Put in all pieces below `size`."""
        self._left = size

    def draw(self) -> int:
        """A piece; those that were put back come first."""
        if self._back:
            return self._back.pop()
        at = self._rng.randrange(self._left)
        self._left -= 1
        drawn, last = self._moved.get(at, at), self._moved.pop(self._left, self._left)
        if at != self._left:
            self._moved[at] = last
        return drawn

    def put_back(self, piece: int) -> None:
        """`piece` may be drawn again, before all others."""
        self._back.append(piece)
