"""Where the program is started: homes and folders that may not be used, streams and terminals that are none."""

import fcntl
import os
import pty
import shutil
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from drill.invariant import believed
from drill.row import Outcome, Room, Row, demand
from drill.scene import DONE_SECONDS, Scene, seed_of
from tests.faults.rigs.program import BITTERN, QUIET, home
from tests.faults.rigs.torrent import MIB, Torrent, make
from tests.interop.rigs.process import Running

UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
"""What goes before a command so that root may write no more than others."""
COMPLETE, OTHER, FOLDER_TAKEN, DISK_FULL = 0, 1, 13, 9
UNFINISHED = 7
NO_LOCALE = {"LC_ALL": "xx_YY.NONE", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SIZES = ((1, 1), (2, 5), (24, 20), (24, 80), (0, 0), (1, 80), (24, 10), (24, 39), (200, 900))
"""Rows and columns."""
NETWORK = ("--listen", "127.0.0.1", "--port", "0", *QUIET)


def homes(room: Room) -> Outcome:
    """A home and folders that may not be written, or are files; none of it is an internal error."""
    torrent = make(room.below("content"), MIB)
    port, said = seed_of(torrent, room), []
    locked = room.below("locked")
    locked.chmod(0o555)
    file = room.folder / "file"
    file.write_text("precious")
    state = room.below("read-only-state") / "bittern"
    state.mkdir()
    (state / "state.sqlite3").touch(0o444)
    state.chmod(0o555)
    good = home(room.below("home"))
    cases: list[tuple[str, Mapping[str, str], Path, int]] = [
        ("no home", {"HOME": str(locked)}, room.below("one"), OTHER),
        ("a file for a home", {"HOME": str(file)}, room.below("two"), FOLDER_TAKEN),
        ("state that may not be written", {**good, "XDG_STATE_HOME": str(state.parent)}, room.below("three"), OTHER),
        ("a file for the state", {**good, "XDG_STATE_HOME": str(file)}, room.below("four"), FOLDER_TAKEN),
        ("a folder that may not be written", good, locked, OTHER),
        ("no locale", {**good, **NO_LOCALE}, room.below("five"), COMPLETE),
        ("nothing but a home", {"HOME": good["HOME"]}, room.below("six"), COMPLETE),
    ]
    for what, env, into, status in cases:
        words = [*UNPRIVILEGED, *BITTERN, "get", str(torrent.path), "-d", str(into), "--peer", f"127.0.0.1:{port}"]
        bare = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **env}
        done = subprocess.run(
            [*words, *NETWORK], env=bare, capture_output=True, text=True, timeout=DONE_SECONDS, check=False
        )
        demand(done.returncode == status, f"{what}: exit status {done.returncode}: {done.stderr}")
        demand("internal error" not in done.stderr and "Traceback" not in done.stderr, f"{what}: {done.stderr}")
        last = done.stderr.strip().splitlines()[-1:]
        demand(status == COMPLETE or (last and last[0].startswith("bittern: /")), f"{what}: {done.stderr}")
        said += last if status else []
    demand(file.read_text() == "precious", "a file was overwritten")
    demand(not list(locked.iterdir()), "something was written where nothing may be")
    return Outcome(passed=True, figures={"cases": len(cases)}, remarks=str(len(said)) + " refused")


def streams(room: Room) -> Outcome:
    """Downloads whose streams are closed, full or broken; the content is what it should be."""
    torrent = make(room.below("content"), MIB)
    port = seed_of(torrent, room)
    cases = {
        "<&- >&- 2>&-": COMPLETE,
        ">&-": COMPLETE,
        "2>&-": COMPLETE,
        "2>/dev/full": COMPLETE,
        ">/dev/full": DISK_FULL,
        "--json >/dev/full": DISK_FULL,
        "| true": None,
        "--json | head -n 1": None,
    }
    for number, (streams, status) in enumerate(cases.items()):
        scene = Scene(room, torrent, f"scene-{number}")
        words = [*BITTERN, "get", str(torrent.path), "-d", str(scene.into), "--peer", f"127.0.0.1:{port}", *NETWORK]
        log = scene.home / "log-shell.txt"
        with Running(["sh", "-c", f'"$@" {streams}', "sh", *words], log, env=home(scene.home)) as job:
            found = job.wait(DONE_SECONDS)
        demand(status in (None, found), f"{streams}: exit status {found}: {log.read_text()}")
        demand("Traceback" not in log.read_text(), f"{streams}: {log.read_text()}")
        if status == COMPLETE:
            scene.is_whole()
        scene.judge()
    return Outcome(passed=True, figures={"cases": len(cases)})


def terminals(room: Room) -> Outcome:
    """Terminals of all sizes, dumb ones, one that changes its size, and one that is closed in the middle."""
    torrent = make(room.below("content"), MIB)
    port = seed_of(torrent, room)
    sizes = SIZES[: 4 if room.short else None]
    for number, (rows, columns) in enumerate(sizes):
        for kind in ("dumb", "xterm-256color"):
            text, status = _on_terminal(room, torrent, port, f"{number}-{kind}", (rows, columns), kind)
            demand(status == COMPLETE, f"{columns} columns, {kind}: exit status {status}: {text}")
            demand("Traceback" not in text, text)
            demand(kind != "dumb" or "\x1b" not in text, f"a dumb terminal got {text!r}")
    scene = Scene(room, torrent, "hung-up")
    _hang_up(scene, port)
    demand(believed(scene.state, torrent, scene.into), "nothing was saved when the terminal was closed")
    claimed = scene.judge()
    return Outcome(passed=True, figures={"sizes": len(sizes), "pieces when it was closed": len(claimed)})


def _open_terminal(
    words: Sequence[str], env: Mapping[str, str], size: tuple[int, int]
) -> "tuple[subprocess.Popen[bytes], int]":
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    process = subprocess.Popen(
        words, stdin=child, stdout=child, stderr=child, env={**os.environ, **env}, start_new_session=True
    )
    os.close(child)
    return process, parent


def _on_terminal(
    room: Room, torrent: Torrent, port: int, name: str, size: tuple[int, int], kind: str
) -> tuple[str, int]:
    """What a download writes there, and its exit status; the size changes on the way."""
    work = room.below(f"terminal-{name}")
    words = [*BITTERN, "get", str(torrent.path), "-d", str(work / "into"), "--peer", f"127.0.0.1:{port}", *NETWORK]
    process, parent = _open_terminal([*words, "--down-limit", "1M"], {**home(work), "TERM": kind}, size)
    text = b""
    try:
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            text += part
            fcntl.ioctl(parent, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    finally:
        os.close(parent)
    return text.decode(errors="replace"), process.wait(DONE_SECONDS)


def _hang_up(scene: Scene, port: int) -> None:
    """Close the terminal of a download in the middle."""
    torrent = scene.torrent
    words = [*BITTERN, "get", str(torrent.path), "-d", str(scene.into), "--peer", f"127.0.0.1:{port}", *NETWORK]
    env = {**home(scene.home), "TERM": "xterm-256color"}
    # A shell in between, whose terminal it is; it tells the program when that is closed.
    process, parent = _open_terminal(["setsid", "-c", "-w", *words, "--down-limit", "100k"], env, (24, 80))
    try:
        end = time.monotonic() + DONE_SECONDS
        while len(torrent.right(scene.into)) < 3:
            demand(time.monotonic() < end and process.poll() is None, "nothing comes")
            os.read(parent, 65536)
    finally:
        os.close(parent)
    status = process.wait(DONE_SECONDS)
    # Its last line on standard output finds no terminal: an error, when all is saved.
    demand(status in (UNFINISHED, OTHER), f"exit status {status} when the terminal was closed")


def _missing() -> str | None:
    return None if shutil.which("setpriv") else "`setpriv` is not installed (Debian: util-linux)"


ROWS = (
    Row(
        "homes",
        "homes, folders and locales that are none",
        "it works, or says in one line what is wrong",
        homes,
        _missing,
    ),
    Row("streams", "standard streams that are closed, full or broken", "the content is right all the same", streams),
    Row(
        "terminals",
        "tiny and dumb terminals, and one that is closed",
        "no trace of an error; saved at the end",
        terminals,
    ),
)
