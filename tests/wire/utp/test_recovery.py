from bittern.wire.utp.delays import RoundTrips
from bittern.wire.utp.flight import Flight
from bittern.wire.utp.ledbat import Ledbat
from bittern.wire.utp.mtu import PathMtu
from bittern.wire.utp.packet import DATA, HEAD, STATE, Packet
from bittern.wire.utp.recovery import Recovery

PACKET = 548


class Bench:
    """A flight of so many packets of a byte, numbered from 100, and who looks after it."""

    def __init__(self, packets: int) -> None:
        self.flight = Flight(100)
        self.control = Ledbat(0.1, 3000, PACKET)
        self.control.window = 100.0 * PACKET
        self.trips = RoundTrips()
        self.path = PathMtu(1472, ipv6=False)
        self.recovery = Recovery(self.flight, self.control, self.trips, self.path)
        self.flight.send(DATA, memoryview(bytes(packets)), 1, 0.0)
        self.recovery.left(0.0, waiting=False)

    def hear(self, ack: int, selective: int = 0, now: float = 0.1, window: int = 1 << 20, span: int = 0) -> None:
        packet = Packet(STATE, 1, 0, 0, window, 1, ack, selective, HEAD, span)
        progress = self.flight.acknowledge(ack, selective, now)
        if progress.round_trip is not None:
            self.trips.add(progress.round_trip)
        self.recovery.heard(packet, progress, now, bare=True)

    @property
    def lost(self) -> list[int]:
        return [number for number in range(100, self.flight.next) if self.flight.number_lost(number)]


def test_three_that_came_later_tell_of_a_loss() -> None:
    bench = Bench(10)
    bench.hear(99, 0b11)
    assert bench.lost == []
    bench.hear(99, 0b111)
    assert bench.lost == [100]
    assert bench.recovery.urgent == 1
    assert bench.control.window == 50 * PACKET


def test_a_selective_acknowledgement_without_a_bit_tells_of_a_gap() -> None:
    """As libtorrent's is, when more is missing than came behind it."""
    bench = Bench(40)
    bench.hear(104, span=16)
    assert bench.lost == list(range(105, 122))
    bench.flight.repeat(4, 0.2)
    bench.hear(104, span=16, now=0.3)
    assert bench.lost == list(range(109, 122))
    bench.hear(103, span=64, now=0.3)
    assert bench.lost == list(range(109, 122))


def test_what_arrives_makes_room_for_what_is_lost() -> None:
    bench = Bench(40)
    bench.hear(104, span=16)
    bench.flight.repeat(1, 0.2)
    bench.recovery.urgent = 0
    bench.hear(105, span=16, now=0.3)
    assert bench.recovery.urgent == 1


def test_one_flight_halves_the_window_once() -> None:
    bench = Bench(10)
    bench.hear(99, 0b111)
    bench.hear(99, 0b111_0111)
    assert bench.lost == [100, 104]
    assert bench.control.window == 50 * PACKET


def test_overtaking_takes_the_loss_back_and_teaches_patience() -> None:
    bench = Bench(60)
    bench.trips.add(0.1)
    bench.hear(100, now=0.05)
    bench.hear(100, 0b111, 0.1)
    assert bench.lost == [101]
    assert bench.control.window == 50 * PACKET
    bench.flight.repeat(1, 0.1)
    bench.hear(104, now=0.11)
    assert bench.control.window == 100 * PACKET
    bench.hear(104, 0b111, now=0.12)
    assert bench.lost == []
    bench.hear(104, 0b1111, now=0.12)
    assert bench.lost == [105]


def test_silence_after_a_loss_at_the_end_asks_with_the_last_packets() -> None:
    bench = Bench(10)
    bench.hear(104)
    assert bench.recovery.due is not None
    assert 0.3 < bench.recovery.due < 0.5
    window = bench.control.window
    assert bench.recovery.time_out(bench.recovery.due, waiting=False)
    assert bench.lost == [107, 108, 109]
    assert (bench.recovery.urgent, bench.control.window) == (3, window)
    bench.flight.repeat(9, 1.0)
    bench.hear(104, 0b111_0, 1.1)
    assert bench.lost == [105, 106]


def test_more_silence_starts_anew() -> None:
    bench = Bench(10)
    bench.hear(104)
    for now in (0.4, 1.0):
        assert bench.recovery.time_out(now, waiting=False)
        bench.recovery.left(now, waiting=False)
    assert bench.lost == [105, 106, 107, 108, 109]
    assert bench.control.window == PACKET
    assert bench.control.slow_start


def test_only_so_much_silence_is_believed_in() -> None:
    bench = Bench(1)
    alive, count = True, 0
    while alive:
        alive = bench.recovery.time_out(float(count), waiting=False)
        bench.flight.repeat(1, float(count))
        count += 1
    assert count == 7


def test_a_side_that_has_no_room_is_not_given_up() -> None:
    bench = Bench(1)
    for count in range(50):
        assert bench.recovery.time_out(float(count), waiting=False)
        bench.flight.repeat(1, float(count))
        bench.hear(99, now=float(count), window=0)


def test_a_probe_that_alone_is_lost_does_not_count_as_loss() -> None:
    bench = Bench(10)
    bench.recovery.probe(100, 1472)
    assert bench.recovery.probing
    bench.hear(99, 0b111)
    assert (bench.lost, bench.recovery.probing) == ([100], False)
    assert bench.control.window == 100 * PACKET


def test_a_probe_that_is_repeated_proves_nothing() -> None:
    """It leaves without its padding then."""
    bench = Bench(10)
    bench.hear(104)
    bench.recovery.probe(109, 1472)
    bench.recovery.time_out(0.4, waiting=False)
    bench.flight.repeat(9, 0.4)
    bench.hear(109, now=0.5)
    assert bench.path.proven == PACKET


def test_a_probe_that_arrives_proves_its_size() -> None:
    for ack, selective in ((104, 0), (99, 0b1000)):
        bench = Bench(10)
        bench.recovery.probe(104, 1472)
        bench.hear(ack, selective)
        assert bench.path.proven == 1472


class Narrowed(Bench):
    """Packets of full size are on their way, one after the other, where 1,472 bytes went through before."""

    def __init__(self) -> None:
        super().__init__(1)
        self.hear(100)
        self.path.arrived(1472)

    def lose(self, now: float, size: int = 1472 - HEAD, *, arrives: bool = False) -> None:
        """Four leave; of the first no more is heard, nor of the last unless it arrives, until they are repeated."""
        first = self.flight.next
        self.flight.send(DATA, memoryview(bytes(4 * size)), size, now)
        self.recovery.left(now, waiting=False)
        if arrives:
            self.hear(first - 1, 0b100, now)
        assert self.recovery.time_out(now + 1, waiting=False)
        assert self.recovery.time_out(now + 2, waiting=False)
        while self.flight.repeat(9, now + 2):
            pass
        self.hear(first + 3, now=now + 3)


def test_when_nothing_of_full_size_arrives_but_what_may_be_cut_packets_become_smaller() -> None:
    bench = Narrowed()
    for turn in range(4):
        assert bench.path.proven == 1472
        bench.lose(10.0 * turn)
    assert bench.path.proven == bench.path.least


def test_one_of_full_size_that_arrives_says_that_queues_were_full() -> None:
    bench = Narrowed()
    for turn in range(40):
        bench.lose(10.0 * turn, arrives=turn % 3 == 2)
    assert bench.path.proven == 1472


def test_losses_of_small_packets_say_nothing_of_the_path() -> None:
    bench = Narrowed()
    for turn in range(40):
        bench.lose(10.0 * turn, size=1000)
    assert bench.path.proven == 1472


def test_a_refused_probe_is_lost_at_once() -> None:
    bench = Bench(10)
    bench.recovery.probe(104, 1472)
    bench.recovery.too_big(900)
    assert (bench.lost, bench.recovery.probing) == ([], True)
    bench.recovery.too_big(1472)
    assert (bench.lost, bench.recovery.probing) == ([104], False)


def test_waiting_for_room_has_a_time_too() -> None:
    bench = Bench(1)
    bench.hear(100)
    assert bench.recovery.due is None
    bench.recovery.left(1.0, waiting=True)
    assert bench.recovery.due is not None
    assert bench.recovery.time_out(2.0, waiting=True)
