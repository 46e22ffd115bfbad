"""Connections to web servers: what is looked up, what may be asked, and what is told when it fails."""

import asyncio
import socket
from math import inf

import pytest

from bittern.base.address import Address
from bittern.base.errors import NetworkError
from bittern.engine.effects import ConnectWeb
from bittern.io import web
from bittern.io.proxying import Purpose
from bittern.io.route import Route
from bittern.io.turn import Turn
from bittern.io.web import dial_web


def wish(host: str = "127.0.0.1", port: int = 1, *, secure: bool = False, local: bool = True) -> ConnectWeb:
    return ConnectWeb(1, 1, host, port, secure, local)


async def dial(wanted: ConnectWeb, source: str | None = None) -> str:
    loop = asyncio.get_running_loop()
    link = await dial_web(wanted, loop, Turn(loop), Route(*([source] if source else [])))
    link.close()
    return str(link.address)


@pytest.fixture
def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


async def test_a_server_is_reached_by_name_and_by_address(listening: socket.socket) -> None:
    with listening:
        port = listening.getsockname()[1]
        assert await dial(wish(port=port)) == f"127.0.0.1:{port}"
        assert await dial(wish("localhost", port), "127.0.0.1") == f"127.0.0.1:{port}"


async def test_an_address_that_may_not_be_asked_is_not_connected_to(listening: socket.socket) -> None:
    with listening:
        listening.settimeout(0.1)
        with pytest.raises(NetworkError, match="not one that a web seed may have"):
            await dial(wish("localhost", listening.getsockname()[1], local=False))
        with pytest.raises(TimeoutError):
            listening.accept()


async def test_a_name_that_changes_its_mind_changes_nothing(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was looked at is what is connected to: the name is looked up once (DNS rebinding)."""
    port = listening.getsockname()[1]
    asked: list[object] = []

    def answers(host: str, port: int, *_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    with listening:
        assert await dial(wish("rebound.example", port)) == f"127.0.0.1:{port}"
    assert asked == ["rebound.example"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (wish(), "refused"),
        (wish("no-such-name.invalid"), "no-such-name.invalid: "),
        (wish("a" * 70 + ".example"), "example: "),
    ],
    ids=["refused", "unknown", "no name"],
)
async def test_failures_say_what_is_wrong(wanted: ConnectWeb, words: str) -> None:
    with pytest.raises(NetworkError, match=words):
        await dial(wanted)


async def test_the_next_address_is_tried(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    port = listening.getsockname()[1]

    def answers(_: str, port: int, *__: object) -> list[tuple[object, ...]]:
        return [(None, None, 6, "", (address, port)) for address in ("127.0.0.9", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    with listening:
        assert await dial(wish("two.example", port)) == f"127.0.0.1:{port}"


class _Far(Route):
    """Servers whose addresses answer after so many seconds; infinity for never."""

    def __init__(self, answers: dict[str, float]) -> None:
        super().__init__()
        self.answers = answers
        self.tried: list[str] = []
        self.ended: list[str] = []

    async def look_up(
        self, host: str, port: int | None, purpose: Purpose, *, family: int = 0, kind: int = 0
    ) -> list[Address]:
        del host, purpose, family, kind
        return [Address(each, port or 0) for each in self.answers]

    async def connect(self, target: Address, purpose: Purpose) -> socket.socket:
        self.tried.append(target.host)
        try:
            await asyncio.sleep(min(self.answers[target.host], 60))
        finally:
            self.ended.append(target.host)
        return socket.socket()


async def test_an_address_that_leads_nowhere_holds_up_nobody() -> None:
    """And the families take turns: IPv6 that does not work is found out by the second try."""
    loop = asyncio.get_running_loop()
    far = _Far({"2001:db8::1": inf, "2001:db8::2": inf, "2001:db8::3": inf, "192.0.2.1": 0.0, "192.0.2.2": 0.0})
    link = await dial_web(wish("far.example"), loop, Turn(loop), far)
    link.close()
    assert (link.address.host, far.tried) == ("192.0.2.1", ["2001:db8::1", "192.0.2.1"])
    await asyncio.sleep(0)
    assert sorted(far.ended) == sorted(far.tried)


async def test_who_answers_at_the_same_time_as_another_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second connection is closed: a fixture sees to it that nothing is left."""
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(web, "HEAD_START_SECONDS", 0.0)
    far = _Far({"192.0.2.1": 0.0, "192.0.2.2": 0.0, "192.0.2.3": 0.0})
    link = await dial_web(wish("far.example"), loop, Turn(loop), far)
    link.close()
    await asyncio.sleep(0.01)
    assert sorted(far.ended) == sorted(far.tried)


async def test_a_server_that_does_not_shake_hands_is_given_up(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "WEB_SECONDS", 0.2)
    with listening, pytest.raises(NetworkError, match="no answer within"):
        await dial(wish(port=listening.getsockname()[1], secure=True))


async def test_an_address_that_the_ip_filter_blocks_is_not_connected_to(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a name has others, too, those are asked."""
    loop, port = asyncio.get_running_loop(), listening.getsockname()[1]

    def answers(_host: str, port: int, *_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", port)) for last in (7, 1)]

    async def dialed(*blocked: str) -> str:
        link = await dial_web(wish("two.example", port), loop, Turn(loop), Route(), blocked.__contains__)
        link.close()
        return link.address.host

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    with listening:
        assert await dialed("127.0.0.7") == "127.0.0.1"
        with pytest.raises(NetworkError, match="the IP filter blocks its address"):
            await dialed("127.0.0.7", "127.0.0.1")
