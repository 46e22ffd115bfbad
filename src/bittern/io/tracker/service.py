"""A tracker that runs: its sockets, its clock, and the file that keeps the swarms."""

import asyncio
import logging
import random
import secrets
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bittern.base.errors import ThreadLimitError
from bittern.io.tasks import Tasks
from bittern.io.threads import starting
from bittern.tracker import snapshot
from bittern.tracker.colleagues import Colleagues
from bittern.tracker.connection_ids import ConnectionIds
from bittern.tracker.counters import Counters
from bittern.tracker.http import HttpFront
from bittern.tracker.policy import Policy
from bittern.tracker.questions import Clerk
from bittern.tracker.registry import Registry
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.udp import UdpFront
from bittern.tracker.window import Audience, Window

from .datagrams import Exchange, best_exchange
from .listening import Places, announce_urls, bound
from .post import Post
from .state import StateFile, forget_further
from .web import WebServer

SAVE_SECONDS = 300.0
_TURN_SECONDS = 1.0
_LOOK_AT = 4096  # peers a turn, so that nobody waits for long while millions fall silent

_log = logging.getLogger("bittern.io")


@dataclass(frozen=True, slots=True)
class Team:
    """What makes a process one of the workers that are one tracker; made, and kept open, by who starts them.

    Attributes:
        index: the worker's number, from 0.
        sockets: for its clients.
        inbox: for what the others say.
        outboxes: of all workers, this one among them.
        key: of the connection ids, the same for all: who gets one from any may announce to any.
        began: when the tracker started, monotonic seconds.
    """

    index: int
    sockets: Sequence[socket.socket]
    inbox: socket.socket
    outboxes: Sequence[socket.socket]
    key: bytes
    began: float


class TrackerService:
    """A tracker, or one of its workers, for the time of an `async with` block.

    Args:
        settings: how it behaves.
        policy: whom it serves.
        place: where it is asked; or what it needs to be a worker.
        state: the file that keeps its swarms from one process to the next, or None.
        audience: who may look at its figures.

    Attributes:
        registry: the swarms.
        urls: where it is asked: announce URLs, HTTP before UDP.
    """

    def __init__(
        self,
        settings: TrackerSettings,
        policy: Policy,
        place: Places | Team,
        state: Path | None = None,
        audience: Audience = Audience.LOCAL,
    ) -> None:
        draw = random.Random().random  # noqa: S311 - who meets whom is no secret
        self.registry = Registry(time.monotonic(), settings.life_seconds, settings.max_peers, draw)
        self.urls: list[str] = []
        self._settings = settings
        self._policy = policy
        self._place = place
        self._state = state
        self._audience = audience
        self._open = ExitStack()
        self._webs: list[WebServer] = []
        self._tasks = Tasks()
        self._stop = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Take in the swarms that were kept, and listen.

        Raises:
            NetworkError: an address cannot be listened at.
            OSError: the file that keeps the swarms cannot be read.
        """
        place = self._place
        file = None if self._state is None else self._state_file(self._state)
        if file is not None:
            file.load(self.registry)
        with ExitStack() as stack:
            sockets = place.sockets if isinstance(place, Team) else stack.enter_context(bound(place))[0]
            colleagues = self._serve(sockets, stack)
            self.urls = announce_urls(sockets)
            self._open = stack.pop_all()
        self._life = self._tasks.start(self._live(file, colleagues), "tracker")
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Stop listening, and keep the swarms."""
        self._open.close()
        self._stop.set()
        if self._life is not None:
            await self._life  # not cancelled: it may be writing the same file
        if self._state is not None:
            self._state_file(self._state).write(snapshot.save(self.registry, time.time()))
            if not isinstance(self._place, Team):
                forget_further(self._state, 1)

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        await stop.wait()

    def _state_file(self, path: Path) -> StateFile:
        if isinstance(self._place, Team):
            return StateFile(path, self._place.index, len(self._place.outboxes))
        return StateFile(path)

    def _serve(self, sockets: Sequence[socket.socket], stack: ExitStack) -> Colleagues | None:
        """Answer what comes at `sockets` from now on; the other workers, where there are some."""
        loop, registry, policy, settings = asyncio.get_running_loop(), self.registry, self._policy, self._settings
        key, began, counters, colleagues = secrets.token_bytes(32), time.monotonic(), Counters(), None
        clerk = Clerk(registry, counters)
        if isinstance(self._place, Team):
            team = self._place
            post = Post(loop, team.index, team.inbox, team.outboxes, clerk.answer)
            stack.callback(post.close)
            key, began, colleagues = team.key, team.began, post.colleagues
        udp = UdpFront(registry, policy, ConnectionIds(key), settings, counters, colleagues)
        http = HttpFront(registry, policy, settings, counters, colleagues)
        window = Window(http, clerk, self._audience, began, colleagues, settings.proxies)
        for sock in sockets:
            if sock.type == socket.SOCK_STREAM:
                web = WebServer(loop, sock, window.answer)
                stack.callback(web.close)
                self._webs.append(web)
            else:
                exchange = best_exchange(ipv6=sock.family == socket.AF_INET6)
                loop.add_reader(sock.fileno(), _take_turn, sock, exchange, udp)
                stack.callback(loop.remove_reader, sock.fileno())
        return colleagues

    async def _live(self, file: StateFile | None, colleagues: Colleagues | None) -> None:
        """Let time pass."""
        save_at = time.monotonic() + SAVE_SECONDS
        while not self._stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_TURN_SECONDS):
                    await self._stop.wait()
            now = time.monotonic()
            self.registry.advance(now, _LOOK_AT)
            if colleagues is not None:
                colleagues.advance(now)
            for web in self._webs:
                web.sweep(now)
            if file is not None and now >= save_at:
                save_at = now + SAVE_SECONDS
                data = snapshot.save(self.registry, time.time())
                try:
                    with starting():
                        await asyncio.to_thread(file.write, data)
                except (OSError, ThreadLimitError) as error:
                    _log.warning("the swarms cannot be kept: %s", error)


def _take_turn(sock: socket.socket, exchange: Exchange, front: UdpFront) -> None:
    exchange.turn(sock, front.answer, time.monotonic())
