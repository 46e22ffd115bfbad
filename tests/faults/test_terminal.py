"""Hostile words under a real terminal: names, links, trackers and peers neither steer it nor fake a line."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha1
from json import loads
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import pytest

from tests.faults.rigs.hostile import HostilePeer
from tests.faults.rigs.program import BITTERN, QUIET, home
from tests.faults.rigs.torrent import PIECE, bencode
from tests.faults.rigs.tracker import BadTracker, page
from tests.faults.rigs.wire import Wire
from tests.interop.rigs.place import LOOPBACK

CONTROLS = "".join(map(chr, [*range(1, 0x20), *range(0x7F, 0xA0)]))
BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
NASTY = f"a\nFORGED line\r\x1b[2J\x1b]0;owned\x07\x1b[5;44m\x9b5;44m{BIDI}{CONTROLS}z"
OURS = re.compile(r"\x1b\[(?:\?25[hl]|[12]?K|[0-9]*[AG]|(?:[0-9]|3[0-9]|9[0-7]|38;5;[0-9]+)?(?:;[0-9]+)*m)")
"""What our own display sends: hide and show the cursor, clear a line, go up, colours; nothing else."""
JSON = ["--json"]
T = TypeVar("T")


def info(**fields: object) -> dict[str, object]:
    """Of a torrent of empty files with such names: it is complete as soon as they are there."""
    files: list[object] = [{"length": 0, "path": [NASTY[:90], f"{number}{NASTY[:90]}"]} for number in range(2)]
    files += [{"length": 0, "path": ["attr"], "attr": CONTROLS}]
    return {"files": files, "name": NASTY[:200], "piece length": PIECE, "pieces": b"", "source": NASTY, **fields}


def metainfo(path: Path, url: str, **fields: object) -> Path:
    """Written to `path`, with hostile words in every field."""
    outside = {
        "announce": url,
        "comment": NASTY,
        "created by": NASTY,
        "encoding": NASTY,
        "url-list": f"http://{NASTY}/",
    }
    path.write_bytes(bencode({**outside, "info": info(**fields)}))
    return path


def under_a_terminal(words: list[str], work: Path) -> str:
    """All that a command writes to a terminal of 120 columns, to its end."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    env = {**os.environ, **home(work), "TERM": "xterm-256color"}
    process = subprocess.Popen([*BITTERN, *words], stdin=child, stdout=child, stderr=child, env=env)
    os.close(child)
    received = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:  # EIO: the other end is closed
            break
        received += part
    os.close(parent)
    process.wait(30)
    return received.decode()


def at_once(run: Callable[[T], str], cases: Sequence[T]) -> list[str]:
    """What each of the commands writes: they mostly wait."""
    with ThreadPoolExecutor(len(cases)) as pool:
        return list(pool.map(run, cases))


def check_harmless(text: str) -> None:
    """No control but our own, no mark that turns text around, and no line that a name began."""
    assert text.strip()
    assert "5;44" not in "".join(OURS.findall(text))
    rest = OURS.sub("", text)
    assert not [c for c in rest if (ord(c) < 0x20 and c not in "\r\n") or 0x7F <= ord(c) < 0xA0]
    assert not set(rest) & set(BIDI)
    assert not re.search(r"[\r\n]FORGED", rest)


def liar(peer: Wire) -> None:
    """It is called something nasty, and its handshake is none."""
    peer.greeted()
    peer.raw(NASTY.encode()[:60] + bytes(20))


@pytest.mark.parametrize("more", [[], JSON], ids=["words", "json"])
@pytest.mark.parametrize("command", ["info", "files", "magnet", "verify", "edit", "create"])
def test_commands_on_hostile_torrents_and_files(tmp_path: Path, command: str, more: list[str]) -> None:
    path = metainfo(tmp_path / "a.torrent", f"http://{NASTY}/announce")
    folder = tmp_path / "content"
    folder.mkdir()
    (folder / NASTY.replace("\0", "")[:60].replace("/", "")).write_bytes(b"x")
    words = {
        "verify": ["verify", str(path), str(folder)],
        "edit": [
            "edit",
            str(path),
            "--tracker",
            "http://127.0.0.1/announce",
            "-o",
            str(tmp_path / f"{CONTROLS}.torrent"),
        ],
        "create": ["create", str(folder), "-o", str(tmp_path / f"{CONTROLS}.torrent")],
    }.get(command, [command, str(path)])
    text = under_a_terminal([*words, *more], tmp_path / "home")
    check_harmless(text)
    if more and command in ("info", "files"):
        assert text.isascii()
        loads(text)


@pytest.mark.parametrize("more", [[], JSON], ids=["words", "json"])
def test_a_download_with_a_hostile_name_tracker_and_peer(tmp_path: Path, more: list[str]) -> None:
    """One that is complete at once, and one that nobody gives."""
    with ExitStack() as stack:
        tracker = stack.enter_context(BadTracker(page(bencode({"failure reason": NASTY}))))
        empty = metainfo(tmp_path / "a.torrent", tracker.url)
        lacking = metainfo(
            tmp_path / "b.torrent", tracker.url, files=[{"length": PIECE, "path": [NASTY[:90]]}], pieces=bytes(20)
        )
        info_hash = sha1(bencode(info())).digest()
        peer = stack.enter_context(HostilePeer(info_hash, liar))
        link = f"magnet:?xt=urn:btih:{'ab' * 20}&dn={quote(NASTY)}&tr={quote(tracker.url)}"

        def got(source: str) -> str:
            work = tmp_path / sha1(source.encode()).hexdigest()
            words = ["get", source, "-d", str(work), "--timeout", "10", "--peer", peer.address, "--port", "0"]
            return under_a_terminal([*words, "--listen", "127.0.0.1", *QUIET, *more], work / "home")

        sources = (str(empty), str(lacking), link)
        for source, text in zip(sources, at_once(got, sources), strict=True):
            check_harmless(text)
            if more:
                assert all(loads(line) for line in text.splitlines() if line.startswith("{"))
            elif source != str(empty):
                assert "does not speak the BitTorrent protocol" in text
                assert "FORGED" in text  # what the tracker said is told


def test_a_link_of_hostile_words_is_refused_in_one_line(tmp_path: Path) -> None:
    port = LOOPBACK.free_port()
    lines = [["get", NASTY], ["get", f"magnet:?xt={NASTY}"], ["get", f"http://127.0.0.1:{port}/{NASTY}"], [NASTY]]
    for text in at_once(lambda words: under_a_terminal(words, tmp_path / "home"), lines):
        check_harmless(text)


def test_steps_of_the_protocol_on_hostile_words(tmp_path: Path) -> None:
    """`bittern lab`: of a torrent, a value, a tracker, a link and a peer."""
    with (
        BadTracker(page(bencode({"failure reason": NASTY}))) as tracker,
        HostilePeer(sha1(bencode(info())).digest(), liar) as peer,
    ):
        path = str(metainfo(tmp_path / "a.torrent", tracker.url))
        link = f"magnet:?xt=urn:btih:{'ab' * 20}&dn={quote(NASTY)}&tr={quote(tracker.url)}"
        steps = [
            ["info", path],
            ["decode", bencode({"a": NASTY}).decode()],
            ["decode", NASTY],
            ["peers", path],
            ["handshake", path, peer.address, "--trace"],
            ["magnet_parse", link],
        ]
        for text in at_once(lambda words: under_a_terminal(["lab", *words], tmp_path / "home"), steps):
            check_harmless(text)
