"""Downloads from web servers on real sockets, which serve as they should, or break in every way that is known."""

import asyncio
import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from bittern.cli.transfer import no_way_to_peers
from bittern.codec.metainfo import Metainfo
from bittern.session.session import Session
from bittern.session.status import WebSeedStatus
from bittern.tools.create import Version
from tests.session.rig import PIECE, album, eventually, fill, settings, torrent
from tests.session.web_server import Asked, Said, WebServer, head, web_server

SECONDS = 30


@dataclass
class Net:
    """Servers that have the same content, and what became of a download from them.

    Attributes:
        source: the folder that holds the content.
        meta: the torrent.
        work: where to put things.
    """

    source: Path
    meta: Metainfo
    work: Path
    stack: ExitStack
    seeds: list[WebSeedStatus] = field(default_factory=list)

    def server(self) -> WebServer:
        """One more."""
        return self.stack.enter_context(web_server(self.source))

    async def get(self, *servers: WebServer, done: bool = True) -> None:
        """Download from these servers alone; if it is not to be `done`, until one has something to complain of."""
        async with Session(settings(self.work / "state")) as session:
            got = await session.add(self.meta, self.work / "copy", web_seeds=[server.url for server in servers])
            if done:
                await asyncio.wait_for(got.completed(), SECONDS)
            else:
                await eventually(lambda: any(seed.message for seed in got.web_seeds))
            self.seeds = list(got.web_seeds)
        if done:
            assert self.copy() == {path: data for path, data in self.content().items() if data}

    def content(self) -> dict[str, bytes]:
        """What is served."""
        return {str(path.relative_to(self.source)): path.read_bytes() for path in _files(self.source)}

    def copy(self) -> dict[str, bytes]:
        """What was downloaded, empty files left out."""
        copy = self.work / "copy"
        found = {str(path.relative_to(copy)): path.read_bytes() for path in _files(copy)}
        return {path: data for path, data in found.items() if data}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


Maker = Callable[..., Net]


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Maker]:
    with ExitStack() as stack:

        def make(size: int = 20 * PIECE, version: Version | None = None) -> Net:
            source = tmp_path / "src"
            content = fill(source / "a.bin", size) if version is None else album(source / "album")
            return Net(source, torrent(content, version=version or Version.V1), tmp_path, stack)

        yield make


def refusal(status: int, *fields: str) -> Said:
    return Said(head(status, "Content-Length: 0", *fields))


@pytest.mark.parametrize("version", list(Version))
async def test_every_byte_of_many_files_is_asked_for_once(net: Maker, version: Version) -> None:
    """Pieces hold parts of several files, or pads; of a hybrid both hashes are checked."""
    made = net(version=version)
    server = made.server()
    await made.get(server)
    sizes = [
        span[1] - span[0] + 1 if span else len(server.files[path]) for path, span, *_ in map(_fields, server.asked)
    ]
    assert sum(sizes) == sum(map(len, server.files.values()))
    assert not any(".pad" in asked.path for asked in server.asked)
    assert made.seeds[0].failures == 0


def _fields(asked: Asked) -> tuple[str, tuple[int, int] | None, int, int]:
    return asked.path, asked.span, asked.connection, asked.ahead


async def test_requests_for_many_files_are_sent_ahead_over_one_connection(net: Maker, tmp_path: Path) -> None:
    for number in range(30):
        fill(tmp_path / "src" / "many" / f"{number}.bin", 5000, number)
    made = net()
    made.meta = torrent(tmp_path / "src" / "many")
    (tmp_path / "src" / "a.bin").unlink()
    server = made.server()
    server.lingers = 0.02
    await made.get(server)
    assert len(server.asked) == 30
    assert server.connections == 1
    assert max(asked.ahead for asked in server.asked) == 3


async def test_a_server_that_ends_each_connection_is_enough(net: Maker) -> None:
    made = net(version=Version.V1)
    server = made.server()

    def and_goodbye(asked: Asked) -> Said:
        said = server.right(asked)
        return Said(said.data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1), closes=True)

    server.react = and_goodbye
    await made.get(server)
    assert server.connections == len(server.asked)
    assert made.seeds[0].failures == 0


@pytest.mark.parametrize("step", [1_500, 0])
async def test_chunks_are_put_together(net: Maker, step: int) -> None:
    made = net()
    server = made.server()

    def chunked(asked: Asked) -> Said:
        data = server.files[asked.path]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(data, 7_777)) + b"0\r\n\r\n"
        return Said(head(200, "Transfer-Encoding: chunked") + body, step=step * 50)

    server.react = chunked
    await made.get(server)
    assert made.seeds[0].failures == 0


def _parts(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


# --- redirects


async def test_a_redirect_is_followed_to_another_server(net: Maker) -> None:
    made = net(version=Version.V1)
    here, there = made.server(), made.server()
    here.react = lambda asked: refusal(302, f"Location: {there.url}{asked.path[1:]}")
    await made.get(here)
    assert there.asked
    assert made.seeds[0].failures == 0


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("/reboot?now", "local network"),
        ("http://169.254.169.254/latest/meta-data", "not one that a web seed may have"),
        ("ftp://127.0.0.1/a.bin", "no web server"),
        ("/again", "redirects"),
    ],
)
async def test_a_redirect_that_must_not_be_followed_is_not(net: Maker, location: str, words: str) -> None:
    made = net()
    server = made.server()
    server.react = lambda _: refusal(302, f"Location: {location}")
    await made.get(server, done=False)
    assert words in (made.seeds[0].message or "")
    assert not any("?" in asked.path for asked in server.asked)


# --- what breaks, while another server has everything


def broken(make: Callable[[Said], bytes], *, closes: bool = False) -> Callable[[WebServer, Asked], Said]:
    return lambda server, asked: Said(make(server.right(asked)), closes=closes)


def _another_range(server: WebServer, asked: Asked) -> Said:
    data = server.files[asked.path]
    return Said(head(206, f"Content-Range: bytes 1-9/{len(data)}", "Content-Length: 9") + data[1:10])


def _compressed(said: Said) -> bytes:
    body = gzip.compress(said.data.partition(b"\r\n\r\n")[2])
    return head(200, "Content-Encoding: gzip", f"Content-Length: {len(body)}") + body


BREAKS: dict[str, tuple[Callable[[WebServer, Asked], Said], str]] = {
    "another range": (_another_range, "bytes 1-9 instead of 0-"),
    "compressed": (broken(_compressed), "content coding 'gzip'"),
    "broken off": (broken(lambda said: said.data[: len(said.data) // 2], closes=True), "broke off"),
    "no HTTP": (broken(lambda _: b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"), "SSH"),
    "busy": (lambda *_: refusal(503, "Retry-After: 600"), "503"),
    "gone": (lambda *_: refusal(404), "404"),
    "no such range": (lambda *_: refusal(416), "416"),
    "another length": (broken(lambda _: head(200, "Content-Length: 5") + b"12345"), "another file"),
    "an endless head": (broken(lambda _: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000), "head"),
}


@pytest.mark.parametrize("kind", list(BREAKS))
async def test_a_server_that_breaks_is_told_of_and_another_brings_it(net: Maker, kind: str) -> None:
    made = net(40 * PIECE)
    bad, good = made.server(), made.server()
    react, words = BREAKS[kind]
    bad.react = partial(react, bad)
    told: list[str] = []
    async with Session(settings(made.work / "state")) as session:
        got = await session.add(made.meta, made.work / "copy", web_seeds=[bad.url])
        await eventually(lambda: any(seed.message for seed in got.web_seeds))
        told.append(got.web_seeds[0].message or "")
        assert not got.web_seeds[0].banned
    assert len(bad.asked) <= 2
    assert words in told[0]
    await made.get(good)


async def test_a_file_that_one_server_lacks_is_not_asked_of_it_again(net: Maker) -> None:
    made = net(version=Version.V1)
    poor, rich = made.server(), made.server()
    lacking = "/album/one.bin"
    del poor.files[lacking]
    await made.get(poor, rich)
    assert [asked.path for asked in poor.asked].count(lacking) == 1
    assert {asked.path for asked in rich.asked} >= {lacking}


@pytest.mark.parametrize("step", [0, 500], ids=["hangs", "is slow"])
async def test_a_server_that_gives_little_holds_up_nobody(net: Maker, step: int) -> None:
    made = net(100 * PIECE)
    slow, good = made.server(), made.server()
    slow.react = lambda asked: Said(slow.right(asked).data if step else b"", step=step)
    await made.get(slow, good)
    assert good.asked


async def test_who_lied_is_not_asked_again_in_the_next_session(net: Maker) -> None:
    made = net()
    liar, honest = made.server(), made.server()
    liar.files = {path: bytes(len(data)) for path, data in liar.files.items()}
    await made.get(liar, done=False)
    assert made.seeds[0].banned
    before = len(liar.asked)
    await made.get(liar, honest)
    assert made.seeds[0].banned
    assert made.seeds[0].message == "sent data that fails its hash"
    assert len(liar.asked) == before


async def test_who_lied_is_asked_again_when_the_files_are_checked_anew(net: Maker) -> None:
    made = net()
    server = made.server()
    right = server.files
    server.files = {path: bytes(len(data)) for path, data in right.items()}
    await made.get(server, done=False)
    server.files = right
    async with Session(settings(made.work / "state")) as session:
        got = await session.add(made.meta, made.work / "copy", web_seeds=[server.url])
        await got.checked()
        assert [seed.banned for seed in got.web_seeds] == [True]
        assert "sent data that fails its hash" in (no_way_to_peers(got) or "")
        await got.recheck()
        await asyncio.wait_for(got.completed(), SECONDS)
    assert made.copy() == made.content()
