"""What is taken from a stream stays as it was said for as long as it may have to be said again."""

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.wire.utp.backlog import CHUNK, MOST, Backlog
from tests.wire.utp.toynet import Pump


def numbered(size: int) -> bytes:
    """No two stretches of it are alike."""
    return b"".join(number.to_bytes(4) for number in range(-(-size // 4)))[:size]


SAID = numbered(6 << 20)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, MOST + 10_000),  # room
            st.integers(1, 60_000),  # bytes of each packet
            st.integers(0, 8),  # packets that leave
            st.integers(0, 12),  # packets that arrive
        ),
        max_size=60,
    )
)
def test_packets_on_their_way_hold_what_was_said_whatever_memory_is_used_again(
    steps: list[tuple[int, int, int, int]],
) -> None:
    stream, waiting = Pump(SAID), Backlog()
    flying: deque[tuple[memoryview, int]] = deque()  # and where in what was said
    first = following = sent = 0
    for room, size, leave, arrive in steps:
        if len(waiting) < 2 * size:
            waiting.take(stream, room, following, 0.0)
        for _ in range(min(leave, len(waiting) // size)):
            flying.append((waiting.data[:size], sent))
            waiting.drop(size)
            sent += size
            following += 1
        for _ in range(min(arrive, len(flying))):
            flying.popleft()
            first += 1
        waiting.arrived(first, following)
        assert all(data == SAID[at : at + len(data)] for data, at in flying)
        assert waiting.data == SAID[sent : sent + len(waiting)]
    assert sent + len(waiting) + stream.unsent == len(SAID)


def test_memory_is_used_again_while_much_is_said() -> None:
    stream, waiting = Pump(SAID), Backlog()
    seen: list[object] = []  # held, so that none has the address of another
    following = 0
    while stream.unsent:
        waiting.take(stream, MOST, following, 0.0)
        assert waiting.data.obj is not None
        if all(memory is not waiting.data.obj for memory in seen):
            seen.append(waiting.data.obj)
        following += 1
        waiting.drop(len(waiting))
        waiting.arrived(following - 1, following)  # the last one is on its way
    assert len(seen) <= 3 < len(SAID) // CHUNK


def test_memory_is_not_used_again_while_one_packet_of_it_is_on_its_way() -> None:
    stream, waiting = Pump(SAID), Backlog()
    late = memoryview(b"")
    for number in range(20):  # two to a chunk
        waiting.take(stream, MOST, number, 0.0)
        late = waiting.data[-1000:] if number == 1 else late
        waiting.drop(len(waiting))
        waiting.arrived(min(number, 1), number + 1)
    assert late == SAID[2 * MOST - 1000 : 2 * MOST]


def test_who_says_little_costs_little_memory() -> None:
    stream, waiting = Pump(bytes(1000)), Backlog()
    waiting.take(stream, MOST, 0, 0.0)
    assert waiting.data.obj is not None
    assert waiting.data.nbytes == len(bytes(waiting.data.obj)) == 1000


def test_a_connection_that_rests_holds_no_memory() -> None:
    stream, waiting = Pump(SAID), Backlog()
    for number in range(3):
        waiting.take(stream, MOST, number, 0.0)
        waiting.drop(len(waiting))
    waiting.arrived(3, 3)
    assert not backlog_memory(waiting)


def backlog_memory(waiting: Backlog) -> list[object]:
    """What it holds on to."""
    held = [getattr(waiting, name) for name in Backlog.__slots__]
    return [thing for thing in held if isinstance(thing, memoryview | list | deque) and len(thing)]


def test_what_is_said_last_follows_what_was_taken() -> None:
    stream, waiting = Pump(SAID), Backlog()
    waiting.take(stream, 100_000, 0, 0.0)
    waiting.append([b"the ", memoryview(b"end")])
    assert waiting.data == SAID[:100_000] + b"the end"


def test_no_more_is_taken_than_there_is_room_for() -> None:
    stream, waiting = Pump(SAID), Backlog()
    waiting.take(stream, 5, 0, 0.0)
    assert waiting.data == SAID[:5]
    assert waiting.more
    waiting.take(Pump(b"ab"), 5, 0, 0.0)
    assert waiting.data == SAID[:5] + b"ab"
    assert not waiting.more
