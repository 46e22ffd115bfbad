"""How aiohttp gets out: by the route. Imported with aiohttp, for the first request."""

import asyncio
import errno
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from bittern.base.address import Address

from .proxying import Purpose
from .route import Route, Way
from .sockets import family_of
from .tls import client_context

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace


Judge: TypeAlias = Callable[[str], str | None]
"""Why nobody is to connect to a numeric address; None where it may be."""


def connector(route: Route, purpose: Purpose, judge: Judge, *, ipv6: bool | None) -> aiohttp.BaseConnector:
    """What makes the connections of one kind.

    Args:
        route: how we get out.
        purpose: of the connections.
        judge: of each address, when it is to be connected to.
        ipv6: by which family of addresses; None for any.
    """
    if route.way(purpose) is not Way.DIRECT:
        return RouteConnector(route, purpose, judge, ipv6=ipv6)
    return aiohttp.TCPConnector(
        family=socket.AF_UNSPEC if ipv6 is None else socket.AF_INET6 if ipv6 else socket.AF_INET,
        resolver=RouteResolver(route, purpose),
        socket_factory=partial(_guarded_socket, route, judge),
    )


class RouteResolver(AbstractResolver):
    """Looks up names by the route.

    Args:
        route: how we get out.
        purpose: of what is to be sent there.
    """

    def __init__(self, route: Route, purpose: Purpose) -> None:
        self._route = route
        self._purpose = purpose

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See AbstractResolver."""
        found = await self._route.look_up(host, port, self._purpose, family=family, kind=socket.SOCK_STREAM)
        return [
            ResolveResult(
                hostname=host,
                host=each.host,
                port=port,
                family=family_of(each.host),
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for each in found
        ]

    async def close(self) -> None:
        """See AbstractResolver."""


class RouteConnector(aiohttp.BaseConnector):
    """Connections that do not begin with a socket of the system: through a proxy, or refused.

    Args:
        route: how we get out.
        purpose: of the connections.
        judge: of each address, when it is to be connected to.
        ipv6: by which family of addresses; None for any.
    """

    def __init__(self, route: Route, purpose: Purpose, judge: Judge, *, ipv6: bool | None) -> None:
        super().__init__()
        self._route = route
        self._purpose = purpose
        self._judge = judge
        self._ipv6 = ipv6

    async def _create_connection(
        self,
        req: "ClientRequest",
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - it is aiohttp that calls; the fetcher has a limit of its own
    ) -> "ResponseHandler":
        """See BaseConnector, which has the connections made here.

        Raises:
            ProxyError: the proxy cannot be used.
            ClientConnectorError: the server cannot be reached.
        """
        host, port = req.connection_key.host, req.connection_key.port or 80
        try:
            sock = await self._connect(host.rstrip("."), port)
            _, handler = await asyncio.get_running_loop().create_connection(
                self._factory,
                sock=sock,
                ssl=client_context() if req.is_ssl() else None,
                server_hostname=host.rstrip(".") if req.is_ssl() else None,
            )
        except UnicodeError as error:
            raise aiohttp.InvalidURL(req.url) from error
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error
        return handler

    async def _connect(self, host: str, port: int) -> socket.socket:
        family = 0 if self._ipv6 is None else socket.AF_INET6 if self._ipv6 else socket.AF_INET
        found = await self._route.look_up(host, port, self._purpose, family=family, kind=socket.SOCK_STREAM)
        last: OSError = OSError(errno.EADDRNOTAVAIL, "it has no address of this family")
        for address in found:
            # "localhost" is the one name that says itself where it leads.
            reason = self._judge("127.0.0.1" if host.lower() == "localhost" else address.host)
            try:
                if reason is not None:
                    raise PermissionError(errno.EACCES, reason)
                return await self._route.connect(Address(address.host, port), self._purpose)
            except OSError as error:
                last = error
        raise last


def _guarded_socket(route: Route, judge: Judge, address: tuple[Any, ...]) -> socket.socket:
    """A socket for a connection to `address`, which is what a name was looked up to at this moment.

    Raises:
        PermissionError: nobody is to connect there for a URL of this kind.
    """
    _, kind, protocol, _, name = address
    host = str(name[0]).partition("%")[0]
    reason = judge(host)
    if reason is not None:
        raise PermissionError(errno.EACCES, reason)
    return route.reaching(host, kind, protocol)
