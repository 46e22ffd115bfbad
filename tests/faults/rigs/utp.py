"""uTP spoken by hand over a blocking socket: it says what a script tells it to, right or wrong (BEP 29)."""

import socket
import struct
import time
from typing import NamedTuple, Self

DATA, FIN, STATE, RESET, SYN = range(5)
HEAD = struct.Struct(">BBHIIIHH")
WINDOW = 1 << 20


class Said(NamedTuple):
    """A packet that came."""

    kind: int
    connection: int
    window: int
    seq: int
    ack: int
    payload: bytes


def packet(kind: int, connection: int, seq: int, ack: int, *, window: int = WINDOW, sack: bytes = b"") -> bytes:
    """A header, with a selective acknowledgement where one is given."""
    head = HEAD.pack(kind << 4 | 1, 1 if sack else 0, connection, 1, 0, window, seq & 0xFFFF, ack & 0xFFFF)
    return head + (bytes((0, len(sack))) + sack if sack else b"")


def parse(data: bytes) -> Said:
    """What a packet of bittern's says; its extensions are skipped."""
    first, extension, connection, _, _, window, seq, ack = HEAD.unpack_from(data)
    at = HEAD.size
    while extension:
        extension, at = data[at], at + 2 + data[at + 1]
    return Said(first >> 4, connection, window, seq, ack, data[at:])


class Caller:
    """Who calls a port of bittern's from an address of its own.

    Args:
        port: of bittern, at 127.0.0.1.
        host: of the caller.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.sock.connect(("127.0.0.1", port))
        self.sock.settimeout(5.0)
        self.sent = self.came = 0
        self.seq, self.ack = 1, 0
        self.window = WINDOW
        self._id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._id:
            self.put(packet(RESET, self._id + 1, self.seq, self.ack))  # or it would hold its place for a minute
        self.sock.close()

    def put(self, data: bytes) -> None:
        """Send a datagram."""
        self.sent += len(data)
        self.sock.send(data)

    def heard(self, seconds: float = 5.0) -> list[Said]:
        """The next packet, and all that are here with it; none within so long."""
        found: list[Said] = []
        self.sock.settimeout(seconds)
        try:
            while True:
                data = self.sock.recv(1 << 16)
                self.came += len(data)
                found.append(parse(data))
                self.sock.settimeout(0.001)
        except (TimeoutError, BlockingIOError, ConnectionRefusedError):
            return found

    def call(self, identity: int = 500) -> None:
        """Connect: our call, its answer."""
        self._id = identity
        self.put(packet(SYN, identity, self.seq, 0))
        [answer] = self.heard()
        assert (answer.kind, answer.connection, answer.ack) == (STATE, identity, self.seq)
        self.ack = answer.seq - 1

    def say(self, payload: bytes) -> None:
        """The next packet of ours with something in it."""
        self.seq += 1
        self.put(packet(DATA, self._id + 1, self.seq, self.ack, window=self.window) + payload)

    def acknowledge(self, *, ack: int | None = None, sack: bytes = b"") -> None:
        """Say what we have; or what we have not."""
        ack = self.ack if ack is None else ack
        self.put(packet(STATE, self._id + 1, self.seq + 1, ack, window=self.window, sack=sack))

    def read(self, count: int, seconds: float = 10.0) -> bytes:
        """So many bytes of the stream, acknowledged as they come in order."""
        got, end = b"", time.monotonic() + seconds
        while len(got) < count:
            assert time.monotonic() < end, f"{len(got)} of {count} bytes"
            for said in self.heard(0.5):
                if said.kind == DATA and said.seq == (self.ack + 1) & 0xFFFF:
                    self.ack = said.seq
                    got += said.payload
            self.acknowledge()
        return got
