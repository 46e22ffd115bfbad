"""TLS on sockets of our own: the certificate is always verified, and what is decrypted lands where it belongs."""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from .tcp import TcpLink

if TYPE_CHECKING:
    import socket

    from _typeshed import ReadableBuffer, WriteableBuffer


class TlsSocket(ssl.SSLSocket):
    """A socket that says as others do that it has nothing, and takes and gives several buffers at once."""

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0) -> int:
        """See socket.recv_into."""
        try:
            return super().recv_into(buffer, nbytes, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError(*error.args) from None

    def recvmsg_into(  # type: ignore[override]  # there are no ancillary data
        self, buffers: "Iterable[WriteableBuffer]", ancbufsize: int = 0, flags: int = 0
    ) -> tuple[int, list[object], int, None]:
        """Fill the buffers as far as there is something: TLS gives at most 16 KiB at a time."""
        count = 0
        for buffer in buffers:
            view = memoryview(buffer)
            while view:
                try:
                    came = self.recv_into(view)
                except OSError:
                    if not count:
                        raise
                    came = 0  # what came comes first; the next call meets the error again
                if not came:
                    return count, [], 0, None
                count += came
                view = view[came:]
        return count, [], 0, None

    def sendmsg(  # type: ignore[override]  # there are no ancillary data
        self, buffers: "Iterable[ReadableBuffer]", *_: object
    ) -> int:
        """Send the buffers as one."""
        try:
            return self.send(b"".join(bytes(memoryview(buffer)) for buffer in buffers))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError(*error.args) from None


class TlsLink(TcpLink):
    """A link over TLS: what the library has decrypted and nobody has taken does not make the socket readable."""

    __slots__ = ()

    def wake_receiver(self) -> None:
        """See Link."""
        super().wake_receiver()
        self._again()

    def _readable(self) -> None:
        super()._readable()
        self._again()

    def _again(self) -> None:
        if self._reading and isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            self._loop.call_soon(self._readable)


@lru_cache(maxsize=1)
def client_context() -> ssl.SSLContext:
    """Verifies certificates and names by what the system trusts."""
    context = ssl.create_default_context()
    context.sslsocket_class = TlsSocket
    return context


async def secured(loop: asyncio.AbstractEventLoop, sock: "socket.socket", host: str) -> ssl.SSLSocket:
    """A connected, non-blocking socket after the handshake of TLS; it owns `sock`.

    Args:
        loop: the running one.
        sock: to the server.
        host: the server's name, or numeric address, that its certificate must be good for.

    Raises:
        OSError: there is no handshake, or the certificate is not good; the socket is closed.
    """
    tls = client_context().wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    done = False
    try:
        while not done:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                await _ready(tls, loop.add_reader, loop.remove_reader)
            except ssl.SSLWantWriteError:
                await _ready(tls, loop.add_writer, loop.remove_writer)
    finally:
        if not done:
            tls.close()
    return tls


async def _ready(sock: ssl.SSLSocket, add: Callable[..., object], remove: Callable[[int], object]) -> None:
    ready = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    add(sock.fileno(), wake)
    try:
        await ready
    finally:
        remove(sock.fileno())
