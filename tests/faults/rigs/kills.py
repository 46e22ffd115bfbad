"""kill -9 at random moments of one download, and of checks: what the next run claims, against what is in the file."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic, sleep

from tests.faults.rigs import program, wire
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.torrent import NAME, PIECE, Torrent
from tests.interop.rigs.place import LOOPBACK

DONE_SECONDS = 60
JOIN_SECONDS = 10
EAGER = 1.5  # times an even share of what is missing, at most, is fetched before a kill


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill, and what the run after it said, in pieces and bytes.

    Attributes:
        during: what it did when it was killed.
        stored: pieces that are right in the file.
        false: pieces that it claims and that are wrong.
        forgotten: pieces that are right in the file, and not claimed.
        carried: bytes that the seed sent to the run that was killed.
        lost: those of them that were on their way: not in a piece that is right in the file.
    """

    during: str
    stored: int
    false: int
    forgotten: int
    carried: int = 0
    lost: int = 0


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
        self._check_seconds = 0.0  # that the last check took

    @property
    def file(self) -> Path:
        """What is downloaded."""
        return self.into / NAME

    def download(self, kills: int) -> list[Kill]:
        """Kill the download so many times, each when a random part of the rest has come; then let it complete."""
        results: list[Kill] = []
        stored = self.right()
        for left in range(kills, 0, -1):
            rest = (self.torrent.pieces - len(stored)) * PIECE
            mark = max(1, int(self._rng.uniform(0, EAGER) * rest / (left + 1)))
            with Proxy(self._seed, mark=mark) as proxy, self._get(proxy) as job:
                assert proxy.reached.wait(DONE_SECONDS), job.lines
                _kill(job)
            before, stored = stored, self.right()
            lost = proxy.carried - (len(stored) - len(before)) * PIECE
            assert before <= stored
            results.append(self._judged("download", carried=proxy.carried, lost=lost))
        self.complete()
        return results

    def check(self, kills: int) -> list[Kill]:
        """Spoil a piece, so that all must be checked, and kill the check at a random moment; so many times."""
        results: list[Kill] = []
        for _ in range(kills):
            self._spoil()
            with Proxy(self._seed, shut=True) as proxy, self._get(proxy) as job:
                job.saw("checking")
                sleep(self._rng.uniform(0, self._check_seconds))
                _kill(job)
            results.append(self._judged("check"))
        spoiled = self.torrent.pieces - len(self.right())
        assert self.complete() < (spoiled + 1) * PIECE  # one for the messages around the blocks
        return results

    def complete(self) -> int:
        """Let it download the rest; the bytes that the seed sent. Raises AssertionError when the file is not right."""
        with Proxy(self._seed) as proxy, self._get(proxy) as job:
            assert job.ends(DONE_SECONDS) == 0, job.lines
        assert self.file.read_bytes() == self.torrent.data
        return proxy.carried

    def right(self) -> set[int]:
        """The pieces that are right in the file."""
        if not self.file.exists():
            return set()
        data = memoryview(self.file.read_bytes())
        whole = memoryview(self.torrent.data)
        spans = [slice(piece * PIECE, (piece + 1) * PIECE) for piece in range(self.torrent.pieces)]
        return {piece for piece, span in enumerate(spans) if data[span] == whole[span]}

    def _judged(self, during: str, *, carried: int = 0, lost: int = 0) -> Kill:
        """Start it again, with nobody to download from, and compare what it tells peers with the file."""
        port = LOOPBACK.free_port()
        with Proxy(self._seed, shut=True) as proxy, self._get(proxy, port) as job:
            end = job.saw("checked")["time"]
            self._check_seconds = end - job.events("checking", "checked")[0]["time"]
            claimed = self._claims(port)
            _kill(job)
        stored = self.right()
        return Kill(during, len(stored), len(claimed - stored), len(stored - claimed), carried, lost)

    def _claims(self, port: int) -> set[int]:
        """The pieces that it tells a peer it has."""
        end = monotonic() + JOIN_SECONDS
        while True:
            try:
                peer = wire.dial(port, self.torrent.info_hash)
                peer.hello(reserved=wire.FAST)
                peer.greeted()
                kind, payload = peer.next()
            except (OSError, wire.HangUpError):  # not listening, or not yet in the swarm
                assert monotonic() < end
                sleep(0.02)
                continue
            peer.close()
            if kind == wire.HAVE_ALL:
                return set(range(self.torrent.pieces))
            assert kind in (wire.HAVE_NONE, wire.BITFIELD)
            return {piece for piece in range(len(payload) * 8) if payload[piece >> 3] << (piece & 7) & 0x80}

    def _spoil(self) -> None:
        """One bit of a random piece."""
        with self.file.open("r+b") as file:
            at = self._rng.randrange(len(self.torrent.data))
            file.seek(at)
            file.write(bytes((self.torrent.data[at] ^ 1,)))

    def _get(self, proxy: Proxy, port: int = 0) -> program.Program:
        peers = (proxy.address,)
        return program.get(self.torrent.path, self.into, self._home, peers=peers, more=self._options, port=port)


def _kill(job: program.Program) -> None:
    os.kill(job.running.pid, signal.SIGKILL)
    assert job.ends(5) == -signal.SIGKILL, job.lines
