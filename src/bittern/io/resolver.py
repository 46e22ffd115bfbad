"""Names of hosts for the engine: the system's resolver, with a limit of time."""

import asyncio
import socket
from typing import Protocol

from bittern.engine.effects import Resolve

from .proxying import Purpose
from .route import Route
from .tasks import Tasks
from .turn import Turn

LOOK_UP_SECONDS = 20.0


class Asker(Protocol):
    """Who is told of look-ups; a Core is one."""

    def resolved(self, ticket: int, hosts: tuple[str, ...], now: float) -> None:
        """A name has these addresses, none where that failed."""
        ...


class SystemResolver:
    """Looks up names (see ports.Resolver).

    Args:
        turn: of the loop.
        core: is told.
        tasks: where look-ups run.
        route: how we get out.
    """

    def __init__(self, turn: Turn, core: Asker, tasks: Tasks, route: Route) -> None:
        self._turn = turn
        self._core = core
        self._tasks = tasks
        self._route = route

    def resolve(self, wish: Resolve) -> None:
        """See ports.Resolver."""
        self._tasks.start(self._look_up(wish), f"look up {wish.host}")

    async def _look_up(self, wish: Resolve) -> None:
        family = socket.AF_INET6 if wish.ipv6 else socket.AF_INET
        hosts: tuple[str, ...] = ()
        try:
            found = await asyncio.wait_for(
                self._route.look_up(wish.host, None, Purpose.TRACKERS, family=family, kind=socket.SOCK_DGRAM),
                LOOK_UP_SECONDS,
            )
            hosts = tuple(address.host for address in found if address.is_ipv6 == wish.ipv6)
        except (OSError, UnicodeError, TimeoutError):
            hosts = ()
        finally:
            self._core.resolved(wish.ticket, hosts, self._turn.now())
            self._turn.soon()
