"""Connections to web servers: names are looked up first, and only addresses that may be asked are connected to."""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from itertools import zip_longest

from bittern.base.address import Address
from bittern.base.errors import NetworkError
from bittern.engine.effects import ConnectWeb
from bittern.engine.web.guard import may_be_asked

from .proxying import Purpose
from .route import Route
from .tcp import TcpLink, loss_of
from .tls import TlsLink, secured
from .turn import Turn

WEB_SECONDS = 20.0
"""For look-up, connection and TLS together."""
HEAD_START_SECONDS = 0.25
"""That the connection to one address of a server has before the next address is tried, too."""
_MOST_ADDRESSES = 4


async def dial_web(
    wish: ConnectWeb,
    loop: asyncio.AbstractEventLoop,
    turn: Turn,
    route: Route,
    blocks: Callable[[str], bool] = lambda _: False,
) -> TcpLink:
    """A link to the server of `wish`, which is to be served.

    Args:
        wish: whither.
        loop: the running one.
        turn: of that loop.
        route: how we get out.
        blocks: whether nobody connects to a numeric address: the IP filter.

    Raises:
        NetworkError: it cannot be reached, may not be asked, or is not who it should be.
    """
    try:
        async with asyncio.timeout(WEB_SECONDS):
            addresses = await _look_up(wish, route, blocks)
            sock, address = await _connect(addresses, route)
            if not wish.secure:
                return TcpLink(loop, turn, sock, address)
            return TlsLink(loop, turn, await secured(loop, sock, wish.host), address)
    except TimeoutError:
        raise NetworkError(f"{wish.host}: no answer within {WEB_SECONDS:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise NetworkError(f"{wish.host}: its certificate is not good: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise NetworkError(f"{wish.host}: TLS failed: {error.reason or error}") from None
    except socket.gaierror as error:
        raise NetworkError(f"{wish.host}: {error.strerror}") from None
    except UnicodeError:
        raise NetworkError(f"{wish.host}: no name of a server") from None
    except OSError as error:
        raise NetworkError(f"{wish.host}:{wish.port}: {loss_of(error)}") from None


async def _look_up(wish: ConnectWeb, route: Route, blocks: Callable[[str], bool]) -> list[Address]:
    """Its addresses that may be asked, the first few: what was looked at is what is connected to."""
    every = await route.look_up(wish.host, wish.port, Purpose.WEB, kind=socket.SOCK_STREAM)
    addresses = [address for address in every if may_be_asked(address.host, local=wish.local)]
    if not addresses:
        raise NetworkError(f"{wish.host}: its address {every[0].host} is not one that a web seed may have")
    free = [address for address in addresses if not (wish.filtered and blocks(address.host))]
    if not free:
        raise NetworkError(f"{wish.host}: the IP filter blocks its address, {addresses[0].host}")
    return _in_turns(free)[:_MOST_ADDRESSES]


def _in_turns(addresses: Sequence[Address]) -> list[Address]:
    """The same, the families in turns, that of the first before the other: of many servers one family alone is long."""
    first = addresses[0].is_ipv6
    families = [[address for address in addresses if address.is_ipv6 is ipv6] for ipv6 in (first, not first)]
    return [address for both in zip_longest(*families) for address in both if address is not None]


async def _connect(addresses: Sequence[Address], route: Route) -> tuple[socket.socket, Address]:
    """A connection to the first of these addresses that answers.

    Each has a moment before the next is tried beside it (RFC 8305): one that leads nowhere holds up nobody.
    """
    left, racing = deque(addresses), dict[asyncio.Task[socket.socket], Address]()
    last: OSError = OSError("no address")
    try:
        while left or racing:
            if left:
                address = left.popleft()
                racing[asyncio.create_task(route.connect(address, Purpose.WEB))] = address
            seconds = HEAD_START_SECONDS if left else None
            done, _ = await asyncio.wait(racing, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                address = racing.pop(task)
                try:
                    return task.result(), address
                except OSError as error:
                    last = error
    finally:
        for task in racing:
            task.cancel()
            task.add_done_callback(_close)
    raise last


def _close(task: asyncio.Task[socket.socket]) -> None:
    """Who comes too late is not needed."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()
