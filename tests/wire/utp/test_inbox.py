from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.utp.inbox import LONG_ROW, Allowance, Inbox
from bittern.wire.utp.packet import HEAD
from bittern.wire.utp.slab import SLAB, Slab


def inbox_of(last: int, capacity: int) -> Inbox:
    return Inbox(last, capacity, Slab(), Allowance(1 << 30))


def read(inbox: Inbox, sizes: tuple[int, ...] = (1000,)) -> bytes:
    buffers = [memoryview(bytearray(size)) for size in sizes]
    count = inbox.read_into(buffers)
    return b"".join(buffers)[:count]


@given(st.integers(0, 0xFFFF), st.permutations(range(12)), st.lists(st.integers(0, 11), max_size=10))
def test_any_order_and_any_doubles_give_the_same_bytes(last: int, order: list[int], doubles: list[int]) -> None:
    parts = [bytes((65 + number,)) * (number + 1) for number in range(12)]
    inbox = inbox_of(last, 10_000)
    came: set[int] = set()
    for number in [*order, *doubles]:
        inbox.take(last + 1 + number & 0xFFFF, memoryview(parts[number]))
        came.add(number)
        in_order = next(count for count in range(13) if count not in came)
        assert inbox.ack == last + in_order & 0xFFFF
        behind = [other - in_order - 1 for other in came if other > in_order]
        assert inbox.selective == sum(1 << bit for bit in behind)
        assert inbox.gaps == bool(behind)
        held = sum(len(parts[other]) for other in came)
        assert inbox.window == 10_000 - held
    assert read(inbox, (7, 0, 50, 1000)) == b"".join(parts)
    assert inbox.window == 10_000


def test_rows_are_taken_when_they_are_expected() -> None:
    inbox = inbox_of(0xFFFE, 100)
    assert inbox.expects(0xFFFF)
    assert inbox.take_row(2, memoryview(bytes(HEAD) + b"a" + bytes(HEAD) + b"b"), HEAD + 1)
    assert inbox.ack == 0
    assert not inbox.expects(0)
    inbox.take(2, memoryview(b"d"))
    assert not inbox.expects(1)
    inbox.take(1, memoryview(b"c"))
    assert read(inbox) == b"abcd"


def test_what_is_not_read_in_its_turn_outlives_the_slab() -> None:
    slab = Slab()
    first, second = (Inbox(0, 10_000, slab, Allowance(1000)) for _ in range(2))
    first.take(1, memoryview(b"one"))
    second.take(1, memoryview(b"two"))
    first.take(3, memoryview(b"behind a gap"))
    first.take(2, memoryview(b"more"))
    second.take(2, memoryview(b"two"))
    first.keep()
    assert read(second, (4, 100)) == b"twotwo"
    slab.empty()
    second.take(3, memoryview(b"of the next turn"))
    first.take(4, memoryview(b"too"))
    assert read(first, (1, 2, 100)) == b"onemorebehind a gaptoo"
    assert read(second) == b"of the next turn"


def test_what_the_slab_has_no_room_for_is_kept_elsewhere() -> None:
    inbox = inbox_of(0, 3 * SLAB)
    inbox.take(1, memoryview(bytes(SLAB - 10)))
    inbox.take(2, memoryview(b"y" * 20))
    assert inbox.take_row(2, memoryview(bytes(HEAD) + b"abc" + bytes(HEAD) + b"de"), HEAD + 3)
    inbox.take(5, memoryview(b"z" * 10))
    assert read(inbox, (SLAB - 10, 100)) == bytes(SLAB - 10) + b"y" * 20 + b"abcde" + b"z" * 10


def test_a_long_row_is_read_where_it_lies() -> None:
    inbox = inbox_of(0, 1 << 20)
    inbox.take(1, memoryview(b"before"))
    parts = [bytes((number,)) * 9000 for number in range(40)]
    row = memoryview(bytearray(b"".join(bytes(HEAD) + part for part in parts)))
    assert len(row) > LONG_ROW
    assert inbox.take_row(40, row, HEAD + 9000)
    assert inbox.ack == 41
    assert read(inbox, (10, 100_000)) == (b"before" + b"".join(parts))[:100_010]
    inbox.keep()
    row[:] = bytes(len(row))
    assert read(inbox, (400_000,)) == (b"before" + b"".join(parts))[100_010:]


def test_more_than_the_window_is_not_kept() -> None:
    inbox = inbox_of(0, 10)
    assert not inbox.take_row(1, memoryview(bytes(HEAD) + b"x" * 11), HEAD + 11)
    inbox.take(2, memoryview(b"x" * 6))
    inbox.take(3, memoryview(b"y" * 6))
    assert inbox.window == 4
    inbox.take(1, memoryview(b"z" * 11))
    assert inbox.ack == 0


def test_what_is_missing_has_room_though_the_window_is_full() -> None:
    inbox = inbox_of(0, 10)
    inbox.take(2, memoryview(b"x" * 8))
    inbox.take(1, memoryview(b"z" * 9))
    assert (inbox.ack, inbox.window) == (2, 0)
    assert read(inbox) == b"z" * 9 + b"x" * 8
    assert inbox.window == 10


def test_what_is_too_far_ahead_is_not_kept() -> None:
    inbox = inbox_of(0, 10_000)
    inbox.take(8001, memoryview(b"x"))
    inbox.take(0x9000, memoryview(b"x"))
    assert not inbox.gaps
    inbox.take(8000, memoryview(b"x"))
    assert inbox.gaps


def test_the_end_comes_after_everything_before_it() -> None:
    inbox = inbox_of(0, 100)
    inbox.take(4, memoryview(b"beyond"))
    inbox.end(3)
    assert (inbox.ended, inbox.gaps) == (False, False)
    inbox.take(2, memoryview(b"b"))
    inbox.take(3, memoryview(b"instead of the end"))
    inbox.take(1, memoryview(b"a"))
    assert (inbox.ended, inbox.ack) == (True, 3)
    inbox.end(9)
    inbox.take(4, memoryview(b"more"))
    assert (inbox.ended, inbox.ack) == (True, 3)
    assert read(inbox) == b"ab"


def test_what_nobody_wants_is_thrown_away() -> None:
    inbox = inbox_of(0, 10)
    inbox.take(1, memoryview(b"12345"))
    inbox.discard()
    assert (inbox.ready, inbox.window, inbox.ack) == (0, 10, 1)


def test_all_connections_together_keep_no_more_than_allowed() -> None:
    slab, allowance = Slab(), Allowance(100)
    greedy, modest = (Inbox(0, 10_000, slab, allowance) for _ in range(2))
    greedy.take(2, memoryview(bytes(90)))
    greedy.take(3, memoryview(bytes(20)))
    modest.take(2, memoryview(bytes(20)))
    assert (greedy.selective, modest.selective, allowance.left) == (0b1, 0, 10)
    modest.take(1, memoryview(bytes(1000)))  # what is read in its turn is not kept
    assert len(read(modest)) == 1000
    greedy.close()
    assert allowance.left == 100


def test_who_does_not_read_keeps_no_more_than_allowed() -> None:
    slab, allowance = Slab(), Allowance(100)
    inbox = Inbox(0, 10_000, slab, allowance)
    inbox.take(1, memoryview(bytes(90)))
    inbox.keep()
    slab.empty()
    assert allowance.left == 10
    inbox.take(2, memoryview(bytes(20)))
    assert not inbox.take_row(1, memoryview(bytes(HEAD + 20)), HEAD + 20)
    assert inbox.ack == 1
    assert len(read(inbox, (50,))) == 50
    assert allowance.left == 60
    inbox.take(2, memoryview(bytes(20)))
    assert (inbox.ack, inbox.ready) == (2, 60)
    inbox.discard()
    assert allowance.left == 100


@given(st.data())
def test_the_allowance_comes_back_whole(data: st.DataObject) -> None:
    slab, allowance = Slab(), Allowance(60)
    inbox = Inbox(0, 200, slab, allowance)
    for _ in range(data.draw(st.integers(0, 30))):
        match data.draw(st.sampled_from(("take", "take", "row", "read", "turn", "end"))):
            case "take":
                number = inbox.ack + data.draw(st.integers(-2, 6))
                inbox.take(number & 0xFFFF, memoryview(bytes(data.draw(st.integers(0, 20)))))
            case "row" if inbox.expects(inbox.ack + 1 & 0xFFFF):
                inbox.take_row(1, memoryview(bytes(HEAD + 9)), HEAD + 9)
            case "read":
                read(inbox, (data.draw(st.integers(0, 30)),))
            case "turn":
                inbox.keep()
                slab.empty()
            case "end":
                inbox.end(inbox.ack + data.draw(st.integers(-1, 5)) & 0xFFFF)
            case _:
                pass
        assert inbox.gaps == bool(inbox.selective)
        assert allowance.left <= 60
    inbox.close()
    assert (allowance.left, inbox.window) == (60, 200)
