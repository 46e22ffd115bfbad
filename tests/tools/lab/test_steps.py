from pathlib import Path

import pytest

from bittern.base.address import Address
from bittern.base.errors import MetainfoError, NetworkError, Offence, RemoteProtocolError, TrackerError
from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.tools.lab.client import Client
from bittern.tools.lab.steps import (
    NoSuchPieceError,
    Target,
    download,
    download_piece,
    find_peers,
    handshake,
    info_lines,
    magnet_handshake,
    magnet_info,
)
from tests.tools.lab.fakes import (
    LTEP,
    PEER_ID,
    THEIR_METADATA_ID,
    FakePeer,
    FakeTracker,
    Script,
    Torrent,
    Wire,
    hand_out_metadata,
    hear_introduction,
    never_read,
    seed,
    seed_magnet,
    shake_and_close,
    swarm,
)

CONTENT = bytes(at * 13 % 249 for at in range(300_000))
TORRENT = Torrent(CONTENT, piece_size=65536)
CLIENT = Client(answer_seconds=2)


def target_of(tracker: FakeTracker) -> Target:
    return Target.of_torrent(Metainfo.from_bytes(TORRENT.metainfo(tracker.url)))


def magnet_of(tracker: FakeTracker) -> Target:
    return Target.of_magnet(Magnet.parse(TORRENT.magnet(tracker.url)))


def hang_up(_peer: FakePeer, _wire: Wire) -> None:
    pass


def other_torrent(peer: FakePeer, wire: Wire) -> None:
    peer.shake_hands(wire, info_hash=bytes(20))


def corrupt(peer: FakePeer, wire: Wire) -> None:
    peer.shake_hands(wire)
    wire.message(5, peer.torrent.bitfield)
    peer.serve_pieces(wire, corrupt=frozenset({2}))


def leave_after_one_piece(peer: FakePeer, wire: Wire) -> None:
    peer.shake_hands(wire)
    wire.message(5, peer.torrent.bitfield)
    wire.next()
    wire.message(1)
    for _ in range(19):  # all requests: closing before they are read would reset the connection
        wire.next()
    for block in range(4):
        peer.send_block(wire, 0, block * 16384, 16384)


def corrupt_metadata(peer: FakePeer, wire: Wire) -> None:
    peer.shake_hands(wire)
    peer.introduce(wire)
    mine = peer.read_introduction(wire)
    peer.read_metadata_request(wire)
    wire.message(20, bytes((mine,)) + encode({"msg_type": 1, "piece": 0, "total_size": 4}) + b"junk")


def introduced_seed(peer: FakePeer, wire: Wire) -> None:
    """For a client that has the metadata already: it introduces itself again and goes on to the pieces."""
    peer.shake_hands(wire)
    peer.introduce(wire)
    peer.read_introduction(wire)
    peer.serve_pieces(wire)


def metadata_and_one_piece(peer: FakePeer, wire: Wire) -> None:
    peer.shake_hands(wire)
    wire.message(5, b"\x80")
    wire.message(20, b"\x00" + encode({"m": {"ut_metadata": THEIR_METADATA_ID}}))
    mine = peer.read_introduction(wire)
    peer.read_metadata_request(wire)
    peer.send_metadata(wire, mine)
    peer.serve_pieces(wire)


class TestTarget:
    def test_trackers_of_all_tiers_are_asked_in_order(self) -> None:
        raw = TORRENT.metainfo("http://a/announce")[:-1] + b"13:announce-listll9:http://b/9:http://c/el9:http://d/eee"
        target = Target.of_torrent(Metainfo.from_bytes(raw))
        assert target.trackers == ("http://b/", "http://c/", "http://d/")
        assert target.reserved == bytes(8)

    def test_a_magnet_may_name_peers(self) -> None:
        link = TORRENT.magnet("http://t/announce") + "&x.pe=127.0.0.1:5&x.pe=host.example:6&x.pe=[::1]:7"
        target = Target.of_magnet(Magnet.parse(link))
        assert target.peers == (Address("127.0.0.1", 5), Address("::1", 7))
        assert target.reserved == LTEP

    def test_the_info_lines_have_the_exact_form(self) -> None:
        assert info_lines(Info.parse(TORRENT.raw_info), "http://t/announce") == [
            "Tracker URL: http://t/announce",
            "Length: 300000",
            f"Info Hash: {TORRENT.info_hash.hex()}",
            "Piece Length: 65536",
            "Piece Hashes:",
            *TORRENT.hashes,
        ]


class TestPeers:
    def test_the_peers_of_the_link_come_after_those_of_the_tracker(self) -> None:
        with FakeTracker(TORRENT.info_hash, len(CONTENT), [("10.0.0.1", 1)]) as tracker:
            link = TORRENT.magnet(tracker.url) + "&x.pe=10.0.0.2:2&x.pe=10.0.0.1:1"
            found = find_peers(CLIENT, Target.of_magnet(Magnet.parse(link)))
        assert found == (Address("10.0.0.1", 1), Address("10.0.0.2", 2))

    def test_a_dead_tracker_does_not_matter_when_the_link_names_a_peer(self) -> None:
        link = TORRENT.magnet("http://127.0.0.1:1/announce")
        with pytest.raises(TrackerError):
            find_peers(CLIENT, Target.of_magnet(Magnet.parse(link)))
        assert find_peers(CLIENT, Target.of_magnet(Magnet.parse(link + "&x.pe=10.0.0.2:2"))) == (
            Address("10.0.0.2", 2),
        )

    def test_no_peers_at_all_is_told(self, tmp_path: Path) -> None:
        with swarm(TORRENT) as (tracker, _), pytest.raises(NetworkError, match="know no peer"):
            download(CLIENT, target_of(tracker), tmp_path / "out")


class TestHandshake:
    def test_the_peer_is_named(self) -> None:
        with swarm(TORRENT, shake_and_close) as (tracker, [peer]):
            hello = handshake(CLIENT, target_of(tracker), Address(*peer.address))
        assert hello.peer_id == PEER_ID

    def test_an_offence_names_the_address(self) -> None:
        with swarm(TORRENT, other_torrent) as (tracker, [peer]):
            address = Address(*peer.address)
            with pytest.raises(RemoteProtocolError) as caught:
                handshake(CLIENT, target_of(tracker), address)
        assert caught.value.offence is Offence.WRONG_INFO_HASH
        assert caught.value.__notes__ == [str(address)]

    @pytest.mark.parametrize("good", [never_read, hear_introduction])
    def test_for_a_magnet_the_next_peer_is_tried(self, good: Script) -> None:
        with swarm(TORRENT, hang_up, other_torrent, good, reserved=(LTEP,)) as (tracker, peers):
            hello, number = magnet_handshake(CLIENT, magnet_of(tracker))
        assert (hello.peer_id, number) == (PEER_ID, THEIR_METADATA_ID)
        assert [peer.connections for peer in peers] == [1, 1, 1]


class TestMetadata:
    def test_the_next_peer_is_tried_when_the_metadata_is_corrupt(self) -> None:
        with swarm(TORRENT, corrupt_metadata, hand_out_metadata, reserved=(LTEP,)) as (tracker, peers):
            assert magnet_info(CLIENT, magnet_of(tracker)).raw == TORRENT.raw_info
        assert [peer.connections for peer in peers] == [1, 1]

    def test_the_only_peer_s_offence_is_told(self) -> None:
        with (
            swarm(TORRENT, corrupt_metadata, reserved=(LTEP,)) as (tracker, _),
            pytest.raises(RemoteProtocolError) as caught,
        ):
            magnet_info(CLIENT, magnet_of(tracker))
        assert caught.value.offence is Offence.BAD_METADATA


class TestDownload:
    @pytest.mark.parametrize("bad", [hang_up, other_torrent, corrupt, leave_after_one_piece])
    def test_the_next_peer_goes_on_where_the_last_one_failed(self, tmp_path: Path, bad: Script) -> None:
        with swarm(TORRENT, bad, seed) as (tracker, peers):
            download(CLIENT, target_of(tracker), tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == CONTENT
        assert [peer.connections for peer in peers] == [1, 1]

    def test_the_next_peer_is_not_asked_for_pieces_that_are_there(self, tmp_path: Path) -> None:
        seen: list[int] = []

        def counting(peer: FakePeer, wire: Wire) -> None:
            peer.shake_hands(wire)
            wire.message(5, peer.torrent.bitfield)
            wire.next()
            wire.message(1)
            while True:
                _, payload = wire.next()
                piece, begin, length = (int.from_bytes(payload[at : at + 4]) for at in (0, 4, 8))
                seen.append(piece)
                peer.send_block(wire, piece, begin, length)

        with swarm(TORRENT, leave_after_one_piece, counting) as (tracker, _):
            download(CLIENT, target_of(tracker), tmp_path / "out")
        assert 0 not in seen
        assert (tmp_path / "out").read_bytes() == CONTENT

    def test_for_a_magnet_pieces_come_from_several_peers_but_metadata_from_one(self, tmp_path: Path) -> None:
        with swarm(TORRENT, metadata_and_one_piece, introduced_seed, reserved=(LTEP,)) as (tracker, peers):
            download(CLIENT, magnet_of(tracker), tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == CONTENT
        assert [peer.connections for peer in peers] == [1, 1]

    def test_when_all_peers_fail_nothing_is_left(self, tmp_path: Path) -> None:
        with (
            swarm(TORRENT, hang_up, corrupt) as (tracker, _),
            pytest.raises(NetworkError, match=r"none of 2 peers was of use; the last one, 127.*: sent data that fails"),
        ):
            download(CLIENT, target_of(tracker), tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    def test_a_peer_without_the_pieces_is_told_apart(self, tmp_path: Path) -> None:
        with (
            swarm(TORRENT, metadata_and_one_piece, reserved=(LTEP,)) as (tracker, _),
            pytest.raises(NetworkError, match="has nothing more of what is missing"),
        ):
            download(CLIENT, magnet_of(tracker), tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("number", [-1, 5])
    def test_a_piece_out_of_range_is_refused_before_anyone_is_asked(self, tmp_path: Path, number: int) -> None:
        with swarm(TORRENT, seed) as (tracker, [peer]), pytest.raises(NoSuchPieceError):
            download_piece(CLIENT, target_of(tracker), number, tmp_path / "out")
        assert tracker.announces == peer.connections == 0

    def test_of_a_magnet_a_piece_out_of_range_is_refused_once_that_is_known(self, tmp_path: Path) -> None:
        with swarm(TORRENT, seed_magnet, reserved=(LTEP,)) as (tracker, _), pytest.raises(NoSuchPieceError) as caught:
            download_piece(CLIENT, magnet_of(tracker), 5, tmp_path / "out")
        assert not hasattr(caught.value, "__notes__")

    def test_an_empty_torrent_needs_nobody(self, tmp_path: Path) -> None:
        empty = Torrent(b"")
        target = Target.of_torrent(Metainfo.from_bytes(empty.metainfo("http://127.0.0.1:1/announce")))
        download(CLIENT, target, tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == b""

    def test_a_torrent_of_version_2_only_is_refused(self, tmp_path: Path) -> None:
        tree = {"f": {"": {"length": 5, "pieces root": b"r" * 32}}}
        raw = encode({"file tree": tree, "meta version": 2, "name": "f", "piece length": 16384})
        target = Target.of_torrent(Metainfo.from_info(Info.parse(raw)))
        with pytest.raises(MetainfoError, match="version 2 only"):
            download(CLIENT, target, tmp_path / "out")
        assert list(tmp_path.iterdir()) == []
