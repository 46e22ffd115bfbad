"""A tracker and a peer that hold the client to every rule of the plain profile, and write down each breach."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from select import select
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlsplit

from bittern.codec.bencode import decode, decode_prefix, encode

ZERO = bytes(8)
LTEP = bytes((0, 0, 0, 0, 0, 16, 0, 0))
BLOCK = 16384
PEER_ID = b"-FK0001-" + bytes(range(0xF4, 0x100))
THEIR_METADATA_ID = 173


class Torrent:
    """A small single-file torrent made from `content`, with a key in `info` that no schema knows."""

    def __init__(self, content: bytes, piece_size: int = 32768, extra: object = 1) -> None:
        self.content = content
        self.piece_size = piece_size
        self.pieces = [content[at : at + piece_size] for at in range(0, len(content), piece_size)]
        hashes = [sha1(piece).digest() for piece in self.pieces]
        self.hashes = [one.hex() for one in hashes]
        self.raw_info = encode(
            {
                "length": len(content),
                "name": "sample.bin",
                "piece length": piece_size,
                "pieces": b"".join(hashes),
                "x_beyond_schema": ["kept", extra],
            }
        )
        self.info_hash = sha1(self.raw_info).digest()

    @property
    def bitfield(self) -> bytes:
        bits = "1" * len(self.pieces)
        return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8))

    def metainfo(self, tracker: str) -> bytes:
        """The .torrent file; the info dictionary goes in as raw bytes."""
        return b"d8:announce%d:%b4:info%be" % (len(tracker), tracker.encode(), self.raw_info)

    def magnet(self, tracker: str) -> str:
        """The link, with the colon of the port left bare, as links in the wild have it."""
        return f"magnet:?xt=urn:btih:{self.info_hash.hex()}&dn=sample.bin&tr={quote(tracker, safe=':')}"


class FakeTracker:
    """Serves announces on 127.0.0.1 and notes whatever a client gets wrong."""

    def __init__(self, info_hash: bytes, length: int, peers: list[tuple[str, int]], *, redirect: bool = False) -> None:
        self.breaches: list[str] = []
        self.announces = 0
        self.answer: bytes | None = None
        self.status = 200
        self.redirect_to: str | None = None
        self._info_hash = info_hash
        self._length = length
        self.peers = peers
        tracker = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tracker.serve(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{port}/announce" + ("/" if redirect else "")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if error is None:
            assert self.breaches == []

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        if parts.path == "/announce/":
            handler.send_response(301)
            handler.send_header("Location", self.redirect_to or f"/announce?{parts.query}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        self.announces += 1
        reason = "no such path" if parts.path != "/announce" else self._fault(parts.query)
        if reason:
            self.breaches.append(reason)
        body = encode({"failure reason": reason}) if reason else self.answer
        if body is None:
            compact = b"".join(socket.inet_aton(ip) + port.to_bytes(2) for ip, port in self.peers)
            body = encode({"complete": 1, "incomplete": 0, "interval": 60, "min interval": 60, "peers": compact})
        handler.send_response(self.status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _fault(self, query: str) -> str:
        pairs = parse_qsl(query, keep_blank_values=True, encoding="latin-1")
        said = dict(pairs)
        numbers = {
            key: int(said[key]) for key in ("port", "uploaded", "downloaded", "left") if said.get(key, "").isdigit()
        }
        checks = {
            "a parameter twice": len(said) == len(pairs),
            "a number is missing": len(numbers) == 4,
            "left is out of bounds": 1 <= numbers.get("left", 0) <= self._length,
            "port is out of bounds": 0 <= numbers.get("port", -1) <= 65535,
            "compact is not 1": said.get("compact") == "1",
            "peer_id has not 20 bytes": len(said.get("peer_id", "")) == 20,
            "peer_id is a constant": said.get("peer_id") != "00112233445566778899",
            "wrong info_hash": said.get("info_hash", "").encode("latin-1") == self._info_hash,
        }
        return ", ".join(reason for reason, good in checks.items() if not good)


class Wire:
    """One accepted connection, read and written without any of the code under test."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.settimeout(5)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def message(self, number: int, payload: bytes = b"") -> None:
        self.send(struct.pack(">IB", 1 + len(payload), number) + payload)

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data

    def next(self) -> tuple[int, bytes]:
        """Number and payload of the next message; a keep-alive is (-1, b"")."""
        length = int.from_bytes(self.exactly(4))
        body = self.exactly(length)
        return (body[0], body[1:]) if body else (-1, b"")

    def quiet(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        return not select([self._socket], [], [], seconds)[0]

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Make the close that follows an abrupt one."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class BreachError(Exception):
    """The client did what the plain profile forbids."""


def check(good: object, what: str) -> None:
    if not good:
        raise BreachError(what)


Script = Callable[["FakePeer", Wire], None]


class FakePeer:
    """A peer on 127.0.0.1 that plays `script` with one connection after the other."""

    def __init__(self, torrent: Torrent, script: Script, reserved: tuple[bytes, ...] = (ZERO, LTEP)) -> None:
        self.torrent = torrent
        self.reserved = reserved
        self.breaches: list[str] = []
        self.connections = 0
        self.deepest = 0
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._stop = False
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop = True
        self._thread.join()
        self._listener.close()
        if error is None:
            assert self.breaches == []

    def _serve(self) -> None:
        while not self._stop:
            if not select([self._listener], [], [], 0.01)[0]:
                continue
            sock, _ = self._listener.accept()
            self.connections += 1
            with sock:
                try:
                    self._script(self, Wire(sock))
                except BreachError as breach:
                    self.breaches.append(str(breach))
                except OSError:
                    pass
                if select([self._listener], [], [], 0)[0] and not self._has_ended(sock):
                    self.breaches.append("a second connection while the first was open")

    @staticmethod
    def _has_ended(sock: socket.socket) -> bool:
        sock.settimeout(1)
        try:
            while sock.recv(65536):
                pass
        except OSError as error:
            return not isinstance(error, TimeoutError)
        return True

    def shake_hands(self, wire: Wire, info_hash: bytes | None = None) -> None:
        """Check the client's handshake and answer it."""
        hello = wire.exactly(68)
        check(hello[:20] == b"\x13BitTorrent protocol", "wrong protocol string")
        check(hello[20:28] in self.reserved, f"reserved bytes {hello[20:28].hex(' ')}")
        check(hello[28:48] == self.torrent.info_hash, "wrong info hash")
        wire.send(hello[:20] + self.reserved[-1] + (info_hash or self.torrent.info_hash) + PEER_ID)

    def introduce(self, wire: Wire) -> None:
        """Send bitfield and extension handshake, as real clients do before they hear of ours."""
        wire.message(5, self.torrent.bitfield)
        said = {"m": {"ut_metadata": THEIR_METADATA_ID}, "metadata_size": len(self.torrent.raw_info)}
        wire.message(20, b"\x00" + encode(said))

    def read_introduction(self, wire: Wire) -> int:
        """The client's first message must be its extension handshake; its number for ut_metadata."""
        number, payload = wire.next()
        check(number == 20, f"first message is {number}, not 20")
        check(payload[:1] == b"\x00", "first message is no extension handshake")
        said: Any = decode(payload[1:])
        mine = said[b"m"][b"ut_metadata"]
        check(1 <= mine <= 255, f"ut_metadata is {mine}")
        return int(mine)

    def read_metadata_request(self, wire: Wire, piece: int = 0) -> None:
        number, payload = wire.next()
        check(number == 20, f"message {number} instead of a metadata request")
        check(payload[0] == THEIR_METADATA_ID, f"metadata request under number {payload[0]}")
        said, end = decode_prefix(payload[1:])
        check(end == len(payload) - 1, "bytes after the metadata request")
        check(said == {b"msg_type": 0, b"piece": piece}, f"metadata request {said!r}")

    def send_metadata(self, wire: Wire, number: int, piece: int = 0) -> None:
        raw = self.torrent.raw_info
        head = {"msg_type": 1, "piece": piece, "total_size": len(raw)}
        wire.message(20, bytes((number,)) + encode(head) + raw[piece * BLOCK : (piece + 1) * BLOCK])

    def serve_pieces(self, wire: Wire, corrupt: frozenset[int] = frozenset()) -> None:
        """Unchoke after `interested` and answer requests, once as many wait as a fast client sends."""
        number, _ = wire.next()
        check(number == 2, f"message {number} instead of interested")
        check(wire.quiet(0.05), "requests while choked")
        wire.message(1)
        waiting: list[tuple[int, int, int]] = []
        while True:
            while not waiting or (len(waiting) < 5 and not wire.quiet(0.2)):
                waiting.append(self._request(wire))
            while not wire.quiet(0):
                waiting.append(self._request(wire))
            self.deepest = max(self.deepest, len(waiting))
            self.send_block(wire, *waiting.pop(0), corrupt)

    def _request(self, wire: Wire) -> tuple[int, int, int]:
        number, payload = wire.next()
        check(number == 6, f"message {number} instead of a request")
        piece, begin, length = struct.unpack(">III", payload)
        check(piece < len(self.torrent.pieces), f"request for piece {piece}")
        size = len(self.torrent.pieces[piece])
        check(
            0 < length <= BLOCK and begin % BLOCK == 0 and begin + length <= size, f"request {piece}:{begin}+{length}"
        )
        check(length == min(BLOCK, size - begin), "a block shorter than it could be")
        return piece, begin, length

    def send_block(
        self, wire: Wire, piece: int, begin: int, length: int, corrupt: frozenset[int] = frozenset()
    ) -> None:
        block = self.torrent.pieces[piece][begin : begin + length]
        if piece in corrupt:
            block = bytes(byte ^ 1 for byte in block)
        wire.message(7, struct.pack(">II", piece, begin) + block)


def shake_and_close(peer: FakePeer, wire: Wire) -> None:
    peer.shake_hands(wire)


def never_read(peer: FakePeer, wire: Wire) -> None:
    """Shake hands, say everything, read nothing, and go."""
    peer.shake_hands(wire)
    peer.introduce(wire)
    time.sleep(0.2)  # part of the script: the client must not wait for this end


def hear_introduction(peer: FakePeer, wire: Wire) -> None:
    peer.shake_hands(wire)
    peer.introduce(wire)
    peer.read_introduction(wire)


def hand_out_metadata(peer: FakePeer, wire: Wire) -> None:
    peer.shake_hands(wire)
    peer.introduce(wire)
    mine = peer.read_introduction(wire)
    for piece in range(-(-len(peer.torrent.raw_info) // BLOCK)):
        peer.read_metadata_request(wire, piece)
        peer.send_metadata(wire, mine, piece)


def hang_up_after_metadata(peer: FakePeer, wire: Wire) -> None:
    """Answer, then close so abruptly that the connection is reset."""
    hand_out_metadata(peer, wire)
    wire.quiet(1)
    wire.reset()


def seed(peer: FakePeer, wire: Wire) -> None:
    peer.shake_hands(wire)
    wire.message(5, peer.torrent.bitfield)
    peer.serve_pieces(wire)


def seed_magnet(peer: FakePeer, wire: Wire) -> None:
    hand_out_metadata(peer, wire)
    peer.serve_pieces(wire)


@contextmanager
def swarm(
    torrent: Torrent, *scripts: Script, reserved: tuple[bytes, ...] = (ZERO, LTEP), redirect: bool = False
) -> Iterator[tuple[FakeTracker, list[FakePeer]]]:
    """A tracker that names one peer for each script, in this order."""
    peers = [FakePeer(torrent, script, reserved) for script in scripts]
    tracker = FakeTracker(torrent.info_hash, len(torrent.content), [peer.address for peer in peers], redirect=redirect)
    with ExitStack() as stack:
        stack.enter_context(tracker)
        for peer in peers:
            stack.enter_context(peer)
        yield tracker, peers
