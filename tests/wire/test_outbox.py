from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.geometry import BLOCK
from bittern.wire.blocks import block_heads
from bittern.wire.outbox import Outbox


@dataclass
class Expected:
    """What must go out, and from which byte on each buffer may be given back."""

    data: bytearray = field(default_factory=bytearray)
    dues: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


def add_run(box: Outbox, expected: Expected, count: int, last: int) -> None:
    number = len(expected.dues)
    lengths = [BLOCK] * (count - 1) + [last]
    heads = block_heads(number, 0, count, last)
    bodies = [memoryview(bytes([number % 251, at]) * (length // 2 + 1))[:length] for at, length in enumerate(lengths)]
    for at, body in enumerate(bodies):
        expected.data += heads[at * 13 : at * 13 + 13] + body
    expected.dues.append(len(expected.data))
    expected.sizes.append(13 * count + sum(lengths))
    box.add_run(heads, bodies, sum(lengths), lambda: expected.released.append(number))


def send(box: Outbox, limit: int, most: int) -> bytes:
    """One partial send; the bytes that went."""
    parts = box.buffers(limit)
    taken = bytearray()
    for part in parts:
        taken += part[: most - len(taken)]
        if len(taken) >= most:
            break
    box.sent(len(taken))
    return bytes(taken)


def take_back(box: Outbox, expected: Expected, gone: int, kept: int) -> None:
    """The last run is sent not at all, unless something of it may have gone."""
    waiting = len(expected.dues) > len(expected.released)
    begin = expected.dues[-1] - expected.sizes[-1] if waiting else 0
    assert (box.take_back(kept) is not None) == (waiting and begin >= gone + kept)
    if waiting and begin >= gone + kept:
        del expected.data[begin : expected.dues.pop()]
        expected.sizes.pop()


ADDS = st.one_of(
    st.integers(0, 40_000),  # take back
    st.binary(min_size=1, max_size=40),
    st.tuples(st.integers(1, 7), st.sampled_from((BLOCK, 1, 100))),
    st.tuples(st.just("send"), st.integers(1, 200_000), st.one_of(st.integers(1, 30), st.integers(1, 300_000))),
)


@settings(max_examples=150)
@given(st.lists(ADDS, max_size=15), st.sampled_from((4999, 16397, 100_000, 1 << 20)))
def test_any_partial_sends_give_the_bytes_in_order_and_each_buffer_back_once(
    steps: list[bytes | int | tuple[int, int] | tuple[str, int, int]], last_size: int
) -> None:
    box, expected, gone = Outbox(), Expected(), bytearray()
    for step in steps:
        if isinstance(step, bytes):
            box.add(step)
            expected.data += step
        elif isinstance(step, int):
            take_back(box, expected, len(gone), step // 2 * (step % 2))
        elif len(step) == 2:
            add_run(box, expected, *step)
        else:
            gone += send(box, step[1], step[2])
        assert box.queued == len(expected.data) - len(gone)
        assert box.taken == len(gone)
        assert box.blocks == sum(expected.sizes[len(expected.released) :])
        assert expected.released == [n for n, due in enumerate(expected.dues) if due <= len(gone)]
    while box.queued:
        gone += send(box, 300_000, last_size)
    assert gone == expected.data
    assert list(box.buffers(1 << 20)) == []
    assert expected.released == list(range(len(expected.dues)))
    assert box.blocks == 0


def test_a_send_of_exactly_one_part_keeps_the_next_whole() -> None:
    box, expected = Outbox(), Expected()
    add_run(box, expected, 2, 5)
    gone = send(box, 1 << 20, 13) + send(box, 1 << 20, BLOCK) + send(box, 1 << 20, 13)
    assert expected.released == []
    gone += send(box, 1 << 20, 5)
    assert gone == expected.data
    assert expected.released == [0]


def test_short_messages_share_one_buffer_until_it_was_offered() -> None:
    box = Outbox()
    for byte in b"abc":
        box.add(bytes((byte,)))
    offered = box.buffers(1 << 20)
    assert list(offered) == [b"abc"]
    box.add(b"d")  # the first buffer may be in the kernel's hands: it must not grow
    assert list(offered) == [b"abc"]
    box.sent(2)
    assert b"".join(box.buffers(1 << 20)) == b"cd"


def test_no_more_parts_are_offered_than_the_system_takes() -> None:
    box, expected = Outbox(), Expected()
    for _ in range(40):
        add_run(box, expected, 16, 1)
    assert len(box.buffers(1 << 40)) <= 1024
    gone = bytearray()
    while box.queued:
        gone += send(box, 1 << 40, 1 << 40)
    assert gone == expected.data


def test_about_as_much_is_offered_as_was_asked_for() -> None:
    box, expected = Outbox(), Expected()
    add_run(box, expected, 20, BLOCK)
    size = sum(map(len, box.buffers(100_000)))
    assert 100_000 <= size < 100_000 + BLOCK
    assert sum(map(len, box.buffers(1))) == 13


def test_clear_gives_every_buffer_back_once_and_the_box_works_on() -> None:
    box, expected = Outbox(), Expected()
    box.add(b"hello")
    for _ in range(3):
        add_run(box, expected, 2, BLOCK)
    send(box, 1 << 20, 5 + 2 * (BLOCK + 13) + 7)
    assert expected.released == [0]
    box.clear()
    assert expected.released == [0, 1, 2]
    assert (box.queued, list(box.buffers(1 << 20))) == (0, [])
    box.clear()
    box.add(b"again")
    assert send(box, 1 << 20, 1 << 20) == b"again"
    assert expected.released == [0, 1, 2]


def test_blocks_are_referred_to_where_they_lie() -> None:
    box = Outbox()
    body = memoryview(bytearray(BLOCK))
    box.add_run(block_heads(0, 0, 1), [body], BLOCK, lambda: None)
    assert box.buffers(1 << 20)[1] is body
    assert box.queued == BLOCK + 13
