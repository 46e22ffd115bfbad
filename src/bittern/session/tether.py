"""What a session is tied to: while that is gone nothing is sent or received, and when it is back all goes on."""

import logging
from collections.abc import Callable
from typing import Final

from bittern.base.errors import NetworkError
from bittern.base.ids import PeerId
from bittern.io.binding import Binding
from bittern.io.interfaces import WATCHED, InterfaceWatch
from bittern.io.runtime import Runtime

from .whereabouts import Whereabouts

LOOK_SECONDS: Final = 10.0 if WATCHED else 1.0
"""The interface is looked at so often; at once when the system tells of a change."""
RETRY_SECONDS: Final = 1.0
"""Likewise while it is gone, or the port cannot be had."""

_log = logging.getLogger("bittern.network")


class Tether:
    """The kill switch.

    Args:
        binding: what all sockets are tied to; it is what keeps packets from going another way, whatever is done here.
        runtime: the engine and its world.
        whereabouts: opens the doors again.
        new_id: draws a peer id.

    Attributes:
        cut_off: why nothing goes out or comes in at present; None where it does.
    """

    def __init__(
        self, binding: Binding, runtime: Runtime, whereabouts: Whereabouts, new_id: Callable[[], PeerId]
    ) -> None:
        self._binding = binding
        self._runtime = runtime
        self._whereabouts = whereabouts
        self._new_id = new_id
        self.cut_off: str | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        watch = InterfaceWatch()
        try:
            while True:
                self.look()
                await watch.changed(RETRY_SECONDS if self.cut_off is not None else LOOK_SECONDS)
        finally:
            watch.close()

    def look(self) -> None:
        """See whether it is there, and act on it."""
        if self._binding.look() and self.cut_off is None:
            self._cut(self._binding.gone or f"{self._binding.name} is another one now")
        if self.cut_off is not None and self._binding.gone is None:
            self._join_again()

    def _cut(self, reason: str) -> None:
        _log.warning("%s: nothing is sent or received until it is back", reason)
        self.cut_off = reason
        self._runtime.cut(reason)

    def _join_again(self) -> None:
        try:
            self._whereabouts.move(self._runtime.port)
        except NetworkError as error:
            self.cut_off = str(error)  # tried again
            return
        _log.warning("%s is back", self._binding.name)
        self.cut_off = None
        self._runtime.join_again(self._new_id())
