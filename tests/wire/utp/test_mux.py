"""Pairs of Mux over a network that loses, doubles and reorders: the bytes arrive, and nothing is left behind."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.wire.stream import LossKind
from bittern.wire.utp.mux import Mux
from bittern.wire.utp.packet import DATA, FIN, HEAD, RESET, STATE, SYN, Packet, encode, parse
from bittern.wire.utp.settings import UtpSettings
from tests.wire.utp.toynet import ANN, BOB, Host, Net, Path, Pump, pair


def transfer(net: Net, ann: Host, bob: Host, data: bytes, back: bytes = b"", seconds: float = 1000.0) -> None:
    """`data` goes from ann, who calls, to bob, and `back` the other way; both ends end."""
    ann.dial = lambda: Pump(data)
    bob.accept = lambda: Pump(back)
    ann.mux.connect(1, bob.address, ann.clock())
    net.run(seconds, lambda: bool(bob.streams) and len(bob.streams[0].got) == len(data) and _had(ann, back))
    assert bytes(bob.streams[0].got) == data
    assert bytes(ann.streams[0].got) == back
    assert ann.streams[0].link is not None
    ann.streams[0].link.close()
    for path in net.paths.values():
        path.loss = 0.0  # who closes does not wait for ever that it is heard
    net.run(net.now + 200)
    assert bob.streams[0].ended is not None
    assert bob.streams[0].ended.kind is LossKind.CLOSED
    assert (len(ann.mux), len(bob.mux)) == (0, 0)
    assert ann.mux.next_deadline() is None
    assert bob.mux.next_deadline() is None


def _had(ann: Host, back: bytes) -> bool:
    return len(ann.streams[0].got) == len(back)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    size=st.integers(1, 300_000),
    back=st.integers(0, 60_000),
    loss=st.floats(0, 0.25),
    copies=st.floats(0, 0.2),
    jitter=st.floats(0, 0.1),
    window=st.integers(3000, 1 << 20),
)
def test_any_bad_network_delivers_exactly_the_bytes(
    seed: int, size: int, back: int, loss: float, copies: float, jitter: float, window: int
) -> None:
    net, ann, bob = pair(seed, UtpSettings(window_bytes=window))
    for there in ((ANN, BOB), (BOB, ANN)):
        net.paths[there] = Path(loss=0.0, copies=copies, jitter=jitter)
    ann.mux.connect(0, Address("10.9.9.9", 1), 0.0)  # goes nowhere, and harms nothing
    net.run(9.0)
    assert [failure.kind for failure in ann.failures] == [LossKind.TIMED_OUT]
    rng = Random(seed)
    net.at(net.now + 0.5, lambda: _worsen(net, loss))
    transfer(net, ann, bob, rng.randbytes(size), rng.randbytes(back), 3000.0)


def _worsen(net: Net, loss: float) -> None:
    for path in net.paths.values():
        path.loss = loss


@pytest.mark.parametrize("seed", range(3))
def test_numbers_wrap(seed: int) -> None:
    """Over 65,536 packets in one connection."""
    net, ann, bob = pair(seed, UtpSettings(largest_datagram=120))
    for there in ((ANN, BOB), (BOB, ANN)):
        net.paths[there] = Path(delay=0.001, loss=0.002)
    ann.coalesce = True
    transfer(net, ann, bob, Random(seed).randbytes(6_800_000))


def test_whatever_path_mtu_there_is_is_found() -> None:
    for mtu in (548, 900, 1400, 1472, 8972, 60_000):
        net, ann, bob = pair()
        for there in ((ANN, BOB), (BOB, ANN)):
            net.paths[there] = Path(mtu=mtu)
        largest = 0

        def look(net: Net = net, ann: Host = ann) -> None:
            nonlocal largest
            largest = max([largest, *(link.sender.path.proven for link in ann.mux._links.values())])
            net.at(net.now + 0.1, look)

        net.at(0.1, look)
        transfer(net, ann, bob, bytes(10_000_000), seconds=200.0)
        assert mtu - 40 < largest <= mtu


@pytest.mark.parametrize("cut", [1500, 1600, 2000, 4096, 16_384])
def test_a_receiver_that_cuts_what_is_too_long_gets_the_right_bytes(cut: int) -> None:
    """As libtorrent does, which reads 1,500 bytes of each datagram."""
    net, ann, bob = pair()
    for there in ((ANN, BOB), (BOB, ANN)):
        net.paths[there] = Path(mtu=65_535, cut=cut)
    transfer(net, ann, bob, Random(3).randbytes(1_000_000))


def test_coalesced_datagrams_are_taken_at_once() -> None:
    net, ann, bob = pair()
    for there in ((ANN, BOB), (BOB, ANN)):
        net.paths[there] = Path(mtu=70_000)
    ann.coalesce = bob.coalesce = True
    transfer(net, ann, bob, Random(5).randbytes(3_000_000), Random(6).randbytes(3_000_000))


def test_a_stream_that_is_slow_to_read_gets_everything() -> None:
    net, ann, bob = pair(0, UtpSettings(window_bytes=20_000))
    sink = Pump()
    bob.accept = lambda: sink
    data = Random(1).randbytes(200_000)
    ann.dial = lambda: Pump(data, close_after=True)

    def toggle() -> None:
        sink.open = not sink.open
        if sink.open and sink.link is not None:
            sink.link.wake_receiver()
        net.at(net.now + (0.05 if sink.open else 5.0), toggle)

    net.at(0.0, toggle)
    ann.mux.connect(1, BOB, ann.clock())
    net.run(2000.0, lambda: sink.ended is not None)
    assert bytes(sink.got) == data
    assert sink.ended is not None
    assert sink.ended.kind is LossKind.CLOSED


def test_a_hundred_connections_share_a_port() -> None:
    net, ann, bob = pair()
    texts = [Random(number).randbytes(5000) for number in range(100)]
    waiting = [Pump(text, close_after=True) for text in texts]
    ann.dial = waiting.pop
    for number in range(100):
        ann.mux.connect(number, BOB, ann.clock())
        net.run(net.now + 0.2)
    net.run(net.now + 20)
    assert sorted(bytes(stream.got) for stream in bob.streams) == sorted(texts)
    assert len(ann.mux) == len(bob.mux) == 0


def test_of_a_flood_of_callers_so_many_are_let_in_at_a_time_and_none_is_lost() -> None:
    net, ann, bob = pair(settings=UtpSettings(half_open_per_host=1000, accepts_per_second=50.0))
    ann.dial = lambda: Pump(b"hello")
    for number in range(60):
        ann.mux.connect(number, BOB, ann.clock())
    net.run(0.5)
    assert 20 <= len(bob.streams) <= 45
    net.run(60.0)
    assert [bytes(stream.got) for stream in bob.streams] == [b"hello"] * 60
    assert all(stream.ended is None for stream in ann.streams)


def test_both_may_call_each_other_at_once() -> None:
    net, ann, bob = pair()
    for host, other in ((ann, BOB), (bob, ANN)):
        host.dial = lambda: Pump(b"from the caller")
        host.accept = lambda: Pump(b"from the called")
        host.mux.connect(1, other, host.clock())
    net.run(2.0)
    for host in (ann, bob):
        assert sorted(bytes(stream.got) for stream in host.streams) == [b"from the called", b"from the caller"]


class Stranger:
    """Who speaks to a host without a Mux."""

    def __init__(self, net: Net, host: Host) -> None:
        self.net = net
        self.host = host
        self.heard: list[Packet] = []
        self.address = Address("10.6.6.6", 6)
        self.sent = 0

    def say(self, packet: Packet, payload: bytes = b"", source: Address | None = None) -> list[Packet]:
        """Send a packet; what comes back in that turn."""
        data = encode(packet, payload)
        self.sent += len(data)
        self.host.mux.receive(memoryview(data), len(data), source or self.address, self.host.clock())
        return self.listen()

    def listen(self) -> list[Packet]:
        host = self.host
        host.mux.deliver(host.clock())
        host.mux.flush(host.clock())
        heard = []
        for burst in host.mux.take_bursts():
            data = b"".join(burst.buffers)
            host.sent += len(data)
            for at in range(0, len(data), burst.segment):
                packet = parse(memoryview(data)[at : at + burst.segment])
                assert packet is not None
                heard.append(packet)
        return heard


def syn(ident: int = 10, seq: int = 1) -> Packet:
    return Packet(SYN, ident, 1, 0, 1 << 20, seq, 0, 0, HEAD)


def test_forged_calls_get_one_small_answer_each_and_nothing_else() -> None:
    net, _, bob = pair()
    stranger = Stranger(net, bob)
    for number in range(2000):
        source = Address(f"10.7.{number >> 8}.{number & 255}", 7)
        assert [packet.kind for packet in stranger.say(syn(number & 0xFFFF), source=source)] == [STATE]
    net.run(100.0)
    assert stranger.listen() == []
    assert bob.sent <= stranger.sent
    assert bob.streams == []
    assert len(bob.mux) == 0
    assert bob.mux.next_deadline() is None


def test_what_belongs_to_nobody_is_reset_at_a_bounded_rate() -> None:
    net, _, bob = pair()
    stranger = Stranger(net, bob)
    data = Packet(DATA, 9, 1, 0, 0, 77, 5, 0, HEAD)
    (answer,) = stranger.say(data, b"x" * 100)
    assert (answer.kind, answer.connection, answer.ack) == (RESET, 9, 77)
    assert sum(len(stranger.say(data)) for _ in range(1000)) < 60
    assert stranger.say(Packet(RESET, 9, 1, 0, 0, 77, 5, 0, HEAD)) == []
    assert bob.sent <= stranger.sent


def opened(seed: int = 0) -> tuple[Net, Host, Host]:
    """Two hosts with a connection, on which both have said something."""
    net, ann, bob = pair(seed)
    ann.dial = lambda: Pump(b"hello")
    bob.accept = lambda: Pump(b"welcome")
    ann.mux.connect(1, BOB, ann.clock())
    net.run(1.0)
    assert bytes(ann.streams[0].got) == b"welcome"
    return net, ann, bob


def test_resets_of_strangers_are_not_believed() -> None:
    net, _, bob = opened()
    (link,) = bob.mux._links.values()
    for source in (ANN._replace(port=1), Address("10.6.6.6", ANN.port)):
        for ack in range(0, 0x10000, 16):
            reset = encode(Packet(RESET, link.receive_id, 0, 0, 0, 0, ack, 0, HEAD))
            bob.mux.receive(memoryview(reset), len(reset), source, bob.clock())
    right = Packet(RESET, link.receive_id, 0, 0, 0, 0, link.sender.flight.next - 1 & 0xFFFF, 0, HEAD)
    wrong = [right._replace(ack=right.ack + 2 & 0xFFFF), right._replace(connection=right.connection + 7 & 0xFFFF)]
    for packet in wrong:
        data = encode(packet)
        bob.mux.receive(memoryview(data), len(data), ANN, bob.clock())
    assert bob.streams[0].ended is None
    data = encode(right)
    bob.mux.receive(memoryview(data), len(data), ANN, bob.clock())
    assert bob.streams[0].ended is not None
    assert bob.streams[0].ended.kind is LossKind.RESET
    net.run(60.0)
    assert len(bob.mux) == 0


def test_a_process_that_came_back_resets_what_it_no_longer_knows() -> None:
    net, ann, bob = opened()
    bob.mux = Mux(UtpSettings(), Random(9), bob)
    ann.streams[0].say(b"are you there?")
    net.run(3.0)
    assert ann.streams[0].ended is not None
    assert ann.streams[0].ended.kind is LossKind.RESET


def test_nobody_there_fails_a_call() -> None:
    net, ann, _ = pair()
    ann.mux.connect(1, BOB, ann.clock())
    ann.mux.refused(BOB, ann.clock())
    assert [failure.kind for failure in ann.failures] == [LossKind.REFUSED]
    net.run(30.0)
    assert len(ann.failures) == 1


def test_a_lost_answer_is_given_again() -> None:
    net, ann, bob = pair()
    path = net.path(BOB, ANN)
    path.mtu = 0
    net.at(2.5, lambda: setattr(path, "mtu", 1472))
    ann.dial = lambda: Pump(b"hello")
    ann.mux.connect(1, BOB, ann.clock())
    net.run(5.0)
    assert bytes(bob.streams[0].got) == b"hello"


def test_what_the_system_had_no_room_for_leaves_first() -> None:
    _, ann, _ = opened()
    ann.streams[0].say(bytes(5000))
    ann.mux.flush(ann.clock())
    bursts = ann.mux.take_bursts()
    assert bursts
    for burst in bursts:
        ann.mux.held(burst)
    assert ann.mux.take_bursts() == []
    ann.mux.flush(ann.clock())
    assert ann.mux.take_bursts() == bursts


def test_closing_the_port_says_goodbye() -> None:
    net, ann, bob = opened()
    ann.mux.connect(2, Address("10.9.9.9", 1), ann.clock())
    ann.mux.close(ann.clock())
    for burst in ann.mux.take_bursts():
        net.carry(ann, burst)
    net.run(2.0)
    assert len(ann.mux) == len(bob.mux) == 0
    assert bob.streams[0].ended is not None
    assert bob.streams[0].ended.kind is LossKind.CLOSED
    assert ann.streams[0].ended is None


def test_the_port_has_room_for_so_many() -> None:
    net, _, bob = pair(0, UtpSettings(most_connections=1))
    stranger = Stranger(net, bob)
    (answer,) = stranger.say(syn())
    stranger.say(Packet(STATE, 11, 1, 0, 0, 2, answer.seq - 1 & 0xFFFF, 0, HEAD))
    assert len(bob.mux) == 1
    assert stranger.say(syn(20)) == []


def test_who_called_while_there_was_room_finds_none_later() -> None:
    net, _, bob = pair(0, UtpSettings(most_connections=1))
    stranger = Stranger(net, bob)
    answers = [stranger.say(syn(ident))[0] for ident in (10, 20)]
    heard = []
    for ident, answer in zip((11, 21), answers, strict=True):
        heard += stranger.say(Packet(STATE, ident, 1, 0, 0, 2, answer.seq - 1 & 0xFFFF, 0, HEAD))
    assert [packet.kind for packet in heard] == [RESET]
    assert len(bob.streams) == 1


def test_a_stream_may_close_whenever_it_is_called() -> None:
    """In the middle of the delivery of what came, with the end behind it."""
    net, _, bob = pair()

    class Curt(Pump):
        def received(self, count: int, now: float) -> None:
            super().received(count, now)
            assert self.link is not None
            self.link.close()

    bob.accept = lambda: Curt(buffer=4)
    stranger = Stranger(net, bob)
    (answer,) = stranger.say(syn())
    ack = answer.seq - 1 & 0xFFFF
    heard = stranger.say(Packet(DATA, 11, 1, 0, 1 << 20, 2, ack, 0, HEAD), b"hello world")
    assert bytes(bob.streams[0].got) == b"hell"
    assert [packet.kind for packet in heard] == [FIN]


def test_time_passes_for_many_at_little_cost() -> None:
    """A thousand idle connections, and one that speaks: a turn looks at that one."""
    net, ann, bob = pair()
    for number in range(1000):
        ann.mux.connect(number, BOB, ann.clock())
        if number % 16 == 15:
            net.run(net.now + 0.1)
    net.run(net.now + 1)
    assert len(bob.mux) == 1000
    ann.mux.flush(ann.clock())
    assert len(ann.mux._stirred) == 0
    ann.streams[0].say(b"x")
    assert len(ann.mux._stirred) == 1
