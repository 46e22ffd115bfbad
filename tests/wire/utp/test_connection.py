from bittern.base.transport import Transport
from bittern.wire.stream import LinkLost, LossKind
from bittern.wire.utp.connection import State, UtpLink
from bittern.wire.utp.inbox import Allowance
from bittern.wire.utp.packet import DATA, FIN, HEAD, RESET, STATE, SYN, Packet, encode, parse
from bittern.wire.utp.settings import UtpSettings
from bittern.wire.utp.slab import Slab
from tests.wire.utp.toynet import BOB, Pump

WINDOW = 10_000


class Line:
    """A link that is called directly, and what it sends."""

    def __init__(self, *, stream: Pump | None = None) -> None:
        self.woken = 0
        self.link = UtpLink(
            1, BOB, (5, 6), UtpSettings(window_bytes=WINDOW), 100, (Slab(), Allowance(1 << 20)), self._wake
        )
        if stream is not None:
            stream.link = self.link
            self.link.opened(50)
            self.link.serve(stream)

    def _wake(self, number: int) -> None:
        self.woken += 1

    def receive(self, kind: int, seq: int, ack: int = 99, payload: bytes = b"", now: float = 1.0) -> None:
        packet = Packet(kind, 5, 1, 0, WINDOW, seq, ack, 0, HEAD)
        self.link.receive(packet, memoryview(encode(packet, payload)), now)
        self.link.deliver(now)

    def flush(self, now: float = 1.0) -> list[Packet]:
        read = []
        for burst in self.link.flush(now):
            data = b"".join(burst.buffers)
            for at in range(0, len(data), burst.segment):
                packet = parse(memoryview(data)[at : at + burst.segment])
                assert packet is not None
                read.append(packet)
        return read


def test_a_call_is_made_three_times() -> None:
    line = Line()
    calls: list[float | None] = []
    for _ in range(3):
        burst = line.link.call((calls[-1] if calls else None) or 0.0)
        assert burst is not None
        calls.append(line.link.due())
        packet = parse(memoryview(b"".join(burst.buffers)))
        assert packet is not None
        assert (packet.kind, packet.connection, packet.seq) == (SYN, 5, 99)
    assert line.link.call(9.0) is None
    assert calls == [1.0, 3.0, 7.0]


def test_only_a_state_that_acknowledges_the_call_answers_it() -> None:
    line = Line()
    line.link.call(0.0)
    good = Packet(STATE, 5, 1, 0, WINDOW, 51, 99, 0, HEAD)
    assert not line.link.answered(good._replace(kind=DATA))
    assert not line.link.answered(good._replace(ack=98))
    assert line.link.answered(good)
    assert line.link.state is State.OPEN
    assert line.link.inbox.ack == 50
    assert [packet.kind for packet in line.flush()] == [STATE]


def test_what_comes_is_acknowledged_once_in_a_turn() -> None:
    stream = Pump()
    line = Line(stream=stream)
    line.receive(DATA, 51, payload=b"abc")
    line.receive(DATA, 52, payload=b"def")
    (packet,) = line.flush()
    assert (packet.kind, packet.connection, packet.ack, packet.window) == (STATE, 6, 52, WINDOW)
    assert line.flush() == []
    assert bytes(stream.got) == b"abcdef"


def test_data_carries_the_acknowledgement() -> None:
    stream = Pump(b"answer")
    line = Line(stream=stream)
    line.receive(DATA, 51, payload=b"abc")
    (packet,) = line.flush()
    assert (packet.kind, packet.ack) == (DATA, 51)


def test_a_gap_is_told_besides_the_data() -> None:
    line = Line(stream=Pump(b"answer"))
    line.receive(DATA, 53, payload=b"abc")
    data, state = line.flush()
    assert (data.kind, data.selective) == (DATA, 0)
    assert (state.kind, state.ack, state.selective) == (STATE, 50, 0b10)


def test_doubles_are_acknowledged_again() -> None:
    line = Line(stream=Pump())
    for _ in range(2):
        line.receive(DATA, 51, payload=b"abc")
        assert [packet.ack for packet in line.flush()] == [51]


def test_a_stream_that_takes_nothing_closes_the_window_and_opens_it() -> None:
    stream = Pump()
    line = Line(stream=stream)
    stream.open = False
    line.receive(DATA, 51, payload=bytes(WINDOW))
    assert [packet.window for packet in line.flush()] == [0]
    line.receive(DATA, 52, payload=b"more")
    assert [(packet.ack, packet.window) for packet in line.flush()] == [(51, 0)]
    stream.open = True
    woken = line.woken
    line.link.wake_receiver()
    assert line.woken > woken
    line.link.deliver(2.0)
    assert [packet.window for packet in line.flush()] == [WINDOW]
    assert len(stream.got) == WINDOW


def test_the_end_is_acknowledged_and_told_to_the_stream() -> None:
    stream = Pump()
    line = Line(stream=stream)
    line.receive(FIN, 52)
    assert stream.ended is None
    line.receive(DATA, 51, payload=b"abc")
    assert stream.ended == LinkLost(LossKind.CLOSED)
    assert [packet.ack for packet in line.flush()] == [52]
    assert line.link.state is State.CLOSED


def test_closing_sends_what_is_offered_and_the_end() -> None:
    stream = Pump(b"last words")
    line = Line(stream=stream)
    line.link.close()
    assert [(packet.kind, packet.seq) for packet in line.flush()] == [(DATA, 100), (FIN, 101)]
    line.receive(DATA, 51, ack=100, payload=b"too late")
    assert [packet.ack for packet in line.flush()] == [51]
    line.receive(STATE, 52, ack=101)
    line.flush()
    assert line.link.state is State.CLOSED
    assert stream.ended is None
    assert stream.got == b""


def test_closing_does_not_wait_for_ever() -> None:
    line = Line(stream=Pump(b"last words"))
    line.link.close()
    line.flush()
    states = []
    for now in (20.9, 21.0):
        assert line.link.advance(now) is None
        states.append(line.link.state)
    assert states == [State.CLOSING, State.CLOSED]


def test_packets_that_acknowledge_what_was_not_sent_are_ignored() -> None:
    stream = Pump()
    line = Line(stream=stream)
    line.receive(DATA, 51, ack=100, payload=b"forged")
    line.receive(DATA, 51, ack=0x9000, payload=b"forged")
    assert line.flush() == []
    assert stream.got == b""


def test_resets_are_believed_when_they_are_about_what_was_sent() -> None:
    line = Line(stream=Pump(b"hello"))
    line.flush()
    reset = Packet(RESET, 5, 0, 0, 0, 0, 100, 0, HEAD)
    assert line.link.is_reset(reset)
    assert line.link.is_reset(reset._replace(ack=101))  # about a packet without a number of its own
    assert not line.link.is_reset(reset._replace(ack=102))
    assert not line.link.is_reset(reset._replace(ack=60))


def test_silence_is_broken_for_routers_on_the_way() -> None:
    line = Line(stream=Pump())
    assert line.link.due() == 29.0
    assert line.link.advance(29.0) is None
    assert [packet.kind for packet in line.flush(29.0)] == [STATE]
    assert line.link.due() == 58.0


def test_nobody_there_ends_it() -> None:
    line = Line(stream=Pump(b"hello"))
    now = 1.0
    reason = None
    while reason is None:
        line.flush(now)
        due = line.link.due()
        assert due is not None
        now = due
        reason = line.link.advance(now)
    assert reason.kind is LossKind.TIMED_OUT
    assert now == 1.0 + 39.0


def test_a_reset_carries_the_other_sides_id() -> None:
    packet = parse(memoryview(b"".join(Line(stream=Pump()).link.reset(1.0).buffers)))
    assert packet is not None
    assert (packet.kind, packet.connection, packet.ack) == (RESET, 6, 50)


def test_it_says_what_it_is() -> None:
    assert Line().link.transport is Transport.UTP


def test_clocks_that_drift_apart_do_not_look_like_a_queue() -> None:
    """Theirs loses a millisecond a second: packets to them seem faster, those to us slower, and the other way round."""
    for drift in (1000, -1000):
        line = Line(stream=Pump())
        for second in range(20):
            stamp, difference = 1_000_000 * second + drift * second + 1, 50_000 + drift * second
            packet = Packet(STATE, 5, stamp, difference, WINDOW, 51, 99, 0, HEAD)
            line.link.heard(packet, 10.0 + second)
        assert line.link.sender.delays.queueing <= 3000


def test_a_way_that_became_shorter_is_no_drift() -> None:
    line = Line(stream=Pump())
    for second in range(4):
        stamp = 1_000_000 * second + (40_000 if second > 1 else 0) + 1
        line.link.heard(Packet(STATE, 5, stamp, 50_000, WINDOW, 51, 99, 0, HEAD), 10.0 + second)
    assert line.link.sender.delays.base == 0
