"""Python calls for each 16 KiB block, on the way in and on the way out: the same number on every machine.

    python -m bench.calls_per_block [--blocks 4096] [--top 15]

One engine with one peer, without sockets, threads or clocks: reads of a fixed size, a disk in memory that is done
at once. Every call of a Python or C function is counted (`sys.setprofile`), in a second run, when what the engine
caches for the life of the process is there: so it does not matter what ran before. The numbers are held to a ceiling
by tests/test_calls_per_block.py, where wall-clock benches would only see noise.
"""

import argparse
import gc
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from random import Random
from types import FrameType
from typing import Protocol

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.base.ids import PeerId
from bittern.base.transport import Transport
from bittern.codec.bencode import encode
from bittern.codec.metainfo import Info
from bittern.engine.core import Core
from bittern.engine.driver import Driver
from bittern.engine.effects import (
    Completion,
    ConnectWeb,
    DiskJob,
    ExtentStored,
    PieceChecked,
    ReadRun,
    RunRead,
    StoreExtent,
)
from bittern.engine.settings import EngineSettings
from bittern.engine.torrent import Torrent
from bittern.io.tcp import SEND_BYTES
from bittern.sim.world import World
from bittern.wire.blocks import block_heads, block_requests
from bittern.wire.handshake import HANDSHAKE_SIZE, Handshake, Reserved
from bittern.wire.messages import HaveAll, HaveNone, Interested, Unchoke
from bittern.wire.mse.exchange import Initiator
from bittern.wire.mse.keys import shared_secret
from bittern.wire.mse.policy import Encryption
from bittern.wire.stream import Stream

PIECE_SIZE = 1 << 20
BLOCKS = "blocks"
WARM_BLOCKS = 1024
"""Blocks before counting begins: pipelines are full then."""


class Counting:
    """Counts calls of Python and C functions between `start` and `stop`."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def start(self) -> None:
        """Count from now on; a collection of garbage meanwhile would be counted, with what others hooked to it."""
        gc.disable()
        sys.setprofile(self._note)

    def stop(self) -> None:
        """Count no more."""
        sys.setprofile(None)
        gc.enable()
        for own in ("Counting.stop", "setprofile"):
            self.calls.pop(own, None)

    def _note(self, frame: FrameType, event: str, called: object) -> None:
        if event == "call":
            self.calls[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            self.calls[getattr(called, "__qualname__", repr(called))] += 1


class Memory:
    """A disk that is done at once and keeps nothing; its answers wait for the next turn."""

    def __init__(self) -> None:
        self.done: list[Completion] = []
        self.stored = 0

    def submit(self, job: DiskJob) -> None:
        """See ports.Disk."""
        if isinstance(job, StoreExtent):
            self.stored += len(job.data)
            self.done += (ExtentStored(job), PieceChecked(job.torrent, job.piece, good=True))
        elif isinstance(job, ReadRun):
            self.done.append(RunRead(job))

    def read_now(self, torrent: int, offset: int, into: memoryview) -> bool:
        """See ports.Disk."""
        return True


class Nowhere:
    """No network, no web: nothing is dialed or fetched."""

    def __init__(self) -> None:
        self.servers: list[ConnectWeb] = []

    def connect(self, wish: object) -> None:
        """See ports.Net."""

    def give_up(self, wish: object) -> None:
        """See ports.Net."""

    def connect_web(self, wish: ConnectWeb) -> None:
        """See ports.Net."""
        self.servers.append(wish)

    def get(self, wish: object) -> None:
        """See ports.Http."""

    def send(self, wish: object) -> None:
        """See ports.Udp."""

    def work_out(self, wish: object) -> None:
        """See ports.Keys."""

    def resolve(self, wish: object) -> None:
        """See ports.Resolver."""

    def announce(self, wish: object) -> None:
        """See ports.Local."""


class Line:
    """A Link whose other end is the bench."""

    address = Address("10.0.0.1", 1)
    transport = Transport.TCP

    stream: Stream | None = None

    def serve(self, stream: Stream) -> None:
        """Another stream than the first: the connection is encrypted."""
        self.stream = stream

    def wake_sender(self) -> None:
        """The bench asks anyway."""

    def wake_receiver(self) -> None:
        """The bench offers anyway."""

    def close(self) -> None:
        """It must not come to that."""
        raise AssertionError("the engine closed the connection")


class NoCipher:
    """What is encrypted by it stays as it is."""

    def __init__(self, key: bytes) -> None:
        """Whatever the key."""

    def process(self, data: bytes | bytearray | memoryview, into: bytearray | memoryview, /) -> None:
        """See wire.mse.cipher.Cipher."""
        into[: len(data)] = data


class Remote(Protocol):
    """What plays the peer; its own work is not counted."""

    def take(self, count: int, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        """The engine sent so many bytes of `buffers`."""

    def fill(self, buffers: Sequence[memoryview], most: int) -> int:
        """What the peer sends next, into `buffers`; how many bytes."""


class Seeder:
    """Answers requests at once; the data of its blocks is whatever lies there."""

    def __init__(self) -> None:
        self._asked: deque[bytes] = deque()
        self._cut = 0  # bytes of the first answer that were sent
        self._rest = bytearray()
        self._greeted = False

    def take(self, count: int, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        """See Remote: whole requests only, everything else is let pass."""
        self._rest += b"".join(buffers)[:count]
        if not self._greeted:
            self._greeted = True
            del self._rest[:HANDSHAKE_SIZE]
        while len(self._rest) >= 4 and len(self._rest) >= (end := 4 + int.from_bytes(self._rest[:4])):
            if self._rest[4:5] == b"\6":
                piece, begin = int.from_bytes(self._rest[5:9]), int.from_bytes(self._rest[9:13])
                self._asked.append(block_heads(piece, begin // BLOCK, 1))
            del self._rest[:end]

    def fill(self, buffers: Sequence[memoryview], most: int) -> int:
        """See Remote."""
        done = 0
        for buffer in buffers:
            at = 0
            while at < len(buffer) and self._asked and done < most:
                head = self._asked[0]
                if self._cut < len(head):
                    part = head[self._cut :][: min(len(buffer) - at, most - done)]
                    buffer[at : at + len(part)] = part
                    size = len(part)
                else:
                    size = min(len(buffer) - at, most - done, len(head) + BLOCK - self._cut)
                at += size
                done += size
                self._cut += size
                if self._cut == len(head) + BLOCK:
                    self._asked.popleft()
                    self._cut = 0
        return done


class MixedUpSeeder(Seeder):
    """Answers in no order, as a client does that reads each block with any of its threads."""

    _REACH = 12

    def __init__(self) -> None:
        super().__init__()
        self._order = Random(1)

    def take(self, count: int, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        """See Remote: what was asked at once is shuffled, though nothing goes far."""
        known = len(self._asked)
        super().take(count, buffers)
        new = [self._asked.pop() for _ in range(len(self._asked) - known)][::-1]
        while new:
            self._asked.append(new.pop(self._order.randrange(min(len(new), self._REACH))))


class Leecher:
    """Keeps so many requests outstanding, for neighbouring blocks, in runs as they become free."""

    def __init__(self, ahead: int) -> None:
        self._ahead = ahead
        self._next = 0
        self._to_say = bytearray()
        self.got = 0

    def take(self, count: int, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        """See Remote."""
        self.got += count

    def fill(self, buffers: Sequence[memoryview], most: int) -> int:
        """See Remote."""
        while self._next - self.got // (BLOCK + 13) <= self._ahead - 16:
            piece, block = divmod(self._next * BLOCK, PIECE_SIZE)
            self._to_say += block_requests(piece, block // BLOCK, 16)
            self._next += 16
        done = 0
        for buffer in buffers:
            part = self._to_say[: min(len(buffer), most - done)]
            buffer[: len(part)] = part
            del self._to_say[: len(part)]
            done += len(part)
        return done


class WebServer:
    """Answers requests for ranges at once; the data is whatever lies there."""

    def __init__(self) -> None:
        self._said: deque[tuple[bytes, int]] = deque()  # heads, and the bytes that follow each
        self._cut = 0  # bytes of the first answer that were sent
        self._rest = b""

    def take(self, count: int, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        """See Remote."""
        self._rest += b"".join(buffers)[:count]
        *requests, self._rest = self._rest.split(b"\r\n\r\n")
        for request in requests:
            first, last = map(int, re.findall(rb"\d+", request[request.index(b"Range:") :])[:2])
            head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/*\r\nContent-Length: %d\r\n\r\n"
            length = last - first + 1
            self._said.append((head % (first, last, length), length))

    def fill(self, buffers: Sequence[memoryview], most: int) -> int:
        """See Remote."""
        done = 0
        for buffer in buffers:
            at = 0
            while at < len(buffer) and self._said and done < most:
                head, length = self._said[0]
                size = min(len(buffer) - at, most - done, len(head) + length - self._cut)
                part = head[self._cut : self._cut + size]
                buffer[at : at + len(part)] = part
                at += size
                done += size
                self._cut += size
                if self._cut == len(head) + length:
                    self._said.popleft()
                    self._cut = 0
        return done


@dataclass
class Rig:
    """One engine and one peer, turn by turn."""

    core: Core
    driver: Driver
    disk: Memory
    stream: Stream | None
    remote: Remote
    now: float = 0.0

    def turn(self, read: int, counting: Counting | None) -> None:
        """One turn of a loop: what came is read, settled and answered. Only the engine's side is counted."""
        assert self.stream is not None
        self.now += 0.001
        on: Callable[[], object] = counting.start if counting is not None else bool
        off: Callable[[], object] = counting.stop if counting is not None else bool
        on()
        buffers = self.stream.receive_buffers()
        off()
        count = self.remote.fill(buffers, read)
        done, self.disk.done = self.disk.done, []
        on()
        if count:
            self.stream.received(count, self.now)
        if done:
            self.core.disk_done(done, self.now)
        self.driver.turn(self.now)
        self.core.take_events()
        parts = self.stream.send_buffers(SEND_BYTES)
        off()
        sent = sum(map(len, parts))
        if sent:
            self.remote.take(sent, parts)
            on()
            self.stream.sent(sent, self.now)
            off()


def rig(pieces: int, remote: Remote, *, seed: bool) -> Rig:
    """An engine that has everything, or nothing, and a peer that shook hands with it."""
    made, info, _ = _engine(pieces, remote, seed=seed)
    stream = made.stream = made.core.accepted(Line(), 0.0)
    _tell(stream, _hello(info, seed=seed))
    return made


def encrypted_rig(pieces: int, remote: Remote, *, seed: bool) -> Rig:
    """As `rig`, over an encrypted connection whose cipher changes nothing."""
    made, info, _ = _engine(pieces, remote, seed=seed, encryption=Encryption.REQUIRE)
    line, chance = Line(), World(Random, 1).chance("peer")
    arrival = made.core.accepted(line, 0.0)
    words = _hello(info, seed=seed)
    exchange = Initiator(chance.entropy, NoCipher, info.wire_hash, Encryption.REQUIRE, words)
    _tell(arrival, exchange.out)
    exchange.out.clear()
    stream = made.stream = line.stream
    assert stream is not None
    while exchange.agreed is None:
        said = b"".join(stream.send_buffers(SEND_BYTES))
        stream.sent(len(said), 0.0)
        exchange.receive(said)
        if exchange.wanted is not None:
            exchange.know(shared_secret(exchange.secret, exchange.wanted))
            _tell(stream, exchange.out)
            exchange.out.clear()
    return made


def _hello(info: Info, *, seed: bool) -> bytes:
    hello = Handshake(Reserved.FAST.to_bytes(8), info.wire_hash, PeerId(b"-XX0000-theothersidex"[:20])).encode()
    return hello + (HaveNone().encode() + Interested().encode() if seed else HaveAll().encode() + Unchoke().encode())


def _tell(stream: Stream, data: bytes | bytearray) -> None:
    [buffer] = stream.receive_buffers()
    buffer[: len(data)] = data
    stream.received(len(data), 0.0)


def web_rig(pieces: int, remote: Remote) -> Rig:
    """An engine that has nothing, and one connection to a web seed."""
    made, _, nowhere = _engine(pieces, remote, seed=False)
    made.core.torrents[1].web.add(["http://10.0.0.1/x"])
    made.driver.turn(0.0)
    [wish] = nowhere.servers
    made.stream = made.core.web_connected(wish.ticket, Line(), 0.0)
    return made


def _engine(
    pieces: int, remote: Remote, *, seed: bool, encryption: Encryption = Encryption.OFF
) -> tuple[Rig, Info, Nowhere]:
    digest = sha1(b"").digest()
    length = pieces * PIECE_SIZE
    info = Info.parse(encode({"length": length, "name": "x", "piece length": PIECE_SIZE, "pieces": digest * pieces}))
    disk, nowhere = Memory(), Nowhere()
    settings = EngineSettings(max_web_connections=1, encryption_in=encryption)
    core = Core(settings, PeerId(b"-BZ0000-ourselvesxxx"), World(Random, 1).chance("bench"), disk, cipher=NoCipher)
    torrent = core.add(info.wire_hash, (), 0.0)
    torrent.begin(info, Bitfield.full(pieces) if seed else Bitfield(pieces), None, 0.0)
    driver = Driver(core, nowhere, disk, nowhere, nowhere, nowhere, nowhere, nowhere)
    return Rig(core, driver, disk, None, remote), info, nowhere


def leech(blocks: int, read: int) -> Counter[str]:
    """Calls while at least `blocks` blocks come, in reads of `read` bytes; `blocks` of them is under "blocks"."""
    return _measure(blocks, read, lambda pieces: rig(pieces, Seeder(), seed=False), _downloaded)


def leech_encrypted(blocks: int, read: int) -> Counter[str]:
    """As `leech`, from a peer over an encrypted connection."""
    return _measure(blocks, read, lambda pieces: encrypted_rig(pieces, Seeder(), seed=False), _downloaded)


def seed_encrypted(blocks: int, ahead: int) -> Counter[str]:
    """As `seed`, to a peer over an encrypted connection."""
    return _measure(blocks, 1 << 20, lambda pieces: encrypted_rig(pieces, Leecher(ahead), seed=True), _uploaded)


def leech_mixed_up(blocks: int, read: int) -> Counter[str]:
    """As `leech`, from a peer that keeps no order."""
    return _measure(blocks, read, lambda pieces: rig(pieces, MixedUpSeeder(), seed=False), _downloaded)


def web(blocks: int, read: int) -> Counter[str]:
    """As `leech`, from a web seed, over one connection."""
    return _measure(blocks, read, lambda pieces: web_rig(pieces, WebServer()), _downloaded)


def seed(blocks: int, ahead: int) -> Counter[str]:
    """As `leech`, for blocks that go to a peer that asks for `ahead` of them in advance."""
    return _measure(blocks, 1 << 20, lambda pieces: rig(pieces, Leecher(ahead), seed=True), _uploaded)


def per_block(calls: Counter[str]) -> float:
    """Calls for each block."""
    return (calls.total() - calls[BLOCKS]) / calls[BLOCKS]


def _downloaded(torrent: Torrent) -> int:
    return torrent.downloaded


def _uploaded(torrent: Torrent) -> int:
    return torrent.uploaded


def _measure(blocks: int, read: int, build: Callable[[int], Rig], moved: Callable[[Torrent], int]) -> Counter[str]:
    counting = Counting()
    for last in (False, True):
        one = build(-(-(blocks + 4 * WARM_BLOCKS) * BLOCK // PIECE_SIZE))
        torrent = one.core.torrents[1]
        while moved(torrent) < WARM_BLOCKS * BLOCK:
            one.turn(read, None)
        before = moved(torrent)
        while moved(torrent) - before < blocks * BLOCK:
            one.turn(read, counting if last else None)
        counting.calls[BLOCKS] = (moved(torrent) - before) // BLOCK
    return counting.calls


def main() -> None:
    """Print the table, and the functions called most."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--blocks", type=int, default=4096, help="to count over")
    parser.add_argument("--top", type=int, default=0, help="functions to list")
    options = parser.parse_args()
    for name, measure, sizes in (
        ("leech, reads of", leech, (16 << 10, 64 << 10, 256 << 10, 1 << 20)),
        ("leech mixed up, reads of", leech_mixed_up, (256 << 10, 1 << 20)),
        ("web seed, reads of", web, (16 << 10, 64 << 10, 256 << 10, 1 << 20)),
        ("seed, blocks asked ahead", seed, (16, 64, 256, 512)),
        ("leech encrypted, reads of", leech_encrypted, (64 << 10, 256 << 10, 1 << 20)),
        ("seed encrypted, ahead", seed_encrypted, (64, 512)),
    ):
        for size in sizes:
            calls = measure(options.blocks, size)
            print(f"{name:26}{size:9,}{per_block(calls):8.2f} calls a block")
            for function, count in calls.most_common(options.top):
                print(f"{'':35}{count / calls[BLOCKS]:8.3f} {function}")


if __name__ == "__main__":
    main()
