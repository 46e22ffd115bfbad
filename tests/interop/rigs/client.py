"""What every client of the interop tests can do, and the swarm that brings some of them together."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from bittern.codec import bencode
from tests.interop.rigs.content import PIECE_SIZE, Content, Kind, magnet_of, make, torrent_of
from tests.interop.rigs.place import Place
from tests.interop.rigs.process import Running, wait_until
from tests.interop.rigs.tracker import Tracker


class Peer(Protocol):
    """A client that runs: a seed, or a leecher on its way."""

    @property
    def port(self) -> int:
        """The TCP port it listens on."""

    @property
    def running(self) -> Running:
        """Its process."""

    def wait_complete(self, timeout: float) -> None:
        """Until it says that it has everything; raises RigError when it does not in time."""

    def close(self) -> None:
        """End it in order: afterwards trackers have heard `stopped` and every byte is in its file."""


@dataclass(frozen=True, slots=True)
class Command:
    """A Peer that is one command of the shell: it exits when it is complete, and SIGTERM ends it in order."""

    running: Running
    port: int

    def wait_complete(self, timeout: float) -> None:
        """See Peer."""
        if self.running.wait(timeout):
            raise self.running.failure("did not complete")

    def close(self) -> None:
        """See Peer; telling the trackers may take some seconds."""
        self.running.terminate()
        self.running.wait(15)


class Client(Protocol):
    """One BitTorrent program, as a partner in either role."""

    @property
    def name(self) -> str:
        """As the interop table calls it."""

    @property
    def private(self) -> bool:
        """Whether it needs a network namespace, because it does not talk to 127.x."""

    def missing(self) -> str | None:
        """What this machine lacks to run it, or None."""

    def version(self) -> str:
        """Its version, for the interop table."""

    def seed(self, torrent: Path, content: Content, place: Place, work: Path) -> AbstractContextManager[Peer]:
        """Start it on content that is all there; `work` is an empty folder of its own."""

    def get(self, source: str, folder: Path, place: Place, work: Path) -> AbstractContextManager[Peer]:
        """Start it on a .torrent path or magnet link, downloading into `folder`."""


@dataclass
class Swarm:
    """One torrent, its tracker, and the clients started so far; all end with the `with` block."""

    place: Place
    tracker: Tracker
    folder: Path
    kind: Kind
    _running: ExitStack = field(default_factory=ExitStack)
    _count: int = 0

    def __post_init__(self) -> None:
        self.content = make(self.folder / "content", self.kind)
        raw = torrent_of(self.content, self.kind, self.tracker.url)
        self.torrent = self.folder / f"{self.content.name}.torrent"
        self.torrent.write_bytes(raw)
        self.magnet = magnet_of(raw)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._running.close()

    def untracked(self) -> str:
        """The path of the torrent without its tracker."""
        fields = bencode.decode(self.torrent.read_bytes(), strict=False)
        assert isinstance(fields, dict)
        path = self.folder / "untracked.torrent"
        path.write_bytes(bencode.encode({key: fields[key] for key in fields if not key.startswith(b"announce")}))
        return str(path)

    def seed(self, client: Client, content: Content | None = None, *, place: Place | None = None) -> Peer:
        """A seed that has announced itself; `place` when it has one of its own."""
        peer = self._running.enter_context(
            client.seed(self.torrent, content or self.content, place or self.place, self._work(client))
        )
        running = peer.running
        wait_until(lambda: self.tracker.has_seed(peer.port) or running.exit_code is not None, timeout=60)
        if not self.tracker.has_seed(peer.port):
            raise running.failure("has not announced itself as a seed")
        return peer

    def get(
        self, client: Client, source: str | None = None, *, again: Content | None = None, place: Place | None = None
    ) -> tuple[Peer, Content]:
        """A leecher that has just started, and the content it will have once complete.

        `again` is what an earlier call, or `part`, returned: the client goes on there, with what it kept.
        """
        into = again or Content(self._work(client) / "downloads", self.content.name)
        into.folder.mkdir(exist_ok=again is not None)
        start = client.get(source or str(self.torrent), into.folder, place or self.place, into.folder.parent)
        return self._running.enter_context(start), into

    def part(self, client: Client, kept: Iterable[int]) -> Content:
        """A copy of a single file for `get` to go on with: the pieces `kept` are right, all else is zeros."""
        copy = Content(self._work(client) / "downloads", self.content.name)
        copy.folder.mkdir()
        whole = self.content.path.read_bytes()
        data = bytearray(len(whole))
        for piece in kept:
            span = slice(piece * PIECE_SIZE, (piece + 1) * PIECE_SIZE)
            data[span] = whole[span]
        copy.path.write_bytes(data)
        return copy

    def _work(self, client: Client) -> Path:
        self._count += 1
        work = self.folder / f"{self._count}-{client.name}"
        work.mkdir()
        return work
