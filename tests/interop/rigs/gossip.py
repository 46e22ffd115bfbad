"""A peer of a few lines that has nothing, and speaks of other peers (BEP 11) whether it was asked to or not."""

import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from bittern.base.address import Address
from bittern.codec.bencode import encode
from tests.interop.rigs.place import Place

LTEP = bytes((0, 0, 0, 0, 0, 16, 0, 0))
EXTENDED = 20
OURS = 7
"""The number under which it wants to hear of peers."""
BITTERNS = 1
"""The one under which bittern hears of them."""


class Gossip:
    """Listens in a place, and answers every handshake.

    Args:
        place: where it is.
        info_hash: of its torrent.
        tells_of: the peer that it speaks of.
    """

    def __init__(self, place: Place, info_hash: bytes, tells_of: Address) -> None:
        self.peer_id = b"-GO0000-" + struct.pack(">12s", place.address.encode())
        self.address = place.address
        self.connections = 0
        self.heard = 0
        self._place = place
        self._info_hash = info_hash
        self._tells_of = tells_of
        self._listening = place.listen()
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in (self._listening, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def dial(self, address: Address) -> None:
        """Connect to a peer."""
        self._begin(self._place.open(lambda: socket.create_connection(address, 5)))

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._begin(self._listening.accept()[0])

    def _begin(self, sock: socket.socket) -> None:
        sock.settimeout(None)
        self._open.append(sock)
        threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        with suppress(OSError), sock.makefile("rb") as stream:
            sock.sendall(b"\x13BitTorrent protocol" + LTEP + self._info_hash + self.peer_id)
            if stream.read(68)[28:48] != self._info_hash:
                return
            self.connections += 1
            self._say(sock, 0, encode({"m": {"ut_pex": OURS}, "p": self.port}))
            self._say(sock, BITTERNS, encode({"added": self._tells_of.compact(), "added.f": b"\x00"}))
            while head := stream.read(4):
                body = stream.read(int.from_bytes(head))
                self.heard += body[:2] == bytes((EXTENDED, OURS))

    @staticmethod
    def _say(sock: socket.socket, number: int, payload: bytes) -> None:
        sock.sendall(struct.pack(">IBB", 2 + len(payload), EXTENDED, number) + payload)
