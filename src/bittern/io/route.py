"""How we get out: sockets towards others are made here alone, and names looked up."""

import socket
from collections.abc import Sequence
from typing import Final

from bittern.base.address import Address

from .names import Found, look_up
from .sockets import family_of


class Route:
    """The way of everything that goes to others or comes from them.

    Args:
        sources: local addresses to come from, at most one of each family. Where there are any, a family without one is
            not spoken; where there are none the system chooses.
    """

    def __init__(self, *sources: str) -> None:
        self._sources = {family_of(host): host for host in sources}

    @property
    def sources(self) -> tuple[str, ...]:
        """The local addresses to come from; none where the system chooses."""
        return tuple(self._sources.values())

    def families(self, listening: Sequence[socket.socket]) -> tuple[int, ...]:
        """The families of addresses that we listen on and can speak from; all that we can where we do not listen."""
        families = {int(sock.family) for sock in listening} or {int(socket.AF_INET), int(socket.AF_INET6)}
        if self._sources:
            families &= set(map(int, self._sources))
        return tuple(sorted(families))

    def open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A new socket that does not block, of one family alone, on its way nowhere yet.

        Raises:
            OSError: there is no such socket.
        """
        sock = socket.socket(family, kind, protocol)
        try:
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
        family = family_of(host)
        sock = self.open(family, kind, protocol)
        try:
            if self._sources:
                sock.bind((self._source(family), 0))
        except OSError:
            sock.close()
            raise
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

    async def look_up(self, host: str, port: int | None, *, family: int = 0, kind: int = 0) -> list[Address]:
        """The addresses of a name, or of a numeric address, in the order of preference.

        Args:
            host: a name, or a numeric address.
            port: to be put into the addresses; None for 0.
            family: of addresses; 0 for any.
            kind: of sockets; 0 for any.

        Raises:
            OSError, UnicodeError: the name is not known, or is none.
        """
        found: Found = await look_up(host, port, family=family, kind=kind)
        hosts = dict.fromkeys(str(name[0]).partition("%")[0] for *_, name in found)
        return [Address.of(each, port or 0) for each in hosts]

    def _source(self, family: int) -> str:
        """Ours in a family; one of the other family, which the system refuses, where there is none."""
        return self._sources.get(socket.AddressFamily(family)) or next(iter(self._sources.values()))


DIRECT: Final = Route()
"""As the system chooses, for who has no settings."""
