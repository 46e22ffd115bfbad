"""The sending half of a connection: what may leave now, and what has to leave again.

HOT: bench/transfer.py
"""

from collections.abc import Sequence
from typing import NamedTuple

from bittern.wire.datagrams import Cut
from bittern.wire.stream import Buffer, Stream

from .backlog import Backlog
from .delays import DelayHistory, RoundTrips
from .flight import Flight
from .ledbat import Ledbat
from .mtu import PathMtu
from .packet import DATA, FIN, HEAD, MASK, Packet, ahead
from .recovery import Recovery
from .settings import UtpSettings

_PROBE_PAYLOAD = 64
"""Bytes of payload in a packet that tries a size; the others say nothing, so that it can be repeated in any size."""
_PACKETS_PER_BYTE = 1100
"""Others keep as many packets that came out of order as their window has room for at this size."""
_MOST_PACKETS = 8000
"""On their way: far from where numbers of 16 bits become ambiguous."""
_NOTHING = memoryview(b"")


class Departure(NamedTuple):
    """Packets that leave now.

    Attributes:
        kind: DATA or FIN.
        number: of the first.
        data: payload.
        size: bytes of each payload; the last may be shorter.
        padded: bytes of the whole datagram, padding included, of a probe; else 0.
        cut: where the datagrams may be cut.
    """

    kind: int
    number: int
    data: memoryview
    size: int
    padded: int = 0
    cut: Cut = Cut.HERE


class Sender:
    """What one side of a connection sends.

    Args:
        settings: numbers.
        first: number of the first packet, 0..65535.
        path: what is known of the way.

    Attributes:
        flight: what is on its way.
        control: how much of it there may be.
        trips: how long an answer takes.
        recovery: what of it is lost.
        delays: of packets on their way there.
        path: how large packets may be.
        peer_window: bytes that the other side has room for.
    """

    __slots__ = (
        "_active_at", "_backlog", "_closing", "_finished", "_largest_window", "_limited", "_shrunk_at", "_small",
        "_starved", "control", "delays", "flight", "path", "peer_window", "recovery", "trips",
    )  # fmt: skip

    def __init__(self, settings: UtpSettings, first: int, path: PathMtu) -> None:
        self.flight = Flight(first)
        self.path = path
        self.control = Ledbat(settings.target_seconds, settings.gain_bytes, path.proven)
        self.trips = RoundTrips()
        self.recovery = Recovery(self.flight, self.control, self.trips, path)
        self.delays = DelayHistory()
        self.peer_window = settings.window_bytes  # until it says so
        self._largest_window = 0
        self._backlog = Backlog()
        self._shrunk_at = first - 1  # number of the next packet when the window shrank for the delay
        self._small = first - 1  # number of the last packet that was not full
        self._closing = False
        self._finished = False  # the end has been sent
        self._starved = False  # data waits, and the other side has no room at all
        self._active_at = 0.0
        self._limited = False  # the congestion window kept something from being sent

    @property
    def all_arrived(self) -> bool:
        """Whether everything, the end too, was acknowledged."""
        return self._finished and not self._backlog and not self.flight.packets

    def finish(self, last: Sequence[Buffer]) -> None:
        """Nothing follows but `last`, and the end."""
        self._closing = True
        if last:
            self._backlog.append(last)

    # --- what comes back

    def known(self, ack: int, window: int) -> bool:
        """Whether nothing is new in the header of a packet with data but, perhaps, the window, which is noted."""
        if ack != self.flight.oldest - 1 & MASK:
            return False
        self.peer_window = window
        self._largest_window = max(self._largest_window, window)
        return True

    def acknowledge(self, packet: Packet, now: float, *, bare: bool) -> bool:
        """What `packet` says of ours.

        Args:
            packet: its acknowledgement is plausible.
            now: the time.
            bare: it carries nothing else.

        Returns:
            Whether more may leave now.
        """
        flight = self.flight
        grown = self._see_window(packet)
        self._see_delay(packet, now)
        progress = flight.acknowledge(packet.ack, packet.selective, now)
        if progress.round_trip is not None:
            self.trips.add(progress.round_trip)
        if progress.delivered:
            self._progressed(progress.delivered, now)
            self._backlog.arrived(flight.oldest, flight.next)
        self.recovery.heard(packet, progress, now, bare=bare)
        return grown or bool(progress.delivered or flight.lost)

    def _see_window(self, packet: Packet) -> bool:
        """Whether the other side has more room than before."""
        if ahead(packet.ack, self.flight.oldest - 1 & MASK) < 0:
            return False  # late: what it says was true once
        grown = packet.window > self.peer_window
        self.peer_window = packet.window
        self._largest_window = max(self._largest_window, packet.window)
        return grown

    def _see_delay(self, packet: Packet, now: float) -> None:
        # uTorrent's packets say 2**31 - 1 before it knows
        if packet.difference and packet.difference != 0x7FFFFFFF:
            self.delays.add(packet.difference, now)

    def _progressed(self, delivered: int, now: float) -> None:
        queueing = self.delays.queueing
        if self.trips.mean:  # one way never takes longer than both
            queueing = min(queueing, int(2e6 * self.trips.mean))
        flight = self.flight
        shrank = self.control.acknowledged(
            *(delivered, queueing, self.path.proven),
            limited=self._limited,
            fresh=flight.oldest > self._shrunk_at,
            trip=1e6 * self.trips.least,
            base=self.delays.base,
            now=now,
        )
        if shrank:
            # What others do about the same queue shows a round trip later than what we do.
            self._shrunk_at = flight.next + (0 if self.control.resting else flight.packets)

    def time_out(self, now: float) -> bool:
        """Nothing was acknowledged until `recovery.due`; whether the other side is held to be there still."""
        if self._starved and not self.flight.packets:
            self.peer_window = max(self.peer_window, 1)  # a byte asks whether there is room again
        return self.recovery.time_out(now, waiting=self._starved)

    # --- what leaves

    def depart(self, stream: Stream | None, now: float) -> list[Departure]:
        """What may leave now, of what was lost and of what `stream`, if any, has to say."""
        leaving: list[Departure] = []
        if not self.flight.packets and now - self._active_at > self.trips.timeout:
            self.control.idle(self.path.proven)
        self._active_at = now
        self._repeat(leaving, now)
        if not self.flight.lost and not self._finished:
            self._send_new(stream, leaving, now)
        self._limited = self.flight.bytes + self.path.proven > self.control.window
        self.recovery.left(now, waiting=self._starved)
        return leaving

    def _room(self) -> int:
        return int(min(self.control.window, self.peer_window)) - self.flight.bytes

    def _repeat(self, leaving: list[Departure], now: float) -> None:
        flight = self.flight
        while flight.lost:
            room, size = self._room(), max(self.path.proven, flight.lost_size + HEAD)
            if room < size and flight.bytes and not self.recovery.urgent:
                return
            run = flight.repeat(max(1, self.recovery.urgent, room // size), now)
            self.recovery.urgent = 0
            if run is None:
                return
            # It has a number, and must not leave in other sizes; if the path takes less by now, routers may cut it.
            cut = Cut.ANYWHERE if run.size + HEAD > self.path.least else Cut.HERE
            leaving.append(Departure(run.kind, run.first, run.data, run.size, cut=cut))

    def _send_new(self, stream: Stream | None, leaving: list[Departure], now: float) -> None:
        flight = self.flight
        most = min(_MOST_PACKETS, max(16, self._largest_window // _PACKETS_PER_BYTE))
        while True:
            size = self.path.proven - HEAD
            room = self._room()
            if not flight.bytes and not flight.packets and room < size and self.peer_window:
                room = min(size, self.peer_window)  # one packet may always be on its way
            packets = most - flight.packets
            if packets <= 0:
                return
            have = len(self._backlog)
            if stream is not None and have < 2 * size and (have < room or not (have or self.peer_window)):
                self._backlog.take(stream, room - have, flight.next, now)
            backlog = self._backlog.data
            self._starved = bool(backlog) and not self.peer_window
            if not backlog or room <= 0:
                break
            if len(backlog) > 2 * size and room > 2 * size and not (self.recovery.probing or flight.arrived):
                tried = self.path.probe(now)
                if tried is not None:
                    self._send_probe(tried, leaving, now)
                    continue
            count = min(len(backlog), room) // size
            if count:
                data = backlog[: min(count, packets) * size]
            elif flight.packets and (self._backlog.more or self._small >= flight.oldest) and not self._closing:
                break  # Nagle: one packet that is not full may be on its way, what comes until then fills the next
            elif len(backlog) <= room or (not flight.bytes and not flight.packets):
                data = backlog[: min(room, size)]
                self._small = flight.next
            else:
                break
            run = flight.send(DATA, data, size, now)
            self._backlog.drop(len(data))
            leaving.append(Departure(DATA, run.first, data, size))
        if self._closing and not self._backlog:
            self._finished = True
            run = flight.send(FIN, _NOTHING, 0, now)
            leaving.append(Departure(FIN, run.first, _NOTHING, 0))

    def _send_probe(self, tried: int, leaving: list[Departure], now: float) -> None:
        data = self._backlog.data[:_PROBE_PAYLOAD]
        self._backlog.drop(_PROBE_PAYLOAD)
        run = self.flight.send(DATA, data, len(data), now)
        self.recovery.probe(run.first, tried)
        leaving.append(Departure(DATA, run.first, data, len(data), tried, Cut.NEVER))
