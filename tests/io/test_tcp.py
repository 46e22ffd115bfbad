"""Real sockets: bytes through every kernel call there is or is not, back pressure, ends, and a full table of files."""

import asyncio
import errno
import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from random import Random

import pytest

from bittern.base.address import Address
from bittern.io import capabilities, tcp
from bittern.io.route import DIRECT
from bittern.io.tcp import Listener, TcpLink, loss_of
from bittern.io.turn import Turn
from bittern.wire.stream import Link, LinkLost, LossKind
from tests.io.conftest import Until
from tests.sim.toys import Toy

HERE = Address("127.0.0.1", 1)
BIG = Random(1).randbytes(3_000_000)


@pytest.fixture(params=["all", "no sendmsg", "no recvmsg_into", "neither"])
def _kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every combination of what a platform may lack."""
    if request.param in ("no sendmsg", "neither"):
        monkeypatch.setattr(capabilities, "SENDMSG", False)
    if request.param in ("no recvmsg_into", "neither"):
        monkeypatch.setattr(capabilities, "RECVMSG_INTO", False)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected TCP sockets with small buffers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        left = socket.create_connection(server.getsockname())
        right, _ = server.accept()
    for sock in (left, right):
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50_000)
    yield left, right
    left.close()
    right.close()


def serve(turn: Turn, sock: socket.socket, toy: Toy) -> TcpLink:
    link = TcpLink(asyncio.get_running_loop(), turn, sock, HERE)
    toy.link = link
    link.serve(toy)
    return link


@pytest.mark.usefixtures("_kernel")
@pytest.mark.parametrize("sizes", [(1,), (13, 16384) * 20, (7, 4096, 1), (300_000,)])
async def test_bytes_arrive_in_order_both_ways(
    turn: Turn, until: Until, pair: tuple[socket.socket, socket.socket], sizes: tuple[int, ...]
) -> None:
    data = BIG if sum(sizes) > 10_000 else BIG[: 1000 * sum(sizes)]
    left, right = Toy(data, sizes), Toy(data[::-1], sizes)
    links = [serve(turn, sock, toy) for sock, toy in zip(pair, (left, right), strict=True)]
    await until(lambda: len(left.got) == len(right.got) == len(data))
    assert sha256(right.got).digest() == sha256(data).digest()
    assert sha256(left.got).digest() == sha256(data[::-1]).digest()
    for link in links:
        link.close()


@pytest.mark.usefixtures("_kernel")
async def test_who_does_not_read_holds_the_sender_up(
    turn: Turn, until: Until, pair: tuple[socket.socket, socket.socket]
) -> None:
    left, right = Toy(BIG), Toy(buffer_sizes=(100_000,))
    right.reading = False
    serve(turn, pair[0], left)
    serve(turn, pair[1], right)
    before = -1
    while before != len(left.to_send):
        before = len(left.to_send)
        await asyncio.sleep(0.02)
    assert len(BIG) > len(left.to_send) > 1_000_000
    assert right.got == b""
    right.reading = True
    assert right.link is not None
    right.link.wake_receiver()
    await until(lambda: len(right.got) == len(BIG))
    assert right.got == BIG


async def test_an_end_is_told_after_the_last_byte(
    turn: Turn, until: Until, pair: tuple[socket.socket, socket.socket]
) -> None:
    right = Toy()
    serve(turn, pair[1], right)
    pair[0].sendall(b"last words")
    pair[0].close()
    await until(lambda: right.loss is not None)
    assert (bytes(right.got), right.loss) == (b"last words", LinkLost(LossKind.CLOSED))


async def test_a_reset_is_told(turn: Turn, until: Until, pair: tuple[socket.socket, socket.socket]) -> None:
    right = Toy()
    serve(turn, pair[1], right)
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    pair[0].close()
    await until(lambda: right.loss is not None)
    assert right.loss == LinkLost(LossKind.RESET)


async def test_sending_to_who_is_gone_is_told(
    turn: Turn, until: Until, pair: tuple[socket.socket, socket.socket]
) -> None:
    right = Toy(BIG)
    right.reading = False  # so that only sending can notice
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    pair[0].close()
    serve(turn, pair[1], right)
    await until(lambda: right.loss is not None)
    assert right.loss == LinkLost(LossKind.RESET)


async def test_closing_sends_what_goes_at_once_and_tells_nobody(
    turn: Turn, pair: tuple[socket.socket, socket.socket]
) -> None:
    left = Toy(b"goodbye")
    link = serve(turn, pair[0], left)
    link.close()
    link.close()
    link.wake_sender()
    link.wake_receiver()
    await asyncio.sleep(0.01)
    assert (pair[1].recv(100), pair[1].recv(100)) == (b"good" + b"bye", b"")
    assert left.loss is None


async def test_a_stream_may_close_its_link_inside_any_call(
    turn: Turn, until: Until, pair: tuple[socket.socket, socket.socket]
) -> None:
    class Abrupt(Toy):
        def received(self, count: int, now: float) -> None:
            super().received(count, now)
            assert self.link is not None
            self.link.close()

        def sent(self, count: int, now: float) -> None:
            super().sent(count, now)
            assert self.link is not None
            self.link.close()

    reader, writer = Abrupt(), Abrupt(b"x" * 100)
    serve(turn, pair[0], reader)
    serve(turn, pair[1], writer)
    await until(lambda: bool(reader.counts))
    assert (reader.loss, writer.loss) == (None, None)


async def test_a_link_closed_before_it_is_served_does_nothing(
    turn: Turn, pair: tuple[socket.socket, socket.socket]
) -> None:
    link = TcpLink(asyncio.get_running_loop(), turn, pair[0], HERE)
    link.wake_sender()
    link.close()
    toy = Toy(b"never")
    link.serve(toy)
    await asyncio.sleep(0.01)
    assert (pair[1].recv(100), bytes(toy.to_send), link.address) == (b"", b"never", HERE)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ECONNREFUSED, LossKind.REFUSED),
        (errno.ECONNRESET, LossKind.RESET),
        (errno.EPIPE, LossKind.RESET),
        (errno.ETIMEDOUT, LossKind.TIMED_OUT),
        (errno.EHOSTUNREACH, LossKind.UNREACHABLE),
        (errno.ENETUNREACH, LossKind.UNREACHABLE),
        (errno.EMFILE, LossKind.UNREACHABLE),
    ],
)
def test_what_the_system_says_is_told_in_our_words(code: int, kind: LossKind) -> None:
    loss = loss_of(OSError(code, "Connect call failed ('192.0.2.1', 1)"))  # as asyncio puts it
    assert loss.kind is kind
    assert loss.detail == (os.strerror(code) if kind is LossKind.UNREACHABLE else "")


class Door:
    """Takes every link and keeps what comes."""

    def __init__(self) -> None:
        self.toys: list[Toy] = []

    def accepted(self, link: Link, now: float) -> Toy:
        toy = Toy()
        toy.link = link
        self.toys.append(toy)
        return toy

    def close(self) -> None:
        for toy in self.toys:
            assert toy.link is not None
            toy.link.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_connections_are_accepted_with_their_address(turn: Turn, until: Until, host: str) -> None:
    door = Door()
    try:
        sock = DIRECT.bound(host, 0, socket.SOCK_STREAM)
    except OSError:
        pytest.skip(f"{host} is not on this machine")
    listener = Listener(asyncio.get_running_loop(), turn, sock, door.accepted)
    with socket.create_connection((host, listener.port)) as client:
        client.sendall(b"hello")
        await until(lambda: bool(door.toys) and door.toys[0].got == b"hello")
        assert door.toys[0].link is not None
        assert door.toys[0].link.address == Address.of(host, client.getsockname()[1])
        door.close()
    port = listener.port
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port))


def test_a_port_that_is_taken_is_an_error() -> None:
    with DIRECT.bound("127.0.0.1", 0, socket.SOCK_STREAM) as taken:
        taken.listen()
        with pytest.raises(OSError):
            DIRECT.bound("127.0.0.1", taken.getsockname()[1], socket.SOCK_STREAM)


async def test_without_descriptors_accepting_pauses_and_goes_on_later(
    turn: Turn, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket stays readable: asking again at once would spin."""
    monkeypatch.setattr(tcp, "_ACCEPT_PAUSE_SECONDS", 0.05)
    loop, door = asyncio.get_running_loop(), Door()
    listener = Listener(loop, turn, DIRECT.bound("127.0.0.1", 0, socket.SOCK_STREAM), door.accepted)
    clients = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(2)]
    await until(lambda: len(door.toys) == 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    late = socket.socket()
    late.setblocking(False)
    wakes = 0
    acceptable = listener._acceptable

    def counted() -> None:
        nonlocal wakes
        wakes += 1
        acceptable()

    monkeypatch.setattr(listener, "_acceptable", counted)
    loop.remove_reader(listener._sock.fileno())
    listener._watch()
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        with suppress(BlockingIOError):
            late.connect(("127.0.0.1", listener.port))
        await asyncio.sleep(0.12)
        assert 1 <= wakes <= 4
        assert len(door.toys) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    await until(lambda: len(door.toys) == 3)
    for sock in (*clients, late):
        sock.close()
    door.close()
    listener.close()


async def test_a_flood_is_accepted_at_a_pace_and_leaves_the_loop_its_turns(
    turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "ACCEPTS_PER_SECOND", 100.0)
    monkeypatch.setattr(tcp, "_ACCEPT_BURST_SECONDS", 0.3)
    loop, door = asyncio.get_running_loop(), Door()
    listener = Listener(loop, turn, DIRECT.bound("127.0.0.1", 0, socket.SOCK_STREAM), door.accepted)
    begin = time.monotonic()
    clients = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(80)]
    most_at_once = before = 0
    while len(door.toys) < 80:
        await asyncio.sleep(0)
        most_at_once = max(most_at_once, len(door.toys) - before)
        before = len(door.toys)
    assert most_at_once <= tcp.ACCEPTS_AT_ONCE
    assert time.monotonic() - begin >= 0.45  # 30 at once, then 100 a second
    for sock in clients:
        sock.close()
    door.close()
    listener.close()


async def test_a_listener_may_be_closed_while_it_pauses(
    turn: Turn, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "_ACCEPT_PAUSE_SECONDS", 0.02)

    def no_descriptors() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    class Full:
        def __init__(self, sock: socket.socket) -> None:
            self.sock = sock
            self.accept = no_descriptors

        def __getattr__(self, name: str) -> object:
            return getattr(self.sock, name)

    sock = DIRECT.bound("127.0.0.1", 0, socket.SOCK_STREAM)
    listener = Listener(asyncio.get_running_loop(), turn, Full(sock), Door().accepted)  # type: ignore[arg-type]
    with socket.create_connection(("127.0.0.1", listener.port)):
        await until(lambda: listener._pause is not None)
        listener.close()
        await asyncio.sleep(0.05)
    assert sock.fileno() == -1


async def test_a_link_ends_when_the_address_at_our_end_is_ours_no_more(
    turn: Turn, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = Toy(b"", (1,))
    link = serve(turn, pair[0], left)
    assert link in turn.links
    assert not link.host_gone((), 1.0), "loopback is always there"
    monkeypatch.setattr(TcpLink, "our_host", lambda _: "192.0.2.1")
    assert not link.host_gone(("192.0.2.1", "192.0.2.2"), 1.0)
    assert left.loss is None
    assert link.host_gone(("192.0.2.2",), 1.0)
    assert left.loss is not None
    assert left.loss.kind is LossKind.UNREACHABLE
