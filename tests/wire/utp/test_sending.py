from bittern.wire.datagrams import Cut
from bittern.wire.utp.mtu import LEAST, PathMtu
from bittern.wire.utp.packet import DATA, FIN, HEAD, STATE, Packet
from bittern.wire.utp.sending import Departure, Sender
from bittern.wire.utp.settings import UtpSettings
from tests.wire.utp.toynet import Pump

SIZE = LEAST - HEAD


def sender(first: int = 100, **settings: int) -> Sender:
    chosen = UtpSettings(largest_datagram=LEAST, **settings)
    return Sender(chosen, first, PathMtu(LEAST, ipv6=False))


def prober() -> Sender:
    half = Sender(UtpSettings(), 0, PathMtu(1472, ipv6=False))
    half.acknowledge(answer(0xFFFF), 0.0, bare=True)
    half.control.window = 50_000.0
    return half


def answer(ack: int, *, window: int = 1 << 20, selective: int = 0, difference: int = 1) -> Packet:
    return Packet(STATE, 1, 0, difference, window, 1, ack, selective, HEAD)


def sizes(leaving: list[Departure]) -> list[int]:
    return [len(departure.data) for departure in leaving]


def test_whole_packets_go_up_to_the_window() -> None:
    half, stream = sender(), Pump(bytes(100_000))
    leaving = half.depart(stream, 0.0)
    assert sum(sizes(leaving)) // SIZE == half.control.window // LEAST
    assert half.depart(stream, 0.0) == []


def test_one_packet_that_is_not_full_may_be_on_its_way() -> None:
    half, stream = sender(), Pump(b"first")
    assert sizes(half.depart(stream, 0.0)) == [5]
    stream.say(b"second")
    assert half.depart(stream, 0.0) == []
    stream.say(b"third")
    assert half.acknowledge(answer(100), 0.1, bare=True)
    assert sizes(half.depart(stream, 0.1)) == [11]


def test_the_rest_before_a_full_packet_fills_it() -> None:
    half, stream = sender(), Pump(b"first")
    half.depart(stream, 0.0)
    stream.say(b"x" * 10)
    half.depart(stream, 0.0)
    stream.say(b"y" * SIZE)
    (departure,) = half.depart(stream, 0.0)
    assert bytes(departure.data) == b"x" * 10 + b"y" * (SIZE - 10)


def test_a_lost_packet_leaves_again_before_all_others() -> None:
    half, stream = sender(), Pump(bytes(100_000))
    half.acknowledge(answer(99), 0.0, bare=True)
    half.control.window = 20.0 * LEAST
    half.depart(stream, 0.0)
    assert half.acknowledge(answer(99, selective=0b111), 0.1, bare=True)
    window = half.control.window
    assert window < half.flight.bytes
    leaving = half.depart(stream, 0.1)
    assert (leaving[0].number, len(leaving[0].data)) == (100, SIZE)
    assert half.flight.lost == 0


def test_three_equal_answers_say_that_the_next_was_lost() -> None:
    half, stream = sender(), Pump(bytes(100_000))
    half.depart(stream, 0.0)
    for _ in range(2):
        half.acknowledge(answer(99), 0.1, bare=True)
    assert half.flight.lost == 0
    half.acknowledge(answer(99), 0.1, bare=True)
    assert half.depart(stream, 0.1)[0].number == 100


def test_packets_with_something_in_them_are_no_equal_answers() -> None:
    half, stream = sender(), Pump(bytes(100_000))
    half.depart(stream, 0.0)
    for _ in range(9):
        half.acknowledge(answer(99), 0.1, bare=False)
    assert half.flight.lost == 0


def test_silence_repeats_the_oldest_and_then_gives_up() -> None:
    half, stream = sender(), Pump(b"hello")
    half.depart(stream, 0.0)
    assert half.recovery.due == 1.0
    alive, waits, now = True, [], 0.0
    while alive:
        assert half.recovery.due is not None
        waits.append(half.recovery.due - now)
        now = half.recovery.due
        alive = half.time_out(now)
        if alive:
            assert [departure.number for departure in half.depart(stream, now)] == [100]
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]


def test_losses_of_one_round_trip_shrink_the_window_once() -> None:
    half, stream = sender(), Pump(bytes(1_000_000))
    half.acknowledge(answer(99), 0.0, bare=True)
    half.control.window = 100.0 * LEAST
    half.depart(stream, 0.0)
    half.acknowledge(answer(99, selective=0b111), 0.1, bare=True)
    window = half.control.window
    half.acknowledge(answer(99, selective=0b111_0111), 0.1, bare=True)
    assert half.flight.lost.bit_count() == 2
    assert window <= half.control.window < 1.1 * window


def test_no_room_is_asked_after_with_one_byte() -> None:
    half, stream = sender(), Pump(bytes(1000))
    half.acknowledge(answer(99, window=0), 0.0, bare=True)
    assert half.depart(stream, 0.0) == []
    assert half.recovery.due == 1.0
    assert half.time_out(1.0)
    assert sizes(half.depart(stream, 1.0)) == [1]
    half.acknowledge(answer(99, window=0), 1.1, bare=True)
    assert half.recovery.due is not None
    assert half.time_out(half.recovery.due)
    assert sizes(half.depart(stream, 3.0)) == [1]
    assert half.acknowledge(answer(100, window=5000), 3.1, bare=True)
    assert sizes(half.depart(stream, 3.1)) == [SIZE]


def test_a_tiny_window_is_used_a_packet_at_a_time() -> None:
    half, stream = sender(), Pump(bytes(1000))
    half.acknowledge(answer(99, window=100), 0.0, bare=True)
    assert sizes(half.depart(stream, 0.0)) == [100]
    assert half.depart(stream, 0.0) == []
    half.acknowledge(answer(100, window=100), 0.1, bare=True)
    assert sizes(half.depart(stream, 0.1)) == [100]


def test_the_end_follows_the_last_byte_and_is_acknowledged() -> None:
    half = sender()
    half.finish([b"good", memoryview(b"bye")])
    leaving = half.depart(None, 0.0)
    assert [(departure.kind, bytes(departure.data)) for departure in leaving] == [(DATA, b"goodbye"), (FIN, b"")]
    assert not half.all_arrived
    half.acknowledge(answer(101), 0.1, bare=True)
    assert half.all_arrived
    assert half.depart(None, 0.1) == []


def test_a_size_is_tried_with_padding_and_used_when_it_arrives() -> None:
    half, stream = prober(), Pump(bytes(200_000))
    leaving = half.depart(stream, 0.0)
    assert [departure.padded for departure in leaving if departure.padded] == [1472]
    assert leaving[0].padded
    assert len(leaving[0].data) < 100
    half.acknowledge(answer(10), 0.1, bare=True)
    assert half.depart(stream, 0.1)[0].size == 1472 - HEAD


def test_a_probe_that_is_lost_is_repeated_small_and_shrinks_nothing() -> None:
    half, stream = prober(), Pump(bytes(200_000))
    probe = half.depart(stream, 0.0)[0]
    half.acknowledge(answer(0xFFFF, selective=0b1111), 0.1, bare=True)
    again = half.depart(stream, 0.1)[0]
    assert (again.number, again.data, again.padded) == (probe.number, probe.data, 0)
    assert half.control.window >= 50_000


def test_a_probe_that_the_system_refuses_is_repeated_small() -> None:
    half, stream = prober(), Pump(bytes(200_000))
    probe = half.depart(stream, 0.0)[0]
    half.recovery.too_big(1472)
    half.control.window = 60_000.0
    leaving = half.depart(stream, 0.1)
    assert leaving[0].data == probe.data
    assert [departure.padded for departure in leaving if departure.padded] == [(LEAST + 1472) // 2]


def test_what_is_repeated_may_be_cut_on_its_way_if_it_is_large() -> None:
    """The path may take less than it did, and its size must stay as it is."""
    half, stream = prober(), Pump(bytes(200_000))
    half.depart(stream, 0.0)
    half.acknowledge(answer(10), 0.1, bare=True)
    assert {departure.cut for departure in half.depart(stream, 0.1) if not departure.padded} == {Cut.HERE}
    half.flight.lose_all()
    again = half.depart(stream, 0.2)
    assert {(departure.size > LEAST, departure.cut) for departure in again} == {(False, Cut.HERE), (True, Cut.ANYWHERE)}


def test_large_packets_are_repeated_as_far_as_there_is_room_though_those_that_are_new_are_small() -> None:
    half, stream = prober(), Pump(bytes(200_000))
    half.path.arrived(1472)
    half.control.window = 20.0 * 1472
    half.depart(stream, 0.0)
    half.path.fell()
    half.flight.lose_all()
    half.control.window = 10.0 * 1472
    assert sum(sizes(half.depart(stream, 1.0))) <= 10 * 1472


def test_a_side_that_answers_and_never_gets_what_we_send_is_given_up() -> None:
    """It is there, but nothing of that size gets to it: somebody else may find another way."""
    half, stream = sender(), Pump(bytes(100_000))
    half.depart(stream, 0.0)
    held = 0
    while half.time_out(float(held)):
        half.acknowledge(answer(99), float(held), bare=True)
        half.depart(stream, float(held))
        held += 1
    assert held == 6


def test_a_side_without_room_is_not_given_up() -> None:
    half, stream = sender(), Pump(bytes(100_000))
    half.acknowledge(answer(99, window=0), 0.0, bare=True)
    half.depart(stream, 0.0)
    for second in range(100):
        assert half.time_out(float(second))
        half.depart(stream, float(second))
        half.acknowledge(answer(99, window=0), float(second), bare=True)
