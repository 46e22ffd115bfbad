"""A set of piece numbers in the wire's own form: most significant bit first (BEP 3)."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Self

from bittern.base.errors import Offence, RemoteProtocolError

_ONES = bytes(value.bit_count() for value in range(256))
_MASK = tuple(0x80 >> bit for bit in range(8))
_SET_BITS = tuple(tuple(bit for bit in range(8) if byte & _MASK[bit]) for byte in range(256))
_NON_ZERO = re.compile(rb"[^\0]")
_DIGITS = b"0" + b"1" * 255
_FEW = 16  # members a byte of marks: below that, to mark each piece costs more than to add one by one


def members(pieces: int, size: int, start: int = 0, most: int | None = None) -> list[int]:
    """The members of a set that has the form of `Bitfield.as_int`, in order; fast where they are few.

    Args:
        pieces: the set.
        size: the number of pieces there are.
        start: where to begin, about: at the last multiple of 8. The order goes on from 0 at the end.
        most: how many to return at most; None for all.
    """
    data = pieces.to_bytes((size + 7) // 8)
    middle = start >> 3
    found: list[int] = []
    for match in chain(_NON_ZERO.finditer(data, middle), _NON_ZERO.finditer(data, 0, middle)):
        at = match.start()
        found += [at * 8 + bit for bit in _SET_BITS[data[at]]]
        if most is not None and len(found) >= most:
            return found[:most]
    return found


class Bitfield:
    """A mutable set of integers in `range(size)`, with a count that is always known.

    The bytes are those of the wire's `bitfield` message; spare bits at the end stay zero.
    """

    __slots__ = ("_bits", "_count", "_size")

    def __init__(self, size: int, members: Iterable[int] = ()) -> None:
        self._size = size
        self._bits = bytearray((size + 7) // 8)
        self._count = 0
        self.update(members)

    @classmethod
    def full(cls, size: int) -> Self:
        """All of `range(size)`."""
        self = cls(size)
        self._bits[:] = b"\xff" * len(self._bits)
        if size % 8:
            self._bits[-1] = 0xFF00 >> (size % 8) & 0xFF
        self._count = size
        return self

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, size: int) -> Self:
        """Take over the payload of a `bitfield` message.

        Raises:
            RemoteProtocolError: wrong size, or spare bits set (BEP 3 allows dropping such a peer).
        """
        self = cls(size)
        if len(data) != len(self._bits):
            raise RemoteProtocolError(
                Offence.BAD_BITFIELD, f"{len(data)} bytes instead of {len(self._bits)} for {size} pieces"
            )
        self._bits[:] = data
        if size % 8 and self._bits[-1] & (0xFF >> size % 8):
            raise RemoteProtocolError(Offence.BAD_BITFIELD, "spare bits are set")
        self._count = int.from_bytes(self._bits).bit_count()
        return self

    @classmethod
    def marked(cls, marks: bytes | bytearray) -> Self:
        """The places in `marks`, one byte for each piece, where there is no zero byte."""
        self = cls(len(marks))
        if marks:
            self._put(int(marks.translate(_DIGITS) + b"0" * (-len(marks) % 8), 2))
        return self

    @property
    def size(self) -> int:
        """The number of pieces there are."""
        return self._size

    @property
    def count(self) -> int:
        """The number of pieces in the set."""
        return self._count

    @property
    def complete(self) -> bool:
        """Whether every piece is in the set."""
        return self._count == self._size

    def __contains__(self, member: int) -> bool:
        return 0 <= member < self._size and bool(self._bits[member >> 3] & _MASK[member & 7])

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        for at, byte in enumerate(self._bits):
            if byte:
                for bit in _SET_BITS[byte]:
                    yield at * 8 + bit

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bitfield):
            return NotImplemented
        return self._size == other._size and self._bits == other._bits

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Bitfield({self._count} of {self._size})"

    def __bytes__(self) -> bytes:
        return bytes(self._bits)

    def add(self, member: int) -> bool:
        """Put `member` in; False when it was in already. IndexError outside `range(size)`."""
        if not 0 <= member < self._size:
            raise IndexError(member)
        mask = _MASK[member & 7]
        if self._bits[member >> 3] & mask:
            return False
        self._bits[member >> 3] |= mask
        self._count += 1
        return True

    def discard(self, member: int) -> bool:
        """Take `member` out; False when it was not in."""
        if not (0 <= member < self._size and self._bits[member >> 3] & _MASK[member & 7]):
            return False
        self._bits[member >> 3] &= ~_MASK[member & 7]
        self._count -= 1
        return True

    def update(self, members: Iterable[int]) -> None:
        """Put all of `members` in, many at once. IndexError where one is outside `range(size)`."""
        many = members if isinstance(members, list) else list(members)
        if len(many) * _FEW < self._size or len(many) < _FEW:
            for member in many:
                self.add(member)
            return
        if min(many) < 0:
            raise IndexError(min(many))
        marks = bytearray(self._size)
        for member in many:
            marks[member] = 1
        self._put(self.as_int() | Bitfield.marked(marks).as_int())

    def minus(self, other: "Bitfield") -> "Bitfield":
        """A new set: the members that `other`, of the same size, has not."""
        left = Bitfield(self._size)
        left._put(self.as_int() & ~other.as_int())
        return left

    def fill(self) -> None:
        """Put every piece in."""
        self._bits[:] = type(self).full(self._size)._bits  # noqa: SLF001 - another instance of this class
        self._count = self._size

    def clear(self) -> None:
        """Take every piece out."""
        self._bits[:] = bytes(len(self._bits))
        self._count = 0

    def copy(self) -> "Bitfield":
        """An independent set with the same members."""
        twin = Bitfield(self._size)
        twin._bits[:] = self._bits
        twin._count = self._count
        return twin

    def as_int(self) -> int:
        """The set as one integer, first piece in the highest bit: for set algebra in one step."""
        return int.from_bytes(self._bits)

    def common(self, other: "Bitfield") -> list[int]:
        """The members of both sets of the same size, in order; fast where they are few."""
        return members(self.as_int() & other.as_int(), self._size)

    def first_common(self, other: "Bitfield", start: int = 0) -> int | None:
        """The lowest member from `start` on of both sets of the same size, or None.

        It looks in windows that double: a few steps however far it is, and little work where it is near.
        """
        ours, theirs = self._bits, other._bits  # noqa: SLF001 - another instance of this class
        end = len(ours)
        at, width, odd = start >> 3, 8, start & 7
        while at < end:
            stop = min(at + width, end)
            found = int.from_bytes(ours[at:stop]) & int.from_bytes(theirs[at:stop])
            if odd:
                found &= (1 << (stop - at) * 8 - odd) - 1
                odd = 0
            if found:
                return stop * 8 - found.bit_length()
            at, width = stop, width * 2
        return None

    def without(self, other: "Bitfield") -> list[int]:
        """The members that `other`, of the same size, has not, in order; fast where they are few."""
        return members(self.as_int() & ~other.as_int(), self._size)

    def _put(self, pieces: int) -> None:
        """Have the members of a set that has the form of `as_int`, and no others."""
        self._bits[:] = pieces.to_bytes(len(self._bits))
        self._count = pieces.bit_count()

    def check_invariants(self) -> None:
        """Raise AssertionError when the count or the spare bits are wrong (tests and sim)."""
        assert self._count == sum(_ONES[byte] for byte in self._bits)
        assert not self._size % 8 or not self._bits[-1] & (0xFF >> self._size % 8)
