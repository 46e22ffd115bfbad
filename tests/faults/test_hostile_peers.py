"""`bittern get` among peers that break the protocol: each is dropped or outlived, and an honest seed completes it."""

# ruff: noqa: ARG001 - every deed is handed the torrent, whether it needs it or not

import hashlib
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.faults.rigs import program, wire
from tests.faults.rigs.hostile import HostilePeer, Proxy, Script
from tests.faults.rigs.torrent import BLOCK, MIB, NAME, Torrent
from tests.faults.rigs.wire import Wire
from tests.interop.rigs.place import LOOPBACK

Deed = Callable[[Wire, Torrent], None]
Meet = Callable[..., AbstractContextManager["Meeting"]]
OTHER_HASH = hashlib.sha1(b"another torrent").digest()
DONE_WITHIN = 20
HASH_REQUEST, HASH_REJECT = 21, 23


@dataclass(frozen=True, slots=True)
class Meeting:
    """A download among hostile peers and an honest one, who is silent until `honest.open`."""

    hostile: HostilePeer
    honest: Proxy
    job: program.Program

    def dropped(self, address: str) -> list[dict[str, object]]:
        """What was told of a peer's end."""
        return [event for event in self.job.events("peer_dropped") if event["address"] == address]


@pytest.fixture
def meet(torrent: Torrent, seed: int, into: Path, tmp_path: Path) -> Meet:
    """Begins a download; each script is a hostile peer's. When the block ends, it has to complete."""

    @contextmanager
    def met(*scripts: Script) -> Iterator[Meeting]:
        with ExitStack() as stack:
            hosts = [f"127.0.0.{number}" for number in range(2, 2 + len(scripts))]
            hostile = [
                stack.enter_context(HostilePeer(torrent.info_hash, script, host))
                for script, host in zip(scripts, hosts, strict=True)
            ]
            honest = stack.enter_context(Proxy(seed, shut=True))
            peers = [peer.address for peer in (*hostile, honest)]
            job = stack.enter_context(program.get(torrent.path, into, tmp_path / "get", peers=peers))
            yield Meeting(hostile[0], honest, job)
            assert job.ends(DONE_WITHIN) == 0
        assert (into / NAME).read_bytes() == torrent.data

    return met


def joined(peer: Wire, *, reserved: bytes = wire.PLAIN) -> None:
    """Handshakes both ways."""
    peer.hello(reserved=reserved)
    peer.greeted()


def offering(peer: Wire, torrent: Torrent) -> tuple[int, int, int]:
    """As `joined`, with everything to give; the first request that comes."""
    joined(peer)
    peer.have_everything(torrent.pieces)
    peer.say(wire.UNCHOKE)
    return peer.request()


# --- before a peer is a peer


def another_info_hash(peer: Wire, torrent: Torrent) -> None:
    peer.hello(info_hash=OTHER_HASH)


def another_protocol(peer: Wire, torrent: Torrent) -> None:
    peer.hello(protocol=b"\x13BitTorrent protocox")


def half_a_handshake(peer: Wire, torrent: Torrent) -> None:
    peer.greeted()
    peer.raw((wire.PROTOCOL + wire.PLAIN + torrent.info_hash)[:40])
    peer.end()


def noise(peer: Wire, torrent: Torrent) -> None:
    peer.raw(Random(7).randbytes(100_000))


def a_web_page(peer: Wire, torrent: Torrent) -> None:
    peer.raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def silence_before_the_handshake(peer: Wire, torrent: Torrent) -> None:
    peer.greeted()


# --- messages


def noise_after_the_handshake(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.raw(b"\xff" * 16 + Random(8).randbytes(100_000))


def bitfield_too_short(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.say(wire.BITFIELD, b"\xff" * (torrent.pieces // 8 - 1))


def bitfield_too_long(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.say(wire.BITFIELD, b"\xff" * (torrent.pieces // 8 + 1))


def bitfield_after_a_have(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.say(wire.HAVE, struct.pack(">I", 0))
    peer.have_everything(torrent.pieces)


def bitfield_twice(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.have_everything(torrent.pieces)
    peer.have_everything(torrent.pieces)


def bitfield_and_have_all(peer: Wire, torrent: Torrent) -> None:
    joined(peer, reserved=wire.FAST)
    peer.say(wire.HAVE_ALL)
    peer.have_everything(torrent.pieces)


def have_beyond_the_end(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.say(wire.HAVE, struct.pack(">I", torrent.pieces))


def have_of_the_last_number(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.say(wire.HAVE, b"\xff" * 4)


def have_of_two_bytes(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.say(wire.HAVE, b"\0\0")


def request_beyond_the_end(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.say(wire.INTERESTED)
    peer.ask(torrent.pieces, 0, BLOCK)


def request_of_nothing(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.ask(0, 0, 0)


def request_of_a_gigabyte(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.ask(0, 0, 1 << 30)


def junk_extension(peer: Wire, torrent: Torrent) -> None:
    joined(peer, reserved=wire.EXTENSIONS)
    peer.say(wire.EXTENDED, b"\0" + b"d" * 5000)


# --- blocks


def unasked_block(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.answer(0, 0, torrent.block(0, 0, BLOCK))


def block_beyond_the_end(peer: Wire, torrent: Torrent) -> None:
    offering(peer, torrent)
    peer.answer(torrent.pieces + 9, 0, bytes(BLOCK))


def block_between_blocks(peer: Wire, torrent: Torrent) -> None:
    piece, begin, length = offering(peer, torrent)
    peer.answer(piece, begin + 1, bytes(length))


def block_twice(peer: Wire, torrent: Torrent) -> None:
    piece, begin, length = offering(peer, torrent)
    block = torrent.block(piece, begin, length)
    peer.answer(piece, begin, block)
    peer.answer(piece, begin, block)


def short_block(peer: Wire, torrent: Torrent) -> None:
    piece, begin, length = offering(peer, torrent)
    peer.answer(piece, begin, torrent.block(piece, begin, length - 1))


def long_block(peer: Wire, torrent: Torrent) -> None:
    piece, begin, length = offering(peer, torrent)
    peer.answer(piece, begin, bytes(length + 1))


def empty_block(peer: Wire, torrent: Torrent) -> None:
    piece, begin, _ = offering(peer, torrent)
    peer.answer(piece, begin, b"")


def reject_of_nothing(peer: Wire, torrent: Torrent) -> None:
    joined(peer, reserved=wire.FAST)
    peer.say(wire.HAVE_ALL)
    peer.say(wire.REJECT, struct.pack(">III", 0, 0, BLOCK))


def every_block_is_a_lie(peer: Wire, torrent: Torrent) -> None:
    piece, begin, length = offering(peer, torrent)
    while True:
        peer.answer(piece, begin, bytes(length))
        piece, begin, length = peer.request()


OFFENCES: list[tuple[Deed, str]] = [
    (another_info_hash, "answered with another info hash"),
    (another_protocol, "does not speak the BitTorrent protocol"),
    (half_a_handshake, "closed before its handshake was complete"),
    (noise, "does not speak the BitTorrent protocol"),
    (a_web_page, "does not speak the BitTorrent protocol"),
    (noise_after_the_handshake, "announced a message longer than allowed"),
    (bitfield_too_short, "sent a bitfield of the wrong size"),
    (bitfield_too_long, "sent a bitfield of the wrong size"),
    (have_beyond_the_end, "named a piece or block outside the torrent"),
    (have_of_the_last_number, "named a piece or block outside the torrent"),
    (have_of_two_bytes, "sent a message of the wrong length"),
    (request_beyond_the_end, "named a piece or block outside the torrent"),
    (request_of_nothing, "named a piece or block outside the torrent"),
    (request_of_a_gigabyte, "named a piece or block outside the torrent"),
    (junk_extension, "sent an invalid extension message"),
    (unasked_block, "sent a block that was not asked for"),
    (block_beyond_the_end, "sent a block that was not asked for"),
    (block_between_blocks, "sent a block that was not asked for"),
    (block_twice, "sent a block that was not asked for"),
    (short_block, "sent a block of another length than asked"),
    (long_block, "sent a block"),
    (empty_block, "sent a message of the wrong length"),
    (reject_of_nothing, "sent a block that was not asked for"),
    (every_block_is_a_lie, "sent data that fails its hash"),
]


@pytest.mark.parametrize(("deed", "reason"), OFFENCES, ids=[deed.__name__ for deed, _ in OFFENCES])
def test_a_peer_that_breaks_the_protocol_is_dropped_and_the_reason_told(
    torrent: Torrent, meet: Meet, deed: Deed, reason: str
) -> None:
    hung_up: list[bool] = []

    def script(peer: Wire) -> None:
        try:
            deed(peer, torrent)
        finally:
            hung_up.append(peer.is_hung_up_on(5))

    with meet(script) as meeting:
        assert meeting.hostile.done.wait(10)
        meeting.honest.open()
    assert hung_up == [True]
    dropped = meeting.dropped(meeting.hostile.address)
    assert [event["offence"] for event in dropped] == [True]
    assert reason in str(dropped[0]["reason"])


# --- what is no offence, or none yet


def silence_after_the_handshake(peer: Wire, torrent: Torrent) -> None:
    joined(peer)


def never_unchokes(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.have_everything(torrent.pieces)
    peer.until(wire.INTERESTED)


def never_answers(peer: Wire, torrent: Torrent) -> None:
    offering(peer, torrent)


def chokes_and_unchokes(peer: Wire, torrent: Torrent) -> None:
    offering(peer, torrent)
    for _ in range(1000):
        peer.say(wire.CHOKE)
        peer.say(wire.UNCHOKE)


def half_a_block_and_silence(peer: Wire, torrent: Torrent) -> None:
    piece, begin, length = offering(peer, torrent)
    head = struct.pack(">IBII", 9 + length, wire.PIECE, piece, begin)
    peer.raw(head + torrent.block(piece, begin, length // 2))


def half_a_block_and_the_end(peer: Wire, torrent: Torrent) -> None:
    half_a_block_and_silence(peer, torrent)
    peer.close()


def half_a_header_and_the_end(peer: Wire, torrent: Torrent) -> None:
    piece, begin, length = offering(peer, torrent)
    peer.answer(piece, begin, torrent.block(piece, begin, length))
    peer.raw(struct.pack(">IBI", 9 + length, wire.PIECE, piece))
    peer.close()


def a_message_of_four_gigabytes_begins(peer: Wire, torrent: Torrent) -> None:
    joined(peer)
    peer.raw(b"\xff" * 4)


ENDURED: list[Deed] = [
    silence_before_the_handshake,
    silence_after_the_handshake,
    never_unchokes,
    never_answers,
    chokes_and_unchokes,
    half_a_block_and_silence,
    half_a_block_and_the_end,
    half_a_header_and_the_end,
    a_message_of_four_gigabytes_begins,
    bitfield_twice,
    bitfield_after_a_have,
    bitfield_and_have_all,
]


@pytest.mark.parametrize("deed", ENDURED, ids=[deed.__name__ for deed in ENDURED])
def test_a_peer_that_stalls_is_outlived(torrent: Torrent, meet: Meet, deed: Deed) -> None:
    def script(peer: Wire) -> None:
        deed(peer, torrent)
        meeting.hostile.done.set()
        peer.is_hung_up_on(60)

    with meet(script) as meeting:
        assert meeting.hostile.done.wait(10)
        meeting.honest.open()


def test_a_peer_that_sends_a_byte_a_second_is_outlived(torrent: Torrent, meet: Meet) -> None:
    def script(peer: Wire) -> None:
        piece, begin, length = offering(peer, torrent)
        block = wire.message(wire.PIECE, struct.pack(">II", piece, begin) + torrent.block(piece, begin, length))
        meeting.hostile.done.set()
        for at in range(len(block)):
            peer.raw(block[at : at + 1])
            time.sleep(1)

    with meet(script) as meeting:
        assert meeting.hostile.done.wait(10)
        meeting.honest.open()


# --- memory

KINDS = (wire.CHOKE, wire.HAVE, wire.BITFIELD, wire.REQUEST, wire.PIECE, wire.EXTENDED, 99)


@pytest.mark.parametrize("kind", KINDS)
def test_a_length_of_four_gigabytes_costs_no_memory(torrent: Torrent, meet: Meet, kind: int) -> None:
    growth: list[int] = []

    def script(peer: Wire) -> None:
        offering(peer, torrent)
        before = meeting.job.memory()
        try:
            peer.raw(b"\xff" * 4 + bytes((kind,)) + bytes(8 * MIB))
        finally:
            assert peer.is_hung_up_on(5)
            growth.append(meeting.job.memory() - before)

    with meet(script) as meeting:
        assert meeting.hostile.done.wait(10)
        meeting.honest.open()
    assert growth[0] < 2 * MIB


# --- lies


@pytest.mark.parametrize("nth", [1, 3, 50])
def test_a_liar_beside_an_honest_seed_spoils_nothing(torrent: Torrent, meet: Meet, nth: int) -> None:
    """Every nth block that it sends is wrong, so that honest blocks and lies meet in the same pieces."""

    def script(peer: Wire) -> None:
        piece, begin, length = offering(peer, torrent)
        count = 0
        while True:
            count += 1
            block = torrent.block(piece, begin, length)
            peer.answer(piece, begin, bytes(length) if count % nth == 0 else block)
            meeting.honest.open()
            piece, begin, length = peer.request()

    with meet(script) as meeting:
        pass
    assert not any(event["offence"] for event in meeting.dropped(meeting.honest.address))


def test_two_liars_of_three_peers_spoil_nothing(torrent: Torrent, meet: Meet) -> None:
    def script(peer: Wire) -> None:
        piece, begin, length = offering(peer, torrent)
        while True:
            # Slowly and one at a time, so that pieces are put together from several peers.
            time.sleep(0.002)
            peer.answer(piece, begin, bytes(length))
            meeting.honest.open()
            piece, begin, length = peer.request()

    with meet(script, script) as meeting:
        pass
    assert not any(event["offence"] for event in meeting.dropped(meeting.honest.address))


def test_what_a_lone_liar_sent_is_never_taken_for_good(torrent: Torrent, seed: int, into: Path, tmp_path: Path) -> None:
    """Neither in that run nor in the next, which fetches every byte again."""
    more = ("--timeout", "6")
    with (
        HostilePeer(torrent.info_hash, lambda peer: every_block_is_a_lie(peer, torrent)) as hostile,
        program.get(torrent.path, into, tmp_path / "get", peers=(hostile.address,), more=more) as job,
    ):
        assert job.ends(DONE_WITHIN) == 6
    assert job.events("piece_failed")
    assert {event["done_bytes"] for event in job.events("progress")} == {0}
    with Proxy(seed) as honest, program.get(torrent.path, into, tmp_path / "get", peers=(honest.address,)) as again:
        assert again.ends(DONE_WITHIN) == 0
    assert again.saw("checked")["done_bytes"] == 0
    assert honest.carried >= len(torrent.data)
    assert (into / NAME).read_bytes() == torrent.data


def test_a_liar_with_many_ports_is_banned_by_its_address(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    """Six listeners of one address: the first lie that is found ends all its connections, and no new one is let in."""
    port = LOOPBACK.free_port()

    def lie(peer: Wire) -> None:
        piece, begin, length = offering(peer, torrent)
        first = piece  # more lies could be told before the first is found, on a busy machine
        while True:
            if piece == first:
                peer.answer(piece, begin, bytes(length))
            piece, begin, length = peer.request()

    with ExitStack() as stack:
        liars = [stack.enter_context(HostilePeer(torrent.info_hash, lie)) for _ in range(6)]
        honest = stack.enter_context(Proxy(seed, shut=True))
        peers = [peer.address for peer in (*liars, honest)]
        job = stack.enter_context(program.get(torrent.path, into, tmp_path / "get", peers=peers, port=port))
        job.saw("piece_failed")
        for number in range(20):
            with closing(wire.dial(port, torrent.info_hash, source=liars[0].host)) as again:
                again.hello(peer_id=b"-HO0000-%012d" % number)
                assert again.is_hung_up_on(5)
        assert all(peer.done.wait(10) for peer in liars)
        honest.open()
        assert job.ends(DONE_WITHIN) == 0
        assert len(job.events("piece_failed")) <= len(liars)
    assert (into / NAME).read_bytes() == torrent.data
    assert {event["address"].split(":")[0] for event in job.events("peer_dropped") if event["offence"]} == {"127.0.0.2"}


def test_a_program_that_is_given_its_own_address_notices_and_does_not_try_again(
    torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    port = LOOPBACK.free_port()
    with Proxy(seed, shut=True) as honest:
        peers = (f"127.0.0.1:{port}", honest.address)
        with program.get(torrent.path, into, tmp_path / "get", peers=peers, port=port) as job:
            job.saw("peer_dropped")
            honest.open()
            assert job.ends(DONE_WITHIN) == 0
    ourselves = [event for event in job.events("peer_dropped") if "is ourselves" in event["reason"]]
    assert 1 <= len(ourselves) <= 2, "one for each end of it"
    assert (into / NAME).read_bytes() == torrent.data


def test_a_peer_that_offers_version_2_of_a_torrent_of_version_1_is_a_peer_like_others(
    torrent: Torrent, into: Path, tmp_path: Path
) -> None:
    """BEP 52: the bit means nothing here, and neither does a question about trees."""
    row = b"\xab" * 32 + struct.pack(">IIII", 0, 0, 2, 1)
    refused: list[bytes] = []

    def script(peer: Wire) -> None:
        peer.hello(reserved=bytes(7) + b"\x14")
        peer.greeted()
        peer.say(wire.HAVE_ALL)
        peer.say(HASH_REQUEST, row)
        peer.say(wire.UNCHOKE)
        while True:
            kind, payload = peer.next()
            if kind == HASH_REJECT:
                refused.append(payload)
            elif kind == wire.REQUEST:
                piece, begin, length = struct.unpack(">III", payload)
                peer.answer(piece, begin, torrent.block(piece, begin, length))

    with (
        HostilePeer(torrent.info_hash, script) as peer,
        program.get(torrent.path, into, tmp_path / "get", peers=(peer.address,)) as job,
    ):
        assert job.ends(DONE_WITHIN) == 0
    assert refused == [row]
    assert (into / NAME).read_bytes() == torrent.data
