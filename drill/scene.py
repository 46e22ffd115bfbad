"""One download among other people's files, done to death and begun again, and judged by the invariant in the end."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drill.invariant import Surroundings, believed
from drill.row import Room, demand
from tests.faults.rigs import program
from tests.faults.rigs.claims import claims
from tests.faults.rigs.hostile import Proxy
from tests.faults.rigs.kills import tied_to_us
from tests.faults.rigs.torrent import Torrent
from tests.interop.rigs.content import Content
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import LOOPBACK

DONE_SECONDS = 60


def seed_of(torrent: Torrent, room: Room, name: str = "seed") -> int:
    """The port of an honest seed that serves until the row is over; it has a folder of this name."""
    content = Content(torrent.folder, torrent.root)
    return room.enter(Libtorrent().seed(torrent.path, content, LOOPBACK, room.below(name))).port


class Scene:
    """A download of `torrent` in this room.

    Args:
        room: where.
        torrent: what.
        name: of its folder below the room's.

    Attributes:
        into: the download folder.
        state: where progress is saved.
        surroundings: what else is around the download folder.
    """

    def __init__(self, room: Room, torrent: Torrent, name: str = "scene") -> None:
        self.room = room
        self.torrent = torrent
        self.surroundings = Surroundings(room.below(f"{name}/world"), torrent)
        self.into = self.surroundings.into
        self.home = room.below(f"{name}/home")
        self.state = Path(program.home(self.home)["XDG_STATE_HOME"]) / "bittern"

    def get(
        self,
        *peers: str | int,
        source: str | None = None,
        into: Path | None = None,
        more: Sequence[str] = (),
        before: Sequence[str] = (),
        **how: Any,
    ) -> program.Program:
        """`bittern get`, dialling these addresses or ports of loopback; killed when this process is."""
        named = [peer if isinstance(peer, str) else f"127.0.0.1:{peer}" for peer in peers]
        tied = (*before, *tied_to_us())  # last: under strace it is strace that may not outlive
        what, target = source or self.torrent.path, into or self.into
        return program.get(what, target, self.home, peers=named, more=more, before=tied, **how)

    def right(self) -> set[int]:
        """The pieces that are right in the files."""
        return self.torrent.right(self.into)

    def claimed(self, more: Sequence[str] = (), before: Sequence[str] = ()) -> set[int]:
        """Start it with nobody to download from: the pieces that it tells a peer of.

        None when it ends before, because something is wrong; all when it ends because all is there.
        """
        port = LOOPBACK.free_port()
        with self.get(more=more, before=before, port=port) as job:
            found = claims(port, self.torrent, ended=lambda: job.running.exit_code is not None)
            if found is None:
                return set(range(self.torrent.pieces)) if job.running.exit_code == 0 else set()
            kill(job)
        return found

    def believes_no_lie(self) -> None:
        """The first half of the invariant: what a start would believe without reading it is right.

        Raises:
            UnmetError: it is not.
        """
        false = believed(self.state, self.torrent, self.into) - self.right()
        demand(not false, f"saved as stored, and wrong: {sorted(false)}")

    def judge(self, more: Sequence[str] = (), before: Sequence[str] = ()) -> set[int]:
        """The invariant: what is believed, and what the next run claims, is right; all else is as it was.

        Returns:
            the pieces that the next run claims.

        Raises:
            UnmetError: it does not hold.
        """
        self.believes_no_lie()
        claimed = self.claimed(more, before)
        false = claimed - self.right()
        demand(not false, f"claimed after a restart, and wrong: {sorted(false)}")
        self.surroundings.check()
        return claimed

    def complete(self, seed: int, more: Sequence[str] = (), before: Sequence[str] = ()) -> int:
        """Let it download the rest; the bytes that the seed sent for what the start had found to be there.

        So a false piece would show: the content would not be right. Greetings count, too.

        Raises:
            UnmetError: it does not, the content is not right, or something else has changed.
        """
        with Proxy(seed) as proxy, self.get(proxy.address, more=more, before=before) as job:
            demand(job.ends(DONE_SECONDS) == 0, f"it did not complete: {job.lines[-3:]}")
            found = job.saw("checked")["done_bytes"]
        self.is_whole()
        return proxy.carried - (len(self.torrent.data) - int(found))

    def is_whole(self) -> None:
        """Make sure that all files are right, no longer than they should be, and all else is as it was.

        Raises:
            UnmetError: they are not.
        """
        demand(self.right() == set(range(self.torrent.pieces)), "the content is not right")
        for name, length in self.torrent.files:
            demand((self.into / name).stat().st_size == length, f"{name} is of another length")
        self.surroundings.check()


def kill(job: program.Program) -> None:
    """End it with SIGKILL, and see that it was that which ended it."""
    os.kill(job.running.pid, signal.SIGKILL)
    demand(job.ends(5) == -signal.SIGKILL, f"it had ended before the kill: {job.lines[-3:]}")
