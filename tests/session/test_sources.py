import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bittern.base.address import Address
from bittern.base.errors import BencodeError, MagnetError, NetworkError, SessionError
from bittern.codec.magnet import Magnet
from bittern.io.http import HttpFetcher
from bittern.io.route import DIRECT
from bittern.session import sources
from bittern.session.sources import check_web_seeds, find_peer, find_torrent
from bittern.tools.create import CreateOptions, create
from bittern.tools.scan import scan
from tests.session.rig import fill


@contextmanager
def serving(pages: dict[str, tuple[int, bytes]]) -> Iterator[str]:
    """A web server on 127.0.0.1 with `pages`: status and body, by path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = pages.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def raw(tmp_path: Path) -> bytes:
    return create(scan(fill(tmp_path / "a.bin", 50_000)), CreateOptions()).data


async def found(source: str | Path) -> object:
    http = HttpFetcher("test", DIRECT)
    try:
        with ThreadPoolExecutor(1) as threads:
            return await find_torrent(source, http, threads)
    finally:
        await http.close()


async def test_a_path_a_link_and_a_hash_are_told_apart(
    tmp_path: Path, raw: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.torrent"
    path.write_bytes(raw)
    meta = await found(path)
    assert await found(str(path)) == meta
    assert isinstance(await found("MAGNET:?xt=urn:btih:" + "ab" * 20), Magnet)
    one, two = await found("ab" * 20), await found("cd" * 32)
    assert isinstance(one, Magnet)
    assert isinstance(two, Magnet)
    assert (str(one.info_hash_v1), str(two.info_hash_v2)) == ("ab" * 20, "cd" * 32)
    monkeypatch.chdir(tmp_path)
    path.rename("ab" * 20)
    assert await found("ab" * 20) == meta


async def test_a_url_is_fetched(raw: bytes, tmp_path: Path) -> None:
    with serving({"/a.torrent": (200, raw)}) as url:
        meta = await found(f"{url}/a.torrent")
        (tmp_path / "a.torrent").write_bytes(raw)
        assert meta == await found(tmp_path / "a.torrent")


async def test_what_is_wrong_with_a_url_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_TORRENT_BYTES", 100)
    with serving({"/page": (200, b"<html>"), "/junk": (200, b"x"), "/long": (200, bytes(200))}) as url:
        with pytest.raises(NetworkError, match="404") as missing:
            await found(f"{url}/none")
        assert missing.value.__notes__ == [f"{url}/none"]
        with pytest.raises(NetworkError, match="a web page"):
            await found(f"{url}/page")
        with pytest.raises(BencodeError):
            await found(f"{url}/junk")
        with pytest.raises(NetworkError, match="longer than 100"):
            await found(f"{url}/long")
    with pytest.raises(NetworkError):
        await found(f"{url}/gone")


async def test_bad_links_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"x")
    with pytest.raises(MagnetError):
        await found("magnet:?dn=nothing")
    with pytest.raises(BencodeError):
        await found(tmp_path / "bad")
    with pytest.raises(FileNotFoundError):
        await found(tmp_path / "none")


async def test_peers_are_addresses_or_names() -> None:
    assert await find_peer("127.0.0.1:80", DIRECT) == [Address("127.0.0.1", 80)]
    assert await find_peer("[::1]:65535", DIRECT) == [Address("::1", 65535)]
    assert Address("127.0.0.1", 1) in await find_peer("localhost:1", DIRECT)


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":80", "host:0", "host:65536", "::1:80", "a b:80", "http://x:80"]
)
async def test_what_is_no_peer_is_refused(text: str) -> None:
    with pytest.raises(SessionError, match="HOST:PORT"):
        await find_peer(text, DIRECT)


async def test_a_name_that_nobody_knows_is_a_network_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_options: object) -> None:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NetworkError, match=r"nowhere\.invalid:80: Name or service not known"):
        await find_peer("nowhere.invalid:80", DIRECT)


@pytest.mark.parametrize("url", ["ftp://a/", "a", "http://", "file:///etc/passwd"])
async def test_what_is_no_web_seed_is_refused(url: str) -> None:
    check_web_seeds(["http://a/", "https://[::1]:8000/x y"])
    with pytest.raises(SessionError, match="http or https URL"):
        check_web_seeds(["http://a/", url])
