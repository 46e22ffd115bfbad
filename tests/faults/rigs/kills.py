"""kill -9 at random moments of one download, and of checks: what the next run claims, against what is in the file."""

import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import sleep

from tests.faults.rigs import program, wire
from tests.faults.rigs.claims import JOIN_SECONDS, claims
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.torrent import BLOCK, NAME, PIECE, Torrent
from tests.interop.rigs.place import LOOPBACK
from tests.interop.rigs.process import Running

DONE_SECONDS = 60
CHECK_SECONDS = 0.4
_CHECK = Path(__file__).parents[1] / "drivers" / "check.py"
_BLOCK_ON_THE_WIRE = 13 + BLOCK


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill, and what the run after it said, in pieces and bytes.

    Attributes:
        during: what it did when it was killed.
        stored: pieces that are right in the file.
        false: pieces that it claims and that are wrong.
        forgotten: pieces that are right in the file, and not claimed.
        carried: bytes of blocks that the seed sent to the run that was killed.
        again: those of them that must come again: not of a piece that the next run claims.
        in_flight: bytes that were asked for, of pieces that were not yet told to peers: `again` cannot be more,
            unless something is lost that was believed safe.
    """

    during: str
    stored: int
    false: int
    forgotten: int
    carried: int = 0
    again: int = 0
    in_flight: int = 0


class Meter(Proxy):
    """A proxy, shut at first, that reads what the leecher says.

    Attributes:
        told: pieces that it said it has.
        asked: length of each block that it asked for, by piece and begin.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port, shut=True)
        self.told: set[int] = set()
        self.asked: dict[tuple[int, int], int] = {}
        self._unread: dict[socket.socket, bytearray] = {}

    @property
    def in_flight(self) -> int:
        """Bytes asked for in pieces that it did not tell of."""
        return sum(length for (piece, _), length in self.asked.items() if piece not in self.told)

    @property
    def payload(self) -> int:
        """Bytes of blocks that were carried; greetings are counted with them."""
        return self.carried - self.carried // _BLOCK_ON_THE_WIRE * (_BLOCK_ON_THE_WIRE - BLOCK)

    def overhear(self, sock: socket.socket, data: bytes) -> None:
        """Read the next bytes of one connection."""
        greeting = sock not in self._unread
        unread = self._unread.setdefault(sock, bytearray())
        unread += data
        if greeting:
            assert len(unread) >= wire.HANDSHAKE_LENGTH
            del unread[: wire.HANDSHAKE_LENGTH]
        while len(unread) >= 4 and len(unread) >= (end := 4 + int.from_bytes(unread[:4])):
            self._heard(bytes(unread[4:end]))
            del unread[:end]

    def _heard(self, message: bytes) -> None:
        numbers = [int.from_bytes(message[at : at + 4]) for at in range(1, len(message), 4)]
        if message[:1] == bytes((wire.HAVE,)):
            self.told.add(numbers[0])
        elif message[:1] == bytes((wire.REQUEST,)):
            piece, begin, length = numbers
            self.asked[piece, begin] = length


class Drill:
    """One download into `folder` that is killed again and again.

    Args:
        torrent: what to download.
        seed: the port of an honest seed.
        folder: an empty one, for the download and the program's home.
        rng: chooses the moments.
        options: more of the command line.
    """

    def __init__(self, torrent: Torrent, seed: int, folder: Path, rng: Random, options: tuple[str, ...] = ()) -> None:
        self.torrent = torrent
        self.into = folder / "downloads"
        self.into.mkdir(parents=True)
        self._seed = seed
        self._home = folder / "home"
        self._rng = rng
        self._options = options

    @property
    def file(self) -> Path:
        """What is downloaded, under the name that it has so far."""
        return self.torrent.place(self.into, NAME)

    def download(self, kills: int) -> Iterator[Kill]:
        """Kill the download when random parts of it have come, spread evenly over it all; then let it complete."""
        size = len(self.torrent.data)
        marks = sorted(self._rng.uniform(0, size) for _ in range(kills))
        claimed: set[int] = set()
        last: Meter | None = None
        for number in range(kills + 1):
            port = LOOPBACK.free_port()
            with Meter(self._seed) as meter, self._get(meter, port) as job:
                before, claimed = claimed, self._claims(port)
                if last is not None:
                    again = last.payload - len(claimed - before) * PIECE
                    yield self._judged("download", claimed, last.payload, again, last.in_flight)
                if number < kills:
                    meter.open(max(1, int(marks[number]) - len(claimed) * PIECE))
                    assert meter.reached.wait(DONE_SECONDS), job.lines
                    _kill(job)
                else:
                    meter.open()
                    assert job.ends(DONE_SECONDS) == 0, job.lines
            last = meter
        assert self.file.read_bytes() == self.torrent.data

    def check(self, kills: int) -> Iterator[Kill]:
        """Spoil a piece, so that all must be checked, and kill the check at a random moment; so many times."""
        for number in range(kills):
            self._spoil()
            self._kill_check(number)
            yield self._judged("check", self._claimed_after_check())
        spoiled = self.torrent.pieces - len(self.torrent.right(self.into))
        assert self.complete() < (spoiled + 1) * PIECE  # one for the messages around the blocks

    def complete(self) -> int:
        """Let it download the rest; the bytes that the seed sent. Raises AssertionError when the file is not right."""
        with Proxy(self._seed) as proxy, self._get(proxy) as job:
            assert job.ends(DONE_SECONDS) == 0, job.lines
        assert self.file.read_bytes() == self.torrent.data
        return proxy.carried

    def _judged(self, during: str, claimed: set[int], *traffic: int) -> Kill:
        stored = self.torrent.right(self.into)
        return Kill(during, len(stored), len(claimed - stored), len(stored - claimed), *traffic)

    def _kill_check(self, number: int) -> None:
        rate = len(self.torrent.data) / CHECK_SECONDS
        state = program.home(self._home)["XDG_STATE_HOME"] + "/bittern"
        words = [str(self.torrent.path), str(self.into), state, str(rate)]
        log = self._home / f"check-{number}.txt"
        with Running([*tied_to_us(), sys.executable, str(_CHECK), *words], log, talks=True) as job:
            assert job.read_line(JOIN_SECONDS) == "checking"
            sleep(self._rng.uniform(0, CHECK_SECONDS))
            os.kill(job.pid, signal.SIGKILL)
            job.wait(5)

    def _claimed_after_check(self) -> set[int]:
        """Start it with nobody to download from; the pieces that it tells peers of."""
        port = LOOPBACK.free_port()
        with Proxy(self._seed, shut=True) as proxy, self._get(proxy, port) as job:
            claimed = self._claims(port)
            _kill(job)
        return claimed

    def _claims(self, port: int) -> set[int]:
        """The pieces that it tells a peer it has."""
        claimed = claims(port, self.torrent)
        assert claimed is not None
        return claimed

    def _spoil(self) -> None:
        """One bit of a random piece."""
        with self.file.open("r+b") as file:
            at = self._rng.randrange(len(self.torrent.data))
            file.seek(at)
            file.write(bytes((self.torrent.data[at] ^ 1,)))

    def _get(self, proxy: Proxy, port: int = 0) -> program.Program:
        peers = (proxy.address,)
        tie = tied_to_us()
        return program.get(
            self.torrent.path, self.into, self._home, peers=peers, more=self._options, port=port, before=tie
        )


def tied_to_us() -> tuple[str, ...]:
    """What goes before a command so that it is killed when this process is; nothing where that is not to be had."""
    return ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()


def _kill(job: program.Program) -> None:
    os.kill(job.running.pid, signal.SIGKILL)
    assert job.ends(5) == -signal.SIGKILL, job.lines
