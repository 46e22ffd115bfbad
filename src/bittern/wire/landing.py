"""Where the blocks that a peer sends belong: what the decoder asks of who asked for them."""

from collections.abc import Iterable
from typing import Protocol

from bittern.base.errors import Offence, RemoteProtocolError

from .blocks import Head, Run
from .messages import MAX_BITFIELD_BODY


class Landing(Protocol):
    """Who knows which blocks were asked of a peer, and where they belong.

    Attributes:
        most_bitfield: bytes of the bitfield of the torrent; of the greatest that there may be while it is not known.
    """

    most_bitfield: int

    def expected(self) -> Iterable[Run]:
        """The runs that should come next, in order, all of whose blocks may be written in place."""
        ...

    def landed_run(self, run: Run, count: int, now: float) -> None:
        """The next `count` blocks of `run` lie in place."""
        ...

    def scattered(self) -> dict[Head, memoryview]:
        """Where blocks belong that may come in any order, and be written in place: who does takes them out."""
        ...

    def landed_scattered(self, heads: list[Head], now: float) -> None:
        """Blocks taken out of `scattered` lie in place."""
        ...

    def upcoming(self, piece: int, begin: int, length: int) -> Run | None:
        """The run whose next block arrives now, out of turn: from now on it is the first of those expected.

        None when there is none that may be written in place: then `place` decides.
        """
        ...

    def place(self, piece: int, begin: int, length: int) -> memoryview:
        """Where the block that begins to arrive shall lie: `length` bytes.

        Raises:
            RemoteProtocolError: it was never asked for, or with another length.
        """
        ...

    def landed(self, data: memoryview, now: float) -> None:
        """The block placed last is there, in the view that `place` gave or in the copy of a `diverted`."""
        ...

    def diverted(self) -> None:
        """The block placed last is written aside from now on."""
        ...


class NothingLands:
    """The landing of a link that asked for no blocks."""

    most_bitfield = MAX_BITFIELD_BODY - 1

    def expected(self) -> tuple[Run, ...]:
        """Nothing."""
        return ()

    def landed_run(self, run: Run, count: int, now: float) -> None:
        """Never called: nothing was expected."""

    def scattered(self) -> dict[Head, memoryview]:
        """Nothing."""
        return {}

    def landed_scattered(self, heads: list[Head], now: float) -> None:
        """Never called: nothing was expected."""

    def upcoming(self, piece: int, begin: int, length: int) -> None:
        """Nothing."""

    def place(self, piece: int, begin: int, length: int) -> memoryview:
        """Refuse every block."""
        raise RemoteProtocolError(Offence.UNASKED_BLOCK, f"{piece}:{begin}+{length}")

    def landed(self, data: memoryview, now: float) -> None:
        """Never called: `place` refuses."""

    def diverted(self) -> None:
        """Never called, as `landed`."""
