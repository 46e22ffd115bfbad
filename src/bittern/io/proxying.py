"""The proxy as this process sees it: connections through it, names that it looks up, and whether it works."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, unique
from functools import partial
from typing import Final

from bittern.base.address import Address
from bittern.base.errors import ProxyError
from bittern.wire.proxy.aliases import Aliases
from bittern.wire.proxy.handshake import Endpoint, Handshake
from bittern.wire.proxy.http_connect import http_connect
from bittern.wire.proxy.server import ProxyKind, ProxyServer
from bittern.wire.proxy.socks import ASSOCIATE, CONNECT, socks4a, socks5

REACH_SECONDS: Final = 10.0
"""For a connection to the proxy, and for its first word."""
ANSWER_SECONDS: Final = 30.0
"""For the connection that it is asked for."""
_NAME_SECONDS: Final = 60.0
"""The proxy's own name is looked up again after so long."""

_log = logging.getLogger("bittern.proxy")


@unique
class Purpose(Enum):
    """What a connection, or a datagram, is for."""

    PEERS = "peers"
    TRACKERS = "trackers"
    WEB = "web servers"
    DHT = "the distributed hash table"


@dataclass(frozen=True, slots=True)
class Proxied:
    """What goes through which proxy.

    Attributes:
        server: the proxy.
        purposes: what goes through it.
        names: whether it looks up names for what goes through it; else this machine does.
        strict: whether what does not go through it does not go at all.
    """

    server: ProxyServer
    purposes: frozenset[Purpose] = frozenset(Purpose)
    names: bool = True
    strict: bool = True


class Proxying:
    """Goes through one proxy.

    Args:
        server: the proxy.
        open_socket: makes a socket to a numeric host, of a kind (SOCK_STREAM, say).
        look_up: finds the proxy's own addresses by its name and port; raises OSError.

    Attributes:
        server: the proxy.
        aliases: addresses that stand for names that it is to look up.
        trouble: why it cannot be used, as far as it was tried; None while it works.
        on_trouble: is told of that, once each time it begins.
    """

    def __init__(
        self,
        server: ProxyServer,
        open_socket: Callable[[str, int], socket.socket],
        look_up: Callable[[str, int], Awaitable[list[Address]]],
    ) -> None:
        self.server = server
        self.aliases = Aliases()
        self.trouble: str | None = None
        self.on_trouble: Callable[[str], None] = partial(_log.warning, "%s")
        self._open_socket = open_socket
        self._look_up = look_up
        self._places: list[Address] = []
        self._places_until = 0.0

    async def connect(self, target: Endpoint) -> socket.socket:
        """A connection to `target`.

        Raises:
            ProxyError: the proxy cannot be used.
            OSError: it can, and says that the other end cannot be reached.
        """
        return (await self._ask(CONNECT, target))[0]

    async def associate(self, here: Endpoint) -> tuple[socket.socket, Endpoint]:
        """Where to send datagrams to, and the connection for as long as which that is good.

        Args:
            here: where our datagrams will come from.

        Raises:
            ProxyError: the proxy cannot be used, or not for that.
        """
        if not self.server.has_udp:
            raise ProxyError(f"the proxy {self.server} knows no UDP")
        return await self._ask(ASSOCIATE, here)

    async def _ask(self, command: int, target: Endpoint) -> tuple[socket.socket, Endpoint]:
        try:
            sock = await self._reach()
            done = False
            try:
                bound = await self._shake_hands(sock, self._handshake(command, target))
                done = True
            finally:
                if not done:
                    sock.close()
        except ProxyError as error:
            if error.errno is not None:
                self._works()
                raise OSError(error.errno, f"the proxy {str(error).removeprefix('it ')}") from None
            if command == ASSOCIATE:  # it may work for all else: who asks for a place says so
                raise ProxyError(f"the proxy {self.server}: {error}") from None
            raise self._fails(str(error)) from None
        except TimeoutError:
            if command == ASSOCIATE:
                raise ProxyError(f"the proxy {self.server}: no answer within {ANSWER_SECONDS:g} s") from None
            raise  # perhaps the other end is slow
        except (OSError, EOFError, UnicodeError) as error:
            raise self._fails(_words(error)) from None
        self._works()
        return sock, bound

    async def _reach(self) -> socket.socket:
        """A connection to the proxy itself."""
        loop, last = asyncio.get_running_loop(), OSError("it has no address")
        for place in await self._where():
            try:
                sock = self._open_socket(place.host, socket.SOCK_STREAM)
            except OSError as error:  # nothing of ours comes from an address of this family
                last = error
                continue
            done = False
            try:
                async with asyncio.timeout(REACH_SECONDS):
                    await loop.sock_connect(sock, (place.host, place.port))
                done = True
            except TimeoutError:
                last = OSError(f"no answer within {REACH_SECONDS:g} s")
            except OSError as error:
                last = error
            finally:
                if not done:
                    sock.close()
            if done:
                return sock
        raise last

    async def _where(self) -> list[Address]:
        """The proxy's own addresses: the one name that it cannot look up for us."""
        host, port = self.server.place
        if self.server.place.is_numeric:
            return [Address(host, port)]
        if time.monotonic() >= self._places_until:
            self._places = await self._look_up(host, port)
            self._places_until = time.monotonic() + _NAME_SECONDS
        return self._places

    def _handshake(self, command: int, target: Endpoint) -> Handshake:
        server = self.server
        if server.kind is ProxyKind.SOCKS5:
            return socks5(command, target, server.user, server.password)
        if server.kind is ProxyKind.SOCKS4A:
            return socks4a(target, server.user)
        return http_connect(target, server.user, server.password)

    async def _shake_hands(self, sock: socket.socket, handshake: Handshake) -> Endpoint:
        loop, step = asyncio.get_running_loop(), next(handshake)
        if self.server.kind is ProxyKind.SOCKS5:  # it speaks before it connects
            try:
                async with asyncio.timeout(REACH_SECONDS):
                    step = handshake.send(await _exchange(loop, sock, step.data, step.need))
            except TimeoutError:
                raise ProxyError(f"no answer within {REACH_SECONDS:g} s") from None
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                came = await _exchange(loop, sock, step.data, step.need)
                try:
                    step = handshake.send(came)
                except StopIteration as end:
                    bound: Endpoint = end.value
                    return bound

    def _fails(self, reason: str) -> ProxyError:
        text = f"the proxy {self.server}: {reason}"
        if self.trouble != text:
            self.trouble = text
            self.on_trouble(text)
        return ProxyError(text)

    def _works(self) -> None:
        self.trouble = None


def _words(error: Exception) -> str:
    """The system's words: asyncio puts its own in their place."""
    if isinstance(error, socket.gaierror):
        return error.strerror or str(error)
    code = getattr(error, "errno", None)
    return os.strerror(code).lower() if code else str(error) or "it closed the connection"


async def _exchange(loop: asyncio.AbstractEventLoop, sock: socket.socket, said: bytes, need: int) -> bytes:
    """Say something, and read exactly so many bytes.

    Raises:
        EOFError: there are not so many.
        OSError: the connection was lost.
    """
    if said:
        await loop.sock_sendall(sock, said)
    came = b""
    while len(came) < need:
        some = await loop.sock_recv(sock, need - len(came))
        if not some:
            raise EOFError
        came += some
    return came
