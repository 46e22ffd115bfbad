"""The bookkeeping of what is on its way, against a model that keeps a list of packets."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.wire.utp.flight import NOTHING, Flight
from bittern.wire.utp.packet import DATA, FIN


@dataclass
class Model:
    """One packet.

    Attributes:
        number: unwrapped.
        size: payload.
        at: sent last.
        times: sent so often.
        after: number of the next new packet when it was sent last.
    """

    number: int
    size: int
    at: float
    times: int = 1
    after: int = 0
    arrived: bool = False
    lost: bool = False


class Naive:
    """What Flight does, packet by packet."""

    def __init__(self, first: int) -> None:
        self.packets: list[Model] = []
        self.next = first

    def send(self, sizes: list[int], now: float) -> None:
        for size in sizes:
            self.packets.append(Model(self.next, size, now))
            self.next += 1
        for packet in self.packets[-len(sizes) :]:
            packet.after = self.next

    @property
    def bytes(self) -> int:
        return sum(packet.size for packet in self.packets if not packet.arrived and not packet.lost)

    def acknowledge(self, ack: int, selected: set[int]) -> int:
        delivered = 0
        for packet in self.packets:
            if (packet.number <= ack or packet.number in selected) and not packet.arrived:
                packet.arrived, packet.lost = True, False
                delivered += packet.size
        self.packets = [packet for packet in self.packets if packet.number > ack]
        return delivered

    def find_lost(self) -> set[int]:
        arrived = sorted((packet.number for packet in self.packets if packet.arrived), reverse=True)
        found = set()
        for packet in self.packets:
            newer = [number for number in arrived if number > packet.number]
            if packet.arrived or packet.lost or len(newer) < 3:
                continue
            # after a repetition only what left after it counts; three of all that arrived are at or above the third
            if packet.times > 1 and newer[2] < packet.after:
                continue
            packet.lost = True
            found.add(packet.number)
        return found

    def repeat(self, numbers: range, now: float) -> None:
        for packet in self.packets:
            if packet.number in numbers:
                assert packet.lost
                packet.lost, packet.at, packet.after = False, now, self.next
                packet.times += 1


@settings(max_examples=300)
@given(st.data(), st.integers(0, 0xFFFF))
def test_any_history_is_as_a_list_of_packets_has_it(data: st.DataObject, first: int) -> None:
    flight, naive, now = Flight(first), Naive(first), 0.0
    for _ in range(data.draw(st.integers(1, 25))):
        now += 1.0
        match data.draw(st.sampled_from(("send", "send", "ack", "ack", "ack", "repeat", "timeout"))):
            case "send":
                size, length = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 40))
                flight.send(DATA, memoryview(bytes(length)), size, now)
                naive.send([min(size, length - at) for at in range(0, length, size)], now)
            case "ack":
                ack = data.draw(st.integers(flight.oldest - 1, flight.next - 1))
                later = range(ack + 2, flight.next)
                selected = set(data.draw(st.lists(st.sampled_from(later), max_size=12))) if later else set()
                mask = sum(1 << number - ack - 2 for number in selected)
                assert flight.plausible(ack & 0xFFFF)
                before = flight.oldest
                progress = flight.acknowledge(ack & 0xFFFF, mask, now)
                assert progress.delivered == naive.acknowledge(ack, selected)
                assert progress.packets == flight.oldest - before == ack + 1 - before
                lost_before = flight.lost.bit_count()
                flight.find_lost()
                assert flight.lost.bit_count() == lost_before + len(naive.find_lost())
            case "repeat":
                run = flight.repeat(data.draw(st.integers(1, 5)), now)
                if run is not None:
                    naive.repeat(range(run.first, run.first + run.count), now)
                    sizes = [p.size for p in naive.packets if run.first <= p.number < run.first + run.count]
                    assert len(run.data) == sum(sizes)
                else:
                    assert not any(packet.lost for packet in naive.packets)
            case _:
                flight.lose_all()
                for packet in naive.packets:
                    packet.lost = not packet.arrived
                    packet.times = max(packet.times, 1)
                    packet.after = 0
        assert (flight.next, flight.packets, flight.bytes) == (naive.next, len(naive.packets), naive.bytes)
        assert flight.lost == sum(1 << p.number - flight.oldest for p in naive.packets if p.lost)
        assert flight.arrived == sum(1 << p.number - flight.oldest for p in naive.packets if p.arrived)


def test_late_acknowledgements_change_nothing() -> None:
    flight = Flight(10)
    flight.send(DATA, memoryview(bytes(5)), 1, 0.0)
    flight.acknowledge(13, 0, 1.0)
    assert flight.plausible(11)
    assert flight.acknowledge(11, 0xFF, 1.0) == NOTHING
    assert flight.bytes == 1


def test_what_was_never_sent_cannot_be_acknowledged() -> None:
    flight = Flight(10)
    flight.send(DATA, memoryview(bytes(5)), 1, 0.0)
    assert flight.plausible(14)
    assert not flight.plausible(15)
    assert not flight.plausible(10 + 0x8000)
    assert not flight.plausible(10 - 5000 & 0xFFFF)


def test_bits_beyond_what_was_sent_are_ignored() -> None:
    flight = Flight(10)
    flight.send(DATA, memoryview(bytes(3)), 1, 0.0)
    progress = flight.acknowledge(9, (1 << 2000) - 1, 1.0)
    assert (progress.delivered, flight.bytes, flight.arrived) == (2, 1, 0b110)


def test_round_trips_of_repeated_packets_do_not_count() -> None:
    flight = Flight(0)
    flight.send(DATA, memoryview(bytes(4)), 1, 1.0)
    assert flight.acknowledge(0, 0, 3.0).round_trip == 2.0
    flight.lose_all()
    again = flight.repeat(1, 4.0)
    assert again is not None
    assert (again.first, again.count) == (1, 1)
    assert flight.acknowledge(1, 0, 5.0).round_trip is None


def test_the_oldest_is_suspected_once() -> None:
    flight = Flight(0)
    assert flight.suspect_oldest() == 0
    flight.send(DATA, memoryview(bytes(4)), 1, 0.0)
    assert flight.suspect_oldest() == 1
    assert flight.suspect_oldest() == 0
    flight.repeat(9, 1.0)
    assert flight.suspect_oldest() == 0


@given(st.data())
def test_the_largest_that_arrived_and_left_but_once_is_known(data: st.DataObject) -> None:
    flight, sizes = Flight(0xFFF0), list[int]()
    for length, size in data.draw(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 9)), min_size=1, max_size=5)):
        flight.send(DATA, memoryview(bytes(length)), size, 0.0)
        sizes += [min(size, length - at) for at in range(0, length, size)]
    numbers = st.sets(st.integers(0, len(sizes) - 1))
    repeated, came, asked = data.draw(numbers), data.draw(numbers) - {0}, data.draw(numbers)
    for number in repeated:
        flight.give_up(0xFFF0 + number)
    while flight.repeat(9, 1.0):
        pass
    flight.watched = True
    flight.acknowledge(0xFFEF, sum(1 << number - 1 for number in came), 2.0)
    assert flight.largest == max((sizes[number] for number in came - repeated), default=0)
    mask = sum(1 << number for number in asked)
    assert flight.largest_once(mask) == max((sizes[number] for number in asked - repeated - came), default=0)


def test_the_size_of_the_oldest_that_is_lost_is_known() -> None:
    flight = Flight(0)
    flight.send(DATA, memoryview(bytes(20)), 10, 0.0)
    flight.send(DATA, memoryview(bytes(5)), 5, 0.0)
    flight.give_up(2)
    assert flight.lost_size == 5
    flight.give_up(1)
    assert flight.lost_size == 10


def test_one_packet_can_be_given_up() -> None:
    flight = Flight(0)
    flight.send(DATA, memoryview(bytes(4)), 1, 0.0)
    flight.give_up(2)
    assert (flight.number_lost(2), flight.number_lost(1), flight.bytes) == (True, False, 3)
    flight.acknowledge(3, 0, 1.0)
    flight.give_up(2)
    assert (flight.lost, flight.bytes, flight.packets) == (0, 0, 0)


def test_an_end_has_a_number_and_no_bytes() -> None:
    flight = Flight(0xFFFF)
    flight.send(FIN, memoryview(b""), 0, 0.0)
    assert (flight.packets, flight.bytes) == (1, 0)
    flight.lose_all()
    again = flight.repeat(5, 1.0)
    assert again is not None
    assert (again.kind, again.first, again.count) == (FIN, 0xFFFF, 1)
    assert flight.acknowledge(0xFFFF, 0, 2.0).packets == 1
    assert flight.packets == 0


def test_what_had_to_wait_for_a_repeated_packet_tells_no_round_trip() -> None:
    """Its own word was lost, or it was not in order: the answer is as late as the repetition was."""
    flight = Flight(0)
    flight.send(DATA, memoryview(bytes(30)), 10, 1.0)
    flight.lose_all()
    flight.repeat(1, 9.0)
    assert flight.acknowledge(2, 0, 10.0).round_trip is None
    flight.send(DATA, memoryview(bytes(10)), 10, 11.0)
    assert flight.acknowledge(3, 0, 12.0).round_trip == 1.0


def test_what_is_acknowledged_sooner_than_its_repetition_can_be_was_overtaken() -> None:
    flight = Flight(0)
    flight.soonest = 0.05
    flight.send(DATA, memoryview(bytes(20)), 1, 0.0)
    flight.acknowledge(0xFFFF, 0b11_1111, 0.1)
    assert flight.find_lost() == 1
    flight.repeat(1, 0.1)
    assert flight.acknowledge(6, 0, 0.12).overtaken == 6


def test_what_is_acknowledged_as_late_as_its_repetition_can_be_was_lost() -> None:
    flight = Flight(0)
    flight.soonest = 0.05
    flight.send(DATA, memoryview(bytes(20)), 1, 0.0)
    flight.acknowledge(0xFFFF, 0b111, 0.1)
    flight.find_lost()
    flight.repeat(1, 0.1)
    assert flight.acknowledge(3, 0, 0.2).overtaken == 0


def test_who_knows_of_overtaking_waits_until_others_are_so_far_ahead() -> None:
    flight = Flight(0)
    flight.send(DATA, memoryview(bytes(20)), 1, 0.0)
    flight.acknowledge(0xFFFF, 0b1_1111_1111, 0.1)
    assert flight.find_lost(10) == 0
    assert flight.find_lost(9) == 1
    assert flight.number_lost(0)
