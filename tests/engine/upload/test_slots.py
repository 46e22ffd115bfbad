from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.upload.slots import REST_ROUNDS, AutomaticSlots, FixedSlots, SlotCount, slots_for


def climb(slots: AutomaticSlots, line: float, each: float, peers: int, rounds: int) -> list[int]:
    """A line of so many bytes per second, and peers that take at most so much each."""
    counts = []
    for _ in range(rounds):
        used = min(peers, slots.count)
        slots.next_round(used, min(line, used * each))
        counts.append(slots.count)
    return counts


def test_a_fixed_number_stays() -> None:
    slots = slots_for(SlotCount.FIXED, 4, 80)
    assert isinstance(slots, FixedSlots)
    slots.next_round(4, 1e9)
    assert slots.count == 4


@given(line=st.floats(1e3, 1e8), each=st.floats(1e3, 1e7), peers=st.integers(0, 60))
def test_as_many_are_served_as_fill_the_line(line: float, each: float, peers: int) -> None:
    counts = climb(AutomaticSlots(2, 50), line, each, peers, 400)
    assert all(2 <= count <= 50 for count in counts)
    full = min(max(2, line / each), 50)  # so many fill the line
    settled = counts[200:]
    if peers >= 50:
        assert min(settled) >= full - 1
        assert max(settled) <= full + 3
    else:
        assert max(settled) <= max(2, peers) + 1, "slots that nobody uses"


def test_a_slot_that_does_not_pay_is_taken_back_and_not_tried_again_at_once() -> None:
    counts = climb(AutomaticSlots(2, 50), 1000.0, 1000.0, 10, 3 * (REST_ROUNDS + 2))
    assert counts.count(3) == 3
    assert set(counts) == {2, 3}


def test_when_the_line_becomes_thin_the_count_begins_anew() -> None:
    slots = AutomaticSlots(2, 50)
    assert climb(slots, 1e6, 1e4, 60, 200)[-1] > 40
    assert climb(slots, 1e4, 1e4, 60, 20)[-1] <= 3
