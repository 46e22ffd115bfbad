"""Links over TLS: real handshakes with certificates that are good and bad, and bytes in both directions."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bittern.base.errors import NetworkError
from bittern.engine.effects import ConnectWeb
from bittern.io import tls
from bittern.io.route import DIRECT
from bittern.io.turn import Turn
from bittern.io.web import dial_web
from tests.io.conftest import Until
from tests.sim.toys import Toy

BIG = bytes(range(256)) * 12_000


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that it signed itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    key, cert = folder / "key", folder / "cert"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}"]
    names = ["-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run(
        [openssl, "req", "-x509", *kind, *names, "-keyout", key, "-out", cert], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


@pytest.fixture
def believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the system trusts is the certificate in the folder of the test."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    tls.client_context.cache_clear()
    yield
    tls.client_context.cache_clear()


class Server:
    """Sends BIG when it is spoken to, and keeps what came."""

    def __init__(self) -> None:
        self.port = 0
        self.came = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.came += await reader.readexactly(5)
            writer.write(BIG)
            await writer.drain()
            self.came += await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    one = Server()
    context = certificate(tmp_path, "localhost")
    listening = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=context)
    one.port = listening.sockets[0].getsockname()[1]
    yield one
    listening.close()
    await listening.wait_closed()


def wish(port: int, host: str = "localhost") -> ConnectWeb:
    return ConnectWeb(1, 1, host, port, secure=True, local=True)


@pytest.mark.usefixtures("believed")
@pytest.mark.parametrize("sizes", [(1,), (7, 4096), (16384,) * 8, (1 << 20,)], ids=str)
async def test_bytes_go_both_ways_and_none_is_left_behind(
    server: Server, turn: Turn, until: Until, sizes: tuple[int, ...]
) -> None:
    """Also what TLS decrypted while nobody had room for it, after which the socket is silent."""
    most = 50_000 if sizes == (1,) else len(BIG)
    toy = Toy(b"hello", sizes)
    link = await dial_web(wish(server.port), asyncio.get_running_loop(), turn, DIRECT)
    toy.link = link
    link.serve(toy)
    await until(lambda: len(toy.got) > 10_000)
    toy.reading = False
    await asyncio.sleep(0.02)
    toy.reading = True
    link.wake_receiver()
    await until(lambda: len(toy.got) >= most)
    assert toy.got == BIG[: len(toy.got)]
    assert server.came == b"hello"
    link.close()


@pytest.mark.usefixtures("believed")
async def test_the_end_is_told(server: Server, turn: Turn, until: Until) -> None:
    toy = Toy(b"hell", (1 << 16,))
    link = await dial_web(wish(server.port), asyncio.get_running_loop(), turn, DIRECT)
    toy.link = link
    link.serve(toy)
    await asyncio.sleep(0.02)
    toy.to_send += b"o"
    link.wake_sender()
    await until(lambda: len(toy.got) == len(BIG))
    link.close()
    await until(lambda: server.came == b"hello")


async def test_a_certificate_that_nobody_signed_is_refused(server: Server, turn: Turn) -> None:
    tls.client_context.cache_clear()
    with pytest.raises(NetworkError, match="certificate is not good"):
        await dial_web(wish(server.port), asyncio.get_running_loop(), turn, DIRECT)


@pytest.mark.usefixtures("believed")
async def test_a_certificate_of_another_is_refused(server: Server, turn: Turn) -> None:
    with pytest.raises(NetworkError, match="certificate is not good"):
        await dial_web(wish(server.port, "127.0.0.1"), asyncio.get_running_loop(), turn, DIRECT)


@pytest.mark.usefixtures("believed")
async def test_who_speaks_no_tls_is_refused(turn: Turn) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(plain, "127.0.0.1", 0)
    with pytest.raises(NetworkError, match="TLS failed"):
        await dial_web(wish(listening.sockets[0].getsockname()[1]), asyncio.get_running_loop(), turn, DIRECT)
    listening.close()
    await listening.wait_closed()
