"""How we get out: sockets towards others are made here alone, and names looked up."""

import asyncio
import errno
import socket
from collections.abc import Sequence
from enum import Enum, unique
from typing import Final

from bittern.base.address import Address
from bittern.base.errors import ProxyError
from bittern.wire.proxy.handshake import Endpoint
from bittern.wire.proxy.socks import told_name

from .binding import Binding
from .dns import Open, addresses_of, servers_named
from .names import Found, look_up
from .proxying import Proxied, Proxying, Purpose
from .sockets import family_of


@unique
class Way(Enum):
    """How something goes."""

    DIRECT = "by the system"
    PROXY = "through the proxy"
    NONE = "not at all"


class Route:
    """The way of everything that goes to others or comes from them.

    Args:
        sources: local addresses to come from, at most one of each family. Where there are any, a family without one is
            not spoken; where there are none the system chooses.
        proxied: what goes through a proxy; None for nothing.
        binding: what everything goes out by, the way to the proxy too; None for whatever the system chooses.
        servers: numeric hosts that are asked for names; none for those of the system, which asks them itself as long as
            nothing is bound to an interface.

    Attributes:
        binding: likewise.
        proxying: goes through the proxy; None where there is none.
    """

    def __init__(
        self,
        *sources: str,
        proxied: Proxied | None = None,
        binding: Binding | None = None,
        servers: Sequence[str] = (),
    ) -> None:
        self.binding = binding
        self._servers = tuple(servers)
        self._sources = {family_of(host): host for host in sources}
        self._proxied = proxied
        self.proxying = Proxying(proxied.server, self.to_proxy, self._proxy_places) if proxied is not None else None

    @property
    def sources(self) -> tuple[str, ...]:
        """The local addresses to come from; none where the system chooses."""
        return tuple(self._sources.values())

    @property
    def strict(self) -> bool:
        """Whether nothing goes out, or comes in, but through a proxy."""
        return self._proxied is not None and self._proxied.strict

    def way(self, purpose: Purpose) -> Way:
        """How what has this purpose goes; never another way than that."""
        if self._proxied is None:
            return Way.DIRECT
        if purpose in self._proxied.purposes:
            return Way.PROXY
        return Way.NONE if self._proxied.strict else Way.DIRECT

    def by_name(self, purpose: Purpose) -> bool:
        """Whether names are not looked up here for what has this purpose: the proxy does that."""
        return self._proxied is not None and self._proxied.names and self.way(purpose) is Way.PROXY

    def families(self, listening: Sequence[socket.socket]) -> tuple[int, ...]:
        """The families of addresses that we listen on and can speak from; all that we can where we do not listen."""
        families = {int(sock.family) for sock in listening} or {int(socket.AF_INET), int(socket.AF_INET6)}
        if self._sources:
            families &= set(map(int, self._sources))
        if self._proxied is not None and self.way(Purpose.PEERS) is Way.PROXY and not self._proxied.server.has_ipv6:
            families.discard(int(socket.AF_INET6))
        return tuple(sorted(families))

    def open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A new socket that does not block, of one family alone, on its way nowhere yet.

        Raises:
            PermissionError: everything must go through a proxy.
            OSError: there is no such socket.
        """
        if self.strict:
            raise PermissionError(errno.EACCES, "nothing goes another way than through the proxy")
        return self._open(family, kind, protocol)

    def _open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        sock = socket.socket(family, kind, protocol)
        try:
            if self.binding is not None:
                self.binding.hold(sock)
            sock.setblocking(False)
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        except OSError:
            sock.close()
            raise
        return sock

    def reaching(self, host: str, kind: int, protocol: int = 0) -> socket.socket:
        """A socket to go to others with, not connected yet.

        Args:
            host: whom to reach, a numeric address.
            kind: SOCK_STREAM or SOCK_DGRAM.
            protocol: of that kind; 0 for the usual one.

        Raises:
            OSError: there is no such socket, or no address of ours in this family to come from.
        """
        return self._from_source(self.open(family_of(host), kind, protocol))

    def to_proxy(self, host: str, kind: int) -> socket.socket:
        """A socket to go to the proxy itself with."""
        return self._from_source(self._open(family_of(host), kind))

    def _from_source(self, sock: socket.socket) -> socket.socket:
        try:
            if self._sources:
                sock.bind((self._source(sock.family), 0))
        except OSError:
            sock.close()
            raise
        return sock

    async def connect(self, target: Address, purpose: Purpose) -> socket.socket:
        """A connection, made in the way that is for its purpose.

        Args:
            target: the other end, by its address, or by one that stands for its name (see `look_up`).
            purpose: of the connection.

        Raises:
            ProxyError: the proxy cannot be used.
            OSError: the other end cannot be reached, or nothing of this purpose goes out.
        """
        way = self.way(purpose)
        if way is Way.NONE:
            raise PermissionError(errno.EACCES, "it is not to go through the proxy, and nothing goes another way")
        if way is Way.PROXY and self.proxying is not None:
            return await self.proxying.connect(Endpoint(self.proxying.aliases.name(target.host), target.port))
        sock = self.reaching(target.host, socket.SOCK_STREAM)
        done = False
        try:
            await asyncio.get_running_loop().sock_connect(sock, (target.host, target.port))
            done = True
        finally:
            if not done:
                sock.close()
        return sock

    def bound(self, host: str, port: int, kind: int, *, receive_bytes: int = 0, shared: bool = False) -> socket.socket:
        """A socket for who comes to us.

        Args:
            host: a numeric address of this machine, or that of all.
            port: 0 for any.
            kind: SOCK_STREAM or SOCK_DGRAM.
            receive_bytes: what the system is to keep until it is read; 0 for its own choice.
            shared: whether other sockets may share the port, if they say so, too.

        Raises:
            OSError: the port is taken, or the address is not ours.
        """
        sock = self.open(family_of(host), kind)
        try:
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if receive_bytes:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            if shared:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        return sock

    async def look_up(
        self, host: str, port: int | None, purpose: Purpose, *, family: int = 0, kind: int = 0
    ) -> list[Address]:
        """The addresses of a name, or of a numeric address, in the order of preference.

        Where the proxy looks up names, an IPv4 address that only stands for the name (see base.address.is_alias).

        Args:
            host: a name, or a numeric address.
            port: to be put into the addresses; None for 0.
            purpose: of what is to be sent there.
            family: of addresses; 0 for any.
            kind: of sockets; 0 for any.

        Raises:
            OSError, UnicodeError: the name is not known, or is none, or names are not looked up here.
        """
        if not Endpoint(host, 0).is_numeric and self._proxied is not None:
            if self.by_name(purpose) and self.proxying is not None:
                try:
                    told_name(host)  # else who sends to its alias would meet it
                except ProxyError as error:
                    raise OSError(error.errno, str(error)) from None
                return [Address(self.proxying.aliases.alias(host), port or 0)] if family != socket.AF_INET6 else []
            if self._proxied.strict:
                raise PermissionError(errno.EACCES, "names are not looked up but by the proxy")
        return await self._resolve(host, port, self.reaching, family=family, kind=kind)

    async def _proxy_places(self, host: str, port: int) -> list[Address]:
        """Where the proxy is: its name is the only one that is looked up beside it, and goes the way to it."""
        return await self._resolve(host, port, self.to_proxy, kind=socket.SOCK_STREAM)

    async def _resolve(
        self, host: str, port: int | None, reach: Open, *, family: int = 0, kind: int = 0
    ) -> list[Address]:
        bound = self.binding is not None and self.binding.device is not None
        if not Endpoint(host, 0).is_numeric and (self._servers or bound):
            families = (family,) if family else (socket.AF_INET, socket.AF_INET6)
            named = await addresses_of(host, families, reach, self._servers or servers_named())
            return [Address.of(each, port or 0) for each in named]
        found: Found = await look_up(host, port, family=family, kind=kind)
        hosts = dict.fromkeys(str(name[0]).partition("%")[0] for *_, name in found)
        return [Address.of(each, port or 0) for each in hosts]

    def _source(self, family: int) -> str:
        """Ours in a family; one of the other family, which the system refuses, where there is none."""
        return self._sources.get(socket.AddressFamily(family)) or next(iter(self._sources.values()))


DIRECT: Final = Route()
"""As the system chooses, for who has no settings."""
