"""Honest peers that measure how long they wait while others misbehave.

python bystander.py PORT CONTROL_PORT GIVEN_HASH GIVEN.bin WANTED_HASH WANTED.bin

One asks a block of the first torrent every 50 ms, one has all of the second and answers a request every 100 ms, and
one asks a block every 50 ms of a program that does nothing but answer (`yardstick.py`): the control. For each line of
its input it says the longest waits in seconds since the last: of the first for a block, of the second for something to
answer, of the control for a block. The end of its input is its end.
"""

import asyncio
import json
import struct
import sys
from collections import deque
from contextlib import suppress
from itertools import count
from pathlib import Path

from tests.faults.rigs import wire
from tests.faults.rigs.torrent import BLOCK, PIECE

EVERY_SECONDS = 0.05
ANSWER_SECONDS = 0.1  # slowly: it is to last
AT_ONCE = 16  # the first answers: everything that works on blocks is at work from then on
HEADER = struct.Struct(">IB")


class Watch:
    """The longest of the waits that began and may have ended since the last look."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._longest = 0.0

    def begin(self) -> None:
        """Somebody waits from now on."""
        if self._began is None:
            self._began = now()

    def end(self) -> None:
        """What was waited for is here."""
        if self._began is not None:
            self._longest = max(self._longest, now() - self._began)
            self._began = None

    def read(self) -> float:
        """The longest wait; a new one begins where one is under way."""
        longest, self._longest = self._longest, 0.0
        if self._began is not None:
            longest = max(longest, now() - self._began)
        return longest


def now() -> float:
    """Seconds of the loop."""
    return asyncio.get_running_loop().time()


class Peer:
    """One connection, plain."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.watch = Watch()

    def say(self, kind: int, payload: bytes = b"") -> None:
        """Send a message."""
        self._writer.write(wire.message(kind, payload))

    async def greet(self, info_hash: bytes, name: bytes) -> None:
        """Handshakes both ways."""
        self._writer.write(wire.PROTOCOL + wire.PLAIN + info_hash + name)
        await self._reader.readexactly(wire.HANDSHAKE_LENGTH)

    async def hear(self) -> tuple[int, bytes]:
        """The next message that is no keep-alive."""
        while True:
            length = int.from_bytes(await self._reader.readexactly(4))
            if length:
                body = await self._reader.readexactly(length)
                return body[0], body[1:]

    async def until(self, kind: int) -> bytes:
        """The payload of the next message of this kind."""
        while True:
            came, payload = await self.hear()
            if came == kind:
                return payload


async def leech(peer: Peer, content: bytes) -> None:
    """Ask one block after the other; a choke is waited through."""
    peer.watch.begin()
    peer.say(wire.INTERESTED)
    await peer.until(wire.UNCHOKE)
    peer.watch.end()
    at = 0
    while True:
        due = now() + EVERY_SECONDS
        peer.watch.begin()
        got = await block(peer, struct.pack(">III", at // PIECE, at % PIECE, BLOCK))
        peer.watch.end()
        assert got == content[at : at + BLOCK]
        at = (at + BLOCK) % len(content)
        await asyncio.sleep(due - now())


async def block(peer: Peer, request: bytes) -> bytes:
    """A block, asked for again after a choke."""
    peer.say(wire.REQUEST, request)
    while True:
        kind, payload = await peer.hear()
        if kind == wire.PIECE:
            return payload[8:]
        if kind == wire.UNCHOKE:
            peer.say(wire.REQUEST, request)


async def seed(peer: Peer, content: bytes) -> None:
    """Answer one request after the other."""
    asked: deque[tuple[int, int, int]] = deque()
    came = asyncio.Event()

    async def answer() -> None:
        for number in count():
            while not asked:
                peer.watch.begin()
                came.clear()
                await came.wait()
            piece, begin, length = asked.popleft()
            at = piece * PIECE + begin
            peer.say(wire.PIECE, struct.pack(">II", piece, begin) + content[at : at + length])
            await asyncio.sleep(ANSWER_SECONDS if number > AT_ONCE else 0)

    peer.say(wire.BITFIELD, b"\xff" * (len(content) // PIECE // 8))
    peer.say(wire.UNCHOKE)
    answering = asyncio.create_task(answer())
    try:
        while True:
            kind, payload = await peer.hear()
            if kind == wire.REQUEST:
                asked.append(struct.unpack(">III", payload))
                peer.watch.end()
                came.set()
            elif kind == wire.CANCEL:
                with suppress(ValueError):
                    asked.remove(struct.unpack(">III", payload))
    finally:
        answering.cancel()


async def main(ports: list[str], contents: list[tuple[bytes, bytes]]) -> None:
    """Say how long they waited whenever that is asked for."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    (given, here), (wanted, there) = contents
    peers = [Peer(*await asyncio.open_connection("127.0.0.1", int(ports[to]))) for to in (0, 0, 1)]
    names = (b"-GO0000-leechleechle", b"-GO0000-seedseedseed", b"-GO0000-controlcontr")
    for peer, info_hash, name in zip(peers, (given, wanted, given), names, strict=True):
        await peer.greet(info_hash, name)
    works = [leech(peers[0], here), seed(peers[1], there), leech(peers[2], here)]
    tasks = [asyncio.create_task(work) for work in works]
    while await reader.readline():
        for task in tasks:
            if task.done():  # nobody may hang up on an honest peer
                task.result()
        sys.stdout.write(json.dumps([peer.watch.read() for peer in peers]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    torrents = zip(sys.argv[3::2], sys.argv[4::2], strict=True)
    asyncio.run(main(sys.argv[1:3], [(bytes.fromhex(name), Path(path).read_bytes()) for name, path in torrents]))
