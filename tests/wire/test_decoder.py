"""The law of the decoder: however the bytes are cut, and whatever lies in the shared buffers, the same calls come."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, cycle, repeat
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.wire import messages
from bittern.wire.decoder import Decoder, Scratch
from bittern.wire.hashes import Hashes, HashRange, HashReject, HashRequest
from bittern.wire.landing import NothingLands
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
    KeepAlive,
    NotInterested,
    Piece,
    Port,
    Reject,
    Request,
    Suggest,
    Unchoke,
    Unknown,
)
from tests.wire.wiring import Call, Recorder, Wanted, deliver, pattern

ROW = HashRange(b"\xab" * 32, 1, 4, 2, 1)
NOISE: dict[bytes, Call | None] = {
    KeepAlive().encode(): None,
    Choke().encode(): ("choke",),
    Unchoke().encode(): ("unchoke",),
    Interested().encode(): ("interested",),
    NotInterested().encode(): ("not interested",),
    Have(7).encode(): ("have", 7),
    Have(2**32 - 1).encode(): ("have", 2**32 - 1),
    BitfieldMessage(b"\xa5\x80").encode(): ("bitfield", b"\xa5\x80"),
    BitfieldMessage(b"").encode(): ("bitfield", b""),
    HaveAll().encode(): ("have all",),
    HaveNone().encode(): ("have none",),
    Suggest(3).encode(): ("suggest", 3),
    AllowedFast(4).encode(): ("allowed fast", 4),
    Port(6881).encode(): ("port", 6881),
    Cancel(1, BLOCK, 5).encode(): ("cancel", 1, BLOCK, 5),
    Extended(0, b"de").encode(): ("extended", 0, b"de"),
    Extended(255, bytes(3000)).encode(): ("extended", 255, bytes(3000)),
    Request(1, 0, BLOCK).encode(): ("request", 1, 0, BLOCK),
    Request(1, BLOCK, BLOCK).encode(): ("request", 1, BLOCK, BLOCK),
    Request(1, 2 * BLOCK, 77).encode(): ("request", 1, 2 * BLOCK, 77),
    Request(2**32 - 1, 2**32 - 1, 2**32 - 1).encode(): ("request", 2**32 - 1, 2**32 - 1, 2**32 - 1),
    Request(0, 0, 0).encode(): ("request", 0, 0, 0),
    HashRequest(ROW).encode(): ("hash request", ROW),
    Hashes(ROW, bytes(range(96))).encode(): ("hashes", ROW, bytes(range(96))),
    HashReject(ROW).encode(): ("hash reject", ROW),
    Unknown(99, b"from the future").encode(): None,
}


@dataclass
class Script:
    """What was asked, what the remote says, what we must hear, and after how many strays no order is expected."""

    asked: list[tuple[int, int, int, int]]
    data: bytes
    calls: list[Call]
    patience: int = 1 << 30


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Blocks mostly in the order asked, with everything in between that may come in between."""
    counts = draw(st.lists(st.integers(1, 9), max_size=4))
    lasts = [draw(st.sampled_from((BLOCK, BLOCK, 1, 12, 13, 14, BLOCK - 1))) for _ in counts]
    asked = [(piece, draw(st.integers(0, 3)), *run) for piece, run in enumerate(zip(counts, lasts, strict=True))]
    waiting = [
        (piece, first + at, BLOCK if at < count - 1 else last)
        for piece, first, count, last in asked
        for at in range(count)
    ]
    data, calls = bytearray(), list[Call]()
    steps = draw(st.lists(st.sampled_from("bbbbbbbbonnr"), max_size=40))
    for step in steps:
        if step == "n":
            noise = draw(st.sampled_from(list(NOISE)))
            data += noise
            call = NOISE[noise]
            if call is not None:
                calls.append(call)
            continue
        if not waiting:
            continue
        piece, block, length = waiting.pop(draw(st.integers(0, len(waiting) - 1)) if step in "or" else 0)
        if step == "r":
            data += Reject(piece, block * BLOCK, length).encode()
            calls.append(("reject", piece, block * BLOCK, length))
        else:
            body = pattern(piece, block, length=length)
            data += Piece(piece, block * BLOCK, body).encode()
            calls.append(("block", piece, block, body))
    return Script(asked, bytes(data), calls, draw(st.sampled_from((0, 1, 3, 1 << 30))))


CUTS = st.one_of(
    st.just([1 << 30]),
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.lists(st.integers(1, 3 * BLOCK), min_size=1, max_size=30),
    st.lists(st.sampled_from((1, 4, 5, 12, 13, 14, BLOCK, BLOCK + 12, BLOCK + 13, BLOCK + 14)), min_size=1),
)


class Ear:
    """A decoder whose shared buffers are trodden on between its calls, as other decoders may."""

    def __init__(self, script: Script | None = None, *, in_one: bool = False) -> None:
        self.sink = Recorder()
        self.wanted = Wanted(self.sink, script.asked, script.patience) if script else Wanted(self.sink)
        self.scratch = Scratch()
        self.decoder = Decoder(self.scratch, self.sink, "peer", self.wanted, in_one=in_one)
        self.sink.react = self._react

    def _react(self, call: Call) -> None:
        if call[0] == "reject":
            assert isinstance(call[1], int)
            assert isinstance(call[2], int)
            assert self.wanted.take(call[1], call[2] // BLOCK) is not None

    def hear(self, data: bytes, cuts: Iterator[int], *, treacherous: bool = False) -> None:
        view = memoryview(data)
        while view:
            self.tread(treacherous=treacherous)
            view = view[deliver(self.decoder, view, next(cuts)) :]

    def tread(self, *, treacherous: bool) -> None:
        """Fill the shared buffers with rubbish, or with exactly the headers that are waited for."""
        self.scratch.slab[:] = b"\x07" * len(self.scratch.slab)
        heads = b"".join(run.heads[run.done * 13 :] for run in self.wanted.runs) if treacherous else b""
        size = len(self.scratch.heads)
        self.scratch.heads[:] = heads[:size].ljust(size, b"\xee")


def cuts_of(cuts: list[int], data: bytes | bytearray) -> Iterator[int]:
    """The cuts again and again; where they are tiny, the bulk of a long script comes in larger ones."""
    if max(cuts) > 40 or len(data) < 4000:
        return cycle(cuts)
    return chain(cuts * 5, cycle([*cuts, 4001]))


@settings(max_examples=250)
@given(scripts(), CUTS, st.booleans(), st.booleans())
def test_any_split_of_the_input_gives_the_same_calls(
    script: Script,
    cuts: list[int],
    treacherous: bool,  # noqa: FBT001 - drawn
    in_one: bool,  # noqa: FBT001 - drawn
) -> None:
    ear = Ear(script, in_one=in_one)
    ear.hear(script.data, cuts_of(cuts, script.data), treacherous=treacherous)
    assert ear.sink.calls == script.calls


@settings(max_examples=120)
@given(scripts(), CUTS, st.lists(st.sampled_from("fd."), min_size=1, max_size=5), st.booleans())
def test_bytes_fed_or_diverted_give_the_same_calls(
    script: Script,
    cuts: list[int],
    ways: list[str],
    in_one: bool,  # noqa: FBT001 - drawn
) -> None:
    """Feeding, and being told to write aside, may happen between any two reads."""
    ear = Ear(script, in_one=in_one)
    view, sizes = memoryview(script.data), cuts_of(cuts, script.data)
    for way in cycle(ways):
        if not view:
            break
        ear.tread(treacherous=True)
        if way == "f":
            part = view[: next(sizes)]
            ear.decoder.feed(memoryview(bytearray(part)), 0.0)
            view = view[len(part) :]
            continue
        if way == "d":
            ear.decoder.divert()
        view = view[deliver(ear.decoder, view, next(sizes)) :]
    assert ear.sink.calls == script.calls


def test_every_split_in_two_of_a_short_talk_gives_the_same_calls() -> None:
    asked = [(0, 0, 1, 20), (1, 2, 1, 13), (2, 0, 1, 7)]
    said = [
        Piece(0, 0, pattern(0, 0, length=20)).encode(),
        Have(1).encode(),
        Piece(2, 0, pattern(2, 0, length=7)).encode(),
        Piece(1, 2 * BLOCK, pattern(1, 2, length=13)).encode(),
        KeepAlive().encode(),
        *(Request(5, at * BLOCK, BLOCK).encode() for at in range(3)),
        Unchoke().encode(),
    ]
    data = b"".join(said)
    whole = Ear(Script(asked, data, []))
    whole.hear(data, repeat(1 << 30))
    assert len(whole.sink.calls) == 8
    for first in range(1, len(data)):
        for second in (1, 5, len(data)):
            ear = Ear(Script(asked, data, []))
            ear.hear(data, chain((first,), repeat(second)), treacherous=True)
            assert ear.sink.calls == whole.sink.calls


@pytest.mark.parametrize("cut", [BLOCK * 7 + 5, 300_000, 1 << 20])
def test_a_long_run_lands_in_place_without_a_copy(cut: int) -> None:
    """More blocks than one read's list holds, over several runs; only while the list grows some miss their place."""
    script = Script([(0, 0, 64, BLOCK), (0, 64, 64, BLOCK), (1, 0, 64, 99)], b"", [])
    blocks = [(p, first + at, last if at == 63 else BLOCK) for p, first, _, last in script.asked for at in range(64)]
    data = b"".join(Piece(p, b * BLOCK, pattern(p, b, length=size)).encode() for p, b, size in blocks)
    ear = Ear(script)
    place, placed = ear.wanted.place, list[int]()

    def counted(piece: int, begin: int, length: int) -> memoryview:
        placed.append(begin)
        return place(piece, begin, length)

    ear.wanted.place = counted  # type: ignore[method-assign]
    ear.hear(data, repeat(cut))
    assert len(placed) <= 16
    assert ear.sink.calls == [("block", p, b, pattern(p, b, length=size)) for p, b, size in blocks]


def test_what_was_encrypted_is_offered_one_buffer_whatever_is_expected() -> None:
    ear = Ear(Script([(0, 0, 64, BLOCK)], b"", []), in_one=True)
    block = Piece(0, 0, pattern(0, 0)).encode()
    sizes = []
    for cut in (0, 5, 13, 1000, len(block) - 1018, 17):
        if cut:
            ear.hear(block[:cut], repeat(cut))
            block = block[cut:]
        sizes.append([len(buffer) for buffer in ear.decoder.buffers()])
    # A little of a message is kept and put together with what follows: then it is less.
    assert sizes == [[1 << 20], [1 << 15], [1 << 20], [1 << 20], [1 << 20], [1 << 20]][: len(sizes)]


@settings(max_examples=200)
@given(st.binary(max_size=200), CUTS)
@example(b"\0\0\0\1\7", [1])
@example(b"\0\0\0\x09\7" + bytes(8), [3])
@example(b"\0\0\0\1\x14", [2])
@example(b"\xff\xff\xff\xff\7" + bytes(8), [100])
def test_garbage_is_an_offence_or_nothing(data: bytes, cuts: list[int]) -> None:
    ear = Ear(Script([(0, 0, 2, BLOCK)], b"", []))
    outcomes = list[tuple[list[Call], Offence | None]]()
    for sizes in (repeat(1 << 30), cycle(cuts)):
        ear = Ear(Script([(0, 0, 2, BLOCK)], b"", []))
        try:
            ear.hear(data, sizes)
            outcomes.append((ear.sink.calls, None))
        except RemoteProtocolError as error:
            outcomes.append((ear.sink.calls, error.offence))
    assert outcomes[0] == outcomes[1]


@settings(max_examples=150)
@given(scripts(), st.data())
def test_a_byte_changed_anywhere_is_an_offence_or_other_calls_but_no_crash(script: Script, data: st.DataObject) -> None:
    if not script.data:
        return
    at = data.draw(st.integers(0, len(script.data) - 1))
    broken = bytearray(script.data)
    broken[at] ^= data.draw(st.integers(1, 255))
    heard = []
    for cuts in ([1 << 30], data.draw(CUTS)):
        ear = Ear(script)
        ear.sink.react = lambda _: None
        offence = None
        try:
            ear.hear(bytes(broken), cuts_of(cuts, broken), treacherous=True)
        except RemoteProtocolError as error:
            offence = error.offence
        heard.append((ear.sink.calls, offence))
    assert heard[0] == heard[1]


FIXED = sorted(messages.FIXED_BODY)


@pytest.mark.parametrize("kind", FIXED)
@pytest.mark.parametrize("change", [-1, 1, 1000])
def test_a_message_of_the_wrong_length_is_an_offence(kind: int, change: int) -> None:
    length = messages.FIXED_BODY[kind] + change
    if length == 0:
        return  # a keep-alive
    ear = Ear()
    with pytest.raises(RemoteProtocolError) as caught:
        ear.decoder.feed(memoryview(bytearray(length.to_bytes(4) + bytes([kind]) + bytes(length))), 0.0)
    assert caught.value.offence in (Offence.BAD_MESSAGE_LENGTH, Offence.OVERSIZED_MESSAGE)
    assert ear.sink.calls == []


@pytest.mark.parametrize(
    ("body", "offence"),
    [
        (b"\x14", Offence.BAD_MESSAGE_LENGTH),
        (b"\7" + bytes(8), Offence.BAD_MESSAGE_LENGTH),
        (b"\7", Offence.BAD_MESSAGE_LENGTH),
        (b"\7" + bytes(9), Offence.UNASKED_BLOCK),
    ],
)
def test_short_bodies_are_offences(body: bytes, offence: Offence) -> None:
    decoder = Decoder(Scratch(), Recorder(), "peer", NothingLands())
    with pytest.raises(RemoteProtocolError) as caught:
        decoder.feed(memoryview(bytearray(len(body).to_bytes(4) + body)), 0.0)
    assert caught.value.offence is offence


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x80000000, (1 << 20) + 1])
def test_a_giant_length_is_refused_at_its_fifth_byte_whatever_the_message(length: int) -> None:
    for kind in range(256):
        decoder = Decoder(Scratch(), Recorder(), "peer", NothingLands())
        head = length.to_bytes(4) + bytes([kind])
        said = head + bytes(8) if kind == messages.PIECE else head
        deliver(decoder, said[:4], 4)
        with pytest.raises(RemoteProtocolError) as caught:
            deliver(decoder, said[4:], 9)
        wanted = Offence.UNASKED_BLOCK if kind == messages.PIECE else Offence.OVERSIZED_MESSAGE
        assert caught.value.offence is wanted


@pytest.mark.parametrize(
    ("kind", "body"),
    [(messages.EXTENDED, messages.MAX_EXTENDED_BODY), (messages.BITFIELD, messages.MAX_BITFIELD_BODY), (99, 1 << 16)],
)
def test_the_longest_allowed_message_passes_and_one_byte_more_does_not(kind: int, body: int) -> None:
    ear = Ear()
    ear.hear(body.to_bytes(4) + bytes([kind]) + bytes(body - 1) + Have(1).encode(), repeat(50_000))
    assert ear.sink.calls[-1] == ("have", 1)
    assert len(ear.sink.calls) == (1 if kind == 99 else 2)
    with pytest.raises(RemoteProtocolError):
        ear.hear((body + 1).to_bytes(4) + bytes([kind]), repeat(5))


def test_a_bitfield_that_is_too_long_for_its_torrent_is_refused_before_it_comes() -> None:
    sink = Recorder()
    landing = Wanted(sink)
    landing.most_bitfield = 4
    decoder = Decoder(Scratch(), sink, "peer", landing)
    deliver(decoder, BitfieldMessage(bytes(4)).encode()[:8], 8)
    deliver(decoder, bytes(1), 1)
    assert sink.calls == [("bitfield", bytes(4))]
    with pytest.raises(RemoteProtocolError) as caught:
        deliver(decoder, BitfieldMessage(bytes(5)).encode()[:5], 5)
    assert caught.value.offence is Offence.BAD_BITFIELD


def test_a_header_that_promises_much_reserves_nothing() -> None:
    decoder = Decoder(Scratch(), Recorder(), "peer", NothingLands())
    tracemalloc.start()
    try:
        for byte in messages.MAX_EXTENDED_BODY.to_bytes(4) + bytes([messages.EXTENDED]):
            deliver(decoder, bytes([byte]), 1)
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()


def counted_parses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of what is parsed from now on."""
    parses: list[int] = []
    parse = Decoder._parse

    def counted(self: Decoder, data: memoryview, now: float) -> int:
        parses.append(len(data))
        return parse(self, data, now)

    monkeypatch.setattr(Decoder, "_parse", counted)
    return parses


def test_a_long_message_that_comes_byte_by_byte_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linear time: no byte of what waits is looked at or moved again when another one comes."""
    ear = Ear()
    parses = counted_parses(monkeypatch)
    message = Extended(3, bytes(60_000)).encode()
    for byte in message:
        deliver(ear.decoder, bytes((byte,)), 1)
    assert ear.sink.calls == [("extended", 3, bytes(60_000))]
    assert len(parses) <= 3


def test_a_block_that_comes_byte_by_byte_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ear = Ear(Script([(0, 0, 3, BLOCK)], b"", []))
    parses = counted_parses(monkeypatch)
    for block in (0, 2):
        for byte in Piece(0, block * BLOCK, pattern(0, block)).encode():
            deliver(ear.decoder, bytes((byte,)), 1)
    assert ear.sink.calls == [("block", 0, block, pattern(0, block)) for block in (0, 2)]
    assert len(parses) <= 20


@pytest.mark.parametrize("at", range(6))
def test_nothing_is_told_after_a_stop_even_in_the_middle_of_a_batch(at: int) -> None:
    said: list[bytes] = [Have(1), Unchoke(), Request(0, 0, BLOCK), Piece(0, 0, pattern(0, 0)), Choke(), Have(2)]  # type: ignore[list-item]
    data = b"".join(message.encode() for message in said)  # type: ignore[attr-defined]
    ear = Ear(Script([(0, 0, 1, BLOCK)], b"", []))

    def stop(_: Call) -> None:
        if len(ear.sink.calls) == at + 1:
            ear.decoder.stop()

    ear.sink.react = stop
    deliver(ear.decoder, data, len(data))
    assert len(ear.sink.calls) == at + 1


def test_a_choke_in_the_middle_of_a_batch_may_take_back_what_was_asked() -> None:
    """The owner forgets its requests inside the call; what follows is then judged without them."""
    ear = Ear(Script([(0, 0, 4, BLOCK)], b"", []))

    def forget(call: Call) -> None:
        if call == ("choke",):
            ear.decoder.divert()
            ear.wanted.runs.clear()

    ear.sink.react = forget
    blocks = [Piece(0, at * BLOCK, pattern(0, at)).encode() for at in range(4)]
    with pytest.raises(RemoteProtocolError, match="not asked"):
        ear.hear(blocks[0] + blocks[1] + Choke().encode() + blocks[2], repeat(1 << 30))
    assert [call[:3] for call in ear.sink.calls] == [("block", 0, 0), ("block", 0, 1), ("choke",)]


@pytest.mark.parametrize("received", [1, 5, 12, 13, 14, 13 + BLOCK // 2, 12 + BLOCK])
def test_after_a_divert_the_place_is_left_alone(received: int) -> None:
    """The block comes all the same, but not one byte more is written where it would have been."""
    ear = Ear(Script([(0, 0, 2, BLOCK)], b"", []))
    message = Piece(0, 0, pattern(0, 0)).encode()
    deliver(ear.decoder, message, received)
    place = ear.wanted.runs[0].bodies[0]
    ear.decoder.divert()
    if received <= 13:
        ear.wanted.runs[0].bodies[0] = memoryview(bytearray(BLOCK))
    place[:] = b"!" * BLOCK
    deliver(ear.decoder, message[received:], len(message))
    assert bytes(place) == b"!" * BLOCK
    assert ear.sink.calls == [("block", 0, 0, pattern(0, 0))]


def test_the_list_of_buffers_follows_what_comes() -> None:
    """Large reads make it long, small ones short: a long list costs, a short one costs more calls."""
    ear = Ear(Script([(0, 0, 64, BLOCK), (1, 0, 64, BLOCK), (2, 0, 64, BLOCK)], b"", []))
    small = len(ear.decoder.buffers())
    data = b"".join(Piece(p, b * BLOCK, pattern(p, b)).encode() for p in range(2) for b in range(64))
    ear.hear(data, repeat(1 << 30))
    large = len(ear.decoder.buffers())
    assert (small < 20, large > 100) == (True, True)
    ear.hear(b"".join(Piece(2, b * BLOCK, pattern(2, b)).encode() for b in range(5)), repeat(3000))
    assert len(ear.decoder.buffers()) < 20


def test_without_a_landing_every_block_is_unasked() -> None:
    landing = NothingLands()
    assert landing.expected() == ()
    with pytest.raises(RemoteProtocolError, match="not asked"):
        landing.place(0, 0, 1)


def test_a_landing_given_later_is_used_from_then_on() -> None:
    sink = Recorder()
    decoder = Decoder(Scratch(), sink, "peer", NothingLands())
    decoder.feed(memoryview(bytearray(Have(1).encode()[:5])), 0.0)
    wanted = Wanted(sink, [(0, 0, 1, 9)])
    decoder.land(wanted)
    data = Have(1).encode()[5:] + Piece(0, 0, pattern(0, 0, length=9)).encode()
    deliver(decoder, data, len(data))
    assert sink.calls == [("have", 1), ("block", 0, 0, pattern(0, 0, length=9))]


def test_many_reads_of_random_size_over_many_blocks() -> None:
    """One long talk: 600 blocks, cut by a fixed generator."""
    rng = Random(5)
    script = Script([(p, 0, 60, BLOCK) for p in range(10)], b"", [])
    ear = Ear(script)
    parts, wanted = [], list[Call]()
    for p in range(10):
        for b in range(60):
            if rng.random() < 0.05:
                parts.append(Have(b).encode())
                wanted.append(("have", b))
            parts.append(Piece(p, b * BLOCK, pattern(p, b)).encode())
            wanted.append(("block", p, b, pattern(p, b)))
    ear.hear(b"".join(parts), iter(lambda: rng.choice((1, 13, 1000, 70_000, 300_000)), None), treacherous=True)
    assert ear.sink.calls == wanted
