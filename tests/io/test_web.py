"""Connections to web servers: what is looked up, what may be asked, and what is told when it fails."""

import asyncio
import socket

import pytest

from bittern.base.errors import NetworkError
from bittern.engine.effects import ConnectWeb
from bittern.io import web
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
