"""The network port of the real world: dials for the engine, each dial a task with a time limit."""

import asyncio
import socket

from bittern.base.address import Address
from bittern.base.errors import NetworkError
from bittern.engine.core import Core
from bittern.engine.effects import Connect, ConnectWeb, GiveUp
from bittern.engine.swarm.ip_filter import Blocked
from bittern.wire.stream import LinkLost, LossKind

from .route import Route
from .tasks import Tasks
from .tcp import TcpLink, loss_of
from .turn import Turn
from .web import dial_web

DIAL_SECONDS = 10.0


class TcpNet:
    """Makes TCP connections (see ports.Net).

    Args:
        loop: of the connections.
        turn: of that loop.
        core: that is told.
        tasks: where dials run.
        route: how we get out.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, turn: Turn, core: Core, tasks: Tasks, route: Route) -> None:
        self._loop = loop
        self._turn = turn
        self._core = core
        self._tasks = tasks
        self._route = route
        self._dials: dict[int, asyncio.Task[None]] = {}

    def connect(self, wish: Connect) -> None:
        """See ports.Net."""
        task = self._tasks.start(self._dial(wish.ticket, wish.address), f"dial {wish.address}")
        self._dials[wish.ticket] = task
        task.add_done_callback(lambda _: self._dials.pop(wish.ticket, None))

    def give_up(self, wish: GiveUp) -> None:
        """See ports.Net."""
        dial = self._dials.get(wish.ticket)
        if dial is not None:
            dial.cancel()

    def connect_web(self, wish: ConnectWeb) -> None:
        """See ports.Net."""
        self._tasks.start(self._dial_web(wish), f"web seed {wish.host}")

    async def _dial_web(self, wish: ConnectWeb) -> None:
        try:
            link = await dial_web(wish, self._loop, self._turn, self._route, self._blocks)
        except NetworkError as error:
            self._core.web_failed(wish.ticket, str(error), self._turn.now())
        except Exception:
            self._core.web_failed(wish.ticket, "internal error", self._turn.now())  # else it waits for ever
            raise
        else:
            link.serve(self._core.web_connected(wish.ticket, link, self._turn.now()))
        self._turn.soon()

    def _blocks(self, host: str) -> bool:
        return self._core.ip_filter.refuses(host, Blocked.WEB_SEED)

    async def _dial(self, ticket: int, address: Address) -> None:
        try:
            sock = self._route.reaching(address.host, socket.SOCK_STREAM)
        except OSError as error:
            self._fail(ticket, loss_of(error))
            return
        connected = False
        try:
            await asyncio.wait_for(self._loop.sock_connect(sock, (address.host, address.port)), DIAL_SECONDS)
            connected = True
        except TimeoutError:
            self._fail(ticket, LinkLost(LossKind.TIMED_OUT, f"no answer for {DIAL_SECONDS:.0f} s"))
        except OSError as error:
            self._fail(ticket, loss_of(error))
        except Exception:
            self._fail(ticket, LinkLost(LossKind.UNREACHABLE, "internal error"))  # else it waits for ever
            raise
        finally:
            if not connected:
                sock.close()
        if connected:
            link = TcpLink(self._loop, self._turn, sock, address)
            link.serve(self._core.connected(ticket, link, self._turn.now()))
            self._turn.soon()

    def _fail(self, ticket: int, reason: LinkLost) -> None:
        self._core.connect_failed(ticket, reason, self._turn.now())
        self._turn.soon()
