"""What follows when the disk refuses something of one torrent: a second try, another look at the files, or the end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from bittern.base.errors import BitternError, StorageError
from bittern.engine.torrent import TorrentState

from .errand import Errand
from .keeping import Keeping
from .membership import Membership
from .standing import Standing
from .status import State
from .trouble import Trouble

_log = logging.getLogger("bittern.session")


class LookAgain(Protocol):
    """Looks at the files again, and joins the swarm with what is there."""

    def __call__(self, *, trusting: bool, doubted: int | None) -> Awaitable[None]:
        """See `Inspection.run`: `trusting` is its `believe`."""
        ...


class Recovery:
    """The troubles of one torrent with its disk.

    Args:
        name: of the torrent, for the log.
        standing: its state.
        membership: its place in the core.
        errand: what it is busy with.
        trouble: knows what was tried.
        keeping: its files.
        look_again: see LookAgain.
        fail: is told when nothing helps; its connections may stay.
    """

    def __init__(
        self,
        name: str,
        standing: Standing,
        membership: Membership,
        errand: Errand,
        trouble: Trouble,
        keeping: Keeping,
        look_again: LookAgain,
        fail: Callable[[BitternError], None],
    ) -> None:
        self._name = name
        self._standing = standing
        self._membership = membership
        self._errand = errand
        self._trouble = trouble
        self._keeping = keeping
        self._look_again = look_again
        self._fail = fail
        self._second_try: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a piece that could not be read is tried once more."""
        return self._second_try is not None and not self._second_try.done()

    def met(self, error: StorageError, piece: int | None) -> None:
        """The disk refused: to read `piece`, or to write anything."""
        standing, swarm = self._standing, self._standing.swarm
        if standing.state in (State.FAILED, State.CHECKING) or swarm is None:
            return
        if piece is not None and self.busy:
            return  # if it stays so, the next one to ask will meet it again
        if piece is not None and not self._errand.busy and self._trouble.is_worth_a_second_try(error):
            _log.warning("%s: reading piece %d again: %s", self._name, piece, error)
            self._second_try = self._errand.run(partial(self._read_again, error, piece))
            return
        if self._trouble.is_surmountable(error, reading=piece is not None):
            _log.warning("%s: looking at the files again: %s", self._name, error)
            standing.enter(State.CHECKING)
            self._errand.run(partial(self._look_again, trusting=True, doubted=piece))
            return
        if swarm.state is not TorrentState.FAILED:
            self._membership.hush()  # what was promised cannot be read: promise nothing
        self._fail(error)

    async def _read_again(self, error: StorageError, piece: int) -> None:
        """The swarm goes on meanwhile: the piece is refused, and offered again when it is right after all."""
        right = True  # also when something else is to be done first: whoever asks next may meet it again
        try:
            right = await self._keeping.reads(piece)
        finally:
            self._second_try = None
            if right and self._standing.state in (State.DOWNLOADING, State.SEEDING):
                self._membership.speak()
        if right:
            await self._keeping.settle()  # files may have become wanted meanwhile
        else:
            self._trouble.persists(error)
            self.met(error, piece)
