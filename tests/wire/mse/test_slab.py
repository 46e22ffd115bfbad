"""One slab for many streams."""

from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.mse.slab import SIZE, Slab, gather


class Keeper:
    """Counts how often it had to move out."""

    moved = 0

    def keep(self) -> None:
        self.moved += 1


def test_who_has_bytes_in_the_slab_moves_out_for_another_and_not_for_itself() -> None:
    slab, one, other = Slab(), Keeper(), Keeper()
    assert len(slab.lend(one)) == SIZE
    slab.lend(one)
    assert one.moved == 0
    slab.lend(other)
    assert (one.moved, other.moved) == (1, 0)


def test_who_gave_it_back_is_left_alone() -> None:
    slab, one, other = Slab(), Keeper(), Keeper()
    slab.lend(one)
    slab.back()
    slab.lend(other)
    assert one.moved == 0


@given(st.lists(st.binary(max_size=20)), st.integers(0, 100))
def test_parts_are_joined_up_to_the_most(parts: list[bytes], most: int) -> None:
    memory = memoryview(bytearray(100))
    count = gather(parts, memory, most)
    assert bytes(memory[:count]) == b"".join(parts)[:most]
