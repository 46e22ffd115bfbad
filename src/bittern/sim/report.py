"""What came of a simulated swarm, in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .process import SimProcess
    from .world import World


@dataclass(frozen=True, slots=True)
class PeerReport:
    """One process.

    Attributes:
        name: of its host.
        completed: virtual seconds from the start until its last torrent was complete, or None.
        sent: bytes that went over its connections, the protocol's own included.
        received: bytes that came, likewise.
        written: bytes of content written to its disk.
        wasted: bytes of content written in vain or again.
        failed_pieces: pieces that had the wrong hash.
        wrong: (torrent, piece) of what it believes to have and has not.
    """

    name: str
    completed: float | None
    sent: int
    received: int
    written: int
    wasted: int
    failed_pieces: int
    wrong: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, process: "SimProcess") -> "PeerReport":
        """The state of `process` now."""
        done = len(process.completed) == len(process.core.torrents)
        counts = process.disk.counts
        return cls(
            process.name,
            max(process.completed.values(), default=None) if done else None,
            process.host.uplink.total,
            process.host.downlink.total,
            counts.written,
            counts.rewritten,
            counts.failed_pieces,
            tuple(process.wrong_pieces()),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a swarm.

    Attributes:
        seed: replays it.
        seconds: how long it ran.
        peers: each process, in the order of joining.
        unfinished: names of those that should be complete and are not.
        digest: the trace's hash: equal for equal runs.
        tail: the last lines of the trace.
    """

    seed: int
    seconds: float
    peers: tuple[PeerReport, ...]
    unfinished: tuple[str, ...]
    digest: str
    tail: str

    @classmethod
    def of(cls, world: "World", processes: Sequence["SimProcess"], must_complete: Sequence["SimProcess"]) -> "Report":
        """The state of `world` now; `must_complete` are those who should have everything."""
        peers = tuple(PeerReport.of(process) for process in processes)
        owing = {process.name for process in must_complete}
        unfinished = tuple(peer.name for peer in peers if peer.name in owing and peer.completed is None)
        return cls(world.seed, world.now, peers, unfinished, world.trace.digest, world.trace.tail())

    def __getitem__(self, name: str) -> PeerReport:
        """The peer called `name`; KeyError when there is none."""
        for peer in self.peers:
            if peer.name == name:
                return peer
        raise KeyError(name)

    def check(self) -> None:
        """Raise AssertionError, with what is needed to replay, when a peer is not complete or has a wrong byte."""
        wrong = {peer.name: peer.wrong for peer in self.peers if peer.wrong}
        assert not wrong, f"wrong pieces {wrong}\n{self}"
        assert not self.unfinished, f"{len(self.unfinished)} peers are not complete\n{self}\n{self.tail}"

    def __str__(self) -> str:
        """A table, and how to see it again."""
        lines = [f"seed {self.seed}, {self.seconds:.1f} s, trace {self.digest[:16]}; replay: make sim SEED={self.seed}"]
        for peer in self.peers:
            done = "unfinished" if peer.completed is None else f"{peer.completed:8.1f} s"
            lines.append(
                f"{peer.name:>12} {done:>10}  sent {peer.sent:>12,}  received {peer.received:>12,}  "
                f"written {peer.written:>12,}  wasted {peer.wasted:>10,}  failed pieces {peer.failed_pieces}"
            )
        return "\n".join(lines)
