"""Downloads from real web servers and from nobody else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.codec.metainfo import Metainfo
from tests.interop.conftest import require
from tests.interop.rigs.bittern import Bittern
from tests.interop.rigs.client import Command
from tests.interop.rigs.content import Content, Kind, make, torrent_of
from tests.interop.rigs.place import LOOPBACK
from tests.interop.rigs.web import http_server, missing_nginx, nginx
from tests.io.test_tls import certificate

SECONDS = 60


@pytest.fixture
def nginx_is_here() -> None:
    require(missing_nginx())


def torrent(content: Content, kind: Kind, folder: Path, *web_seeds: str) -> Path:
    """A .torrent file without trackers, with these web seeds."""
    metainfo = Metainfo.from_bytes(torrent_of(content, kind, "http://127.0.0.1:1/announce"))
    path = folder / "it.torrent"
    path.write_bytes(replace(metainfo, trackers=(), web_seeds=web_seeds).to_bytes())
    return path


def get(source: Path | str, folder: Path, *options: str) -> str:
    """`bittern get`, to its end; what it said."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    with Bittern(options=options).get(str(source), folder / "copy", LOOPBACK, work) as command:
        assert isinstance(command, Command)
        command.wait_complete(SECONDS)
        return command.running.log.read_text()


def asked(work: Path) -> list[str]:
    """The lines of nginx's log."""
    return (work / "access.log").read_text().splitlines()


@pytest.mark.usefixtures("nginx_is_here")
@pytest.mark.parametrize("kind", list(Kind), ids=str)
def test_nginx_alone_is_enough(kind: Kind, tmp_path: Path) -> None:
    content = make(tmp_path / "content", kind)
    with nginx(content.folder, tmp_path / "nginx") as url:
        get(torrent(content, kind, tmp_path, url), tmp_path)
    assert content.differences(tmp_path / "copy") == []
    lines = asked(tmp_path / "nginx")
    assert {line.split()[8] for line in lines} <= {"200", "206"}
    size = sum(path.stat().st_size for path in content.folder.rglob("*") if path.is_file())
    assert sum(int(line.split()[9]) for line in lines) == size  # every byte once


@pytest.mark.parametrize("kind", list(Kind), ids=str)
def test_a_server_without_ranges_is_enough(kind: Kind, tmp_path: Path) -> None:
    content = make(tmp_path / "content", kind)
    with http_server(content.folder, tmp_path / "server") as url:
        get(torrent(content, kind, tmp_path, url), tmp_path)
    assert content.differences(tmp_path / "copy") == []


@pytest.mark.usefixtures("nginx_is_here")
@pytest.mark.parametrize("kind", list(Kind), ids=str)
def test_a_magnet_link_to_nginx_alone_is_enough(kind: Kind, tmp_path: Path) -> None:
    """The .torrent (`xs=`) and the files (`ws=`) are both there; nobody else is asked."""
    content = make(tmp_path / "content", kind)
    made = torrent(content, kind, content.folder)
    with nginx(content.folder, tmp_path / "nginx") as url:
        link = replace(Metainfo.load(made).to_magnet(), web_seeds=(url,), exact_sources=(f"{url}{made.name}",))
        get(link.to_uri(), tmp_path)
    made.unlink()
    assert content.differences(tmp_path / "copy") == []


@pytest.mark.usefixtures("nginx_is_here")
def test_a_web_seed_may_be_named_by_hand(tmp_path: Path) -> None:
    content = make(tmp_path / "content", Kind.V1_SINGLE)
    with nginx(content.folder, tmp_path / "nginx") as url:
        get(torrent(content, Kind.V1_SINGLE, tmp_path), tmp_path, "--web-seed", f"{url}single.bin")
    assert content.differences(tmp_path / "copy") == []


@pytest.mark.usefixtures("nginx_is_here")
def test_redirects_and_limits_of_a_real_server_are_kept(tmp_path: Path) -> None:
    """It sends us elsewhere, and ends each connection after three answers."""
    content = make(tmp_path / "content", Kind.V1_MULTI)
    more = "keepalive_requests 3; location /old/ { rewrite ^/old/(.*)$ /$1 redirect; }"
    with nginx(content.folder, tmp_path / "nginx", more) as url:
        get(torrent(content, Kind.V1_MULTI, tmp_path, f"{url}old/"), tmp_path)
    assert content.differences(tmp_path / "copy") == []


@pytest.mark.usefixtures("nginx_is_here")
@pytest.mark.parametrize("trusted", [True, False])
def test_a_server_is_believed_by_its_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool
) -> None:
    content = make(tmp_path / "content", Kind.V1_SINGLE)
    certificate(tmp_path, "localhost")
    port = LOOPBACK.free_port()
    more = f"listen 127.0.0.1:{port} ssl; ssl_certificate {tmp_path}/cert; ssl_certificate_key {tmp_path}/key;"
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    source = torrent(content, Kind.V1_SINGLE, tmp_path, f"https://localhost:{port}/")
    (tmp_path / "work").mkdir()
    options = ("--timeout", "15")
    with nginx(content.folder, tmp_path / "nginx", more):  # noqa: SIM117 - the server is there before
        with Bittern(options=options).get(str(source), tmp_path / "copy", LOOPBACK, tmp_path / "work") as command:
            assert isinstance(command, Command)
            assert command.running.wait(SECONDS) == (0 if trusted else 6)
    if trusted:
        assert content.differences(tmp_path / "copy") == []
    else:
        assert "its certificate is not good" in command.running.log.read_text()
        assert asked(tmp_path / "nginx") == []


@pytest.fixture
def changed(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A torrent whose web seed has one other byte, and that server's URL."""
    content = make(tmp_path / "content", Kind.V1_SINGLE)
    path = torrent(content, Kind.V1_SINGLE, tmp_path)
    data = bytearray(content.path.read_bytes())
    data[1_000_000] ^= 1
    content.path.write_bytes(data)
    with nginx(content.folder, tmp_path / "nginx") as url:
        yield path, url


@pytest.mark.usefixtures("nginx_is_here")
def test_a_server_that_has_other_bytes_is_banned_and_said_so(changed: tuple[Path, str], tmp_path: Path) -> None:
    source, url = changed
    (tmp_path / "work").mkdir()
    options = ("--web-seed", url, "--timeout", "15")
    with Bittern(options=options).get(str(source), tmp_path / "copy", LOOPBACK, tmp_path / "work") as command:
        assert isinstance(command, Command)
        assert command.running.wait(SECONDS) == 6
        said = command.running.log.read_text()
    assert f"web seed {url}: sent data that fails its hash" in said
