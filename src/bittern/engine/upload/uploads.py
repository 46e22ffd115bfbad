"""Serving one torrent's peers: runs are read together, kept in order, and sent without being copied again."""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK, Geometry
from bittern.engine.download.slabs import Memory, Slab, SlabPool
from bittern.engine.effects import ReadRun
from bittern.engine.swarm.peer import Peer
from bittern.wire.blocks import heads_from

from .chunks import Chunk, Chunks
from .queue import RUN_BLOCKS, RUN_BYTES

AHEAD_BYTES = 1 << 20
"""Bytes read or queued to be sent, beyond which nothing more is read for a peer."""
TURN_BYTES = 8 << 20
"""Bytes read in one turn, beyond which each of the other peers gets one run: a crowd is not to hold up the loop."""

HELD_MOST = 8
"""Slabs of one peer: single blocks from all over the torrent take a slab each, and the others need some too."""
HOG_SECONDS = 15.0
"""Who takes nothing for so long, while others wait for the memory that its blocks hold, is parted with."""


class _Read:
    """One run on its way from the disk to a peer."""

    __slots__ = ("begin", "chunk", "length", "piece", "ready", "slab")

    def __init__(self, piece: int, begin: int, length: int, slab: Slab, chunk: Chunk | None) -> None:
        self.piece = piece
        self.begin = begin
        self.length = length
        self.slab = slab
        self.chunk = chunk
        self.ready = False

    def bodies(self) -> list[memoryview]:
        """Its blocks."""
        first = 0 if self.chunk is None else (self.begin - self.chunk.begin) // BLOCK
        count = -(-self.length // BLOCK)
        bodies = self.slab.blocks[first : first + count]
        if self.length % BLOCK:
            bodies[-1] = bodies[-1][: self.length % BLOCK]
        return bodies


class Uploads:
    """What is being read and sent for the peers of one torrent.

    Args:
        torrent: its number.
        geometry: of the torrent.
        have: pieces that are stored, kept up to date by their owner.
        memory: for what is read, shared by all torrents.
        wake: called when there may be memory for a peer that waited for some.
        read_now: reads without waiting, or says that it cannot (Disk.read_now).
        next_ticket: numbers for reads that have to wait.
    """

    def __init__(
        self,
        torrent: int,
        geometry: Geometry,
        have: Bitfield,
        memory: Memory,
        wake: Callable[[], None],
        read_now: Callable[[int, int, memoryview], bool],
        next_ticket: Callable[[], int],
    ) -> None:
        self._torrent = torrent
        self._geometry = geometry
        self._read_now = read_now
        self._next_ticket = next_ticket
        self._have = have
        self._slabs = SlabPool(RUN_BYTES, max(1, int(min(memory.limit, 1 << 40) / RUN_BYTES)), memory)
        self._slabs.share(self, wake)
        self._chunks = Chunks(self._slabs)
        self._lines: dict[int, deque[_Read]] = {}  # being read, or behind one that is
        self._holders: dict[int, Peer] = {}  # to whose connections something was given; it may have gone since
        self._tickets: dict[int, tuple[Chunk | None, list[tuple[Peer, _Read]]]] = {}
        self._stuck: dict[int, tuple[int, float]] = {}  # bytes sent, and since when no more
        self._jobs: list[ReadRun] = []
        self._turn, self._fetched = 0.0, 0  # when the turn began, and bytes read in it
        self._waiting: dict[int, Peer] = {}  # for the limit or for memory, the longest first
        self.total = 0
        """Bytes of blocks ever handed to connections."""
        self.asked = 0
        """See Holder: what is kept for nobody in particular goes to any torrent that needs the memory."""

    def serve(self, peer: Peer, now: float) -> bool:
        """Read and send what the peer waits for, as far as connection and memory allow; False: limit reached."""
        queue = peer.uploads
        line = self._lines.get(peer.number)
        if now != self._turn:
            self._turn, self._fetched = now, 0
        ahead = AHEAD_BYTES if self._fetched < TURN_BYTES else RUN_BYTES
        scarce = not self._slabs.plenty
        while queue.queued and queue.held < HELD_MOST and peer.wire.unsent + queue.reading < ahead:
            most = peer.lanes.up.available(now)
            if most <= 0:
                self._waiting[peer.number] = peer
                return False
            if scarce and queue.held and queue.held >= self._chunks.room:
                break  # who has some leaves as much for others, and is back here when its own has gone
            slab = self._slabs.take() or self._chunks.take() or self._take_from_others()
            if slab is None and not queue.held:
                slab = self._take_back()
            if slab is None:
                self._waiting[peer.number] = peer
                break
            self._waiting.pop(peer.number, None)  # who gets something goes to the end of the line
            run = queue.next_run(RUN_BLOCKS if most >= RUN_BLOCKS * BLOCK else max(1, int(most / BLOCK)))
            assert run is not None
            read = self._fetch(peer, run, slab)
            peer.lanes.up.take(read.length)
            self._fetched += read.length
            queue.held += 1
            queue.reading += read.length
            if line is None:
                line = self._lines[peer.number] = deque()
            line.append(read)
            self._send_ready(peer, line)
        return True

    def was_read(self, ticket: int) -> list[Peer]:
        """A waiting read is done; the peers that it was for, if there still are any."""
        served = []
        for peer, read in self._ended(ticket, good=True):
            read.ready = True
            self._send_ready(peer, self._lines[peer.number])
            served.append(peer)
        return served

    def failed(self, ticket: int) -> list[tuple[Peer, int, int, int]]:
        """A waiting read failed: the peers, and the (piece, begin, length) that each will not get."""
        lost = []
        for peer, read in self._ended(ticket, good=False):
            self._free(peer, read)
            line = self._lines[peer.number]
            line.remove(read)
            peer.uploads.reading -= read.length
            self._send_ready(peer, line)
            lost.append((peer, read.piece, read.begin, read.length))
        return lost

    def forget(self, peer: Peer) -> None:
        """The peer is gone: what is read for it is not sent."""
        self._waiting.pop(peer.number, None)
        self._holders.pop(peer.number, None)
        waiting = {id(read) for _, reads in self._tickets.values() for _, read in reads if read.chunk is None}
        for read in self._lines.pop(peer.number, ()):
            if id(read) not in waiting:
                self._free(peer, read)  # the others come back with their ticket
        peer.uploads.reading = 0
        if not self._lines:
            self._chunks.clear()

    def take_jobs(self) -> list[ReadRun]:
        """Reads for the disk since the last call."""
        jobs, self._jobs = self._jobs, []
        return jobs

    def waiting(self) -> list[Peer]:
        """Peers that waited for memory or the limit, if there is memory now: to be served first, in this order."""
        if not self._waiting or self._chunks.exhausted:
            return []
        return [peer for peer in self._waiting.values() if peer.uploads.queued]

    def evict(self) -> bool:
        """See Holder: another torrent needs memory."""
        return self._chunks.evict()

    def close(self) -> None:
        """The torrent is gone."""
        self._slabs.close()

    def hogs(self, peers: Iterable[Peer], now: float) -> list[Peer]:
        """Peers that hold memory, and took nothing of it for long while others wait for some; called every second.

        The others may be peers of any torrent.
        """
        if not (self._waiting and self._chunks.exhausted) and not self._slabs.wanted:
            self._stuck.clear()
            return []
        found = []
        for peer in peers:
            taken, since = self._stuck.get(peer.number, (-1, now))
            if not peer.uploads.held or peer.wire.sent_bytes != taken:
                self._stuck[peer.number] = (peer.wire.sent_bytes, now)
            elif now - since >= HOG_SECONDS:
                found.append(peer)
        return found

    def _take_back(self) -> Slab | None:
        """For a peer that has nothing: what another one, the one that has most, was given and has not begun to take."""
        slab = None
        holders = sorted(self._holders.values(), key=lambda peer: peer.uploads.held, reverse=True)
        self._holders = {peer.number: peer for peer in holders if peer.uploads.held}
        for rich in holders:
            if rich.uploads.held < 2 or self._lines.get(rich.number):
                continue  # what is being read comes behind what was given
            release = rich.wire.take_back_blocks()
            if release is None:
                continue
            assert isinstance(release, partial)
            peer, read = release.args
            queue = peer.uploads
            queue.put_back(read.piece, read.begin, read.length)
            queue.sent -= read.length
            self.total -= read.length
            self._free(peer, read)
            slab = self._slabs.take() or self._chunks.take()
            if slab is not None:
                break
        return slab

    def _take_from_others(self) -> Slab | None:
        """Wait for memory; what other torrents keep for nobody is to be had at once."""
        self._slabs.wait()
        self._slabs.reclaim()
        return self._slabs.take()

    def _fetch(self, peer: Peer, run: tuple[int, int, int], slab: Slab) -> _Read:
        """Read a run into `slab`, or give that back where the run is in memory, or on its way there, already."""
        piece, begin, length = run
        in_order = self._follow(peer, run)
        chunk = self._chunks.find(piece, begin) if self._chunks and not begin % BLOCK else None
        if chunk is not None:
            self._slabs.give(slab)
            read = _Read(piece, begin, length, chunk.slab, chunk)
            read.ready = not chunk.ticket
            if chunk.ticket:
                self._tickets[chunk.ticket][1].append((peer, read))
        else:
            read = _Read(piece, begin, length, slab, None)
            if self._read_now(self._torrent, self._geometry.offset(piece, begin), slab.memory[:length]):
                read.ready = True
                return read
            ticket = self._next_ticket()
            if not begin % RUN_BYTES or (in_order and not begin % BLOCK):  # the rest will be wanted, too
                read.chunk = chunk = self._chunks.open(piece, begin, slab, ticket)
                begin, length = chunk.begin, self._chunk_length(piece, chunk.begin)
            self._order(ticket, piece, begin, length, slab, chunk, [(peer, read)])
        if chunk is not None and in_order:
            self._read_ahead(peer, chunk)
        return read

    def _follow(self, peer: Peer, run: tuple[int, int, int]) -> bool:
        """Whether a run follows the one before it, or is the beginning of the piece that does."""
        queue, (piece, begin, length) = peer.uploads, run
        before, queue.last = queue.last, (piece, begin + length)
        if before == (piece, begin):
            return True
        queue.marches = begin == 0 and before == (piece - 1, self._geometry.piece_length(piece - 1) if piece else 0)
        return queue.marches

    def _read_ahead(self, peer: Peer, chunk: Chunk) -> None:
        """Have the chunk behind `chunk` on its way before it is asked for, while there is plenty of memory."""
        piece, begin = chunk.piece, chunk.begin + RUN_BYTES
        if begin >= self._geometry.piece_length(piece):
            piece, begin = piece + 1, 0
            if not peer.uploads.marches or piece not in self._have:
                return
        if (piece, begin) in self._chunks or not self._slabs.plenty:
            return
        slab = self._slabs.take()
        if slab is not None:
            ticket = self._next_ticket()
            ahead = self._chunks.open(piece, begin, slab, ticket, users=0)
            self._order(ticket, piece, begin, self._chunk_length(piece, begin), slab, ahead, [])

    def _order(
        self,
        ticket: int,
        piece: int,
        begin: int,
        length: int,
        slab: Slab,
        chunk: Chunk | None,
        reads: list[tuple[Peer, _Read]],
    ) -> None:
        """Have the disk fill a slab."""
        self._tickets[ticket] = (chunk, reads)
        self._jobs.append(ReadRun(self._torrent, ticket, self._geometry.offset(piece, begin), slab.memory[:length]))

    def _chunk_length(self, piece: int, begin: int) -> int:
        return min(RUN_BYTES, self._geometry.piece_length(piece) - begin)

    def _ended(self, ticket: int, *, good: bool) -> list[tuple[Peer, _Read]]:
        """A read is over; for whom it was, without those that are gone."""
        chunk, reads = self._tickets.pop(ticket, (None, []))
        here = []
        for peer, read in reads:
            if read in self._lines.get(peer.number, ()):
                here.append((peer, read))
            elif chunk is None:
                self._free(peer, read)
        if chunk is not None:
            self._chunks.settled(chunk, good=good)
            if not self._lines:
                self._chunks.clear()
        return here

    def _send_ready(self, peer: Peer, line: deque[_Read]) -> None:
        while line and line[0].ready:
            read = line.popleft()
            peer.uploads.reading -= read.length
            heads = heads_from(read.piece, read.begin, read.length)
            peer.wire.send_blocks(heads, read.bodies(), read.length, partial(self._free, peer, read))
            self._holders[peer.number] = peer
            peer.uploads.sent += read.length
            self.total += read.length

    def _free(self, peer: Peer, read: _Read) -> None:
        peer.uploads.held -= 1
        if read.chunk is None:
            self._slabs.give(read.slab)
        else:
            self._chunks.release(read.chunk)
