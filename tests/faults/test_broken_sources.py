"""A torrent or a magnet link that is broken: one line that names what is wrong, the exit status, never a traceback."""

import hashlib
from pathlib import Path
from random import Random

import pytest

from tests.faults.rigs.program import run
from tests.faults.rigs.torrent import MIB, PIECE, Torrent, bencode, info_of

BAD_BENCODE, BAD_TORRENT, BAD_MAGNET = 25, 26, 27
DATA = Random(1).randbytes(2 * PIECE)
DIGESTS = b"".join(hashlib.sha1(DATA[at : at + PIECE]).digest() for at in range(0, len(DATA), PIECE))
GOOD: dict[str, object] = {"length": 2 * PIECE, "name": "wanted.bin", "piece length": PIECE, "pieces": DIGESTS}


def torrent_with(**fields: object) -> bytes:
    """A torrent whose info dictionary has other fields; `_` stands for a space, None leaves one out."""
    changed = {**GOOD, **{key.replace("_", " "): value for key, value in fields.items()}}
    return bencode({"info": {key: value for key, value in sorted(changed.items()) if value is not None}})


BROKEN = {
    "info.piece length: zero": torrent_with(piece_length=0),
    "info.piece length: negative": torrent_with(piece_length=-PIECE),
    "info.piece length: text": torrent_with(piece_length="64k"),
    "info.piece length: none": torrent_with(piece_length=None),
    "info.pieces: too few": torrent_with(pieces=DIGESTS[:20]),
    "info.pieces: too many": torrent_with(pieces=DIGESTS + bytes(20)),
    "info.pieces: odd": torrent_with(pieces=DIGESTS[:-1]),
    "info.pieces: number": torrent_with(pieces=7),
    "info.length: negative": torrent_with(length=-1),
    "info.length: text": torrent_with(length="1"),
    "info.name: number": torrent_with(name=5),
    "info.files: number": torrent_with(length=None, files=5),
    "info: none": bencode({"announce": "http://127.0.0.1:1/announce"}),
    "info: text": bencode({"info": "x"}),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_torrent_is_one_line_that_names_the_field(tmp_path: Path, what: str) -> None:
    path = tmp_path / "broken.torrent"
    path.write_bytes(BROKEN[what])
    done = run(["get", str(path), "-d", str(tmp_path)], tmp_path / "home")
    assert done.returncode == BAD_TORRENT
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"bittern: {path}: {what.partition(': ')[0]}: ")


STRANGE = {
    "this is an empty file, not a torrent": b"",
    "this is a web page, not a torrent": b"<!DOCTYPE html><title>not found</title>",
    "this is a gzip archive, not a torrent": b"\x1f\x8b\x08\0",
    "this is not a torrent": Random(3).randbytes(50_000),
}


@pytest.mark.parametrize("what", STRANGE)
def test_what_is_no_torrent_is_one_line_that_says_what_it_is(tmp_path: Path, what: str) -> None:
    path = tmp_path / "strange.torrent"
    path.write_bytes(STRANGE[what])
    done = run(["get", str(path), "-d", str(tmp_path)], tmp_path / "home")
    assert done.returncode == BAD_BENCODE
    assert done.stderr == f"bittern: {path}: {what}; name the .torrent file itself, or get it again\n"


DAMAGED = {
    "cut": bencode({"info": info_of(DATA)})[:-10],
    "a bomb of lists": b"d4:info" + b"l" * 1_000_000,
    "a length of a petabyte": b"d4:info999999999999999:x",
    "an endless number": b"d4:infoi" + b"9" * 100_000 + b"ee",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_file_is_one_line_that_says_where(tmp_path: Path, what: str) -> None:
    path = tmp_path / "damaged.torrent"
    path.write_bytes(DAMAGED[what])
    done = run(["get", str(path), "-d", str(tmp_path)], tmp_path / "home")
    assert done.returncode in {BAD_BENCODE, BAD_TORRENT}
    [line] = done.stderr.splitlines()
    assert line.startswith(f"bittern: {path}: ")
    assert " at byte " in line


MAGNETS = {
    "magnet:?dn=name": "xt",
    "magnet:?xt=urn:tree:tiger:" + "A" * 39: "xt",
    "magnet:?xt=urn:btih:abcdef": "urn:btih: takes 40 hexadecimal or 32 base32 digits, this has 6",
    "magnet:?xt=urn:btih:" + "z" * 40: "the info hash is not hexadecimal",
    "magnet:": "a magnet link begins with magnet:?",
}


@pytest.mark.parametrize(("link", "words"), MAGNETS.items())
def test_a_broken_magnet_link_is_one_line_that_says_what_is_missing(tmp_path: Path, link: str, words: str) -> None:
    done = run(["get", link, "-d", str(tmp_path)], tmp_path / "home")
    assert done.returncode == BAD_MAGNET
    [line] = done.stderr.splitlines()
    assert line.startswith("bittern: ")
    assert words in line


def test_names_in_messages_can_not_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2Jbroken\n.torrent"
    path.write_bytes(b"i1")
    done = run(["get", str(path), "-d", str(tmp_path)], tmp_path / "home")
    [line] = done.stderr.splitlines()
    assert "\x1b" not in line


def test_a_good_torrent_without_any_way_to_peers_says_so(torrent: Torrent, tmp_path: Path) -> None:
    done = run(["get", str(torrent.path), "-d", str(tmp_path), "--no-lsd"], tmp_path / "home")
    assert done.returncode == 6
    [line] = done.stderr.splitlines()
    assert "no peer is named" in line
    assert "--peer" in line


HUGE = {
    "version 1, too few hashes": (BAD_TORRENT, torrent_with(length=1 << 62, piece_length=1 << 29)),
    "version 1, beyond 64 bits": (BAD_BENCODE, torrent_with(length=1 << 64)),
    "version 2, more pieces than there may be": (
        BAD_TORRENT,
        bencode(
            {
                "info": {
                    "file tree": {"a": {"": {"length": 1 << 62, "pieces root": bytes(32)}}},
                    "meta version": 2,
                    "name": "a",
                    "piece length": 1 << 29,
                }
            }
        ),
    ),
}


@pytest.mark.parametrize("what", HUGE)
def test_a_torrent_larger_than_any_disk_is_refused(tmp_path: Path, what: str) -> None:
    status, data = HUGE[what]
    path = tmp_path / "huge.torrent"
    path.write_bytes(data)
    done = run(["get", str(path), "-d", str(tmp_path), "--preallocate"], tmp_path / "home")
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1


def test_eight_tebibytes_take_no_room_before_they_come_and_are_refused_where_it_is_to_be_set_aside(
    tmp_path: Path,
) -> None:
    """16,384 pieces of 512 MiB: a small file, and more than there is room for."""
    path, into = tmp_path / "huge.torrent", tmp_path / "into"
    into.mkdir()
    path.write_bytes(torrent_with(length=8 << 40, piece_length=512 * MIB, pieces=bytes(20 << 14)))
    words = ["get", str(path), "-d", str(into), "--peer", "127.0.0.1:9", "--timeout", "1"]
    assert run(words, tmp_path / "home").returncode == 6
    assert sum(file.stat().st_blocks for file in into.rglob("*")) * 512 < MIB
    done = run([*words, "--preallocate"], tmp_path / "home")
    assert done.returncode == 9
    assert f"no space left ({8 << 40} bytes are needed" in done.stderr
    assert sum(file.stat().st_blocks for file in into.rglob("*")) * 512 < MIB
