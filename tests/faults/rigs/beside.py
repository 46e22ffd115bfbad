"""What a misdeed costs a real client that downloads from the same session: libtorrent."""

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from tests.faults.rigs.arena import WAIT_SECONDS, Arena, Outcome
from tests.faults.rigs.misdeed import Against, Misdeed
from tests.faults.rigs.torrent import MIB, Torrent, make
from tests.interop.rigs.process import Running, wait_until

SIZE, RATE = 256 * MIB, 8 * MIB
"""Bytes, and a second: it must not be done before the misdeed is. It is the session that keeps to the rate."""
SLOWEST = 0.5
"""Of its rate without the misdeed, the client has so much beside it at least."""
_BEGUN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Look:
    """What became of a download in some time.

    Attributes:
        size: bytes that came.
        seconds: the time.
        waited: how many of them at most nothing came.
    """

    size: int
    seconds: float
    waited: float

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.size / self.seconds


@dataclass(frozen=True, slots=True)
class Beside:
    """A download without a misdeed, and beside it.

    Attributes:
        before: it, and nothing else.
        meanwhile: it, from the first word of the misdeed until all of it is worked off.
        outcome: of the misdeed.
    """

    before: Look
    meanwhile: Look
    outcome: Outcome

    @property
    def ratio(self) -> float:
        """Its rate beside the misdeed, of that without."""
        return self.meanwhile.rate / self.before.rate

    @property
    def wrongs(self) -> tuple[str, ...]:
        """What should not have been; nobody can be blamed for what the control waited."""
        wrongs = list(self.outcome.wrongs)
        waited, control = self.meanwhile.waited, self.before.waited + self.outcome.control_seconds
        if waited > WAIT_SECONDS + control:
            wrongs.append(f"libtorrent waited {waited:.2f} s, the control {control:.2f} s")
        if self.ratio < SLOWEST:
            wrongs.append(f"libtorrent had {self.ratio:.0%} of its rate")
        return tuple(wrongs)


class Yard:
    """An arena in which libtorrent downloads.

    Args:
        folder: an empty one.
        stack: ends everything.
        size: bytes that there are to download.
    """

    def __init__(self, folder: Path, stack: ExitStack, size: int = SIZE) -> None:
        self._folder, self._played = folder, 0
        self.arena = Arena(folder, stack)
        self._torrent: Torrent = make(folder / "large", size, 5)
        self.arena.victim.ask("add", str(self._torrent.path), str(self._torrent.folder))
        self.arena.victim.ask("limit", str(RATE))
        assert wait_until(lambda: self.arena.greets(self._torrent), _BEGUN_SECONDS)

    def play(self, misdeed: Misdeed, number: int, seconds: float) -> Beside:
        """Download for so many seconds, and then beside a misdeed; see `Arena.play`."""
        self._played += 1
        into = self._folder / f"client-{self._played}"
        into.mkdir()
        words = (self._torrent.path, into, self.arena.victim.port)
        with self.arena.driver("client", *words) as client:
            assert wait_until(lambda: look(client).size > 0, _BEGUN_SECONDS), "the client gets nothing"
            sleep(seconds)  # what it may have ahead of its rate, it has
            look(client)
            sleep(seconds)
            before = look(client)
            outcome = self.arena.play(misdeed, Against.SEED, number, seconds)
            return Beside(before, look(client), outcome)


def look(client: Running) -> Look:
    """What the client has had since the last look."""
    client.say("look")
    return Look(*json.loads(client.read_line(_BEGUN_SECONDS)))
