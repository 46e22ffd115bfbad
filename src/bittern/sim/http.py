"""HTTP without sockets: sites by name, and a port that asks them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from urllib.parse import urlsplit

from bittern.base.address import Address
from bittern.engine.effects import HttpGet

from .host import Host

ROUND_TRIP_SECONDS = 0.08
"""Time between a request and its answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A site's answer.

    Attributes:
        status: of HTTP.
        body: all of it.
    """

    status: int
    body: bytes


Site = Callable[[Host, str], "Reply | None"]
"""Answers one GET of a URL by a host; None leaves it without an answer."""


class HttpAnswers(Protocol):
    """Who is told what became of a request; a Core is one."""

    def http_done(self, ticket: int, status: int, body: bytes, now: float) -> None:
        """The answer is there."""
        ...

    def http_failed(self, ticket: int, reason: str, now: float) -> None:
        """There will be no answer."""
        ...


class Web:
    """All sites of a world, by host name and port as they stand in the URL. Every host reaches them."""

    def __init__(self) -> None:
        self.sites: dict[str, Site] = {}
        self.servers: dict[str, Address] = {}
        """Where connections to a name of web seeds lead."""


class SimHttp:
    """The HTTP client of one process (`engine.ports.Http`)."""

    def __init__(self, web: Web, host: Host, answers: HttpAnswers) -> None:
        self._web = web
        self._host = host
        self._answers = answers

    def get(self, wish: HttpGet) -> None:
        """GET `wish.url`; the answer comes a round trip later, or the failure when its time is over."""
        self._host.network.world.after(ROUND_TRIP_SECONDS / 2, partial(self._ask, wish))

    def _ask(self, wish: HttpGet) -> None:
        host, world = self._host, self._host.network.world
        if not host.alive:
            return
        site = self._web.sites.get(urlsplit(wish.url).netloc)
        if site is None:
            world.after(ROUND_TRIP_SECONDS / 2, partial(self._fail, wish, "connection refused"))
            return
        reply = site(host, wish.url)
        world.trace.note(world.now, f"{host.name} GET {wish.url} {reply.status if reply else 'unanswered'}")
        if reply is None:
            rest = max(0.0, wish.timeout_seconds - ROUND_TRIP_SECONDS / 2)
            world.after(rest, partial(self._fail, wish, f"no answer in {wish.timeout_seconds:g} s"))
        elif len(reply.body) > wish.max_bytes:
            world.after(ROUND_TRIP_SECONDS / 2, partial(self._fail, wish, f"more than {wish.max_bytes} bytes"))
        else:
            world.after(ROUND_TRIP_SECONDS / 2, partial(self._finish, wish, reply))

    def _finish(self, wish: HttpGet, reply: Reply) -> None:
        if self._host.alive:
            self._answers.http_done(wish.ticket, reply.status, reply.body, self._host.network.world.now)
            self._host.touch()

    def _fail(self, wish: HttpGet, reason: str) -> None:
        if self._host.alive:
            self._answers.http_failed(wish.ticket, reason, self._host.network.world.now)
            self._host.touch()
