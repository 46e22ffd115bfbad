"""The stages of the well-known challenge, with the real program and a tracker and peers that hold it to the rules."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bittern.cli.exit_codes import ExitCode
from tests.tools.lab.fakes import (
    LTEP,
    PEER_ID,
    THEIR_METADATA_ID,
    FakePeer,
    FakeTracker,
    Torrent,
    Wire,
    hand_out_metadata,
    hang_up_after_metadata,
    hear_introduction,
    never_read,
    seed,
    seed_magnet,
    shake_and_close,
    swarm,
)

SRC = Path(__file__).parents[3] / "src"
CONTENT = bytes(at * 7 % 251 for at in range(300_000))
TORRENT = Torrent(CONTENT, piece_size=65536)
PEER_ID_LINE = f"Peer ID: {PEER_ID.hex()}\n".encode()


def run(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "bittern", "lab", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )


def output_of(*words: str) -> bytes:
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return done.stdout


def failure_of(*words: str) -> tuple[int, str]:
    """Exit code and the one line on stderr."""
    done = run(*words)
    assert done.stdout == b""
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return done.returncode, lines[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, tracker: FakeTracker, torrent: Torrent = TORRENT) -> str:
    path = folder / "sample.torrent"
    path.write_bytes(torrent.metainfo(tracker.url))
    return str(path)


def info_text(url: str, torrent: Torrent) -> bytes:
    lines = [
        f"Tracker URL: {url}",
        f"Length: {len(torrent.content)}",
        f"Info Hash: {torrent.info_hash.hex()}",
        f"Piece Length: {torrent.piece_size}",
        "Piece Hashes:",
        *torrent.hashes,
    ]
    return ("\n".join(lines) + "\n").encode()


class TestDecode:
    @pytest.mark.parametrize(
        ("bencoded", "shown"),
        [
            ("9:blueberry", '"blueberry"'),
            ("55:http://bittorrent-test-tracker.codecrafters.io/announce", '"http://bittorrent-test-tracker.codecrafters.io/announce"'),
            ("i0e", "0"),
            ("i4294967300e", "4294967300"),
            ("i-52e", "-52"),
            ("le", "[]"),
            ("l5:mangoi31ee", '["mango",31]'),
            ("lli31e5:mangoee", '[[31,"mango"]]'),
            ("lli4eei5ee", "[[4],5]"),
            ("de", "{}"),
            ("d3:foo5:mango5:helloi52ee", '{"foo":"mango","hello":52}'),
            (
                "d10:inner_dictd4:key16:value14:key2i42e8:list_keyl5:item15:item2i3eeee",
                '{"inner_dict":{"key1":"value1","key2":42,"list_key":["item1","item2",3]}}',
            ),
        ],
    )  # fmt: skip
    def test_a_value_becomes_json_and_one_newline(self, bencoded: str, shown: str) -> None:
        assert output_of("decode", bencoded) == f"{shown}\n".encode()

    @pytest.mark.parametrize("bencoded", ["i5", "5:abc", "x", "", "le5:extra"])
    def test_what_is_not_bencode_is_refused(self, bencoded: str) -> None:
        code, line = failure_of("decode", bencoded)
        assert code == ExitCode.BAD_BENCODE
        assert "at byte" in line

    def test_it_starts_fast(self) -> None:
        """Time is what modules cost: few are loaded, and none of those that take long."""
        command = [sys.executable, "-X", "importtime", "-m", "bittern", "lab", "decode", "i5e"]
        done = subprocess.run(command, capture_output=True, timeout=30, check=True)
        loaded = {line.rpartition(b"|")[2].strip().decode() for line in done.stderr.splitlines()}
        slow = {"asyncio", "ssl", "socket", "logging", "sqlite3", "rich", "bittern.session", "bittern.engine"}
        assert not loaded & slow
        assert len(loaded) < 200


class TestTorrent:
    def test_info_shows_everything_over_the_raw_bytes(self, folder: Path) -> None:
        (folder / "t.torrent").write_bytes(TORRENT.metainfo("http://tracker.example/announce"))
        shown = output_of("info", str(folder / "t.torrent"))
        assert shown == info_text("http://tracker.example/announce", TORRENT)

    @pytest.mark.parametrize("redirect", [False, True])
    def test_peers_are_listed_one_a_line(self, folder: Path, *, redirect: bool) -> None:
        peers = [("165.232.33.77", 51467), ("178.62.85.20", 51489), ("127.0.0.1", 80)]
        with FakeTracker(TORRENT.info_hash, len(CONTENT), peers, redirect=redirect) as tracker:
            shown = output_of("peers", write(folder, tracker))
        assert shown == b"165.232.33.77:51467\n178.62.85.20:51489\n127.0.0.1:80\n"
        assert tracker.announces == 1

    def test_handshake_shows_the_peer_id(self, folder: Path) -> None:
        with swarm(TORRENT, shake_and_close) as (tracker, [peer]):
            host, port = peer.address
            assert output_of("handshake", write(folder, tracker), f"{host}:{port}") == PEER_ID_LINE
        assert peer.connections == 1
        assert tracker.announces == 0

    def test_single_pieces_are_downloaded_the_short_last_one_too(self, folder: Path) -> None:
        with swarm(TORRENT, seed) as (tracker, [peer]):
            file = write(folder, tracker)
            for number in (0, 4):
                out = folder / f"piece-{number}"
                shown = output_of("download_piece", "-o", str(out), file, str(number))
                assert shown == f"Piece {number} downloaded to {out}.\n".encode()
                assert out.read_bytes() == TORRENT.pieces[number]
        assert peer.connections == 2

    def test_the_whole_file_is_downloaded_with_requests_in_a_pipeline(self, folder: Path) -> None:
        out = folder / "out.bin"
        with swarm(TORRENT, seed, redirect=True) as (tracker, [peer]):
            file = write(folder, tracker)
            assert output_of("download", "-o", str(out), file) == f"Downloaded {file} to {out}.\n".encode()
        assert out.read_bytes() == CONTENT
        assert peer.deepest >= 5


class TestMagnet:
    def test_parse_shows_tracker_and_info_hash(self) -> None:
        url = "http://bittorrent-test-tracker.codecrafters.io/announce"
        shown = output_of("magnet_parse", TORRENT.magnet(url))
        assert shown == f"Tracker URL: {url}\nInfo Hash: {TORRENT.info_hash.hex()}\n".encode()

    @pytest.mark.parametrize("script", [never_read, hear_introduction])
    def test_handshake_shows_both_ids(self, script: object) -> None:
        assert callable(script)
        with swarm(TORRENT, script, reserved=(LTEP,)) as (tracker, _):
            shown = output_of("magnet_handshake", TORRENT.magnet(tracker.url))
        assert shown == PEER_ID_LINE + f"Peer Metadata Extension ID: {THEIR_METADATA_ID}\n".encode()

    @pytest.mark.parametrize("script", [hand_out_metadata, hang_up_after_metadata])
    def test_info_is_that_of_the_torrent(self, script: object) -> None:
        assert callable(script)
        with swarm(TORRENT, script, reserved=(LTEP,)) as (tracker, _):
            shown = output_of("magnet_info", TORRENT.magnet(tracker.url))
        assert shown == info_text(tracker.url, TORRENT)

    def test_a_piece_is_downloaded(self, folder: Path) -> None:
        out = folder / "piece"
        with swarm(TORRENT, seed_magnet, reserved=(LTEP,)) as (tracker, [peer]):
            shown = output_of("magnet_download_piece", "-o", str(out), TORRENT.magnet(tracker.url), "4")
        assert shown == f"Piece 4 downloaded to {out}.\n".encode()
        assert out.read_bytes() == TORRENT.pieces[4]
        assert peer.connections == 1

    def test_the_whole_file_is_downloaded_over_one_connection(self, folder: Path) -> None:
        out = folder / "out.bin"
        with swarm(TORRENT, seed_magnet, reserved=(LTEP,)) as (tracker, [peer]):
            shown = output_of("magnet_download", "-o", str(out), TORRENT.magnet(tracker.url))
        assert shown == f"Downloaded to {out}.\n".encode()
        assert out.read_bytes() == CONTENT
        assert peer.connections == 1
        assert peer.deepest >= 5


def wrong_protocol(_peer: FakePeer, wire: Wire) -> None:
    wire.exactly(68)
    wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def short_handshake(peer: FakePeer, wire: Wire) -> None:
    wire.exactly(68)
    wire.send(b"\x13BitTorrent protocol" + bytes(8) + peer.torrent.info_hash)


def other_torrent(peer: FakePeer, wire: Wire) -> None:
    peer.shake_hands(wire, info_hash=bytes(20))


class TestErrors:
    @pytest.mark.parametrize(
        ("script", "words"),
        [
            (wrong_protocol, "does not speak the BitTorrent protocol"),
            (short_handshake, "closed before its handshake was complete: 48 bytes came"),
            (other_torrent, "answered with another info hash"),
        ],
    )
    def test_a_bad_handshake_says_what_is_wrong(self, folder: Path, script: object, words: str) -> None:
        assert callable(script)
        with swarm(TORRENT, script) as (tracker, [peer]):
            host, port = peer.address
            code, line = failure_of("handshake", write(folder, tracker), f"{host}:{port}")
        assert code == ExitCode.NETWORK
        assert f"127.0.0.1:{port}: " in line
        assert words in line

    def test_nobody_listening_is_a_network_error(self, folder: Path) -> None:
        (folder / "t.torrent").write_bytes(TORRENT.metainfo("http://127.0.0.1:1/announce"))
        code, line = failure_of("handshake", str(folder / "t.torrent"), "127.0.0.1:1")
        assert code == ExitCode.NETWORK
        assert "127.0.0.1:1: cannot connect: " in line

    def test_a_tracker_that_is_down_is_a_network_error(self, folder: Path) -> None:
        (folder / "t.torrent").write_bytes(TORRENT.metainfo("http://127.0.0.1:1/announce"))
        code, line = failure_of("peers", str(folder / "t.torrent"))
        assert code == ExitCode.NETWORK
        assert "http://127.0.0.1:1/announce: cannot be asked: Connection refused;" in line

    def test_the_words_of_a_tracker_are_cleaned(self, folder: Path) -> None:
        with FakeTracker(TORRENT.info_hash, len(CONTENT), []) as tracker:
            tracker.answer = b"d14:failure reason12:no\x1b[31m\nyou!e"
            code, line = failure_of("peers", write(folder, tracker))
        assert code == ExitCode.NETWORK
        assert "\x1b" not in line
        assert "you!" in line

    def test_a_failed_download_leaves_nothing(self, folder: Path) -> None:
        def corrupt(peer: FakePeer, wire: Wire) -> None:
            peer.shake_hands(wire)
            wire.message(5, peer.torrent.bitfield)
            peer.serve_pieces(wire, corrupt=frozenset({3}))

        (folder / "into").mkdir()
        with swarm(TORRENT, corrupt) as (tracker, _):
            code, line = failure_of("download", "-o", str(folder / "into" / "out"), write(folder, tracker))
        assert code == ExitCode.NETWORK
        assert "sent data that fails its hash: piece 3" in line
        assert list((folder / "into").iterdir()) == []

    @pytest.mark.parametrize("number", ["5", "99"])
    def test_a_piece_that_is_not_there_is_a_usage_error(self, folder: Path, number: str) -> None:
        (folder / "t.torrent").write_bytes(TORRENT.metainfo("http://127.0.0.1:1/announce"))
        out = folder / "out"
        code, line = failure_of("download_piece", "-o", str(out), str(folder / "t.torrent"), number)
        assert code == ExitCode.USAGE
        assert f"there is no piece {number}: the torrent has 5" in line
        assert not out.exists()

    def test_files_and_links_that_are_wrong_have_their_own_codes(self, folder: Path) -> None:
        (folder / "bad").write_bytes(b"not bencode")
        (folder / "empty").write_bytes(b"de")
        assert failure_of("info", str(folder / "none"))[0] == ExitCode.NOT_FOUND
        assert failure_of("info", str(folder / "bad"))[0] == ExitCode.BAD_BENCODE
        assert failure_of("info", str(folder / "empty"))[0] == ExitCode.BAD_TORRENT
        assert failure_of("magnet_parse", "magnet:?dn=x")[0] == ExitCode.BAD_MAGNET
        assert failure_of("handshake", str(folder / "bad"), "localhost")[0] == ExitCode.USAGE
        assert failure_of("peers", str(folder / "bad"), "--timeout", "0")[0] == ExitCode.USAGE


class TestTrace:
    def test_every_message_is_shown_with_hex_and_fields_on_stderr(self, folder: Path) -> None:
        out = folder / "out"
        with swarm(TORRENT, seed_magnet, reserved=(LTEP,)) as (tracker, [peer]):
            done = run("magnet_download_piece", "-o", str(out), TORRENT.magnet(tracker.url), "4", "--trace")
        assert done.returncode == 0
        assert done.stdout == f"Piece 4 downloaded to {out}.\n".encode()
        where = f"127.0.0.1:{peer.address[1]}"
        lines = done.stderr.decode().splitlines()
        assert all(line.isascii() and line.isprintable() for line in lines)
        kinds = [(line[:2], line.split("  ")[2].split("(")[0]) for line in lines if where in line[:40]]
        block = [("<-", "Piece")]
        ask = [("->", "Request")]
        assert [kind for kind in kinds if kind[1] not in ("BitfieldMessage", "Extended")] == [
            ("->", "Handshake"),
            ("<-", "Handshake"),
            ("->", "Interested"),
            ("<-", "Unchoke"),
            *ask * 3,
            *block * 3,
        ]
        assert kinds.count(("<-", "BitfieldMessage")) == 1
        assert kinds.count(("->", "Extended")) == kinds.count(("<-", "Extended")) == 2
        assert f"-> {where}  0000000102  Interested()" in lines
        assert f"-> {where}  0000000d06000000040000000000004000  Request(piece=4, begin=0, length=16384)" in lines
        assert any("ExtendedHandshake(extensions={'ut_metadata': 173}, " in line for line in lines)
        assert any("MetadataRequest(piece=0)" in line for line in lines)
        assert any(line.startswith("-> 127.0.0.1:") and "GET /announce?info_hash=" in line for line in lines)
        assert any("AnnounceReply(interval=60, " in line for line in lines)

    @pytest.mark.parametrize("words", [["decode", "i52e"], ["magnet_parse", TORRENT.magnet("http://t/announce")]])
    def test_commands_without_a_network_can_be_traced_too(self, words: list[str]) -> None:
        done = run(*words, "--trace")
        assert done.returncode == 0
        assert done.stdout == run(*words).stdout
        assert done.stderr.decode().rstrip("\n").isprintable()
