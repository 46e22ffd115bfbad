"""Serving one torrent's peers: runs are read together, kept in order, and sent without being copied again."""

from collections import deque
from collections.abc import Callable
from functools import partial

from bittern.base.geometry import BLOCK, Geometry
from bittern.engine.download.slabs import Slab, SlabPool
from bittern.engine.effects import ReadRun
from bittern.engine.swarm.peer import Peer
from bittern.wire.blocks import heads_from

from .queue import RUN_BLOCKS

AHEAD_BYTES = 1 << 20
"""Bytes read or queued to be sent, beyond which nothing more is read for a peer."""

SLABS = 64
HELD_MOST = 8
"""Slabs of one peer: single blocks from all over the torrent take a slab each, and the others need some too."""


class _Read:
    """One run on its way from the disk to a peer."""

    __slots__ = ("begin", "length", "piece", "ready", "slab")

    def __init__(self, piece: int, begin: int, length: int, slab: Slab) -> None:
        self.piece = piece
        self.begin = begin
        self.length = length
        self.slab = slab
        self.ready = False


class Uploads:
    """What is being read and sent for the peers of one torrent.

    Args:
        torrent: its number.
        geometry: of the torrent.
        read_now: reads without waiting, or says that it can not (Disk.read_now).
        next_ticket: numbers for reads that have to wait.
    """

    def __init__(
        self,
        torrent: int,
        geometry: Geometry,
        read_now: Callable[[int, int, memoryview], bool],
        next_ticket: Callable[[], int],
    ) -> None:
        self._torrent = torrent
        self._geometry = geometry
        self._read_now = read_now
        self._next_ticket = next_ticket
        self._slabs = SlabPool(RUN_BLOCKS * BLOCK, SLABS)
        self._lines: dict[int, deque[_Read]] = {}
        self._tickets: dict[int, tuple[Peer, _Read]] = {}
        self._jobs: list[ReadRun] = []
        self._waiting: dict[int, Peer] = {}  # for the limit or for memory, the longest first
        self.total = 0
        """Bytes of blocks ever handed to connections."""

    def serve(self, peer: Peer, now: float) -> bool:
        """Read and send what the peer waits for, as far as connection and memory allow; False: limit reached."""
        queue = peer.uploads
        line = self._lines.get(peer.number)
        while queue.queued and queue.held < HELD_MOST and peer.wire.unsent + queue.reading < AHEAD_BYTES:
            most = peer.lanes.up.available(now)
            if most <= 0:
                self._waiting[peer.number] = peer
                return False
            slab = self._slabs.take()
            if slab is None:
                self._waiting[peer.number] = peer
                break
            self._waiting.pop(peer.number, None)  # who gets something goes to the end of the line
            run = queue.next_run(RUN_BLOCKS if most >= RUN_BLOCKS * BLOCK else max(1, int(most / BLOCK)))
            assert run is not None
            read = _Read(*run, slab)
            peer.lanes.up.take(read.length)
            queue.held += 1
            queue.reading += read.length
            into = slab.memory[: read.length]
            offset = self._geometry.offset(read.piece, read.begin)
            if line is None:
                line = self._lines[peer.number] = deque()
            line.append(read)
            if self._read_now(self._torrent, offset, into):
                read.ready = True
            else:
                ticket = self._next_ticket()
                self._tickets[ticket] = (peer, read)
                self._jobs.append(ReadRun(self._torrent, ticket, offset, into))
            self._send_ready(peer, line)
        return True

    def read(self, ticket: int) -> Peer | None:
        """A waiting read is done; its peer, if there still is one."""
        found = self._tickets.pop(ticket, None)
        if found is None:
            return None
        peer, read = found
        line = self._lines.get(peer.number)
        if line is None or read not in line:
            self._give(peer, read.slab)
            return None
        read.ready = True
        self._send_ready(peer, line)
        return peer

    def failed(self, ticket: int) -> tuple[Peer, int, int, int] | None:
        """A waiting read failed: the peer and the (piece, begin, length) that it will not get."""
        found = self._tickets.pop(ticket, None)
        if found is None:
            return None
        peer, read = found
        self._give(peer, read.slab)
        line = self._lines.get(peer.number)
        if line is None or read not in line:
            return None
        line.remove(read)
        peer.uploads.reading -= read.length
        self._send_ready(peer, line)
        return peer, read.piece, read.begin, read.length

    def forget(self, peer: Peer) -> None:
        """The peer is gone or choked: what is read for it is not sent."""
        self._waiting.pop(peer.number, None)
        waiting = {id(read) for _, read in self._tickets.values()}
        for read in self._lines.pop(peer.number, ()):
            if id(read) not in waiting:
                self._give(peer, read.slab)  # the others come back with their ticket
        peer.uploads.reading = 0

    def take_jobs(self) -> list[ReadRun]:
        """Reads for the disk since the last call."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def waiting(self) -> list[Peer]:
        """Peers that waited for memory or the limit, if there is memory now: to be served first, in this order."""
        if not self._waiting or self._slabs.exhausted:
            return []
        return [peer for peer in self._waiting.values() if peer.uploads.queued]

    def _send_ready(self, peer: Peer, line: deque[_Read]) -> None:
        while line and line[0].ready:
            read = line.popleft()
            peer.uploads.reading -= read.length
            count = -(-read.length // BLOCK)
            bodies = read.slab.blocks[:count]
            if read.length % BLOCK:
                bodies[-1] = bodies[-1][: read.length % BLOCK]
            heads = heads_from(read.piece, read.begin, read.length)
            peer.wire.send_blocks(heads, bodies, read.length, partial(self._give, peer, read.slab))
            peer.uploads.sent += read.length
            self.total += read.length

    def _give(self, peer: Peer, slab: Slab) -> None:
        peer.uploads.held -= 1
        self._slabs.give(slab)
