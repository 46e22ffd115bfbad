"""All uTP connections of one UDP port: who a packet is for, who may call, what is to be sent (BEP 29)."""

from typing import TYPE_CHECKING, Protocol

from bittern.base.address import Address
from bittern.base.deadlines import Deadlines
from bittern.base.rate import TokenBucket
from bittern.wire.datagrams import Burst
from bittern.wire.stream import Link, LinkLost, LossKind, Stream

from .bursts import row
from .callers import Callers
from .connection import State, UtpLink
from .inbox import LONG_ROW, Allowance
from .packet import DATA, HEAD, MASK, RESET, SYN, Packet, encode, head_at, micros, parse
from .settings import UtpSettings
from .slab import Slab

if TYPE_CHECKING:
    from random import Random

_ACCEPT_BURST_SECONDS = 0.4
_RESETS_PER_SECOND = 50.0
"""Told to senders of packets that belong to no connection."""


class UtpHost(Protocol):
    """Who is told of connections: the engine, with something of the world before it."""

    def accepted(self, link: Link, now: float) -> Stream:
        """Somebody connected to us, and has shown that it hears us; the stream for it."""
        ...

    def connected(self, ticket: int, link: Link, now: float) -> Stream:
        """`Mux.connect` succeeded; the stream for its link."""
        ...

    def failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """`Mux.connect` led to nothing."""
        ...

    def wake(self) -> None:
        """There is something to do: call `Mux.flush` at the end of this turn. Called in and out of turns."""
        ...


class Mux:
    """The connections of a port.

    A turn: `receive` for each datagram that came, `deliver`, then whatever the streams' owner has to say, `flush`,
    and `take_bursts` until there are none.

    Args:
        settings: numbers.
        rng: where ids and sequence numbers come from.
        host: is told of connections.
    """

    def __init__(self, settings: UtpSettings, rng: "Random", host: UtpHost) -> None:
        self._settings = settings
        self._rng = rng
        self._host = host
        self._links: dict[int, UtpLink] = {}
        self._by_id: dict[tuple[Address, int], UtpLink] = {}  # by what packets to us carry
        self._callers = Callers(settings, rng)
        self._deadlines = Deadlines()
        self._stirred: dict[int, None] = {}  # links with something to do in this turn
        self._arrived: dict[int, None] = {}  # links whose streams have not been given what came
        self._leaving: list[Burst] = []
        self._held: list[Burst] = []
        self._pace = TokenBucket(settings.accepts_per_second, _ACCEPT_BURST_SECONDS)
        self._resets = TokenBucket(_RESETS_PER_SECOND, 1.0)
        self._busy: UtpLink | None = None  # whose stream is being asked
        self._memory = (Slab(), Allowance(settings.memory_bytes))
        self._last = 0

    def __len__(self) -> int:
        return len(self._links)

    # --- connections

    def connect(self, ticket: int, address: Address, now: float) -> None:
        """Call `address`: `connected` or `failed` of the host will be called with `ticket`."""
        receive_id = self._rng.randrange(1 << 16)
        while (address, receive_id) in self._by_id:
            receive_id = (receive_id + 1) & MASK
        link = self._new_link(address, (receive_id, receive_id + 1 & MASK), self._rng.randrange(1 << 16))
        link.ticket = ticket
        syn = link.call(now)
        assert syn is not None
        self._leaving.append(syn)
        self._schedule(link)
        self._host.wake()

    def give_up(self, ticket: int) -> None:
        """A call is not wanted any more, if it is under way: nobody is told how it ends."""
        for link in self._links.values():
            if link.ticket == ticket and link.state is State.CALLING:
                self._forget(link)
                return

    def abort(self, now: float) -> bool:
        """A stream raised what no stream should: end its connection, and no other. False when it was no stream's fault.

        What was going on may be begun again.
        """
        link, self._busy = self._busy, None
        if link is None:
            return False
        self._leaving.append(link.reset(now))
        self._end(link, LinkLost(LossKind.ABORTED, "internal error"), now)
        return True

    def refused(self, address: Address, now: float) -> None:
        """The system says that nobody is there, at `address`: calls to it fail. Connections wait for more proof."""
        for link in [link for link in self._links.values() if link.address == address]:
            if link.state is State.CALLING:
                self._fail(link, LinkLost(LossKind.REFUSED), now)

    def too_big(self, address: Address, size: int, now: float) -> None:
        """The system refused a datagram of `size` bytes to `address`: it cannot go through whole."""
        for link in self._links.values():
            if link.address == address:
                link.sender.recovery.too_big(size)
                self._stir(link.number)

    def close(self, now: float) -> None:
        """End all connections; what is to be said last is among the next bursts. Nobody is told."""
        for link in list(self._links.values()):
            link.close()
            self._leaving += link.flush(now)
            self._forget(link)

    # --- what comes

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        """Datagrams came: one, or several of `segment` bytes, of which the last may be shorter.

        Args:
            data: all of them, one after the other; not looked at after the call.
            segment: bytes of each; at least 1.
            source: where from.
            now: the time.
        """
        count = row(data, segment)
        if count and self._receive_row(data, segment, count, source, now):
            return
        for at in range(0, len(data), segment):
            datagram = data[at : at + segment]
            packet = parse(datagram)
            if packet is not None:
                self._receive_one(packet, datagram, source, now)

    def deliver(self, now: float) -> None:
        """Give streams what came: once for all that came in this turn, before their owners decide what to do."""
        arrived = self._arrived
        while arrived:
            number, _ = arrived.popitem()
            link = self._busy = self._links.get(number)
            if link is not None:
                link.deliver(now)
                self._stirred[number] = None
        self._busy = None
        self._memory[0].empty()

    def flush(self, now: float) -> None:
        """End a turn: take from streams what they have to send and may send, and acknowledge what came."""
        if self._arrived:
            self.deliver(now)
        if self._held:
            self._leaving[:0] = self._held
            self._held = []
        stirred = self._stirred
        while stirred:
            number, _ = stirred.popitem()
            link = self._busy = self._links.get(number)
            if link is not None:
                self._flush_link(link, now)
        self._busy = None

    def take_bursts(self) -> list[Burst]:
        """What is to be sent, in order."""
        leaving, self._leaving = self._leaving, []
        return leaving

    def held(self, burst: Burst) -> None:
        """The system had no room for `burst`: it is given again after the next `flush`, before all others."""
        self._held.append(burst)

    # --- time

    def next_deadline(self) -> float | None:
        """When `advance` is due, or None."""
        return self._deadlines.next()

    def advance(self, now: float) -> None:
        """Time passed: repeat what was not answered, give up who does not answer; `flush` is to follow."""
        for number in self._deadlines.take(now):
            link = self._links[number]
            due = link.due()
            if due is not None and now < due:
                self._deadlines.set(number, due)  # it was put off since
            elif link.state is State.CALLING:
                syn = link.call(now)
                if syn is None:
                    self._fail(link, LinkLost(LossKind.TIMED_OUT), now)
                else:
                    self._leaving.append(syn)
                    self._schedule(link)
            else:
                self._advance_link(link, now)

    # --- inside

    def _receive_row(self, data: memoryview, segment: int, count: int, source: Address, now: float) -> bool:
        """A row of data packets; whether it was taken in, or is to be taken one by one."""
        link = self._by_id.get((source, data[2] << 8 | data[3]))
        if link is None or link.state is not State.OPEN or not link.inbox.expects(data[16] << 8 | data[17]):
            return False
        _, _, connection, stamp, difference, window, seq, ack = head_at(data, (count - 1) * segment)
        if not link.sender.flight.plausible(ack) or not link.inbox.take_row(count, data, segment):
            return False
        if not link.heard_again(stamp, window, ack, now):
            link.heard(Packet(DATA, connection, stamp, difference, window, seq, ack, 0, HEAD), now)
        self._arrived[link.number] = None
        if len(data) >= LONG_ROW:
            self._busy = link
            link.deliver(now)
            self._busy = None
        return True

    def _receive_one(self, packet: Packet, datagram: memoryview, source: Address, now: float) -> None:
        link = self._by_id.get((source, packet.connection))
        if packet.kind == RESET:
            self._receive_reset(packet, source, now)
        elif packet.kind == SYN:
            self._receive_call(packet, source, now)
        elif link is None:
            self._receive_stranger(packet, datagram, source, now)
        elif link.state is State.CALLING:
            if link.answered(packet):
                assert link.ticket is not None
                link.heard(packet, now)
                self._busy = link
                link.serve(self._host.connected(link.ticket, link, now))
                self._busy = None
        else:
            link.receive(packet, datagram, now)
            self._arrived[link.number] = None
            self._host.wake()

    def _receive_reset(self, packet: Packet, source: Address, now: float) -> None:
        """A reset carries the id of either direction, whatever the sender knows."""
        for receive_id in (packet.connection, packet.connection + 1 & MASK, packet.connection - 1 & MASK):
            link = self._by_id.get((source, receive_id))
            if link is not None and packet.connection in (link.receive_id, link.send_id) and link.is_reset(packet):
                if link.state is State.CALLING:
                    self._fail(link, LinkLost(LossKind.REFUSED), now)
                else:
                    self._end(link, LinkLost(LossKind.RESET), now)
                return

    def _receive_call(self, packet: Packet, source: Address, now: float) -> None:
        receive_id = packet.connection + 1 & MASK
        if (source, receive_id) in self._by_id or len(self._links) >= self._settings.most_connections:
            return
        answer = self._callers.call(source, packet, now)
        if answer is not None:
            self._leaving.append(Burst(source, [answer], len(answer)))
            self._host.wake()

    def _receive_stranger(self, packet: Packet, datagram: memoryview, source: Address, now: float) -> None:
        if self._pace.available(now) <= 0 and (source, packet.connection) in self._callers:
            return
        caller = self._callers.proved(source, packet, now)
        if caller is None or len(self._links) >= self._settings.most_connections:
            if self._resets.available(now) > 0:
                self._resets.take(1)
                answer = encode(Packet(RESET, packet.connection, micros(now), 0, 0, 0, packet.seq, 0, HEAD))
                self._leaving.append(Burst(source, [answer], len(answer)))
                self._host.wake()
            return
        link = self._new_link(source, (packet.connection, packet.connection - 1 & MASK), caller.ours)
        link.opened(caller.theirs)
        self._pace.take(1)
        self._busy = link
        link.serve(self._host.accepted(link, now))
        self._busy = None
        self._receive_one(packet, datagram, source, now)

    def _new_link(self, address: Address, ids: tuple[int, int], sequence: int) -> UtpLink:
        self._last += 1
        link = UtpLink(self._last, address, ids, self._settings, sequence, self._memory, self._stir)
        self._links[link.number] = link
        self._by_id[address, ids[0]] = link
        return link

    def _stir(self, number: int) -> None:
        if number not in self._stirred:
            self._stirred[number] = None
            self._host.wake()

    def _flush_link(self, link: UtpLink, now: float) -> None:
        if link.inbox.ready or link.inbox.ended:
            link.deliver(now)
        self._leaving += link.flush(now)
        if link.state is State.CLOSED:
            self._forget(link)
        else:
            self._schedule(link)

    def _advance_link(self, link: UtpLink, now: float) -> None:
        reason = link.advance(now)
        if reason is not None:
            self._leaving.append(link.reset(now))
            self._end(link, reason, now)
        elif link.state is State.CLOSED:
            self._leaving.append(link.reset(now))
            self._forget(link)
        else:
            self._stir(link.number)

    def _schedule(self, link: UtpLink) -> None:
        self._deadlines.set(link.number, link.due())

    def _fail(self, link: UtpLink, reason: LinkLost, now: float) -> None:
        assert link.ticket is not None
        self._forget(link)
        self._host.failed(link.ticket, reason, now)

    def _end(self, link: UtpLink, reason: LinkLost, now: float) -> None:
        self._forget(link)
        link.lose(reason, now)
        self._host.wake()

    def _forget(self, link: UtpLink) -> None:
        link.inbox.close()
        self._links.pop(link.number, None)
        self._by_id.pop((link.address, link.receive_id), None)
        self._deadlines.set(link.number, None)
