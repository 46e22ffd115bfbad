"""UDP trackers, asked step by step: on 127.0.0.1."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bittern.base.address import Address
from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1
from bittern.tools.lab import udp
from bittern.tools.lab.client import Client
from bittern.tools.lab.trace import Trace
from bittern.tools.lab.trackers import announce
from bittern.wire.announce import AnnounceReply
from bittern.wire.tracker_udp import (
    Announce,
    Announced,
    Connect,
    Connected,
    Refused,
    Reply,
    Request,
    encode_reply,
    parse_request,
)

HASH = InfoHashV1(bytes(range(20)))
PEERS = (Address("10.0.0.9", 6881), Address("10.0.0.8", 1))
Answer = Callable[[Request], Reply | None]


@contextmanager
def tracker(answer: Answer, host: str = "127.0.0.1") -> Iterator[tuple[str, list[Request]]]:
    """Its URL, and what it was asked."""
    asked: list[Request] = []
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        port = sock.getsockname()[1]

        def serve() -> None:
            while True:
                data, sender = sock.recvfrom(2048)
                if not data:
                    return
                asked.append(parse_request(data))
                reply = answer(asked[-1])
                if reply is not None:
                    sock.sendto(encode_reply(reply), sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"udp://{f'[{host}]' if ':' in host else host}:{port}/announce?a=b", asked
        finally:
            with socket.socket(family, socket.SOCK_DGRAM) as other:
                other.sendto(b"", (host, port))
            thread.join()


def good(request: Request) -> Reply:
    if isinstance(request, Connect):
        return Connected(request.transaction, 77)
    return Announced(request.transaction, AnnounceReply(60, None, PEERS, 1, 2))


def ask(client: Client, *urls: str) -> tuple[Address, ...]:
    return announce(client, urls, HASH, left=9).peers


def test_a_connection_is_asked_for_then_comes_the_announce_and_all_is_traced() -> None:
    lines: list[str] = []
    client = Client(answer_seconds=5, trace=Trace(lines.append))
    with tracker(good) as (url, asked):
        assert ask(client, url) == PEERS
    assert [type(request) for request in asked] == [Connect, Announce]
    announced = asked[1]
    assert isinstance(announced, Announce)
    assert (announced.connection, announced.url_data) == (77, b"/announce?a=b")
    said = announced.request
    assert (said.info_hash, said.peer_id, said.port, said.left) == (HASH, client.peer_id, client.port, 9)
    assert [line[:2] for line in lines] == ["->", "<-", "->", "<-"]
    assert "Connected(" in lines[1]
    assert "10.0.0.9" in lines[3]


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_a_tracker_may_be_at_an_ipv6_address() -> None:
    six = (Address("2001:db8::7", 6881),)

    def answer(request: Request) -> Reply:
        if isinstance(request, Connect):
            return good(request)
        return Announced(request.transaction, AnnounceReply(60, None, six, 1, 2))

    with tracker(answer, "::1") as (url, _):
        assert ask(Client(answer_seconds=5), url) == six


def test_what_is_lost_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "RESEND_SECONDS", 0.1)
    lost: list[Request] = []

    def answer(request: Request) -> Reply | None:
        if len(lost) < 2 and type(request) not in map(type, lost):
            lost.append(request)
            return None
        return good(request)

    with tracker(answer) as (url, asked):
        assert ask(Client(answer_seconds=5), url) == PEERS
    assert [type(request) for request in asked] == [Connect, Connect, Announce, Announce]


def test_the_trackers_words_are_told() -> None:
    with (
        tracker(lambda request: Refused(request.transaction, "not you")) as (url, _),
        pytest.raises(TrackerError, match="not you") as caught,
    ):
        ask(Client(answer_seconds=5), url)
    assert caught.value.__notes__ == [url]


def test_a_silent_tracker_does_not_hold_us_and_the_next_is_asked() -> None:
    with tracker(lambda _: None) as (silent, _), tracker(good) as (url, _):
        assert ask(Client(answer_seconds=0.2), silent, url) == PEERS
        with pytest.raises(TrackerError, match=r"no answer within 0\.2 s"):
            ask(Client(answer_seconds=0.2), silent)


def test_where_nobody_is_there_that_is_told_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with pytest.raises(TrackerError, match="refused"):
        ask(Client(answer_seconds=30), f"udp://127.0.0.1:{port}")


@pytest.mark.parametrize("url", ["udp://tracker", "udp://", "udp://127.0.0.1:0/announce"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(TrackerError):
        ask(Client(answer_seconds=1), url)
