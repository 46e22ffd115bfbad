"""Web servers on a simulated network, which break as they are told, and clients that download from them."""

from collections import deque
from collections.abc import Callable, Sequence
from hashlib import sha1
from math import inf
from random import Random
from typing import NamedTuple
from urllib.parse import unquote

from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.codec.metainfo import Metainfo
from bittern.engine.events import Event, WebSeedFailed
from bittern.engine.settings import EngineSettings
from bittern.engine.torrent import Torrent
from bittern.sim.content import Content
from bittern.sim.http import Web
from bittern.sim.network import PORT, Network
from bittern.sim.process import SimProcess
from bittern.sim.world import World
from bittern.wire.stream import Buffer, Link, LinkLost, Stream

MIB = 1 << 20


class Request(NamedTuple):
    """What a server was asked."""

    path: str
    span: tuple[int, int] | None
    """First and last byte of its range."""
    host: str


class Reply(NamedTuple):
    """What a server says instead of the rule; `closes`: and then it ends the connection."""

    data: bytes
    closes: bool = False


class FileServer:
    """Serves `files` by their paths.

    Args:
        network: where it is.
        web: where its name is known.
        name: of its host.
        ranges: whether it knows ranges.
        up: bytes per second.
    """

    def __init__(
        self, network: Network, web: Web, name: str = "mirror", *, ranges: bool = True, up: float = inf
    ) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.connections = 0
        self.ranges = ranges
        self.react: Callable[[Request], Reply | None] = lambda _: None
        self.host = network.host(name, up)
        self.host.acceptor = self
        web.servers[name] = self.host.address

    def accepted(self, link: Link, now: float) -> Stream:
        self.connections += 1
        return _Connection(self, link)

    def asked_bytes(self) -> int:
        """Bytes of all ranges that were asked for."""
        return sum(request.span[1] - request.span[0] + 1 for request in self.requests if request.span)

    def reply(self, request: Request) -> Reply:
        """What to say."""
        self.requests.append(request)
        told = self.react(request)
        if told is not None:
            return told
        data = self.files.get(request.path)
        if data is None:
            return Reply(b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n")
        if request.span is None or not self.ranges:
            return Reply(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        return partial(data, *request.span)


def partial(data: bytes, first: int, last: int, *, more: bytes = b"") -> Reply:
    """The right answer for a range."""
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n%b\r\n"
    body = data[first : last + 1]
    return Reply(head % (first, last, len(data), len(body), more) + body)


class _Connection:
    """A server's side of one connection."""

    def __init__(self, server: FileServer, link: Link) -> None:
        self._server = server
        self._link = link
        self._buffer = memoryview(bytearray(4096))
        self._came = b""
        self._out: deque[memoryview] = deque()
        self._closes = False

    def receive_buffers(self) -> Sequence[memoryview]:
        return (self._buffer,)

    def received(self, count: int, now: float) -> None:
        self._came += bytes(self._buffer[:count])
        while b"\r\n\r\n" in self._came and not self._closes:
            head, _, self._came = self._came.partition(b"\r\n\r\n")
            reply = self._server.reply(_read(head.decode()))
            self._closes = reply.closes
            if reply.data:
                self._out.append(memoryview(reply.data))
            self._link.wake_sender()

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        if self._closes and not self._out:
            self._closes = False
            self._link.close()
        return tuple(self._out)

    def sent(self, count: int, now: float) -> None:
        while count:
            first = self._out.popleft()
            if count < len(first):
                self._out.appendleft(first[count:])
            count -= min(count, len(first))
        if self._closes and not self._out:
            self._link.close()

    def lost(self, reason: LinkLost, now: float) -> None:
        self._out.clear()


def _read(head: str) -> Request:
    first, *lines = head.split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert fields["accept-encoding"] == "identity"
    span = None
    if "range" in fields:
        low, _, high = fields["range"].removeprefix("bytes=").partition("-")
        span = int(low), int(high)
    return Request(unquote(first.split()[1]), span, fields["host"])


class Stage:
    """A world with one client that downloads, and servers.

    Args:
        settings: of the client.
        seed: of all chance.
    """

    def __init__(self, settings: EngineSettings | None = None, seed: int = 0) -> None:
        self.world = World(Random, seed)
        self.network = Network(self.world)
        self.web = Web()
        self.settings = settings or EngineSettings(listen_port=PORT)
        self.client = self.process("client")

    def process(self, name: str) -> SimProcess:
        process = SimProcess(self.network.host(name), self.web, self.settings)
        process.strict = True
        return process

    def server(self, content: Content, name: str = "mirror", *, ranges: bool = True, up: float = inf) -> FileServer:
        """A server with all files of a torrent below its root."""
        server = FileServer(self.network, self.web, name, ranges=ranges, up=up)
        info = content.info
        for file in info.files:
            if not file.pad:
                path = "/".join((info.name, *file.path) if info.multi_file else (info.name,))
                server.files[f"/{path}"] = content.data[file.offset : file.offset + file.length]
        return server

    def get(self, content: Content, *urls: str) -> Torrent:
        """Let the client download with these web seeds."""
        torrent = self.client.leech(content)
        torrent.web.add(urls or ("http://mirror/",))
        self.client.host.touch()
        return torrent

    def run(self, torrent: Torrent, seconds: float = 300.0) -> bool:
        """Whether it is complete, with nothing wrong, within so many seconds."""
        done = self.world.run(seconds, until=lambda: torrent.number in self.client.completed)
        assert self.client.wrong_pieces() == []
        return done

    def waits(self, seconds: float) -> None:
        self.world.run(seconds)

    @property
    def events(self) -> list[Event]:
        return [event for _, event in self.client.events]

    @property
    def failures(self) -> list[WebSeedFailed]:
        return [event for event in self.events if isinstance(event, WebSeedFailed)]


def joined_files(world: World, sizes: Sequence[int], piece_size: int, name: str = "album") -> Content:
    """A torrent of version 1 whose pieces hold parts of several files."""
    data = world.chance("content").rng_for(name).randbytes(sum(sizes))
    hashes = b"".join(sha1(data[at : at + piece_size]).digest() for at in range(0, len(data), piece_size))
    files = [{"length": size, "path": ["a b", f"{number}.bin"]} for number, size in enumerate(sizes)]
    raw = encode({"files": files, "name": name, "piece length": piece_size, "pieces": hashes})
    return Content(Metainfo.from_info(Info.parse(raw)), data)
