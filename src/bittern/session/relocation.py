"""The move of one torrent's files, as its states see it: who downloads stops meanwhile, who seeds goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from bittern.base.errors import BitternError, SessionError
from bittern.codec.metainfo import Info

from .errand import Errand
from .keeping import Keeping
from .membership import drain
from .options import AddOptions
from .placement import Placement
from .standing import Standing
from .status import State

_MOVABLE = (State.DOWNLOADING, State.SEEDING, State.PAUSED, State.FINISHED)

Choice = Callable[[Info, Placement], Placement]
"""From where the files are to where they are to be."""


class Relocation:
    """The moves of one torrent.

    Args:
        standing: its state.
        errand: what it is busy with.
        keeping: its files.
        options: know where these are, and whether it is to be paused.
        save: writes progress down.
    """

    def __init__(
        self,
        standing: Standing,
        errand: Errand,
        keeping: Keeping,
        options: AddOptions,
        save: Callable[[], Awaitable[None]],
    ) -> None:
        self._standing = standing
        self._errand = errand
        self._keeping = keeping
        self._options = options
        self._save = save
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether files are being moved, from the first preparation until all is written down."""
        return self._task is not None and not self._task.done()

    async def run(self, choose: Choice) -> None:
        """Move or rename the files; see `Torrent.move_to`.

        Raises:
            SessionError: it is busy with something else, or its files are not known yet.
            BitternError: as `Mover.run`.
        """
        content, state = self._keeping.content, self._standing.state
        if content is None or state not in _MOVABLE:
            raise SessionError(f"its files cannot be moved now, it is {state.value}")
        if self.busy:
            raise SessionError("its files are being moved already")
        refused: list[BitternError] = []
        self._task = self._errand.run(partial(self._move, content.info, choose, refused))
        await asyncio.shield(self._task)
        if refused:
            raise refused[0]

    async def _move(self, info: Info, choose: Choice, refused: list[BitternError]) -> None:
        standing = self._standing
        swarm, waits = standing.swarm, standing.state is State.DOWNLOADING
        try:
            to = choose(info, Placement.of(info, self._options))
            if waits and swarm is not None:
                standing.leave(State.MOVING)
                await drain(swarm)
            await self._save()
            await self._keeping.move(to)
        except BitternError as error:
            refused.append(error)
        await self._keeping.settle()  # files may have become wanted meanwhile
        if waits and swarm is not None and standing.state is State.MOVING and not self._options.paused:
            standing.speak()
