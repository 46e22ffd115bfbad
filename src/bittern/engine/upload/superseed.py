"""Super-seeding: a seed that shows its pieces one by one, so that it sends each of them about once (BEP 16).

To every peer it seems to have nothing but the few pieces that were shown to that peer. The next is shown when somebody
else has one of them: then it was passed on. Who cannot pass on what it has, or finds nobody to take it, is shown more
after a while. It ends when others have everything.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from bittern.base.bitfield import Bitfield

if TYPE_CHECKING:
    from random import Random

AT_A_TIME = 2
"""Pieces shown to a peer and not passed on: one comes while the other goes round."""
ALONE_AT_A_TIME = 8
"""Likewise for the only peer: there is nobody whom it could pass on to."""
FED_COPIES = 2
"""When others have so many copies of each piece, the swarm lives without us."""
PATIENCE_ROUNDS = 3
"""Who has had a piece for so long is shown another, though nobody took it."""


class _View:
    """What one peer was shown."""

    __slots__ = ("counted", "open", "shown")

    def __init__(self, size: int) -> None:
        self.shown = Bitfield(size)
        self.counted = Bitfield(size)  # what it had when its copies were counted last
        self.open: dict[int, int] = {}  # shown, not passed on; rounds that it has the piece


class SuperSeed:
    """What is shown to whom.

    Args:
        size: pieces of the torrent, all of which we have.
        rng: the order in which they are shown first.
        knowing: peers that were told of everything before.
    """

    def __init__(self, size: int, rng: "Random", knowing: Iterable[int] = ()) -> None:
        self._size = size
        self._fresh = list(range(size))  # never shown
        rng.shuffle(self._fresh)
        self._times = [0] * size  # that each was shown
        self._copies = [0] * size  # among the others
        self._scarce = dict.fromkeys(range(size))  # with fewer than FED_COPIES
        self._views: dict[int, _View] = {}
        for number in knowing:
            self._views[number] = view = _View(size)
            view.shown.fill()

    @property
    def fed(self) -> bool:
        """Whether others have enough copies of everything."""
        return not self._scarce

    def shows(self, peer: int, piece: int) -> bool:
        """Whether a peer was shown a piece: only then it may ask for it."""
        view = self._views.get(peer)
        return view is not None and piece in view.shown

    def hidden(self, peer: int) -> Iterator[int]:
        """What a peer was not shown and has not, in order."""
        view = self._views.get(peer, _View(self._size))
        return (piece for piece in range(self._size) if piece not in view.shown and piece not in view.counted)

    def update(self, holders: Mapping[int, Bitfield]) -> list[tuple[int, int]]:
        """Look at what some peers have now; (peer, piece) of what is to be shown by that.

        Args:
            holders: what each peer has that came or may have got something.
        """
        for number, pieces in holders.items():
            view = self._views.get(number)
            if view is None:
                view = self._views[number] = _View(self._size)
            if pieces.count != view.counted.count:
                for piece in pieces.without(view.counted):
                    self._count(piece, 1)
                    self._passed_on(piece, number)
                view.counted = pieces.copy()
        return self._show_more()

    def keep_only(self, peers: Mapping[int, object]) -> None:
        """All others are gone, and their copies with them."""
        for number in [number for number in self._views if number not in peers]:
            for piece in self._views.pop(number).counted:
                self._count(piece, -1)

    def next_round(self) -> list[tuple[int, int]]:
        """Some time has passed; (peer, piece) of what is to be shown by that."""
        for view in self._views.values():
            for piece, rounds in list(view.open.items()):
                if piece in view.counted:
                    view.open[piece] = rounds + 1
                    if rounds + 1 >= PATIENCE_ROUNDS:
                        del view.open[piece]
        return self._show_more()

    def _count(self, piece: int, change: int) -> None:
        self._copies[piece] += change
        if self._copies[piece] >= FED_COPIES:
            self._scarce.pop(piece, None)
        else:
            self._scarce[piece] = None

    def _passed_on(self, piece: int, taker: int) -> None:
        """`taker` has a piece: from whom else it may have come, is not known; all that were shown it did well."""
        for number, view in self._views.items():
            # A peer that nobody is left to take from has done its part, too.
            if piece in view.open and (number != taker or self._copies[piece] >= len(self._views)):
                del view.open[piece]

    def _show_more(self) -> list[tuple[int, int]]:
        shown = []
        most = AT_A_TIME if len(self._views) > 1 else ALONE_AT_A_TIME
        for number, view in self._views.items():
            while len(view.open) < most and (piece := self._choose(view)) is not None:
                view.shown.add(piece)
                view.open[piece] = 0
                self._times[piece] += 1
                shown.append((number, piece))
        return shown

    def _choose(self, view: _View) -> int | None:
        """The next piece for a peer: one that nobody was shown, else the rarest."""
        if view.shown.complete:
            return None
        while self._fresh:
            piece = self._fresh.pop()
            if not self._times[piece] and not self._copies[piece]:
                return piece
        wanted = (piece for piece in self._scarce if piece not in view.shown and piece not in view.counted)
        return min(wanted, key=lambda piece: (self._copies[piece], self._times[piece], piece), default=None)
