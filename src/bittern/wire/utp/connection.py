"""One uTP connection: a Link for its stream, packets for the other side (BEP 29)."""

from collections.abc import Callable
from enum import Enum, unique

from bittern.base.address import Address
from bittern.base.transport import Transport
from bittern.wire.datagrams import Burst
from bittern.wire.stream import LinkLost, LossKind, Stream

from .bursts import data_bursts
from .delays import DelayHistory
from .inbox import Allowance, Inbox
from .mtu import PathMtu
from .packet import (
    DATA,
    FIN,
    HEAD,
    MASK,
    PADDING,
    RESET,
    STATE,
    SYN,
    VERSION,
    Packet,
    ahead,
    encode,
    micros,
    pack_prefix,
)
from .packet import padding as pad
from .sending import Departure, Sender
from .settings import UtpSettings
from .slab import Slab

_KEEP_ALIVE_SECONDS = 29.0
"""Routers forget UDP flows after half a minute."""
_SYNS = 3
_SYN_SECONDS = 1.0
_LINGER_SECONDS = 20.0
"""After `close`, until what is on its way is given up."""
_LAST_BYTES = 1 << 18
"""Of what is offered when a stream closes, about so many are still sent."""
_COMPARE_SECONDS = 0.5
_MOST_DRIFT = 5000
"""Microseconds from one comparison to the next: clocks do not drift faster, the way has become shorter."""
_RESETS_BEHIND = 16
"""Resets that are about older packets are not believed."""


@unique
class State(Enum):
    """Life of a connection."""

    CALLING = "our SYN is not answered"
    OPEN = "both sides talk"
    CLOSING = "we closed; the rest, and the end, are on their way"
    CLOSED = "over"


class UtpLink:
    """A connection (see Link).

    Args:
        number: among the connections of the mux.
        address: the other end.
        ids: that packets to us carry, and those to the other side.
        settings: numbers.
        sequence: number of our first packet.
        memory: where payload lies until the end of the turn, and how much may be kept longer.
        wake: is called with `number` when `flush` has something to do.

    Attributes:
        number, address, receive_id, send_id: as given.
        ticket: of who asked for the connection; None when it came to us.
        state: where it is in its life.
        sender, inbox: its two halves.
    """

    __slots__ = (
        "_ack_due", "_acked_at", "_compared_at", "_difference", "_end_at", "_memory", "_settings", "_stream", "_syns",
        "_theirs", "_told_window", "_wake", "address", "inbox", "number", "receive_id", "send_id", "sender", "state",
        "ticket",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        address: Address,
        ids: tuple[int, int],
        settings: UtpSettings,
        sequence: int,
        memory: tuple[Slab, Allowance],
        wake: Callable[[int], None],
    ) -> None:
        self.number = number
        self.address = address
        self.receive_id, self.send_id = ids
        self.ticket: int | None = None
        self.state = State.CALLING
        self.sender = Sender(settings, sequence, PathMtu(settings.largest_datagram, ipv6=address.is_ipv6))
        self.inbox = Inbox(0, settings.window_bytes, *memory)
        self._settings = settings
        self._memory = memory
        self._wake = wake
        self._stream: Stream | None = None
        self._difference = 0
        self._theirs = DelayHistory()  # of packets to us
        self._compared_at = 0.0
        self._ack_due = False
        self._told_window = settings.window_bytes
        self._acked_at = 0.0  # when a packet left last
        self._syns = 0
        self._end_at: float | None = None

    # --- the Link side: called by the stream

    @property
    def transport(self) -> Transport:
        """See Link."""
        return Transport.UTP

    def serve(self, stream: Stream) -> None:
        """See Link."""
        if self.state is State.OPEN:
            self._stream = stream
            self._wake(self.number)

    def wake_sender(self) -> None:
        """See Link."""
        self._wake(self.number)

    def wake_receiver(self) -> None:
        """See Link."""
        self._wake(self.number)

    def close(self) -> None:
        """See Link."""
        stream, self._stream = self._stream, None
        if self.state is State.OPEN:
            self.sender.finish(list(stream.send_buffers(_LAST_BYTES)) if stream is not None else ())
            self.state = State.CLOSING
        elif self.state is State.CALLING:
            self.state = State.CLOSED
        self.inbox.discard()
        self._wake(self.number)

    # --- the mux's side

    def answered(self, packet: Packet) -> bool:
        """`packet` answers our SYN; whether it does."""
        if packet.kind != STATE or packet.ack != self.sender.flight.oldest - 1 & MASK:
            return False
        self.opened(packet.seq - 1 & MASK)
        self._ack_due = True  # the third of three: it shows that we hear
        return True

    def opened(self, last: int) -> None:
        """Both sides have heard each other; the other side's next packet is the one after `last`."""
        self.inbox = Inbox(last, self._settings.window_bytes, *self._memory)
        self.state = State.OPEN

    def receive(self, packet: Packet, data: memoryview, now: float) -> None:
        """A packet of this connection came; `data` is the whole datagram."""
        if packet.kind == SYN or not self.sender.flight.plausible(packet.ack):
            return
        if ahead(packet.seq, self.inbox.ack) > 1 << 14:
            return
        if packet.kind == DATA:
            self.inbox.take(packet.seq, data[packet.body :])
        elif packet.kind == FIN:
            self.inbox.end(packet.seq)
        self.heard(packet, now)

    def heard_again(self, stamp: int, window: int, ack: int, now: float) -> bool:
        """As `heard` of a packet with data, in short, when it acknowledges nothing new; whether that is so."""
        if not self.sender.known(ack, window):
            return False
        if stamp:
            self._difference = (micros(now) - stamp) & 0xFFFFFFFF
        self._ack_due = True
        self._wake(self.number)
        return True

    def heard(self, packet: Packet, now: float) -> None:
        """Take in what the header of `packet` says, whose payload is in the inbox."""
        if packet.stamp:
            self._difference = (micros(now) - packet.stamp) & 0xFFFFFFFF
            if now >= self._compared_at + _COMPARE_SECONDS:
                self._compared_at = now
                self._compare_clocks(now)
        bare = packet.kind == STATE
        if not bare:
            self._ack_due = True
        if self.sender.acknowledge(packet, now, bare=bare) or not bare:
            self._wake(self.number)

    def _compare_clocks(self, now: float) -> None:
        """If packets from there are faster than ever, the clocks drift: those to there seem slower by that."""
        theirs = self._theirs
        before, known = theirs.base, theirs.known
        theirs.add(self._difference, now)
        gained = before - theirs.base
        if known and 0 < gained <= _MOST_DRIFT:
            self.sender.delays.drift(gained)

    def is_reset(self, packet: Packet) -> bool:
        """Whether a RESET is about something that we sent of late."""
        return self.sender.flight.plausible(packet.ack - 1 & MASK, _RESETS_BEHIND) or self.sender.flight.plausible(
            packet.ack, _RESETS_BEHIND
        )

    def lose(self, reason: LinkLost, now: float) -> None:
        """The connection is over: tell the stream."""
        stream, self._stream = self._stream, None
        self.state = State.CLOSED
        if stream is not None:
            stream.lost(reason, now)

    def deliver(self, now: float) -> None:
        """Give the stream what came, as far as it takes it."""
        inbox = self.inbox
        while inbox.ready and (stream := self._stream) is not None:
            buffers = stream.receive_buffers()
            if not buffers:
                inbox.keep()
                return
            stream.received(inbox.read_into(buffers), now)
        if self._stream is None:
            inbox.discard()
        if inbox.ended and not inbox.ready and self.state is not State.CLOSED:
            self._ack_due = True
            self.lose(LinkLost(LossKind.CLOSED), now)

    def flush(self, now: float) -> list[Burst]:
        """What leaves at the end of this turn; see Mux."""
        if self.state is State.CALLING:
            return []
        bursts: list[Burst] = []
        if self.state is not State.CLOSED:
            if self.state is State.CLOSING and self._end_at is None:
                self._end_at = now + _LINGER_SECONDS
            for departure in self.sender.depart(self._stream, now):
                bursts += self._packets(departure, now)
            if self.state is State.CLOSING and self.sender.all_arrived:
                self.state = State.CLOSED
        if self.inbox.gaps or not bursts:
            window = self.inbox.window
            if self._ack_due or window - self._told_window >= self._settings.window_bytes // 4:
                bursts.append(self._state(now))
        if bursts:
            self._ack_due = False
            self._acked_at = now
        return bursts

    def due(self) -> float | None:
        """When `advance` wants to be called."""
        if self.state is State.CLOSED:
            return None
        at = self._acked_at + (
            _SYN_SECONDS * (1 << self._syns - 1) if self.state is State.CALLING else _KEEP_ALIVE_SECONDS
        )
        for other in (self.sender.recovery.due, self._end_at):
            if other is not None and other < at:
                at = other
        return at

    def advance(self, now: float) -> LinkLost | None:
        """Time passed; why the connection is over, or None."""
        if self._end_at is not None and now >= self._end_at:
            self.state = State.CLOSED
            return None
        due = self.sender.recovery.due
        if due is not None and now >= due and not self.sender.time_out(now):
            return LinkLost(LossKind.TIMED_OUT)
        if now >= self._acked_at + _KEEP_ALIVE_SECONDS:
            self._ack_due = True
        return None

    def call(self, now: float) -> Burst | None:
        """Our SYN, for the first time or again; None when that was often enough."""
        if self._syns == _SYNS:
            return None
        self._syns += 1
        self._acked_at = now
        sequence = self.sender.flight.oldest - 1 & MASK
        syn = Packet(SYN, self.receive_id, micros(now), 0, self._settings.window_bytes, sequence, 0, 0, HEAD)
        return Burst(self.address, [encode(syn)], HEAD)

    def reset(self, now: float) -> Burst:
        """A RESET for the other side."""
        packet = Packet(RESET, self.send_id, micros(now), 0, 0, self.sender.flight.next & MASK, self.inbox.ack, 0, HEAD)
        return Burst(self.address, [encode(packet)], HEAD)

    def _state(self, now: float) -> Burst:
        """An acknowledgement."""
        inbox = self.inbox
        self._told_window = inbox.window
        sequence = self.sender.flight.next & MASK
        packet = Packet(
            *(STATE, self.send_id, micros(now), self._difference, inbox.window, sequence, inbox.ack),
            *(inbox.selective, HEAD),
        )
        datagram = encode(packet)
        return Burst(self.address, [datagram], len(datagram))

    def _packets(self, departure: Departure, now: float) -> list[Burst]:
        inbox = self.inbox
        kind, number, data, size, padded, cut = departure
        self._told_window = inbox.window
        first = kind << 4 | VERSION
        fields = (self.send_id, micros(now), self._difference, self._told_window)
        if padded or not size:
            filling = pad(padded - HEAD - size) if padded else b""
            head = (
                pack_prefix(first, PADDING if filling else 0, *fields)
                + (number & MASK).to_bytes(2)
                + inbox.ack.to_bytes(2)
            )
            datagram = b"".join((head, filling, data))
            return [Burst(self.address, [datagram], len(datagram), cut)]
        return data_bursts(self.address, pack_prefix(first, 0, *fields), inbox.ack, number, data, size, cut)
