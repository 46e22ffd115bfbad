"""A blocking TCP connection to one peer: its handshake, and whole messages both ways."""

import socket
import time
from types import TracebackType
from typing import Final, Self

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.errors import NetworkError, Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1
from bittern.wire.handshake import HANDSHAKE_SIZE, Handshake, Reserved, check_start
from bittern.wire.messages import (
    LENGTH_PREFIX,
    BitfieldMessage,
    Choke,
    Have,
    HaveAll,
    KeepAlive,
    Message,
    Unchoke,
    check_length,
    decode_message,
)

from .client import Client

TORRENT_PROFILE: Final = bytes(8)
"""Reserved bytes when the metadata is known: no extension is needed."""
MAGNET_PROFILE: Final = Reserved.LTEP.to_bytes(8)
"""Reserved bytes when it is not: the extension protocol and nothing else."""

_MOST_EARLY = 10_000


class Link:
    """An open connection, to be used in a `with` statement.

    Attributes:
        address: of the peer.
        peer_choking: whether it would leave our requests unanswered.
        pieces: what it has; empty until `expect_pieces`.
    """

    def __init__(self, client: Client, address: Address, sock: socket.socket) -> None:
        self._client = client
        self._socket = sock
        self._received = bytearray()
        self._piece_count: int | None = None
        self._early: list[Message] = []
        self.address = address
        self.peer_choking = True
        self.pieces = Bitfield(0)

    @classmethod
    def open(cls, client: Client, address: Address) -> Self:
        """Connect to a peer.

        Raises:
            NetworkError: it could not be reached in time.
        """
        try:
            sock = socket.create_connection(address, timeout=client.connect_seconds)
        except OSError as error:
            failure = NetworkError(f"cannot connect: {error.strerror or error}")
            failure.add_note(str(address))
            raise failure from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(client, address, sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        if isinstance(error, NetworkError | RemoteProtocolError):
            error.add_note(str(self.address))

    def shake_hands(self, info_hash: InfoHashV1, reserved: bytes) -> Handshake:
        """Exchange handshakes and return the peer's.

        Args:
            info_hash: the torrent that both sides must name.
            reserved: our 8 reserved bytes.

        Raises:
            NetworkError: no whole answer in time.
            RemoteProtocolError: the answer is no handshake, too short, or for another torrent.
        """
        ours = Handshake(reserved, info_hash, self._client.peer_id)
        self._client.trace.sent(self.address, ours.encode(), ours)
        self._write(ours.encode())
        deadline = self.deadline()
        try:
            while len(self._received) < HANDSHAKE_SIZE and self._more("its handshake", deadline):
                check_start(self._received, (info_hash,))
            theirs = Handshake.parse(self._received, (info_hash,))
        except RemoteProtocolError as error:
            self._client.trace.received(self.address, self._received, error)
            raise
        self._client.trace.received(self.address, self._received[:HANDSHAKE_SIZE], theirs)
        del self._received[:HANDSHAKE_SIZE]
        return theirs

    def expect_pieces(self, count: int) -> None:
        """The torrent has `count` pieces: from now on what the peer says of them is checked and kept.

        Raises:
            RemoteProtocolError: what it said before makes no sense for so many.
        """
        self._piece_count = count
        self.pieces = Bitfield(count)
        for message in self._early:
            self._heed(message, count)
        self._early.clear()

    def deadline(self) -> float:
        """When our patience ends with whatever we begin to wait for now."""
        return time.monotonic() + self._client.answer_seconds

    def send(self, *messages: Message) -> None:
        """Send messages, all in one go.

        Raises:
            NetworkError: the peer takes no more data.
        """
        wires = [message.encode() for message in messages]
        for message, wire in zip(messages, wires, strict=True):
            self._client.trace.sent(self.address, wire, message)
        self._write(b"".join(wires))

    def receive(self, awaited: str, deadline: float) -> Message:
        """The next message that is no keep-alive.

        Args:
            awaited: what we wait for, to be named when it does not come.
            deadline: on the clock of `deadline()`.

        Raises:
            NetworkError: the peer closed, or the deadline passed.
            RemoteProtocolError: it sent something impossible.
        """
        while True:
            self._fill(LENGTH_PREFIX, awaited, deadline)
            length = int.from_bytes(self._received[:LENGTH_PREFIX])
            if length:
                self._fill(LENGTH_PREFIX + 1, awaited, deadline)
                check_length(self._received[LENGTH_PREFIX], length, self._piece_count)
                self._fill(LENGTH_PREFIX + length, awaited, deadline)
            wire = bytes(self._received[: LENGTH_PREFIX + length])
            del self._received[: len(wire)]
            message = decode_message(wire[LENGTH_PREFIX:])
            self._client.trace.received(self.address, wire, message)
            if isinstance(message, KeepAlive):
                continue
            if self._piece_count is not None:
                self._heed(message, self._piece_count)
            elif len(self._early) < _MOST_EARLY:
                self._early.append(message)
            return message

    def _heed(self, message: Message, piece_count: int) -> None:
        match message:
            case Choke():
                self.peer_choking = True
            case Unchoke():
                self.peer_choking = False
            case BitfieldMessage(bits):
                self.pieces = Bitfield.from_bytes(bits, piece_count)
            case HaveAll():
                self.pieces.fill()
            case Have(piece):
                if piece >= piece_count:
                    raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, f"have {piece} of {piece_count}")
                self.pieces.add(piece)
            case _:
                pass

    def _write(self, data: bytes) -> None:
        self._socket.settimeout(self._client.answer_seconds)
        try:
            self._socket.sendall(data)
        except ConnectionError:
            pass  # it closed, but what it said before is still to be read
        except OSError as error:
            raise NetworkError(f"takes no more data: {error}") from error

    def _fill(self, count: int, awaited: str, deadline: float) -> None:
        while len(self._received) < count:
            if not self._more(awaited, deadline):
                raise NetworkError(f"closed the connection before it sent {awaited}")

    def _more(self, awaited: str, deadline: float) -> bool:
        """Receive something; False when the peer closed."""
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self._socket.recv(262144)
        except ConnectionError:
            return False
        except TimeoutError:
            seconds = self._client.answer_seconds
            raise NetworkError(f"did not send {awaited} within {seconds:g} seconds") from None
        except OSError as error:
            raise NetworkError(f"lost: {error}") from error
        self._received += data
        return bool(data)
