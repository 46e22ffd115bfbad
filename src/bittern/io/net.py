"""The network port of the real world: dials for the engine, over TCP each a task with a time limit."""

import asyncio
import socket
from typing import Protocol

from bittern.base.address import Address
from bittern.base.errors import NetworkError, ProxyError
from bittern.base.transport import Transport
from bittern.engine.core import Core
from bittern.engine.effects import Connect, ConnectWeb, GiveUp
from bittern.engine.swarm.ip_filter import Blocked
from bittern.wire.stream import LinkLost, LossKind

from .proxying import Purpose
from .route import Route, Way
from .tasks import Tasks
from .tcp import TcpLink, loss_of
from .turn import Turn
from .web import dial_web

DIAL_SECONDS = 10.0
PROXY_SECONDS = 30.0
"""Where a proxy has to be reached first, and dials in its turn."""
PROXY_RETRY_SECONDS = 2.0
PROXY_RETRY_MOST_SECONDS = 30.0
"""A proxy that cannot be used is tried again after so long, twice as long each time, up to this."""


class Caller(Protocol):
    """Makes the connections of one transport."""

    def connect(self, wish: Connect) -> None:
        """See ports.Net."""
        ...

    def give_up(self, wish: GiveUp) -> None:
        """See ports.Net; it may have been another transport's, or be over."""
        ...


class SystemNet:
    """Makes connections (see ports.Net): over TCP itself.

    Args:
        loop: of the connections.
        turn: of that loop.
        core: that is told.
        tasks: where dials run.
        route: how we get out.
        utp: makes those over uTP; None where there is none.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turn: Turn,
        core: Core,
        tasks: Tasks,
        route: Route,
        utp: Caller | None = None,
    ) -> None:
        self._loop = loop
        self._turn = turn
        self._core = core
        self._tasks = tasks
        self._route = route
        self._utp = utp
        self._dials: dict[int, asyncio.Task[None]] = {}

    def connect(self, wish: Connect) -> None:
        """See ports.Net."""
        if wish.transport is Transport.UTP:
            assert self._utp is not None, "the engine was not told of uTP"
            self._utp.connect(wish)
            return
        task = self._tasks.start(self._dial(wish.ticket, wish.address), f"dial {wish.address}")
        self._dials[wish.ticket] = task
        task.add_done_callback(lambda _: self._dials.pop(wish.ticket, None))

    def give_up(self, wish: GiveUp) -> None:
        """See ports.Net."""
        dial = self._dials.get(wish.ticket)
        if dial is not None:
            dial.cancel()
        elif self._utp is not None:
            self._utp.give_up(wish)

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
        direct = self._route.way(Purpose.PEERS) is Way.DIRECT
        patience = DIAL_SECONDS if direct else PROXY_SECONDS
        try:
            sock = await self._connected(address, patience)
        except TimeoutError:
            self._fail(ticket, LinkLost(LossKind.TIMED_OUT, f"no answer for {patience:.0f} s"))
        except OSError as error:
            self._fail(ticket, loss_of(error))
        except Exception:
            self._fail(ticket, LinkLost(LossKind.UNREACHABLE, "internal error"))  # else it waits for ever
            raise
        else:
            link = TcpLink(self._loop, self._turn, sock, address)
            link.serve(self._core.connected(ticket, link, self._turn.now()))
            self._turn.soon()

    async def _connected(self, address: Address, patience: float) -> socket.socket:
        """A connection; as long as the proxy cannot be used that is no fault of the peer's, and is waited for."""
        wait = PROXY_RETRY_SECONDS
        while True:
            try:
                return await asyncio.wait_for(self._route.connect(address, Purpose.PEERS), patience)
            except ProxyError:
                await asyncio.sleep(wait)
                wait = min(2 * wait, PROXY_RETRY_MOST_SECONDS)

    def _fail(self, ticket: int, reason: LinkLost) -> None:
        self._core.connect_failed(ticket, reason, self._turn.now())
        self._turn.soon()
