"""What strangers and hostile peers can do to an engine, and what they cannot."""

from random import Random

import pytest

from bittern.base.address import Address
from bittern.base.errors import LocalProtocolError, Offence
from bittern.base.geometry import BLOCK
from bittern.base.ids import InfoHashV1, PeerId
from bittern.engine.core import Core
from bittern.engine.effects import AnnounceLocally, Connect, HttpGet
from bittern.engine.events import Completed, MetadataReceived, PeerDropped, PieceFailed, SleeperCalled
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peerbook import Source
from bittern.sim.world import World
from bittern.testing.playbook import Playbook
from bittern.wire import peerwire
from bittern.wire.handshake import Handshake, Reserved
from bittern.wire.lsd import GROUP_V4, LocalAnnounce
from bittern.wire.messages import (
    AllowedFast,
    BitfieldMessage,
    Cancel,
    Extended,
    Have,
    HaveAll,
    HaveNone,
    Interested,
    KeepAlive,
    Message,
    Piece,
    Port,
    Reject,
    Request,
    Suggest,
    Unchoke,
    Unknown,
)
from bittern.wire.peerwire import PeerWire
from bittern.wire.stream import LinkLost, LossKind
from bittern.wire.ut_metadata import METADATA_PIECE, MetadataData, MetadataReject, MetadataRequest
from tests.engine.peers import OURS, THEIRS, Line, NoDisk
from tests.wire.test_peerwire import HASH, OTHER


class Bench:
    """A core with one magnet torrent, and links that a test writes to and reads by hand."""

    def __init__(self, settings: EngineSettings | None = None) -> None:
        chance = World(Random, 1).chance("core")
        self.core = Core(settings or EngineSettings(), OURS, chance, NoDisk())
        self.torrent = self.core.add(HASH, (), 0.0)

    def arrives(self, host: str = "10.0.0.9", now: float = 0.0) -> tuple[Line, PeerWire]:
        line = Line(host)
        wire = self.core.accepted(line, now)
        assert isinstance(wire, PeerWire)
        return line, wire

    def dials(self, address: Address, now: float = 0.0) -> tuple[Line, PeerWire]:
        self.torrent.add_candidates([address], Source.MANUAL, now)
        [wish] = [effect for effect in self.turn(now) if isinstance(effect, Connect)]
        assert wish.address == address
        line = Line(*address)
        wire = self.core.connected(wish.ticket, line, now)
        assert isinstance(wire, PeerWire)
        return line, wire

    def turn(self, now: float = 0.0) -> list[object]:
        self.torrent.advance(now)
        self.core.settle(now)
        return list(self.core.take_effects())

    def drops(self) -> list[PeerDropped]:
        return [event for event in self.core.take_events() if isinstance(event, PeerDropped)]


def say(wire: PeerWire, data: bytes, now: float = 0.0) -> None:
    while data:
        [buffer, *_] = wire.receive_buffers()
        part = data[: len(buffer)]
        buffer[: len(part)] = part
        wire.received(len(part), now)
        data = data[len(part) :]


def said(wire: PeerWire) -> bytes:
    data = b"".join(wire.send_buffers(1 << 20))
    if data:
        wire.sent(len(data), 0.0)
    return data


def hello(info_hash: InfoHashV1 = HASH, peer_id: PeerId = THEIRS) -> bytes:
    return Handshake(bytes(8), info_hash, peer_id).encode()


# --- strangers


def test_a_handshake_for_our_torrent_is_answered() -> None:
    bench = Bench()
    line, wire = bench.arrives()
    assert said(wire) == b""  # who connects speaks first
    say(wire, hello())
    answer = Handshake.parse(said(wire))
    assert (answer.info_hash, answer.peer_id, line.closed) == (HASH, OURS, False)
    assert len(bench.torrent.peers) == 1


def test_an_unknown_torrent_is_answered_by_closing_without_a_byte() -> None:
    bench = Bench()
    line, wire = bench.arrives()
    say(wire, hello(OTHER))
    assert (line.closed, line.woken, said(wire)) == (True, 0, b"")
    assert bench.core.next_deadline() is None or bench.turn() == []


@pytest.mark.parametrize(
    ("data", "offence"),
    [
        (b"GET / HTTP/1.1\r\n", Offence.BAD_PROTOCOL),
        (b"\x13BitTorrent protocol"[::-1], Offence.BAD_PROTOCOL),
        (bytes(68), Offence.BAD_PROTOCOL),
    ],
)
def test_another_protocol_is_refused(data: bytes, offence: Offence) -> None:
    bench = Bench()
    line, wire = bench.arrives()
    say(wire, data)
    assert (line.closed, said(wire)) == (True, b"")
    [drop] = bench.drops()
    assert drop.offence
    assert drop.reason.startswith(offence.value)


def test_a_handshake_that_breaks_off_is_an_offence() -> None:
    bench = Bench()
    _, wire = bench.arrives()
    say(wire, hello()[:50])
    wire.lost(LinkLost(LossKind.CLOSED), 0.0)
    [drop] = bench.drops()
    assert drop.reason.startswith(Offence.SHORT_HANDSHAKE.value)


def test_a_stranger_that_says_nothing_is_given_up_in_time() -> None:
    bench = Bench(EngineSettings(use_lsd=False))
    line, _ = bench.arrives()
    due = bench.core.next_deadline()
    assert due == 10.0
    bench.core.advance(9.9)
    assert not line.closed
    bench.core.advance(due)
    assert line.closed


def test_of_too_many_strangers_the_oldest_go_and_room_comes_back() -> None:
    bench = Bench(EngineSettings(max_strangers=3))
    lines = [bench.arrives(host=f"10.0.0.{number}") for number in range(1, 6)]
    assert [line.closed for line, _ in lines] == [True] * 2 + [False] * 3
    bench.core.advance(10.0)
    assert all(line.closed for line, _ in lines)
    line, wire = bench.arrives(now=11.0)
    say(wire, hello(), 11.0)
    assert not line.closed


def test_we_do_not_talk_to_ourselves() -> None:
    """The side that dialed learns the address; it is never dialed again."""
    bench = Bench()
    address = Address("10.0.0.7", 51413)
    out_line, out_wire = bench.dials(address)
    in_line, in_wire = bench.arrives("10.0.0.7")
    say(in_wire, said(out_wire))
    assert in_line.closed
    say(out_wire, hello(peer_id=OURS))
    assert out_line.closed
    assert not bench.torrent.peers
    assert bench.torrent.add_candidates([address], Source.TRACKER, 0.0) == 0
    assert bench.turn(1e6) == []


def test_the_same_client_is_not_let_in_twice() -> None:
    bench = Bench()
    (first, wire), (second, twin) = bench.arrives("10.0.0.9"), bench.arrives("10.0.0.10")
    say(wire, hello())
    say(twin, hello())
    assert (first.closed, second.closed) == (False, True)
    assert len(bench.torrent.peers) == 1


def test_an_answer_for_another_torrent_is_an_offence() -> None:
    bench = Bench()
    line, wire = bench.dials(Address("10.0.0.7", 1))
    assert Handshake.parse(said(wire)).info_hash == HASH
    say(wire, hello(OTHER))
    assert line.closed
    [drop] = bench.drops()
    assert drop.reason.startswith(Offence.WRONG_INFO_HASH.value)


def test_no_more_peers_are_let_in_than_wanted() -> None:
    bench = Bench(EngineSettings(max_peers=2))
    lines = []
    for number in range(4):
        line, wire = bench.arrives(f"10.0.1.{number}")
        say(wire, hello(peer_id=PeerId(b"-XX0000-%012d" % number)))
        lines.append(line.closed)
    assert lines == [False, False, True, True]


def test_a_dial_that_ends_after_the_torrent_was_paused_is_closed() -> None:
    bench = Bench()
    address = Address("10.0.0.7", 1)
    bench.torrent.add_candidates([address], Source.MANUAL, 0.0)
    [wish] = bench.turn()
    assert isinstance(wish, Connect)
    bench.torrent.pause(1.0)
    line = Line()
    bench.core.connected(wish.ticket, line, 2.0)
    assert line.closed


def test_what_was_being_dialed_when_paused_is_dialed_again_after_a_resume() -> None:
    bench = Bench()
    address = Address("10.0.0.7", 1)
    bench.torrent.add_candidates([address], Source.TRACKER, 0.0)
    [wish] = bench.turn()
    assert isinstance(wish, Connect)
    bench.torrent.pause(1.0)
    bench.core.connect_failed(wish.ticket, LinkLost(LossKind.TIMED_OUT), 2.0)
    bench.torrent.resume(3.0)
    again = [effect for now in (3.0, 40.0) for effect in bench.turn(now)]
    assert [effect.address for effect in again if isinstance(effect, Connect)] == [address]


def test_answers_to_unknown_tickets_change_nothing() -> None:
    bench = Bench()
    line = Line()
    bench.core.connected(99, line, 0.0)
    assert line.closed
    bench.core.connect_failed(99, LinkLost(LossKind.REFUSED), 0.0)
    bench.core.http_done(99, 200, b"de", 0.0)
    bench.core.http_failed(99, "no", 0.0)
    assert bench.core.take_events() == []


def test_a_torrent_is_added_once() -> None:
    bench = Bench()
    with pytest.raises(LocalProtocolError):
        bench.core.add(HASH, (), 0.0)
    bench.core.remove(bench.torrent, 0.0)
    assert bench.core.add(HASH, (), 0.0).number != bench.torrent.number


def test_a_removed_torrent_ends_its_connections_and_says_goodbye() -> None:
    bench = Bench()
    torrent = bench.core.add(OTHER, (("http://t/a",),), 0.0)
    line, wire = bench.arrives()
    say(wire, hello(OTHER))
    torrent.advance(0.0)
    [started] = [effect for effect in bench.core.take_effects() if isinstance(effect, HttpGet)]
    bench.core.http_done(started.ticket, 200, b"d8:intervali1800e5:peers0:e", 0.0)
    bench.core.remove(torrent, 1.0)
    [stopped] = [effect for effect in bench.core.take_effects() if isinstance(effect, HttpGet)]
    assert "event=stopped" in stopped.url
    assert (line.closed, bench.core.goodbyes) == (True, 1)
    bench.core.http_failed(stopped.ticket, "gone", 2.0)
    assert bench.core.goodbyes == 0
    late, wire = bench.arrives(now=3.0)
    say(wire, hello(OTHER), 3.0)
    assert late.closed


@pytest.mark.parametrize(("tracker", "also"), [("http://t.example/a", []), ("http://127.0.0.1/a", ["127.0.0.1:22"])])
def test_a_tracker_can_not_make_us_connect_to_whom_it_has_no_business_with(tracker: str, also: list[str]) -> None:
    """Services of this machine, everybody and nobody; ports of services come after all others."""
    bench = Bench(EngineSettings(listen_port=51413))
    torrent = bench.core.add(OTHER, ((tracker,),), 0.0)
    torrent.advance(0.0)
    [started] = [effect for effect in bench.core.take_effects() if isinstance(effect, HttpGet)]
    named = ["127.0.0.1:22", "0.0.0.0:7000", "255.255.255.255:7000", "224.0.0.1:7000", "240.0.0.1:7000"]
    named += ["198.51.100.7:0", "198.51.100.7:25", "198.51.100.8:7000", "198.51.100.9:51413"]
    packed = b"".join(Address.parse(text).compact() for text in named)
    bench.core.http_done(started.ticket, 200, b"d8:intervali1800e5:peers%d:%se" % (len(packed), packed), 0.0)
    torrent.advance(1.0)
    dialed = [str(effect.address) for effect in bench.core.take_effects() if isinstance(effect, Connect)]
    assert sorted(dialed[:2]) == ["198.51.100.8:7000", "198.51.100.9:51413"]
    assert sorted(dialed[2:]) == sorted([*also, "198.51.100.7:25"])


# --- hostile peers

OUT_OF_BOUNDS: list[Message] = [
    Have(2),
    Have(2**32 - 1),
    Request(2, 0, BLOCK),
    Request(0, 0, BLOCK + 1),
    Request(0, 0, 1 << 17),
    Request(0, 0, 0),
    Request(0, 2 * BLOCK, 1),
    Request(0, BLOCK, BLOCK + 1),
    Request(2**32 - 1, 2**32 - 1, 2**32 - 1),
]


@pytest.mark.parametrize("message", OUT_OF_BOUNDS, ids=repr)
def test_what_lies_outside_the_torrent_ends_the_connection(message: Message) -> None:
    with Playbook(pieces=2, blocks=2, have="10") as play:
        play.joins("eve").says("eve", message).expect_drop("eve", Offence.OUT_OF_BOUNDS)


@pytest.mark.parametrize("first", [Have(0), HaveNone(), HaveAll(), BitfieldMessage(b"\x80")], ids=repr)
@pytest.mark.parametrize("second", [HaveAll(), HaveNone()], ids=repr)
def test_what_pieces_there_are_is_said_once_and_first(first: Message, second: Message) -> None:
    with Playbook(pieces=2) as play:
        play.joins("eve", fast=False).says("eve", first).says("eve", second).expect_drop("eve", Offence.LATE_BITFIELD)


def test_a_later_bitfield_counts_as_many_haves() -> None:
    """aria2 sends such ones."""
    with Playbook(pieces=2) as play:
        play.joins("ann", fast=False).says("ann", Have(0), Unchoke()).says("ann", BitfieldMessage(b"\x40"))
        asked_for = [message for message in play.heard("ann") if isinstance(message, Request)]
        assert sorted(message.piece for message in asked_for) == [0, 1]
        play.says("ann", BitfieldMessage(b"\x20")).expect_drop("ann", Offence.BAD_BITFIELD)


@pytest.mark.parametrize("bits", [b"", b"\x80\x00", b"\x20", b"\xff", bytes(100_000)])
def test_a_bitfield_of_the_wrong_size_or_with_spare_bits_ends_the_connection(bits: bytes) -> None:
    with Playbook(pieces=2) as play:
        play.joins("eve", fast=False).says("eve", BitfieldMessage(bits)).expect_drop("eve", Offence.BAD_BITFIELD)


@pytest.mark.parametrize(
    ("message", "offence"),
    [
        (Piece(1, 0, bytes(BLOCK)), Offence.UNASKED_BLOCK),
        (Piece(0, 1, bytes(BLOCK)), Offence.UNASKED_BLOCK),
        (Piece(0, 0, bytes(BLOCK - 1)), Offence.WRONG_BLOCK_LENGTH),
        (Piece(0, 0, bytes(1)), Offence.WRONG_BLOCK_LENGTH),
        (Reject(1, 0, BLOCK), Offence.UNASKED_BLOCK),
        (Reject(0, 7, BLOCK), Offence.UNASKED_BLOCK),
    ],
    ids=repr,
)
def test_an_answer_to_no_request_ends_the_connection(message: Message, offence: Offence) -> None:
    with Playbook(pieces=2, blocks=2) as play:
        play.joins("eve", have="10").unchokes("eve")
        play.expect("eve", Request(0, 0, BLOCK), Request(0, BLOCK, BLOCK))
        play.says("eve", message).expect_drop("eve", offence)


def test_a_block_sent_twice_ends_the_connection() -> None:
    with Playbook(pieces=1, blocks=2) as play:
        play.joins("eve", have="1").unchokes("eve").gives("eve", 0).gives("eve", 0)
        play.expect_drop("eve", Offence.UNASKED_BLOCK)


def test_a_giant_message_ends_the_connection() -> None:
    with Playbook() as play:
        play.joins("eve").says_raw("eve", b"\xff\xff\xff\xff\x05").expect_drop("eve", Offence.OVERSIZED_MESSAGE)


def test_what_means_nothing_to_us_is_let_pass() -> None:
    with Playbook(pieces=2, have="10") as play:
        noise: list[Message] = [
            KeepAlive(),
            Suggest(1),
            AllowedFast(2**32 - 1),
            Port(1),
            Unknown(77, b"x"),
            Cancel(9, 9, 9),
        ]
        play.joins("ann").says("ann", *noise, Extended(99, b"what")).expect("ann")
        assert play.actors["ann"].lost_by is None


def test_requests_while_choked_are_rejected_up_to_a_limit() -> None:
    with Playbook(have="1", settings=EngineSettings(max_requests_queued=100)) as play:
        play.joins("eve")
        play.says("eve", *[Request(0, 0, BLOCK)] * 400).expect("eve", *[Reject(0, 0, BLOCK)] * 400)
        play.says("eve", Request(0, 0, BLOCK)).expect_drop("eve", Offence.REQUEST_FLOOD)


def test_requests_beyond_the_queue_are_rejected_and_the_others_served_in_order() -> None:
    settings = EngineSettings(max_requests_queued=5)
    with Playbook(blocks=4, have="1", settings=settings) as play:
        play.joins("ann").is_interested("ann").expect("ann", Unchoke())
        play.says("ann", *[Request(0, (at % 4) * BLOCK, BLOCK) for at in range(8)])
        heard = play.heard("ann")
    rejects = [message for message in heard if isinstance(message, Reject)]
    blocks = [message.begin // BLOCK for message in heard if isinstance(message, Piece)]
    assert rejects == [Reject(0, begin * BLOCK, BLOCK) for begin in (1, 2, 3)]
    assert blocks == [0, 1, 2, 3, 0]


def test_a_peer_without_rejects_is_served_what_it_asks_for_beyond_the_queue() -> None:
    settings = EngineSettings(max_requests_queued=2)
    with Playbook(blocks=4, have="1", settings=settings) as play:
        play.joins("ann", fast=False).is_interested("ann").expect("ann", Unchoke())
        play.says("ann", *[Request(0, at * BLOCK, BLOCK) for at in range(4)])
        assert [message.begin // BLOCK for message in play.heard("ann") if isinstance(message, Piece)] == [0, 1, 2, 3]


@pytest.mark.parametrize("cut", [(0, 1), (1, BLOCK - 1), (0, 2 * BLOCK), (BLOCK, BLOCK + 1)])
def test_cancels_of_parts_of_requests_do_no_harm(cut: tuple[int, int]) -> None:
    """Each of them once counted a request less, below zero at last, and stopped the whole engine."""
    with Playbook(blocks=4, have="1") as play:
        play.joins("eve").joins("ann").is_interested("eve").is_interested("ann")
        play.heard("eve")
        play.says("eve", Request(0, 0, BLOCK), *[Cancel(0, *cut)] * 3, Request(0, BLOCK, BLOCK))
        assert [message for message in play.heard("eve") if isinstance(message, Piece)]
        play.asks("ann", 0).expect("ann", Unchoke(), play.block(0))


def test_a_cancelled_request_is_rejected_and_not_served() -> None:
    with Playbook(blocks=2, have="1") as play:
        play.joins("ann").is_interested("ann").expect("ann", Unchoke())
        play.says("ann", Request(0, 0, BLOCK), Request(0, BLOCK, BLOCK), Cancel(0, 0, BLOCK))
        play.expect("ann", Reject(0, 0, BLOCK), play.block(0, BLOCK))


def test_a_request_for_a_piece_that_we_lack_is_rejected() -> None:
    with Playbook(pieces=2, have="10") as play:
        play.joins("ann").is_interested("ann").expect("ann", Unchoke())
        play.asks("ann", 1).expect("ann", Reject(1, 0, BLOCK))


def test_who_sends_a_corrupt_piece_alone_is_banned_and_the_download_completes_from_others() -> None:
    with Playbook(pieces=2, blocks=2) as play:
        play.joins("eve", have="11").unchokes("eve")
        for message in play.heard("eve"):
            assert isinstance(message, Request)
            play.lies("eve", message.piece, message.begin)
        play.expect_drop("eve", Offence.CORRUPT_DATA)
        assert play.torrent.peerbook.banned(play.actors["eve"].host.address.host, 1e9)
        play.joins("ann", have="11").unchokes("ann")
        for message in play.heard("ann"):
            assert isinstance(message, Request)
            play.gives("ann", message.piece, message.begin)
        assert play.have == "11"
        assert any(isinstance(event, PieceFailed) for event in play.events)
        assert Completed(1) in play.events


def test_of_two_who_share_a_corrupt_piece_none_is_banned_at_once() -> None:
    settings = EngineSettings(max_requests_outstanding=1)
    with Playbook(blocks=2, settings=settings) as play:
        play.joins("ann", have="1").joins("eve", have="1").unchokes("ann").unchokes("eve")
        [hers], [his] = play.heard("ann"), play.heard("eve")
        assert isinstance(hers, Request)
        assert isinstance(his, Request)
        play.gives("ann", 0, hers.begin).lies("eve", 0, his.begin)
        assert play.actors["ann"].lost_by is None
        assert play.actors["eve"].lost_by is None
        assert [event for event in play.events if isinstance(event, PieceFailed)]


def test_a_crowd_of_liars_does_not_keep_the_download_from_completing() -> None:
    with Playbook(pieces=3, blocks=2) as play:
        for number in range(4):
            play.joins(f"eve{number}", have="111").unchokes(f"eve{number}")
        play.joins("ann", have="111").unchokes("ann")
        for _ in range(60):
            for name, actor in play.actors.items():
                for message in play.heard(name):
                    if isinstance(message, Request) and actor.lost_by is None:
                        (play.gives if name == "ann" else play.lies)(name, message.piece, message.begin)
            if play.have == "111":
                break
            play.waits(1.0)
        assert play.have == "111"


# --- metadata (BEP 9)

UT = 9


def asked(play: Playbook, name: str) -> list[int]:
    """Pieces of the metadata that an actor is asked for."""
    wanted = []
    for message in play.heard(name):
        if isinstance(message, Extended) and message.ext_id == UT:
            parsed = message.payload
            number = bytes(parsed).split(b"piecei")[1].split(b"e")[0]
            wanted.append(int(number))
    return wanted


def metadata(play: Playbook, number: int, *, lie: bool = False) -> Message:
    raw = play.content.info.raw
    block = raw[number * METADATA_PIECE : (number + 1) * METADATA_PIECE]
    block = bytes(byte ^ 1 for byte in block) if lie else block
    return Extended(2, MetadataData(number, len(raw), block).encode())


def magnet(pieces: int = 2000) -> Playbook:
    """Metadata of three pieces."""
    return Playbook(pieces=pieces, magnet=True)


def received(play: Playbook) -> bool:
    return any(isinstance(event, MetadataReceived) for event in play.events)


def joins(play: Playbook, *names: str) -> None:
    for name in names:
        play.joins(name, have="all", extensions={"ut_metadata": UT})


def answer_greeting(play: Playbook, name: str) -> list[int]:
    """What an actor was asked when it joined: that stands in its greeting."""
    wanted = [
        int(bytes(message.payload).split(b"piecei")[1].split(b"e")[0])
        for message in play.greeting(name)
        if isinstance(message, Extended) and message.ext_id == UT
    ]
    return wanted + asked(play, name)


def test_a_liar_with_the_metadata_is_banned_and_the_next_peer_asked() -> None:
    with magnet() as play:
        joins(play, "eve", "ann")
        for number in answer_greeting(play, "eve"):
            play.says("eve", metadata(play, number, lie=True))
        play.expect_drop("eve", Offence.BAD_METADATA)
        for number in answer_greeting(play, "ann"):
            play.says("ann", metadata(play, number))
        assert received(play)


def test_who_rejects_or_leaves_midway_is_replaced() -> None:
    with magnet() as play:
        joins(play, "ann", "bob", "cat")
        first, *others = answer_greeting(play, "ann")
        play.says("ann", metadata(play, first)).leaves("ann")
        for number in answer_greeting(play, "bob"):
            play.says("bob", Extended(2, MetadataReject(number).encode()))
        assert others
        for _ in range(3):
            for number in answer_greeting(play, "cat")[-3:]:
                if not received(play):
                    play.says("cat", metadata(play, number))
        assert received(play)


def test_a_peer_that_claims_a_giant_size_and_says_no_more_does_not_hold_the_others_up() -> None:
    with magnet() as play:
        play.joins("eve", have="all", extensions={})
        play.says("eve", Extended(0, b"d1:md11:ut_metadatai9ee13:metadata_sizei31457280ee"))
        joins(play, "ann")
        for _ in range(15):
            for number in answer_greeting(play, "ann")[-3:]:
                if not received(play):
                    play.says("ann", metadata(play, number))
            play.waits(1.0)
        assert received(play)


def test_metadata_is_served_in_pieces_and_what_lies_outside_is_rejected() -> None:
    with Playbook(pieces=2000, have="1" * 2000) as play:
        play.joins("ann", extensions={"ut_metadata": UT})
        raw = play.content.info.raw
        for number in range(3):
            play.says("ann", Extended(2, MetadataRequest(number).encode()))
            block = raw[number * METADATA_PIECE : (number + 1) * METADATA_PIECE]
            play.expect("ann", Extended(UT, MetadataData(number, len(raw), block).encode()))
        play.says("ann", Extended(2, MetadataRequest(3).encode()))
        play.expect("ann", Extended(UT, MetadataReject(3).encode()))


def test_who_does_not_read_can_not_make_us_keep_its_answers() -> None:
    """A small request has an answer of 16 KiB: a thousand of them must not fill the memory."""
    with Playbook(pieces=2000, have="1" * 2000) as play:
        line = Line()
        wire = play.process.core.accepted(line, 0.0)
        assert isinstance(wire, PeerWire)
        bits = (1 << 20).to_bytes(8)
        say(wire, Handshake(bits, play.content.info.wire_hash, THEIRS).encode())
        say(wire, Extended(0, b"d1:md11:ut_metadatai9eee").encode())
        flood = Extended(2, MetadataRequest(0).encode()).encode() * 500
        for _ in range(40):
            if not line.closed:
                say(wire, flood)
                assert wire.unsent < 3 << 19


def test_what_a_peer_has_not_taken_yet_is_known_as_unsent() -> None:
    with Playbook(pieces=2, have="11") as play:
        line = Line()
        wire = play.process.core.accepted(line, 0.0)
        assert isinstance(wire, PeerWire)
        say(wire, Handshake(bytes(8), play.content.info.wire_hash, THEIRS).encode())
        say(wire, Interested().encode())
        play.waits(1.0)
        assert (play.torrent.uploaded, play.torrent.unsent) == (0, 0)
        say(wire, Request(0, 0, BLOCK).encode(), play.world.now)
        play.process.core.settle(play.world.now)
        assert play.torrent.uploaded == BLOCK <= play.torrent.unsent < BLOCK + 100
        play.torrent.pause(play.world.now)
        assert play.torrent.unsent == 0


def test_who_never_reads_is_dropped_when_it_makes_us_say_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejects are short, but without end."""
    monkeypatch.setattr(peerwire, "MOST_UNSENT", 50_000)
    with Playbook(have="1", settings=EngineSettings(max_requests_queued=1)) as play:
        line = Line()
        wire = play.process.core.accepted(line, 0.0)
        assert isinstance(wire, PeerWire)
        bits = Reserved.FAST.to_bytes(8)
        say(wire, Handshake(bits, play.content.info.wire_hash, THEIRS).encode() + Interested().encode())
        for _ in range(20):
            if not line.closed:
                say(wire, Request(0, 0, BLOCK).encode() * 1000)
                play.process.core.settle(0.0)
        assert line.closed
        assert not play.torrent.peers


@pytest.mark.parametrize(
    "payload", [b"", b"d", b"de", b"d8:msg_typei1e5:piecei0ee", b"i1e", b"d8:msg_typei0e5:piecei-1ee"]
)
def test_senseless_metadata_messages_end_the_connection(payload: bytes) -> None:
    with Playbook(have="1") as play:
        play.joins("eve", extensions={"ut_metadata": UT}).says("eve", Extended(2, payload))
        play.expect_drop("eve", Offence.BAD_EXTENSION)


# --- the local network (BEP 14)


def shouts(core: Core, now: float) -> list[LocalAnnounce]:
    """What is said to the local network at `now`."""
    core.advance(now)
    core.settle(now)
    return [effect.announce for effect in core.take_effects() if isinstance(effect, AnnounceLocally)]


def overhears(core: Core, *names: InfoHashV1, host: str = "10.0.0.7", now: float = 0.0) -> None:
    """Somebody there says that it takes part in these swarms."""
    core.local_heard(LocalAnnounce(51413, names).encode(GROUP_V4), host, now)


def test_a_torrent_that_takes_part_is_told_to_the_local_network() -> None:
    bench = Bench(EngineSettings(listen_port=7000))
    due = bench.core.next_deadline()
    assert due is not None
    [announce] = shouts(bench.core, due)
    assert (announce.port, announce.info_hashes) == (7000, (HASH,))
    assert shouts(bench.core, due + 60) == []
    assert shouts(bench.core, due + 300) == [announce]


def test_a_torrent_is_not_told_while_it_is_paused_and_soon_afterwards() -> None:
    bench = Bench(EngineSettings(listen_port=7000))
    bench.torrent.pause(0.0)
    assert shouts(bench.core, 5.0) == []
    bench.torrent.resume(6.0)
    bench.core.search_locally(6.0)
    assert len(shouts(bench.core, 7.0)) == 1


def test_who_says_that_it_takes_part_is_dialed_and_answered() -> None:
    bench = Bench(EngineSettings(listen_port=7000))
    assert len(shouts(bench.core, 1.0)) == 1
    overhears(bench.core, OTHER, HASH, now=2.0)
    [dial] = [effect for effect in bench.turn(2.0) if isinstance(effect, Connect)]
    assert dial.address == Address("10.0.0.7", 51413)
    assert [announce.info_hashes for announce in shouts(bench.core, 61.0)] == [(HASH,)]
    overhears(bench.core, HASH, now=62.0)  # not new any more
    assert shouts(bench.core, 122.0) == []


def test_of_a_torrent_that_we_do_not_have_or_that_is_paused_nothing_follows() -> None:
    bench = Bench()
    overhears(bench.core, OTHER)
    bench.torrent.pause(0.0)
    overhears(bench.core, HASH)
    assert (bench.turn(), len(bench.torrent.peerbook), bench.core.take_events()) == ([], 0, [])


def test_guesses_at_what_we_have_change_nothing_that_the_local_network_hears() -> None:
    """Neither a torrent that is not here, nor one that sleeps, is ever told of; they are called and no more."""
    quiet, asked = Bench(EngineSettings(listen_port=7000)), Bench(EngineSettings(listen_port=7000))
    for bench in (quiet, asked):
        bench.core.add_sleeping(OTHER, (), 0.0)
    unknown = InfoHashV1(b"\x07" * 20)
    heard: tuple[list[LocalAnnounce], list[LocalAnnounce]] = [], []
    for now in range(400):
        overhears(asked.core, unknown, OTHER, now=float(now))
        for bench, said in zip((quiet, asked), heard, strict=True):
            said.extend(shouts(bench.core, float(now)))
    assert [(announce.port, announce.info_hashes) for announce in heard[1]] == [(7000, (HASH,))] * 2
    assert [announce.info_hashes for announce in heard[0]] == [announce.info_hashes for announce in heard[1]]


def test_a_torrent_that_sleeps_is_called_but_told_of_nobody() -> None:
    """It may be private: that is not known before it is awake."""
    bench = Bench()
    bench.core.add_sleeping(OTHER, (), 0.0)
    overhears(bench.core, OTHER)
    [call] = [event for event in bench.core.take_events() if isinstance(event, SleeperCalled)]
    assert (call.info_hash, call.addresses) == (OTHER, ())


@pytest.mark.parametrize("settings", [EngineSettings(use_lsd=False, listen_port=1), EngineSettings(listen_port=0)])
def test_without_it_or_without_a_port_nothing_is_said(settings: EngineSettings) -> None:
    bench = Bench(settings)
    assert [shouts(bench.core, float(now)) for now in range(400)] == [[]] * 400
    overhears(bench.core, HASH, now=400.0)
    assert len(bench.torrent.peerbook) == int(settings.use_lsd)
