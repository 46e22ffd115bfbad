"""One simulated connection: two ends, and a pipe with bounded buffers in each direction."""

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from zlib import crc32

from bittern.base.address import Address
from bittern.base.transport import Transport
from bittern.wire.stream import Buffer, LinkLost, LossKind, Stream

if TYPE_CHECKING:
    from .host import Host

SEND_BUFFER = 256 * 1024
"""Bytes that a sender's system takes before it says that it would block."""
RECEIVE_BUFFER = 512 * 1024
"""Bytes that may be on the way or unread; then the sender waits."""


def scatter(source: deque[memoryview], buffers: Sequence[memoryview], limit: int) -> int:
    """Move at most `limit` bytes from the front of `source` into `buffers`, as recvmsg_into does; how many."""
    done = 0
    for buffer in buffers:
        at = 0
        while at < len(buffer) and source and done < limit:
            part = source[0]
            count = min(len(part), len(buffer) - at, limit - done)
            buffer[at : at + count] = part[:count]
            if count == len(part):
                source.popleft()
            else:
                source[0] = part[count:]
            at += count
            done += count
    return done


class Pipe:
    """One direction: the sender's buffer, what is on the way, and the receiver's buffer.

    Attributes:
        number: unique in its network.
        sender, receiver: the ends, set once both exist.
        in_line: whether it waits for the sender's uplink.
        last_arrival: when the latest chunk arrives; a later one never overtakes it.
        held: chunks that could not be delivered and are repeated when the path is whole again.
        repeats: how often that was done.
        ended: all was delivered, nothing will follow.
    """

    __slots__ = (
        "_to_send",
        "_unread",
        "buffered",
        "closing",
        "ended",
        "held",
        "in_line",
        "last_arrival",
        "number",
        "on_the_way",
        "receiver",
        "repeats",
        "sender",
        "unread",
    )

    sender: "SimLink"
    receiver: "SimLink"

    def __init__(self, number: int) -> None:
        self.number = number
        self.in_line = False
        self.last_arrival = 0.0
        self.held: list[bytes] = []
        self.repeats = 0
        self.ended = False
        self.closing = False
        self.buffered = 0
        self.on_the_way = 0
        self.unread = 0
        self._to_send: deque[memoryview] = deque()
        self._unread: deque[memoryview] = deque()

    @property
    def sendable(self) -> bool:
        """Whether a chunk, or the end, may leave now."""
        if self.buffered:
            return self.on_the_way + self.unread < RECEIVE_BUFFER
        return self.closing

    def push(self, buffers: Sequence[Buffer], count: int) -> None:
        """Copy the first `count` bytes of the sender's buffers, which are its own again afterwards."""
        self.buffered += count
        for buffer in buffers:
            if len(buffer) >= count:
                self._to_send.append(memoryview(bytes(buffer[:count])))
                return
            self._to_send.append(memoryview(bytes(buffer)))
            count -= len(buffer)

    def take(self, limit: int) -> bytes:
        """The next bytes to leave, at most `limit`; empty is the end."""
        if not self.buffered:
            self.closing = False
            return b""
        limit = min(limit, RECEIVE_BUFFER - self.on_the_way - self.unread)
        parts: list[memoryview] = []
        size = 0
        while self._to_send and size < limit:
            part = self._to_send.popleft()
            if len(part) > limit - size:
                self._to_send.appendleft(part[limit - size :])
                part = part[: limit - size]
            parts.append(part)
            size += len(part)
        self.buffered -= size
        self.on_the_way += size
        return b"".join(parts)

    def deliver(self, chunk: bytes) -> None:
        """`chunk` came out of the receiver's downlink."""
        link = self.receiver
        host = link.host
        if not host.alive:
            return
        self.on_the_way -= len(chunk)
        if link.ended:
            # A closed socket answers data with a reset, but not the end of the other direction.
            if chunk:
                host.network.reset(link.outbound)
            return
        host.network.world.trace.note(
            host.network.world.now,
            f"{self.sender.host.name} > {host.name} {self.number} {len(chunk)} {crc32(chunk):08x}",
        )
        if chunk:
            self._unread.append(memoryview(chunk))
            self.unread += len(chunk)
        else:
            self.ended = True
        link.pump()

    def read_into(self, buffers: Sequence[memoryview], limit: int) -> int:
        """Move at most `limit` unread bytes into the receiver's buffers."""
        done = scatter(self._unread, buffers, limit)
        self.unread -= done
        return done

    def drop(self) -> None:
        """Forget everything that was not delivered."""
        self._to_send.clear()
        self._unread.clear()
        self.buffered = self.unread = 0
        self.closing = False


class SimLink:
    """One end of a simulated connection (`wire.stream.Link`).

    Attributes:
        host: where this end is.
        number: unique in its network; the odd one of a pair belongs to the side that connected.
        ended: closed or lost; nothing happens here any more.
        outbound, inbound: the two directions.
    """

    __slots__ = ("_address", "_drained", "_stream", "ended", "host", "inbound", "number", "outbound")

    def __init__(self, host: "Host", address: Address, number: int, outbound: Pipe, inbound: Pipe) -> None:
        self.host = host
        self.number = number
        self.outbound = outbound
        self.inbound = inbound
        self.ended = False
        self._address = address
        self._drained = False  # the stream had no more to send when it was asked last
        self._stream: Stream | None = None

    def __repr__(self) -> str:
        return f"SimLink({self.number} of {self.host.name} to {self._address})"

    @property
    def address(self) -> Address:
        """The other end."""
        return self._address

    @property
    def transport(self) -> Transport:
        """See Link."""
        return Transport.TCP

    def serve(self, stream: Stream) -> None:
        """See Link."""
        if not self.ended:
            self._stream = stream
            self.wake_sender()
            self.wake_receiver()

    def wake_sender(self) -> None:
        """There is something to send: it is fetched at the end of this turn."""
        if not self.ended:
            self._drained = False
            self.host.want_flush(self)

    def wake_receiver(self) -> None:
        """The stream takes bytes again: they are offered at the end of this turn."""
        if not self.ended:
            self.host.want_read(self)

    def writable(self) -> None:
        """The send buffer became emptier; like a system, ask for more only when half of it is free."""
        if self._drained or self._stream is None:
            return  # whoever has something new wakes us
        if self.outbound.buffered <= SEND_BUFFER // 2 and self.flush():
            self.host.touch()

    def flush(self) -> int:
        """Fetch what the stream has to send until it has no more or the send buffer is full; how many bytes."""
        network, pipe, fetched = self.host.network, self.outbound, 0
        while self._stream is not None and (room := SEND_BUFFER - pipe.buffered) > 0:
            buffers = self._stream.send_buffers(room)
            size = sum(map(len, buffers))
            if not size:
                self._drained = True
                break
            if self.host.call_fails():
                self._break()
                return fetched
            count = self.host.cut.size(min(room, size), network.rng)
            pipe.push(buffers, count)
            self._stream.sent(count, network.world.now)
            fetched += count
        self.host.uplink.offer(pipe)
        return fetched

    def pump(self) -> None:
        """Offer the stream what was received until it takes no more."""
        network, pipe = self.host.network, self.inbound
        moved = 0
        while pipe.unread and self._stream is not None:
            if self.host.call_fails():
                self._break()
                return
            buffers = list(self._stream.receive_buffers())
            if not buffers:
                break
            room = sum(map(len, buffers))
            assert room > 0, f"{self} was offered buffers without room"
            count = pipe.read_into(buffers, self.host.cut.size(min(room, pipe.unread), network.rng))
            moved += count
            self._stream.received(count, network.world.now)
        if moved:
            self.host.touch()
            pipe.sender.host.uplink.offer(pipe)
        if pipe.ended and not pipe.unread and self._stream is not None:
            self.lose(LinkLost(LossKind.CLOSED))

    def close(self) -> None:
        """Send what goes at once, then the end of the connection; the stream hears nothing more."""
        if self.ended:
            return
        self.flush()
        self._finish()
        self.outbound.closing = True
        self.host.uplink.offer(self.outbound)

    def reset(self) -> None:
        """End this side without a word to its stream; the other side sees a reset."""
        if not self.ended:
            self._finish()
            self.outbound.drop()
            self.host.network.reset(self.outbound)

    def lose(self, reason: LinkLost) -> None:
        """The connection is gone: tell the stream."""
        if self.ended or not self.host.alive:
            return
        stream = self._stream
        self._finish()
        self.outbound.drop()
        network = self.host.network
        network.world.trace.note(network.world.now, f"{self.host.name} {self.number} lost: {reason}")
        if reason.kind is LossKind.CLOSED:
            # The stream's end is the connection's end: our side closes too, as io does.
            self.outbound.closing = True
            self.host.uplink.offer(self.outbound)
        if stream is not None:
            stream.lost(reason, network.world.now)
            self.host.touch()

    def _break(self) -> None:
        """A call failed: the connection is gone on both sides."""
        network, outbound = self.host.network, self.outbound
        # Not from inside the stream's own call: the system says it in the next turn of the loop.
        network.world.after(0.0, partial(self.lose, LinkLost(LossKind.RESET)))
        network.reset(outbound)

    def _finish(self) -> None:
        self.ended = True
        self._stream = None
        self.inbound.drop()
        self.host.links.pop(self.number, None)
