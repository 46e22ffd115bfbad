"""Blocks that several peers were asked for: who they are, and who is told that it need not send them any more."""

from typing import Protocol


class Asker(Protocol):
    """Who asked for blocks: a peer's pipeline."""

    shared: dict[tuple[int, int], None]

    def withdraw(self, piece: int, block: int) -> bool:
        """Wait no more for the block; False when it was not outstanding."""
        ...


class Races:
    """The shared blocks of one torrent."""

    def __init__(self) -> None:
        self._askers: dict[tuple[int, int], list[Asker]] = {}
        self._superfluous: list[tuple[Asker, int, int]] = []

    def join(self, piece: int, block: int, first: Asker, second: Asker) -> None:
        """A block that was asked of `first` is asked of `second` too: neither may write in place any more."""
        key = (piece, block)
        askers = self._askers.setdefault(key, [first])
        askers.append(second)
        for asker in askers:
            asker.shared[key] = None

    def won(self, piece: int, block: int, winner: Asker) -> None:
        """A block came from `winner`: whoever else was asked for it need not send it any more."""
        for asker in self._askers.pop((piece, block), ()):
            asker.shared.pop((piece, block), None)
            if asker is not winner and asker.withdraw(piece, block):
                self._superfluous.append((asker, piece, block))

    def left(self, piece: int, block: int, asker: Asker) -> bool:
        """A block will not come from `asker`; whether it was asked of others too."""
        key = (piece, block)
        askers = self._askers.get(key)
        if askers is None:
            return False
        askers.remove(asker)
        asker.shared.pop(key, None)
        if len(askers) == 1:
            askers[0].shared.pop(key, None)
            del self._askers[key]
        return True

    def take_superfluous(self) -> list[tuple[Asker, int, int]]:
        """Requests withdrawn since the last call: cancels are to be sent."""
        superfluous, self._superfluous = self._superfluous, []
        return superfluous
