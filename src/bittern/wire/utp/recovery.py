"""What is held to be lost, and when: by what came after it, and by silence (BEP 29, RFC 5681, RFC 8985)."""

from .delays import RoundTrips
from .flight import BEYOND, Flight, Progress
from .ledbat import Ledbat
from .mtu import PathMtu
from .packet import HEAD, MASK, Packet

_DUPLICATES = 3
_TIMEOUTS = 6
"""In a row, after which the other side is gone: 19.5 seconds at least. libtorrent gives up a connection when one packet
was lost three times, libutp after 15 seconds, and neither says so."""
_MOST_BEYOND = 300
"""Packets by which others may be ahead of one that is not held to be lost."""
_SOONEST = 0.75
"""Of the shortest round trip."""
_TAIL = 3
"""Packets that are repeated early when nothing comes: an answer to them tells of all that was lost before them."""
_TAIL_SECONDS = 0.02
"""Until then, besides two round trips: the other side may be busy."""
_DOUBTS = 3
"""Losses one after the other, without one packet of full size that arrived between them, which full queues explain."""


class Recovery:
    """Looks after the packets of a connection that are on their way.

    Args:
        flight: they.
        control: is told of losses.
        trips: how long an answer takes.
        path: is told what became of probes.

    Attributes:
        urgent: packets that are to be repeated though the window has no room for them.
        due: when `time_out` wants to be called if nothing is acknowledged; None for never.
    """

    __slots__ = (
        "_beyond", "_control", "_doubts", "_duplicates", "_edge", "_flight", "_path", "_probe", "_tail_tried",
        "_trips", "_unanswered", "_window_before", "due", "urgent",
    )  # fmt: skip

    def __init__(self, flight: Flight, control: Ledbat, trips: RoundTrips, path: PathMtu) -> None:
        self._flight = flight
        self._control = control
        self._trips = trips
        self._path = path
        self._duplicates = 0
        self._edge = flight.next  # losses of packets before it have shrunk the window already
        self._probe: tuple[int, int] | None = None  # its number, and the size it tries
        self._unanswered = 0  # time-outs since something got there, or there was no room for it
        self._doubts = 0  # whether packets of full size get there still
        self._tail_tried = False
        self._beyond = BEYOND  # packets ahead of a lost one
        self._window_before = 0.0  # the last loss
        self.urgent = 0
        self.due: float | None = None

    @property
    def probing(self) -> bool:
        """Whether a probe of the path is on its way."""
        return self._probe is not None

    def probe(self, number: int, size: int) -> None:
        """Packet `number` left as a datagram of `size` bytes."""
        self._probe = (number, size)

    def left(self, now: float, *, waiting: bool) -> None:
        """All left that may; `waiting` when the other side has no room for more."""
        if self.due is None and (waiting or self._flight.packets):
            self.due = now + self._wait()

    def heard(self, packet: Packet, progress: Progress, now: float, *, bare: bool) -> None:
        """The other side said something; `bare` when it is nothing but an acknowledgement."""
        flight = self._flight
        flight.soonest = _SOONEST * self._trips.least if self._trips.mean else 0.0
        if progress.packets:
            self._duplicates = 0
        elif bare and flight.packets and packet.ack == flight.oldest - 1 & MASK and not packet.selective:
            self._duplicates += 1
        if progress.overtaken:
            self._be_patient(progress.overtaken)
        if self._probe is not None:
            self._judge_probe()
        if flight.watched and flight.largest >= self._path.proven - HEAD:
            flight.watched, self._doubts = False, 0
        # libtorrent's selective acknowledgement is as long as what came behind the gap, but begins with the gap: where
        # this is the longer, there is no bit in it. It says no less that all of these are missing.
        gap = packet.span + 1 if bare and packet.span and not packet.selective else 0
        if gap and packet.ack != flight.oldest - 1 & MASK:
            gap = 0
        if flight.arrived or gap or self._duplicates >= _DUPLICATES:
            self._lose(gap)
        if flight.lost and progress.delivered:
            # RFC 6937: what has left the path makes room for what is lost, whatever else is held to be on its way.
            self.urgent = max(self.urgent, progress.delivered // self._path.proven + 1)
        if progress.delivered or progress.packets or not packet.window:
            self._unanswered = 0  # else it is there, but what we send does not get there
        if progress.delivered or progress.packets:
            self._trips.answered()
            self._tail_tried = False
            self.due = now + self._wait() if flight.packets else None

    def time_out(self, now: float, *, waiting: bool) -> bool:
        """Nothing was acknowledged until `due`; whether the other side is held to be there still."""
        flight = self._flight
        self.due = None
        if not flight.packets:
            if waiting:
                self._trips.timed_out()
            return True
        if not self._tail_tried and self._trips.mean:
            self._tail_tried = True
            self._try_tail(now)
            return True
        self._trips.timed_out()
        alone = flight.packets == 1 and self._probe is not None and self._probe[0] == flight.oldest
        flight.lose_all()
        self._lose_probe()
        if alone:
            return True  # it was too large: that says nothing of how full the path is
        self._doubt_size()
        self._duplicates = 0
        self._edge = flight.next
        self._beyond = BEYOND
        self._window_before = 0.0
        self._control.timed_out(self._path.proven)
        self._unanswered += 1
        return self._unanswered <= _TIMEOUTS

    def _be_patient(self, overtaken: int) -> None:
        """Nothing was lost, packets overtook others: wait longer next time, and take the loss back."""
        self._beyond = min(max(self._beyond, overtaken + overtaken // 4 + 1), _MOST_BEYOND)
        self._control.window = max(self._control.window, self._window_before)

    def too_big(self, size: int) -> None:
        """The system refused a datagram of `size` bytes."""
        if self._probe is not None and self._probe[1] == size:
            self._flight.give_up(self._probe[0])
            self._probe = None
        self._path.too_big(size)

    def _wait(self) -> float:
        timeout = self._trips.timeout
        return (
            timeout if self._tail_tried or not self._trips.mean else min(timeout, self._trips.patience + _TAIL_SECONDS)
        )

    def _try_tail(self, now: float) -> None:
        """Of a loss at the end nobody tells: ask with the last packets, before the time-out that costs the window."""
        for number in range(max(self._flight.oldest, self._flight.next - _TAIL), self._flight.next):
            self._flight.give_up(number)
        self._lose_probe()
        self.urgent = _TAIL
        self.due = now + self._trips.timeout

    def _doubt_size(self) -> None:
        """There was a loss: where nothing gets there that is as long as it could be, the path takes less than it did.

        What is repeated may be cut on its way, and says nothing of that (RFC 4821, section 7.7; RFC 8899, 4.3).
        """
        flight, path = self._flight, self._path
        if path.proven == path.least or flight.largest_once(flight.lost) < path.proven - HEAD:
            return
        flight.watched, flight.largest = True, 0
        self._doubts += 1
        if self._doubts > _DOUBTS:
            flight.watched, self._doubts = False, 0
            path.fell()

    def _judge_probe(self) -> None:
        assert self._probe is not None
        number, size = self._probe
        index = number - self._flight.oldest
        if index < 0 or self._flight.arrived >> index & 1:
            self._probe = None
            self._path.arrived(size)

    def _lose_probe(self) -> int | None:
        """Whether the probe is among the lost, its number."""
        if self._probe is None or not self._flight.number_lost(self._probe[0]):
            return None
        number, size = self._probe
        self._probe = None
        self._path.vanished(size)
        return number

    def _lose(self, gap: int) -> None:
        """Find out what is lost; of the first `gap` packets it is known."""
        flight = self._flight
        found = flight.find_lost(self._beyond) + flight.lose_first(gap)
        if self._duplicates >= _DUPLICATES:
            self._duplicates = 0
            found += flight.suspect_oldest()
        if not found:
            return
        lowest = flight.oldest + (flight.lost & -flight.lost).bit_length() - 1
        if self._lose_probe() == lowest and flight.lost.bit_count() == 1:
            return  # as in `time_out`
        if lowest >= self._edge:
            self._doubt_size()
            self._edge = flight.next
            self.urgent = 1
            self._window_before = self._control.window
            self._control.lost(self._path.proven)
