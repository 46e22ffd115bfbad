"""One connection: the handshake in any pieces, the clock, back pressure, and its end."""

from collections.abc import Callable

import pytest

from bittern.base.address import Address
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.base.ids import InfoHashV1, PeerId
from bittern.base.transport import Transport
from bittern.wire.blocks import block_heads
from bittern.wire.decoder import Scratch
from bittern.wire.handshake import HANDSHAKE_SIZE, Handshake
from bittern.wire.messages import (
    AllowedFast,
    BitfieldMessage,
    Cancel,
    Choke,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    NotInterested,
    Piece,
    Reject,
    Request,
    Unchoke,
)
from bittern.wire.peerwire import (
    HANDSHAKE_SECONDS,
    HAVES_AHEAD,
    HAVES_AT_ONCE,
    KEEP_ALIVE_SECONDS,
    MOST_UNSENT,
    SILENCE_SECONDS,
    PeerWire,
    WireState,
)
from bittern.wire.stream import LinkLost, LossKind, Stream
from tests.wire.wiring import Recorder, Wanted, pattern

HASH, OTHER = InfoHashV1(b"h" * 20), InfoHashV1(b"o" * 20)
HELLO = Handshake(bytes(8), HASH, PeerId(b"-XX0000-abcdefghijkl"))


class Line:
    """A Link that counts."""

    def __init__(self) -> None:
        self.address = Address("10.0.0.1", 1)
        self.transport = Transport.TCP
        self.closed = 0
        self.woken = 0
        self.reads_woken = 0
        self.on_close: Callable[[], None] = lambda: None

    def serve(self, stream: Stream) -> None:
        self.stream = stream

    def wake_sender(self) -> None:
        self.woken += 1

    def wake_receiver(self) -> None:
        self.reads_woken += 1

    def close(self) -> None:
        self.closed += 1
        self.on_close()


class Host:
    """A greeter that accepts everybody, or what a test makes of it."""

    def __init__(self) -> None:
        self.sink = Recorder()
        self.wanted = Wanted(self.sink)
        self.handshakes: list[Handshake] = []
        self.lost: list[LinkLost | RemoteProtocolError] = []
        self.turns = 0
        self.accept = True

    def on_handshake(self, wire: PeerWire, handshake: Handshake, now: float) -> None:
        self.handshakes.append(handshake)
        if self.accept:
            wire.land(self.sink, "peer", self.wanted, self.turn)
        else:
            wire.close()

    def on_wire_lost(self, wire: PeerWire, reason: LinkLost | RemoteProtocolError, now: float) -> None:
        assert wire.state is WireState.CLOSED
        self.lost.append(reason)

    def turn(self, peer: object) -> None:
        assert peer == "peer"
        self.turns += 1


class Talk:
    """A wire, its link and its greeter."""

    def __init__(self, expected: InfoHashV1 | None = None, *, opened: bool = False) -> None:
        self.line, self.host = Line(), Host()
        self.wire = PeerWire(self.line, Scratch(), self.host, 0.0, () if expected is None else (expected,))
        if opened:
            self.say(HELLO.encode())

    def say(self, data: bytes, now: float = 0.0, *, most: int = 1 << 30) -> None:
        rest = data
        while rest and self.wire.state is not WireState.CLOSED:
            read, room = rest[:most], 0
            for buffer in self.wire.receive_buffers():
                part = read[room : room + len(buffer)]
                buffer[: len(part)] = part
                room += len(part)
            assert room, "nothing can be read"
            rest = rest[room:]
            self.wire.received(room, now)

    def take(self, now: float = 0.0) -> bytes:
        data = b"".join(self.wire.send_buffers(1 << 20))
        if data:
            self.wire.sent(len(data), now)
        return data


@pytest.mark.parametrize("cut", [1, 7, 19, 20, 48, 67, 68, 69, 75, 200])
def test_a_handshake_and_what_follows_it_in_any_pieces(cut: int) -> None:
    talk = Talk(HASH)
    talk.say(HELLO.encode() + Have(1).encode() + Unchoke().encode(), most=cut)
    assert talk.host.handshakes == [HELLO]
    assert talk.host.sink.calls == [("have", 1), ("unchoke",)]
    assert talk.wire.state is WireState.OPEN
    assert talk.host.turns > 0


@pytest.mark.parametrize("cut", [1, 1000])
@pytest.mark.parametrize(
    ("data", "offence", "bytes_read"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", Offence.BAD_PROTOCOL, 1),
        (b"\x13BitTorrent protocoL" + bytes(48), Offence.BAD_PROTOCOL, 20),
        (b"\x12" + HELLO.encode()[1:], Offence.BAD_PROTOCOL, 1),
        (Handshake(bytes(8), OTHER, HELLO.peer_id).encode(), Offence.WRONG_INFO_HASH, 29),
    ],
)
def test_a_wrong_handshake_is_refused_at_its_first_wrong_byte(
    cut: int, data: bytes, offence: Offence, bytes_read: int
) -> None:
    talk = Talk(HASH)
    for at in range(0, len(data), cut):
        if talk.line.closed:
            assert at <= bytes_read
            break
        talk.say(data[at : at + cut])
    [reason] = talk.host.lost
    assert isinstance(reason, RemoteProtocolError)
    assert reason.offence is offence
    assert (talk.host.handshakes, talk.line.closed) == ([], 1)


def test_whoever_speaks_first_may_name_any_torrent() -> None:
    talk = Talk()
    talk.say(HELLO.encode())
    assert talk.host.handshakes == [HELLO]


@pytest.mark.parametrize(("said", "short"), [(0, False), (1, True), (HANDSHAKE_SIZE - 1, True)])
def test_an_end_inside_the_handshake_is_an_offence_unless_nothing_was_said(said: int, short: bool) -> None:  # noqa: FBT001 - a parameter
    talk = Talk()
    talk.say(HELLO.encode()[:said])
    talk.wire.lost(LinkLost(LossKind.CLOSED), 1.0)
    [reason] = talk.host.lost
    assert isinstance(reason, RemoteProtocolError) == short
    if isinstance(reason, RemoteProtocolError):
        assert reason.offence is Offence.SHORT_HANDSHAKE
        assert f"{said} bytes" in str(reason)


def test_a_reset_inside_the_handshake_is_no_offence() -> None:
    talk = Talk()
    talk.say(HELLO.encode()[:5])
    talk.wire.lost(LinkLost(LossKind.RESET), 1.0)
    assert talk.host.lost == [LinkLost(LossKind.RESET)]


def test_a_refused_handshake_ends_the_connection_and_what_follows_is_not_read() -> None:
    talk = Talk()
    talk.host.accept = False
    talk.say(HELLO.encode() + Have(1).encode())
    assert (talk.line.closed, talk.host.lost, talk.host.sink.calls) == (1, [], [])


def test_a_broken_rule_closes_the_link_and_tells_the_sink_once() -> None:
    talk = Talk(opened=True)
    talk.say(Have(1).encode() + b"\0\0\0\2\0\0" + Have(2).encode())
    calls = talk.host.sink.calls
    assert calls[0] == ("have", 1)
    [(kind, reason)] = calls[1:]
    assert kind == "lost"
    assert isinstance(reason, RemoteProtocolError)
    assert (talk.line.closed, talk.wire.state, talk.host.lost) == (1, WireState.CLOSED, [])
    talk.wire.lost(LinkLost(LossKind.RESET), 1.0)
    assert len(talk.host.sink.calls) == 2


def test_a_lost_link_is_told_to_the_sink() -> None:
    talk = Talk(opened=True)
    talk.wire.lost(LinkLost(LossKind.RESET), 1.0)
    assert talk.host.sink.calls == [("lost", LinkLost(LossKind.RESET))]


def test_closing_inside_a_call_ends_the_batch_quietly() -> None:
    talk = Talk(opened=True)
    talk.host.sink.react = lambda _: talk.wire.close()
    turns = talk.host.turns
    talk.say(Have(1).encode() + Have(2).encode())
    assert talk.host.sink.calls == [("have", 1)]
    assert (talk.host.turns, talk.line.closed) == (turns, 1)
    talk.wire.close()
    assert talk.line.closed == 1


def test_a_closing_link_may_still_send_what_is_queued_and_gives_every_buffer_back() -> None:
    talk = Talk(opened=True)
    released: list[int] = []
    talk.wire.send_choke()
    talk.wire.send_blocks(block_heads(0, 0, 1), [memoryview(bytes(BLOCK))], BLOCK, lambda: released.append(1))
    offered: list[bytes] = []
    talk.line.on_close = lambda: offered.append(b"".join(talk.wire.send_buffers(1 << 20)))
    talk.wire.close()
    assert offered == [Choke().encode() + Piece(0, 0, bytes(BLOCK)).encode()]
    assert released == [1]
    assert talk.wire.unsent == 0


@pytest.mark.parametrize(("encrypted", "back"), [(False, 3), (True, 2)])
def test_blocks_are_taken_back_unless_something_of_them_has_gone_or_may_be_enciphered(
    back: int, *, encrypted: bool
) -> None:
    """The last first, and none of them is released by that; what was said between and behind them stays."""
    talk = Talk(opened=True)
    talk.wire.encrypted = encrypted
    released: list[int] = []
    for number in range(3):
        bodies = [memoryview(bytes(BLOCK))] * 16
        talk.wire.send_blocks(block_heads(number, 0, 16), bodies, 16 * BLOCK, lambda: released.append(1))
        talk.wire.send_have(number)
    assert [talk.wire.take_back_blocks() is not None for _ in range(4)] == [nth < back for nth in range(4)]
    kept = b"".join(b"".join(Piece(0, at * BLOCK, bytes(BLOCK)).encode() for at in range(16)) for _ in range(3 - back))
    said = b"".join(Have(number).encode() for number in range(3))
    assert b"".join(talk.wire.send_buffers(1 << 24)) == kept + said
    assert released == []


def test_what_has_begun_to_go_is_not_taken_back() -> None:
    talk = Talk(opened=True)
    talk.wire.send_blocks(block_heads(0, 0, 1), [memoryview(bytes(BLOCK))], BLOCK, lambda: None)
    talk.wire.sent(1, 0.0)
    assert not talk.wire.take_back_blocks()


def test_nothing_is_said_on_a_closed_wire() -> None:
    talk = Talk(opened=True)
    talk.wire.close()
    woken = talk.line.woken
    talk.wire.send_have(1)
    assert (talk.wire.unsent, talk.line.woken) == (0, woken)


@pytest.mark.parametrize(
    ("say", "message"),
    [
        (PeerWire.send_choke, Choke()),
        (PeerWire.send_unchoke, Unchoke()),
        (lambda wire: wire.send_interest(interested=True), Interested()),
        (lambda wire: wire.send_interest(interested=False), NotInterested()),
        (lambda wire: wire.send_have(3), Have(3)),
        (lambda wire: wire.send_bitfield(b"\x80"), BitfieldMessage(b"\x80")),
        (lambda wire: wire.send_allowed_fast(5), AllowedFast(5)),
        (lambda wire: wire.send_haves([7]), Have(7)),
        (PeerWire.send_have_all, HaveAll()),
        (PeerWire.send_have_none, HaveNone()),
        (lambda wire: wire.send_cancel(1, 2, 3), Cancel(1, 2, 3)),
        (lambda wire: wire.send_reject(1, 2, 3), Reject(1, 2, 3)),
        (lambda wire: wire.send_extended(4, b"de"), Extended(4, b"de")),
        (lambda wire: wire.send_handshake(HELLO), HELLO),
    ],
)
def test_each_message_goes_out_and_wakes_the_link(say: Callable[[PeerWire], None], message: Have) -> None:
    talk = Talk(opened=True)
    say(talk.wire)
    assert talk.line.woken == 1
    assert talk.take() == message.encode()


def test_late_words_on_many_pieces_never_fill_the_memory_nor_hold_up_what_else_is_said() -> None:
    """All of them arrive, each once, also where the remote speaks meanwhile and is sent blocks."""
    pieces = 500_000  # 4.3 MiB of messages
    talk = Talk(opened=True)
    talk.wire.send_haves(range(pieces))
    talk.wire.send_haves([pieces])
    assert talk.wire.unsent == HAVES_AT_ONCE * 9
    talk.wire.send_choke()
    heard, most, rounds = bytearray(), 0, 0
    while data := talk.take():
        heard += data
        most = max(most, talk.wire.unsent)
        talk.say(Interested().encode())
        if not rounds % 10:
            blocks = [memoryview(pattern(0, length=BLOCK))] * 16
            talk.wire.send_blocks(block_heads(0, 0, 16), blocks, 16 * BLOCK, lambda: None)
        rounds += 1
    assert (talk.wire.state, talk.host.sink.calls[-1]) == (WireState.OPEN, ("interested",))
    assert most <= HAVES_AHEAD + HAVES_AT_ONCE * 9 < MOST_UNSENT
    told, choke_at, at = list[int](), -1, 0
    while at < len(heard):
        length, kind = int.from_bytes(heard[at : at + 4]), heard[at + 4]
        if kind == 4:
            told.append(int.from_bytes(heard[at + 5 : at + 9]))
        elif not kind:
            choke_at = len(told)
        at += 4 + length
    assert told == list(range(pieces + 1))
    assert choke_at == HAVES_AT_ONCE


def test_a_remote_that_reads_nothing_is_not_told_of_all_pieces() -> None:
    talk = Talk(opened=True)
    for _ in range(1000):
        talk.wire.send_haves(range(10_000))
    assert talk.wire.unsent <= HAVES_AHEAD + HAVES_AT_ONCE * 9
    talk.wire.close()
    assert talk.wire.unsent == 0


def test_requests_of_a_run_go_out_one_by_one() -> None:
    talk = Talk(opened=True)
    talk.host.wanted.ask(1, 2, 2, 9)
    talk.wire.send_requests(talk.host.wanted.runs[0])
    assert talk.take() == Request(1, 2 * BLOCK, BLOCK).encode() + Request(1, 3 * BLOCK, 9).encode()


def test_a_stranger_that_says_nothing_is_given_up() -> None:
    talk = Talk()
    assert talk.wire.next_due() == HANDSHAKE_SECONDS
    talk.say(HELLO.encode()[:40], 9.0)  # some bytes are no handshake
    talk.wire.keep_up(HANDSHAKE_SECONDS - 0.1)
    assert talk.host.lost == []
    talk.wire.keep_up(talk.wire.next_due())
    [reason] = talk.host.lost
    assert isinstance(reason, LinkLost)
    assert reason.kind is LossKind.TIMED_OUT


def test_a_handshake_that_comes_byte_by_byte_has_no_more_time_than_any_other() -> None:
    talk = Talk()
    for second, byte in enumerate(HELLO.encode()[:20]):
        assert talk.line.closed == (second >= HANDSHAKE_SECONDS)
        if not talk.line.closed:
            talk.say(bytes((byte,)), float(second))
            talk.wire.keep_up(second + 1.0)
    [reason] = talk.host.lost
    assert isinstance(reason, LinkLost)
    assert reason.kind is LossKind.TIMED_OUT


def test_a_quiet_wire_is_kept_alive_and_a_silent_peer_given_up() -> None:
    talk = Talk(opened=True)
    assert talk.wire.next_due() == KEEP_ALIVE_SECONDS
    talk.wire.keep_up(KEEP_ALIVE_SECONDS - 0.1)
    assert talk.take() == b""
    talk.wire.keep_up(talk.wire.next_due())
    assert talk.take(KEEP_ALIVE_SECONDS) == bytes(4)
    talk.wire.keep_up(KEEP_ALIVE_SECONDS + 1)
    assert talk.take() == b""
    talk.wire.keep_up(SILENCE_SECONDS)
    [(kind, _)] = talk.host.sink.calls
    assert kind == "lost"
    talk.wire.keep_up(SILENCE_SECONDS + 1)


def test_bytes_from_the_peer_put_its_end_off() -> None:
    talk = Talk(opened=True)
    talk.say(bytes(4), 100.0)
    talk.wire.keep_up(SILENCE_SECONDS)
    assert not talk.line.closed
    talk.wire.keep_up(100.0 + SILENCE_SECONDS)
    assert talk.line.closed


def test_a_paused_wire_offers_no_buffer_and_is_not_blamed_for_silence() -> None:
    talk = Talk(opened=True)
    talk.wire.pause()
    assert talk.wire.receive_buffers() == ()
    talk.wire.keep_up(SILENCE_SECONDS + 1)
    assert talk.wire.state is WireState.OPEN
    talk.wire.resume()
    assert talk.line.reads_woken == 1
    assert talk.wire.receive_buffers()
    talk.wire.resume()
    assert talk.line.reads_woken == 1


def test_the_time_in_which_a_wire_was_paused_is_not_counted_as_silence() -> None:
    talk = Talk(opened=True)
    talk.wire.pause()
    talk.wire.keep_up(1000.0)
    talk.wire.resume()
    talk.wire.keep_up(1001.0)
    assert not talk.line.closed
    talk.wire.keep_up(1000.0 + SILENCE_SECONDS)
    assert talk.line.closed


def test_a_peer_that_takes_nothing_for_too_long_is_given_up_however_much_it_says() -> None:
    talk = Talk(opened=True)
    talk.wire.send_have(1)
    talk.take(1.0)
    talk.wire.send_have(2)  # which stays where it is, as all that follows
    now = 1.0
    while talk.wire.state is WireState.OPEN and now < 1000.0:
        now += 1.0
        talk.say(bytes(4), now)
        talk.wire.keep_up(now)
    assert now == 1.0 + 2 * KEEP_ALIVE_SECONDS
    [(kind, _)] = talk.host.sink.calls
    assert kind == "lost"


def test_a_keep_alive_that_was_taken_in_part_is_not_a_peer_that_takes_nothing() -> None:
    talk = Talk(opened=True)
    for round_ in range(1, 5):
        now = round_ * KEEP_ALIVE_SECONDS
        talk.say(bytes(4), now)
        talk.wire.keep_up(now)
        talk.wire.send_buffers(1 << 20)
        talk.wire.sent(3, now)
    assert talk.wire.state is WireState.OPEN


def test_blocks_of_a_run_land_and_a_divert_is_passed_on() -> None:
    talk = Talk(opened=True)
    talk.host.wanted.ask(0, 0, 2)
    message = Piece(0, 0, pattern(0, 0)).encode()
    talk.say(message[:100])
    talk.wire.divert()
    talk.say(message[100:])
    talk.say(Piece(0, BLOCK, pattern(0, 1)).encode())
    assert talk.host.sink.calls == [("block", 0, at, pattern(0, at)) for at in (0, 1)]
    talk.wire.close()
    talk.wire.divert()  # nothing arrives any more


def test_a_wire_that_asked_for_nothing_takes_no_block() -> None:
    talk = Talk()
    talk.host.accept = False
    talk.wire.land_nowhere(talk.host.sink, "peer", talk.host.turn)
    talk.say(Piece(0, 0, bytes(10)).encode())
    [(_, reason)] = talk.host.sink.calls
    assert isinstance(reason, RemoteProtocolError)
    assert reason.offence is Offence.UNASKED_BLOCK
