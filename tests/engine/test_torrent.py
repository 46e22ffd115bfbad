"""One swarm through its troubles: pauses, disks that fail or are slow, metadata that comes late."""

import tracemalloc
from dataclasses import replace

import pytest

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, StorageError
from bittern.base.geometry import BLOCK
from bittern.codec.bencode import encode
from bittern.codec.info import MAX_PIECES
from bittern.engine.events import Completed, StorageFailed
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peerbook import Source
from bittern.engine.torrent import TorrentState
from bittern.testing.playbook import Playbook
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.hashes import Hashes, HashRange, HashReject, HashRequest
from bittern.wire.messages import Cancel, Extended, Have, Message, NotInterested, Piece, Reject, Request, Unchoke
from bittern.wire.ut_metadata import METADATA_PIECE, MetadataData

FULL = StorageError.Kind.DISK_FULL


def requests(messages: list[Message]) -> list[Request]:
    return [message for message in messages if isinstance(message, Request)]


def give_all(play: Playbook, name: str) -> None:
    """The actor answers until it is asked for nothing more."""
    while wanted := requests(play.heard(name)):
        for request in wanted:
            if play.actors[name].lost_by is None:
                play.gives(name, request.piece, request.begin)


def test_a_paused_torrent_drops_everybody_and_lets_nobody_in() -> None:
    with Playbook(have="1") as play:
        play.joins("ann")
        play.torrent.pause(play.world.now)
        play.process.host.touch()
        play.waits(0.0)
        assert play.actors["ann"].lost_by is not None
        play.joins("bob").expect_drop("bob")
        play.torrent.resume(play.world.now)
        assert play.joins("cat").actors["cat"].lost_by is None


def test_what_nobody_wants_any_more_is_cancelled_and_asked_for_when_it_is_wanted_again() -> None:
    with Playbook(pieces=3, blocks=2) as play:
        play.joins("ann", have="110").unchokes("ann")
        wanted = requests(play.heard("ann"))
        play.gives("ann", wanted[0].piece, wanted[0].begin)
        play.torrent.prioritize([0], play.world.now)
        play.waits(0.0)
        heard = play.heard("ann")
        assert [message for message in heard if isinstance(message, Cancel)] == [
            Cancel(request.piece, request.begin, request.length) for request in wanted[1:]
        ]
        assert NotInterested() in heard
        assert any(isinstance(event, Completed) for event in play.events)
        assert play.torrent.left_bytes == 0
        play.torrent.prioritize([4], play.world.now)
        play.waits(0.0)
        assert len(requests(play.heard("ann"))) == 4
        for request in wanted:
            play.gives("ann", request.piece, request.begin)
        assert play.have == "110"


def test_who_wants_nothing_more_parts_with_who_wants_nothing_more_though_neither_has_everything() -> None:
    """BEP 21."""
    with Playbook(pieces=3) as play:
        play.torrent.prioritize([0], play.world.now)
        play.joins("seed", have="all").expect_drop("seed")
        hello = {b"m": {}, b"upload_only": 1}
        play.joins("partial", have="010", extensions={}).says("partial", Extended(HANDSHAKE_EXT_ID, encode(hello)))
        play.expect_drop("partial")
        [told] = [message for message in play.greeting("partial") if isinstance(message, Extended)]
        assert ExtendedHandshake.parse(told.payload).upload_only
        play.joins("leech", have="010")
        assert play.actors["leech"].lost_by is None


def test_a_download_goes_on_after_a_pause_in_the_middle_of_a_piece() -> None:
    with Playbook(pieces=2, blocks=2) as play:
        play.joins("ann", have="11").unchokes("ann")
        first = requests(play.heard("ann"))[0]
        play.gives("ann", first.piece, first.begin)
        play.torrent.pause(play.world.now)
        play.torrent.resume(play.world.now)
        play.waits(0.0)
        play.joins("bob", have="11").unchokes("bob")
        wanted = requests(play.heard("bob"))
        assert len(wanted) == 3
        for request in wanted:
            play.gives("bob", request.piece, request.begin)
        assert play.have == "11"


@pytest.mark.parametrize("paused", [False, True])
def test_a_disk_that_fails_stops_the_download_and_a_resume_goes_on(paused: bool) -> None:  # noqa: FBT001 - a parameter
    """Also when the torrent was paused between the write and its failure."""
    with Playbook(pieces=3, blocks=2) as play:
        play.process.disk.latency = 0.5
        play.joins("ann", have="111").unchokes("ann")
        play.process.disk.faults.broken = FULL
        wanted = requests(play.heard("ann"))
        for request in wanted[:3]:
            play.gives("ann", request.piece, request.begin)
        if paused:
            play.torrent.pause(play.world.now)
        play.waits(5.0)
        assert any(isinstance(event, StorageFailed) for event in play.events)
        if not paused:
            assert play.torrent.state is TorrentState.FAILED
            assert [message for message in play.heard("ann") if isinstance(message, Cancel)]
        play.process.repair()
        play.torrent.resume(play.world.now)
        play.process.disk.latency = 0.0
        play.waits(0.0)
        play.joins("bob", have="111").unchokes("bob")
        for _ in range(10):
            for name in ("ann", "bob"):
                give_all(play, name)
            play.waits(5.0)
        assert play.have == "111"


def test_what_is_stored_is_served_while_the_disk_takes_nothing_more() -> None:
    with Playbook(pieces=2, have="10") as play:
        play.process.disk.faults.broken = FULL
        play.joins("ann", have="01").unchokes("ann").is_interested("ann")
        give_all(play, "ann")
        assert play.torrent.state is TorrentState.FAILED
        play.process.disk.faults.broken = None
        play.heard("ann")
        play.asks("ann", 0).expect("ann", play.block(0))


def test_a_read_that_fails_is_refused_and_told() -> None:
    with Playbook(blocks=2, have="1") as play:
        play.joins("ann").is_interested("ann").expect("ann", Unchoke())
        play.process.disk.faults.broken = StorageError.Kind.IO
        play.says("ann", Request(0, 0, BLOCK), Request(0, BLOCK, BLOCK))
        play.expect("ann", Reject(0, 0, BLOCK), Reject(0, BLOCK, BLOCK))
        assert any(isinstance(event, StorageFailed) for event in play.events)
        play.process.disk.faults.broken = None
        play.torrent.resume(play.world.now)
        play.waits(1.0).expect("ann", Have(0)).asks("ann", 0).expect("ann", play.block(0))


def test_a_slow_disk_makes_peers_wait_and_nobody_is_blamed() -> None:
    settings = EngineSettings(disk_queue_bytes=2 * BLOCK, request_timeout_seconds=3.0, listen_port=1)
    with Playbook(pieces=8, settings=settings) as play:
        play.process.disk.latency = 5.0
        play.joins("ann", have="1" * 8).unchokes("ann")
        for _ in range(30):
            for request in requests(play.heard("ann")):
                play.gives("ann", request.piece, request.begin)
            assert play.torrent.download is not None
            assert play.torrent.download.at_disk <= 10 * BLOCK
            play.waits(3.0)
        assert play.have == "1" * 8
        assert Completed(1) in play.events


def test_what_a_peer_has_is_remembered_until_the_metadata_comes() -> None:
    with Playbook(pieces=3, magnet=True) as play:
        play.joins("ann", extensions={"ut_metadata": 9}).says("ann", Have(2), Have(0)).unchokes("ann")
        raw = play.content.info.raw
        play.says("ann", Extended(2, MetadataData(0, len(raw), raw[:METADATA_PIECE]).encode()))
        assert sorted(request.piece for request in requests(play.heard("ann"))) == [0, 2]


def test_what_a_peer_claimed_before_the_metadata_is_judged_when_it_comes() -> None:
    with Playbook(pieces=3, magnet=True) as play:
        play.joins("ann", extensions={"ut_metadata": 9})
        play.joins("eve").says("eve", Have(3))
        raw = play.content.info.raw
        play.says("ann", Extended(2, MetadataData(0, len(raw), raw[:METADATA_PIECE]).encode()))
        play.expect_drop("eve", Offence.OUT_OF_BOUNDS)


def test_claims_before_the_metadata_are_bounded() -> None:
    """However many pieces a peer tells of, it takes no more memory than the longest bitfield."""
    with Playbook(pieces=3, magnet=True) as play:
        play.joins("eve").says("eve", Have(MAX_PIECES - 1))
        [eve] = play.torrent.peers.values()
        tracemalloc.start()
        try:
            play.says("eve", *[Have(piece) for piece in range(0, MAX_PIECES, 64)])
            assert tracemalloc.get_traced_memory()[0] < 100_000
        finally:
            tracemalloc.stop()
        assert eve.early.haves is not None
        assert eve.early.haves.count == MAX_PIECES // 64 + 1
        assert play.actors["eve"].lost_by is None
        play.says("eve", Have(MAX_PIECES)).expect_drop("eve", Offence.OUT_OF_BOUNDS)


def test_the_last_word_of_a_peer_that_lies_and_leaves_hurts_nobody() -> None:
    """It sends one block of each of two pieces and is gone: the others are asked for the rest."""
    with Playbook(pieces=2, blocks=3) as play:
        play.joins("eve", have="11").unchokes("eve")
        wanted = requests(play.heard("eve"))
        play.gives("eve", wanted[0].piece, wanted[0].begin).gives("eve", wanted[-1].piece, wanted[-1].begin)
        half = play.block(wanted[1].piece, wanted[1].begin)
        play.says_raw("eve", replace(half, block=bytes(BLOCK)).encode()[:5000]).leaves("eve")
        play.joins("ann", have="11").unchokes("ann")
        again = requests(play.heard("ann"))
        assert len(again) == 4
        for request in again:
            play.gives("ann", request.piece, request.begin)
        assert play.have == "11"
        assert not [message for message in play.heard("ann") if isinstance(message, Piece)]


def test_who_was_there_before_the_metadata_is_told_what_we_have_unless_it_is_a_seed() -> None:
    with Playbook(pieces=3, magnet=True) as play:
        play.joins("ann", have="000").joins("bob", have="all")
        info = play.content.info
        play.process.disk.add(play.torrent.number, bytearray(play.content.data))
        play.torrent.begin(info, Bitfield(3, [0, 2]), None, play.world.now)
        play.process.host.touch()
        play.waits(0.1)
        assert [message for message in play.heard("ann") if isinstance(message, Have)] == [Have(0), Have(2)]
        assert not [message for message in play.heard("bob") if isinstance(message, Have)]


ROW = HashRange(b"\xab" * 32, 0, 0, 2, 1)


@pytest.mark.parametrize("magnet", [False, True])
def test_who_asks_for_hashes_that_we_do_not_have_is_refused(*, magnet: bool) -> None:
    """BEP 52: each request is answered; a torrent of version 1, or one whose metadata is unknown, has no hashes."""
    with Playbook(magnet=magnet) as play:
        play.joins("ann").heard("ann")
        play.says("ann", HashRequest(ROW)).expect("ann", HashReject(ROW))


@pytest.mark.parametrize("magnet", [False, True])
@pytest.mark.parametrize(
    ("body", "offence"),
    [
        (Hashes(ROW, bytes(96)).encode(), Offence.UNASKED_HASHES),
        (HashReject(ROW).encode(), Offence.UNASKED_HASHES),
        (Hashes(ROW, bytes(64)).encode(), Offence.BAD_MESSAGE_LENGTH),
        (b"\0\0\0\x02\x15\0", Offence.BAD_MESSAGE_LENGTH),
        (b"\0\0\0\x02\x16\0", Offence.BAD_MESSAGE_LENGTH),
        (b"\0\0\0\x31\x15" + bytes(48), Offence.BAD_HASH_REQUEST),
        (b"\0\0\0\x31\x17" + b"\xff" * 48, Offence.BAD_HASH_REQUEST),
        (b"\0\1\0\0\x16", Offence.OVERSIZED_MESSAGE),
    ],
    ids=lambda value: value.hex()[:12] if isinstance(value, bytes) else value.name,
)
def test_false_words_about_hashes_end_the_connection_and_nothing_else(
    body: bytes, offence: Offence, *, magnet: bool
) -> None:
    with Playbook(magnet=magnet) as play:
        play.joins("ann").joins("bob")
        play.says_raw("ann", body).expect_drop("ann", offence)
        assert play.actors["bob"].lost_by is None


def test_when_a_torrent_turns_out_private_those_whom_others_named_are_left() -> None:
    with Playbook(pieces=3, magnet=True) as play:
        play.joins("ann", have="000").joins("bob", have="000")
        ann, bob = (peer.address for peer in play.torrent.peers.values())
        now = play.world.now
        assert play.torrent.add_candidates([bob], Source.DHT, now) == 1
        info = replace(play.content.info, private=True)
        play.process.disk.add(play.torrent.number, bytearray(len(play.content.data)))
        play.torrent.begin(info, Bitfield(3), None, now)
        assert [peer.address for peer in play.torrent.peers.values()] == [ann]
        for source in (Source.DHT, Source.PEX, Source.LSD, Source.RESUME):
            assert play.torrent.add_candidates([Address("10.0.9.9", 7)], source, now) == 0
        assert play.torrent.add_candidates([Address("10.0.9.9", 7)], Source.TRACKER, now) == 1
