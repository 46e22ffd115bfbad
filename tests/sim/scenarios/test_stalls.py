"""What could stop a torrent, or one of its peers, for ever: each a script that ends with everybody going on."""

from bittern.base.errors import StorageError
from bittern.base.geometry import BLOCK
from bittern.engine.events import PeerDropped, StorageFailed
from bittern.engine.settings import EngineSettings
from bittern.sim.network import PORT
from bittern.testing.playbook import Playbook
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.messages import Extended, Piece, Reject, Request


def test_a_piece_whose_write_fails_while_the_torrent_is_paused_is_asked_for_again() -> None:
    with Playbook() as play:
        play.process.disk.latency = 1.0
        play.joins("ann", have="1").unchokes("ann").gives("ann", 0)
        play.torrent.pause(play.world.now)
        play.process.disk.faults.broken = StorageError.Kind.DISK_FULL
        play.waits(3.0)
        assert [event for event in play.events if isinstance(event, StorageFailed)]
        play.process.repair()
        play.waits(1.0).joins("bob", have="1").unchokes("bob").gives("bob", 0).waits(3.0)
        assert play.have == "1"


def test_an_upload_limit_is_shared_and_not_left_to_who_asked_first() -> None:
    settings = EngineSettings(listen_port=PORT, up_bytes_per_second=65536.0)
    names = ("ann", "bob", "carl")
    with Playbook(pieces=16, blocks=16, have="all", settings=settings) as play:
        for name in names:
            play.joins(name).is_interested(name)
        for name in names:
            play.says(name, *[Request(piece, begin * BLOCK, BLOCK) for piece in range(16) for begin in range(16)])
        play.waits(60.0)
        served = [sum(isinstance(message, Piece) for message in play.heard(name)) for name in names]
        assert max(served) - min(served) <= 16  # one run


def test_a_peer_that_names_many_ports_does_not_fill_the_peerbook() -> None:
    with Playbook() as play:
        play.joins("ann", extensions={})
        for port in range(1000, 1010):
            play.says("ann", Extended(HANDSHAKE_EXT_ID, ExtendedHandshake(port=port).encode()))
        assert len(play.torrent.peerbook) == 1


def test_a_peer_that_rejects_everything_is_asked_once_a_second_and_not_without_end() -> None:
    with Playbook(pieces=2) as play:
        play.joins("ann", have="11").unchokes("ann")
        for _ in range(5):
            assert len(play.heard("ann")) == 2
            play.rejects("ann", 0).rejects("ann", 1).expect("ann").waits(1.0)


def test_a_peer_that_rejected_may_be_asked_as_soon_as_it_unchokes_again() -> None:
    with Playbook() as play:
        play.joins("ann", have="1").unchokes("ann").heard("ann")
        play.rejects("ann", 0).expect("ann").chokes("ann").unchokes("ann").expect("ann", Request(0, 0, BLOCK))


def test_a_read_that_fails_for_a_peer_that_asked_too_much_while_choked_is_not_its_offence() -> None:
    with Playbook(pieces=20, blocks=16, have="all") as play:
        disk = play.process.disk
        disk.cached, disk.latency = False, 30.0
        play.joins("ann").is_interested("ann")
        play.says("ann", *[Request(0, begin * BLOCK, BLOCK) for begin in range(16)])
        peer = play.torrent.peers[1]
        peer.am_choking = True  # as the next round could have it, while the run is being read
        play.says("ann", *[Request(piece, begin * BLOCK, BLOCK) for piece in range(1, 19) for begin in range(16)])
        disk.faults.broken = StorageError.Kind.IO
        play.heard("ann")
        play.waits(40.0)
        assert sum(isinstance(message, Reject) for message in play.heard("ann")) == 16
        assert not [event for event in play.events if isinstance(event, PeerDropped)]


def test_silent_peers_that_hold_all_the_memory_do_not_hold_up_the_others_for_long() -> None:
    settings = EngineSettings(listen_port=PORT, buffer_bytes=1)  # that is two pieces at a time
    with Playbook(pieces=8, settings=settings) as play:
        play.joins("ann", have="11111111").unchokes("ann")
        asked = {message.piece for message in play.heard("ann") if isinstance(message, Request)}
        play.joins("bob", have="11111111").unchokes("bob").expect("bob").waits(7.0)
        told = {message.piece for message in play.heard("bob") if isinstance(message, Request)}
        assert len(asked) == 2
        assert told & asked
        while play.have != "1" * 8 and play.world.now < 30.0:
            for piece in told:
                play.gives("bob", piece)
            told = {message.piece for message in play.heard("bob") if isinstance(message, Request)}
            play.waits(1.0)
        assert play.have == "1" * 8
