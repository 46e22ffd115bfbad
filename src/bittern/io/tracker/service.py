"""A tracker that runs: its sockets, its clock, and the file that keeps the swarms."""

import asyncio
import errno
import logging
import random
import secrets
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path
from typing import Self

from bittern.base.address import Address
from bittern.base.errors import NetworkError, ResumeError
from bittern.io.disk.atomic import write_atomic
from bittern.io.tasks import Tasks
from bittern.tracker import pages, snapshot
from bittern.tracker.connection_ids import ConnectionIds
from bittern.tracker.counters import Counters
from bittern.tracker.http import HttpFront
from bittern.tracker.policy import Policy
from bittern.tracker.registry import Registry
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.udp import UdpFront
from bittern.version import __version__
from bittern.wire.http_request import Answer, Request

from .datagrams import Exchange, best_exchange
from .web import WebServer

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - a tracker is there for everybody
PORT = 6969
SAVE_SECONDS = 300.0
_TURN_SECONDS = 1.0
_LOOK_AT = 4096  # peers a turn, so that nobody waits for long while millions fall silent
_RECEIVE_BUFFER = 4 << 20
_HIDDEN = Answer(b"not found\n", 404)
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

_log = logging.getLogger("bittern.io")


@unique
class Audience(Enum):
    """Who may look at `/stats` and `/metrics`."""

    NOBODY = "nobody"
    LOCAL = "local"
    """Programs on this machine."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Places:
    """Where a tracker is asked.

    Attributes:
        hosts: numeric addresses to listen at; empty for all of the machine.
        http_port: 0 for a free one, None for no HTTP.
        udp_port: the same for UDP.
    """

    hosts: Sequence[str] = ()
    http_port: int | None = PORT
    udp_port: int | None = PORT


class TrackerService:
    """A tracker, for the time of an `async with` block.

    Args:
        settings: how it behaves.
        policy: whom it serves.
        places: where it is asked.
        state: the file that keeps its swarms from one process to the next, or None.
        audience: who may look at its figures.

    Attributes:
        registry: the swarms.
    """

    def __init__(
        self,
        settings: TrackerSettings,
        policy: Policy,
        places: Places,
        state: Path | None = None,
        audience: Audience = Audience.LOCAL,
    ) -> None:
        self._began = time.monotonic()
        draw = random.Random().random  # noqa: S311 - who meets whom is no secret
        self.registry = Registry(self._began, settings.life_seconds, settings.max_peers, draw)
        self._counters = Counters()
        self._udp = UdpFront(self.registry, policy, ConnectionIds(secrets.token_bytes(32)), settings, self._counters)
        self._http = HttpFront(self.registry, policy, settings, self._counters)
        self._places = places
        self._state = state
        self._audience = audience
        self._open = ExitStack()
        self._webs: list[WebServer] = []
        self._addresses: dict[str, list[Address]] = {"http": [], "udp": []}
        self._tasks = Tasks()
        self._stop = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Take in the swarms that were kept, and listen.

        Raises:
            NetworkError: an address can not be listened at.
            OSError: the file that keeps the swarms can not be read.
        """
        self._load()
        with ExitStack() as stack:
            self._listen(stack)
            self._open = stack.pop_all()
        self._life = self._tasks.start(self._live(), "tracker")
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Stop listening, and keep the swarms."""
        self._open.close()
        self._stop.set()
        if self._life is not None:
            await self._life  # not cancelled: it may be writing the same file
        if self._state is not None:
            write_atomic(self._state, snapshot.save(self.registry, time.time()))

    @property
    def urls(self) -> list[str]:
        """Where it is asked: announce URLs, HTTP before UDP."""
        return [f"{scheme}://{address}/announce" for scheme, found in self._addresses.items() for address in found]

    def _listen(self, stack: ExitStack) -> None:
        loop = asyncio.get_running_loop()
        http_port, udp_port = self._places.http_port, self._places.udp_port
        for host in self._places.hosts or EVERYWHERE:
            if http_port is not None:
                sock = self._bound(host, http_port, socket.SOCK_STREAM)
                if sock is not None:
                    http_port = self._note("http", sock)
                    web = WebServer(loop, sock, self._respond)
                    stack.callback(web.close)
                    self._webs.append(web)
            if udp_port is not None:
                sock = self._bound(host, udp_port, socket.SOCK_DGRAM)
                if sock is not None:
                    udp_port = self._note("udp", sock)
                    stack.callback(sock.close)
                    stack.callback(loop.remove_reader, sock.fileno())
                    exchange = best_exchange(ipv6=sock.family == socket.AF_INET6)
                    loop.add_reader(sock.fileno(), self._datagrams, sock, exchange)

    def _bound(self, host: str, port: int, kind: int) -> socket.socket | None:
        """A socket of ours, or None where the machine has no IPv6 and nobody asked for it."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            sock = socket.socket(family, kind)
            try:
                sock.setblocking(False)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                if kind == socket.SOCK_STREAM:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                else:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
                sock.bind((host, port))
            except OSError:
                sock.close()
                raise
        except OSError as error:
            if not self._places.hosts and family == socket.AF_INET6 and error.errno in _NO_IPV6:
                return None
            name = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
            raise NetworkError(f"{name} {Address(host, port)}: {error.strerror}") from error
        return sock

    def _note(self, scheme: str, sock: socket.socket) -> int:
        host, port = sock.getsockname()[:2]
        self._addresses[scheme].append(Address(host, port))
        return int(port)

    def _datagrams(self, sock: socket.socket, exchange: Exchange) -> None:
        exchange.turn(sock, self._udp.answer, time.monotonic())

    def _respond(self, request: Request, host: bytes, now: float) -> Answer:
        page = request.target.partition("?")[0]
        if page not in ("/", "/stats", "/metrics") or request.method not in ("GET", "HEAD"):
            return self._http.answer(request, host, now)
        local = host[0] == 127 if len(host) == 4 else host == bytes(15) + b"\x01"
        if self._audience is Audience.NOBODY or (self._audience is Audience.LOCAL and not local):
            return _HIDDEN
        if page == "/metrics":
            return pages.metrics(self.registry, self._counters, now - self._began)
        return pages.stats(self.registry, self._counters, now - self._began, __version__)

    async def _live(self) -> None:
        """Let time pass."""
        save_at = time.monotonic() + SAVE_SECONDS
        while not self._stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_TURN_SECONDS):
                    await self._stop.wait()
            now = time.monotonic()
            self.registry.advance(now, _LOOK_AT)
            for web in self._webs:
                web.sweep(now)
            if self._state is not None and now >= save_at:
                save_at = now + SAVE_SECONDS
                data = snapshot.save(self.registry, time.time())
                try:
                    await asyncio.to_thread(write_atomic, self._state, data)
                except OSError as error:
                    _log.warning("the swarms can not be kept: %s", error)

    def _load(self) -> None:
        if self._state is None:
            return
        try:
            data = self._state.read_bytes()
        except FileNotFoundError:
            return
        try:
            snapshot.restore(self.registry, data, time.time())
        except ResumeError as error:
            _log.warning("%s: %s; the swarms begin anew", self._state, error)
