"""The peer wire spoken by hand over blocking sockets: it says what a script tells it to, right or wrong."""

import socket
import struct
import time

CHOKE, UNCHOKE, INTERESTED, NOT_INTERESTED, HAVE, BITFIELD, REQUEST, PIECE, CANCEL = range(9)
HAVE_ALL, HAVE_NONE, REJECT = 14, 15, 16
EXTENDED = 20
PROTOCOL = b"\x13BitTorrent protocol"
FAST = bytes(7) + b"\x04"
EXTENSIONS = bytes(5) + b"\x10" + bytes(2)
PLAIN = bytes(8)
HANDSHAKE_LENGTH = 68


class HangUpError(Exception):
    """The other side closed the connection."""


class Wire:
    """One connection.

    Args:
        sock: connected; owned by the wire.
        info_hash: of the torrent.
    """

    def __init__(self, sock: socket.socket, info_hash: bytes) -> None:
        self._sock = sock
        self._info_hash = info_hash
        self._unparsed = bytearray()
        sock.settimeout(30)

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def reset(self) -> None:
        """Hang up as a machine does that knows nothing of the connection."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def end(self) -> None:
        """Say nothing more, as after the last byte of a stream."""
        self._sock.shutdown(socket.SHUT_WR)

    def patience(self, seconds: float) -> None:
        """How long one call may wait for the other side, instead of half a minute."""
        self._sock.settimeout(seconds)

    # --- saying

    def raw(self, data: bytes) -> None:
        """Send these bytes."""
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise HangUpError from error

    def hello(
        self,
        *,
        protocol: bytes = PROTOCOL,
        reserved: bytes = PLAIN,
        info_hash: bytes | None = None,
        peer_id: bytes = b"-HO0000-hostilehosti",
    ) -> None:
        """A handshake."""
        self.raw(protocol + reserved + (info_hash or self._info_hash) + peer_id)

    def say(self, kind: int, payload: bytes = b"") -> None:
        """A message."""
        self.raw(message(kind, payload))

    def have_everything(self, pieces: int) -> None:
        """A bitfield without a gap; `pieces` is a multiple of 8."""
        self.say(BITFIELD, b"\xff" * (pieces // 8))

    def ask(self, piece: int, begin: int, length: int) -> None:
        """A request."""
        self.say(REQUEST, struct.pack(">III", piece, begin, length))

    def answer(self, piece: int, begin: int, block: bytes) -> None:
        """A block."""
        self.say(PIECE, struct.pack(">II", piece, begin) + block)

    # --- hearing

    def greeted(self) -> bytes:
        """The other side's handshake."""
        while len(self._unparsed) < HANDSHAKE_LENGTH:
            self._more()
        hello = bytes(self._unparsed[:HANDSHAKE_LENGTH])
        del self._unparsed[:HANDSHAKE_LENGTH]
        return hello

    def next(self) -> tuple[int, bytes]:
        """The next message that is no keep-alive."""
        while True:
            while len(self._unparsed) < 4 or len(self._unparsed) < (end := 4 + int.from_bytes(self._unparsed[:4])):
                self._more()
            body = bytes(self._unparsed[4:end])
            del self._unparsed[:end]
            if body:
                return body[0], body[1:]

    def until(self, kind: int) -> bytes:
        """The payload of the next message of this kind; those before it are dropped."""
        while True:
            came, payload = self.next()
            if came == kind:
                return payload

    def request(self) -> tuple[int, int, int]:
        """The next request."""
        piece, begin, length = struct.unpack(">III", self.until(REQUEST))
        return piece, begin, length

    def is_hung_up_on(self, seconds: float) -> bool:
        """Whether the other side closes within this time; what it says meanwhile is dropped."""
        end, patience = time.monotonic() + seconds, self._sock.gettimeout()
        try:
            while (left := end - time.monotonic()) > 0:
                self._sock.settimeout(left)
                self._more()
        except HangUpError:
            return True
        except TimeoutError:
            return False
        finally:
            self._sock.settimeout(patience)
        return False

    def _more(self) -> None:
        try:
            data = self._sock.recv(1 << 20)
        except TimeoutError:
            raise
        except OSError as error:
            raise HangUpError from error
        if not data:
            raise HangUpError
        self._unparsed += data


def message(kind: int, payload: bytes = b"") -> bytes:
    """Length, kind, payload (BEP 3)."""
    return struct.pack(">IB", len(payload) + 1, kind) + payload


def dial(port: int, info_hash: bytes, *, host: str = "127.0.0.1", source: str = "127.0.0.1") -> Wire:
    """Connect as a peer."""
    return Wire(socket.create_connection((host, port), 10, (source, 0)), info_hash)
