"""The two sides of a connection: a Link moves bytes for one Stream and knows no BitTorrent.

TcpLink, UtpLink and SimLink are links; PeerWire is a stream, and so are layers such as MSE that wrap one.
The order of calls is fixed: `receive_buffers`, then at once `received` for the bytes that came (no other
stream in between, so that buffers may be shared); `send_buffers`, then at once `sent`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, unique
from typing import Protocol

from bittern.base.address import Address
from bittern.base.transport import Transport

Buffer = bytes | bytearray | memoryview


@unique
class LossKind(Enum):
    """Why a link ended."""

    CLOSED = "the other side closed the connection"
    RESET = "the connection was reset"
    REFUSED = "the connection was refused"
    UNREACHABLE = "the address cannot be reached"
    TIMED_OUT = "the connection timed out"
    ABORTED = "we closed the connection"


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The end of a link, with what the system said about it."""

    kind: LossKind
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value} ({self.detail})" if self.detail else self.kind.value


class Stream(Protocol):
    """The protocol's side of a connection."""

    def receive_buffers(self) -> Sequence[memoryview]:
        """Where the next bytes should land, in order; empty means do not read now (back pressure)."""
        ...

    def received(self, count: int, now: float) -> None:
        """`count` > 0 bytes lie in the buffers offered last."""
        ...

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        """What to send next, about `limit` bytes of it; empty when there is nothing."""
        ...

    def sent(self, count: int, now: float) -> None:
        """The first `count` bytes of the buffers offered last are on their way."""
        ...

    def lost(self, reason: LinkLost, now: float) -> None:
        """The link is gone; nothing follows."""
        ...


class Link(Protocol):
    """The transport's side of a connection, as the stream sees it."""

    @property
    def address(self) -> Address:
        """The other end."""
        ...

    @property
    def transport(self) -> Transport:
        """What carries the bytes."""
        ...

    def serve(self, stream: Stream) -> None:
        """Move bytes for `stream` from now on: that of a new link, or what a layer was wrapped round and needs no more.

        The stream that was served before may be asked for bytes once more in this turn, and hands that on.
        """
        ...

    def wake_sender(self) -> None:
        """There is something to send: call `send_buffers` at the end of this turn."""
        ...

    def wake_receiver(self) -> None:
        """`receive_buffers` was empty and no longer is."""
        ...

    def close(self) -> None:
        """Send what is offered already if it goes at once, then end; `lost` is not called for it."""
        ...
