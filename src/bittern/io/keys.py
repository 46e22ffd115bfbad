"""Shared secrets worked out in a thread, when many connections come at once."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bittern.base.errors import ThreadLimitError
from bittern.engine.core import Core
from bittern.engine.effects import WorkOut
from bittern.wire.mse.keys import shared_secret

from .tasks import Tasks
from .threads import starting
from .turn import Turn


class KeyThread:
    """One thread, that is there when it is needed (see ports.Keys).

    The interpreter does one thing at a time: what is won is that whatever else the loop has to do waits for one
    secret, a third of a millisecond, and not for all of them.

    Args:
        turn: of the loop.
        core: that is told.
        tasks: where hand-overs run.
    """

    def __init__(self, turn: Turn, core: Core, tasks: Tasks) -> None:
        self._turn = turn
        self._core = core
        self._tasks = tasks
        self._wishes: list[WorkOut] = []
        self._busy = False
        self._thread = ThreadPoolExecutor(1, "bittern keys")

    def work_out(self, wish: WorkOut) -> None:
        """See ports.Keys."""
        self._wishes.append(wish)
        if not self._busy:
            self._busy = True
            self._tasks.start(self._work(), "bittern keys")

    def close(self) -> None:
        """Work out nothing more; to be called when no task runs any more."""
        self._thread.shutdown(cancel_futures=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._wishes:
                wishes, self._wishes = self._wishes, []
                try:
                    with starting():
                        secrets = await loop.run_in_executor(self._thread, _secrets, wishes)
                except ThreadLimitError:  # then all else has to wait
                    secrets = _secrets(wishes)
                for wish, secret in zip(wishes, secrets, strict=True):
                    self._core.worked_out(wish.ticket, secret, self._turn.now())
                self._turn.soon()
        finally:
            self._busy = False


def _secrets(wishes: Sequence[WorkOut]) -> list[bytes]:
    secrets = []
    for wish in wishes:
        secrets.append(shared_secret(wish.secret, wish.theirs))
        time.sleep(0)  # let the loop go on if it has something to do: else it would wait for five milliseconds
    return secrets
