import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield, members
from bittern.base.errors import Offence, RemoteProtocolError


@st.composite
def sets(draw: st.DrawFn) -> tuple[int, set[int]]:
    size = draw(st.integers(0, 70))
    return size, draw(st.sets(st.integers(0, size - 1))) if size else set()


def naive_bytes(size: int, members: set[int]) -> bytes:
    bits = "".join("1" if number in members else "0" for number in range(size)).ljust((size + 7) // 8 * 8, "0")
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


@given(sets())
def test_a_bitfield_is_a_set_in_the_form_of_the_wire(case: tuple[int, set[int]]) -> None:
    size, members = case
    field = Bitfield(size, members)
    field.check_invariants()
    assert bytes(field) == naive_bytes(size, members)
    assert list(field) == sorted(members)
    assert (field.size, field.count, len(field)) == (size, len(members), len(members))
    assert field.complete is (len(members) == size)
    assert {number for number in range(-9, size + 9) if number in field} == members
    assert field == Bitfield.from_bytes(bytes(field), size) == field.copy()
    assert field.as_int() == int.from_bytes(bytes(field))


@given(st.integers(0, 2000), st.data())
def test_the_first_common_member_is_that_of_the_sets(size: int, data: st.DataObject) -> None:
    some = st.sets(st.integers(0, size - 1), max_size=20) if size else st.just(set[int]())
    one, other, start = data.draw(some), data.draw(some), data.draw(st.integers(0, size + 1))
    other |= {piece for piece in one if piece % 3 == 0}
    expected = min((piece for piece in one & other if piece >= start), default=None)
    assert Bitfield(size, one).first_common(Bitfield(size, other), start) == expected


@given(sets(), st.lists(st.tuples(st.sampled_from(["add", "discard", "fill", "clear"]), st.integers(-2, 72))))
def test_any_history_leaves_it_equal_to_a_set(case: tuple[int, set[int]], steps: list[tuple[str, int]]) -> None:
    size, members = case
    field, twin = Bitfield(size, members), Bitfield(size, members).copy()
    model = set(members)
    for step, number in steps:
        match step:
            case "add" if not 0 <= number < size:
                with pytest.raises(IndexError):
                    field.add(number)
            case "add":
                assert field.add(number) is (number not in model)
                model.add(number)
            case "discard":
                assert field.discard(number) is (number in model)
                model.discard(number)
            case "fill":
                field.fill()
                model = set(range(size))
            case _:
                field.clear()
                model = set()
        field.check_invariants()
        assert list(field) == sorted(model)
    assert list(twin) == sorted(members)


@given(st.integers(0, 70))
def test_full_holds_every_piece(size: int) -> None:
    full = Bitfield.full(size)
    full.check_invariants()
    assert full == Bitfield(size, range(size))
    assert full.complete


@pytest.mark.parametrize(("data", "size"), [(b"", 1), (b"\x00\x00", 8), (b"\x00", 9), (b"x", 0)])
def test_a_bitfield_of_the_wrong_size_is_an_offence(data: bytes, size: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Bitfield.from_bytes(data, size)
    assert caught.value.offence is Offence.BAD_BITFIELD


@given(st.integers(1, 70).filter(lambda size: size % 8), st.data())
def test_spare_bits_are_an_offence(size: int, data: st.DataObject) -> None:
    spare = data.draw(st.integers(size % 8, 7))
    raw = bytearray(bytes(Bitfield.full(size)))
    raw[-1] |= 0x80 >> spare
    with pytest.raises(RemoteProtocolError):
        Bitfield.from_bytes(raw, size)


@given(st.integers(0, 70), st.data())
def test_what_two_sets_have_in_common_comes_in_order(size: int, data: st.DataObject) -> None:
    members = st.sets(st.integers(0, size - 1)) if size else st.just(set())
    one, other = data.draw(members), data.draw(members)
    assert Bitfield(size, one).common(Bitfield(size, other)) == sorted(one & other)


@given(st.integers(1, 60), st.integers(0, 59), st.integers(1, 70), st.data())
def test_the_members_of_a_set_come_round_from_where_one_begins(
    size: int, start: int, most: int, data: st.DataObject
) -> None:
    pieces = data.draw(st.frozensets(st.integers(0, size - 1)))
    first = min(start, size - 1) // 8 * 8
    found = members(Bitfield(size, pieces).as_int(), size, min(start, size - 1), most)
    assert found == sorted(pieces, key=lambda piece: (piece - first) % (size + 8))[:most]


def test_sets_of_other_sizes_and_types_are_not_equal() -> None:
    assert Bitfield(7) != Bitfield(8)
    assert Bitfield(8) != bytes(1)
    assert repr(Bitfield(8, [1])) == "Bitfield(1 of 8)"


@given(st.integers(0, 2000), st.data())
def test_many_members_at_once_are_the_same_as_one_by_one(size: int, data: st.DataObject) -> None:
    some = st.lists(st.integers(0, size - 1)) if size else st.just(list[int]())
    before, more = data.draw(some), data.draw(some)
    field = Bitfield(size, before)
    field.update(iter(more))
    field.check_invariants()
    assert list(field) == sorted({*before, *more})
    marks = bytes(piece in field for piece in range(size))
    assert Bitfield.marked(marks.replace(b"\x01", b"\x05")) == field


@given(st.integers(0, 100), st.integers(-40, 39), st.data())
def test_nothing_outside_is_taken_in(size: int, count: int, data: st.DataObject) -> None:
    outside = count if count < 0 else size + count
    at = data.draw(st.integers(0, size))
    field = Bitfield(size)
    with pytest.raises(IndexError):
        field.update([*range(at), outside, *range(at, size)])


@given(sets(), st.data())
def test_what_is_left_of_a_set_is_what_the_other_has_not(case: tuple[int, set[int]], data: st.DataObject) -> None:
    size, members = case
    others = data.draw(st.sets(st.sampled_from(range(size)))) if size else set()
    left = Bitfield(size, members).minus(Bitfield(size, others))
    left.check_invariants()
    assert list(left) == sorted(members - others)
