"""How many peers have each piece, counted for all pieces at once.

The counts lie in planes: plane `n` is the set of the pieces whose count has bit `n`. To count a peer in or out is an
addition with carry of whole sets, some ten steps for a thousand peers whatever it has; the rarest of any set of
pieces fall out of one walk down the planes. A single `have` flips two bits on average. A plane is kept as bytes, as
an integer, or both: bytes for single pieces, integers for sets.
"""

from typing import cast


class Availability:
    """The counts of `size` pieces. Sets are integers as those of `Bitfield.as_int`."""

    def __init__(self, size: int) -> None:
        self._width = (size + 7) // 8
        self.planes: list[bytearray | None] = []
        """The planes as bytes, where they are known as such; none when nobody has anything."""
        self._sets: list[int | None] = []

    def of(self, piece: int) -> int:
        """Peers that have `piece`."""
        at, mask = piece >> 3, 0x80 >> (piece & 7)
        count = 0
        for level, plane in enumerate(self.planes):
            if (plane or self._as_bytes(level))[at] & mask:
                count += 1 << level
        return count

    def gain(self, piece: int) -> None:
        """One peer more has `piece`."""
        at, mask = piece >> 3, 0x80 >> (piece & 7)
        sets = self._sets
        for level, plane in enumerate(self.planes):
            bits = plane or self._as_bytes(level)
            sets[level] = None
            bits[at] ^= mask
            if bits[at] & mask:
                return
        bits = bytearray(self._width)
        bits[at] = mask
        self.planes.append(bits)
        sets.append(None)

    def lose(self, piece: int) -> None:
        """One peer less has `piece`; it was counted before."""
        at, mask = piece >> 3, 0x80 >> (piece & 7)
        for level, plane in enumerate(self.planes):
            bits = plane or self._as_bytes(level)
            self._sets[level] = None
            bits[at] ^= mask
            if not bits[at] & mask:
                return

    def gain_all(self, pieces: int) -> None:
        """A peer that has the set `pieces` came."""
        carry, level = pieces, 0
        while carry:
            if level == len(self._sets):
                self._sets.append(0)
                self.planes.append(None)
            plane = self._as_set(level)
            self._put(level, plane ^ carry)
            carry &= plane
            level += 1

    def lose_all(self, pieces: int) -> None:
        """A peer that has the set `pieces`, and was counted, is gone."""
        borrow, level = pieces, 0
        while borrow:
            plane = self._as_set(level) ^ borrow
            self._put(level, plane)
            borrow &= plane
            level += 1
        while self._sets and not self._as_set(len(self._sets) - 1):
            self._sets.pop()
            self.planes.pop()

    def rarest(self, pieces: int) -> int:
        """Those of the set `pieces` that the fewest peers have."""
        for level in range(len(self._sets) - 1, -1, -1):
            pieces = (pieces ^ (pieces & self._as_set(level))) or pieces
        return pieces

    def commonest(self, pieces: int) -> int:
        """Those of the set `pieces` that the most peers have."""
        for level in range(len(self._sets) - 1, -1, -1):
            pieces = (pieces & self._as_set(level)) or pieces
        return pieces

    def counted(self) -> int:
        """The set of the pieces that any counted peer has."""
        counted = 0
        for level in range(len(self._sets)):
            counted |= self._as_set(level)
        return counted

    def _put(self, level: int, plane: int) -> None:
        self._sets[level] = plane
        self.planes[level] = None

    def _as_set(self, level: int) -> int:
        plane = self._sets[level]
        if plane is None:
            plane = self._sets[level] = int.from_bytes(cast("bytearray", self.planes[level]))
        return plane

    def _as_bytes(self, level: int) -> bytearray:
        plane = self.planes[level]
        if plane is None:
            plane = self.planes[level] = bytearray(cast("int", self._sets[level]).to_bytes(self._width))
        return plane
