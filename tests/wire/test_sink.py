"""Messages one by one, and requests in runs: each is told once, as it was said. Through a decoder in test_decoder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.wire import sink
from bittern.wire.blocks import block_requests
from bittern.wire.messages import EXTENDED, HAVE, PORT, Have, Request
from bittern.wire.sink import request_runs, tell
from tests.wire.wiring import Recorder

REQUESTS = st.builds(
    Request,
    st.integers(0, 3) | st.just(2**32 - 1),
    st.integers(0, 5).map(lambda block: block * BLOCK) | st.integers(0, 2**32 - 1),
    st.just(BLOCK) | st.integers(0, 2**32 - 1),
)


def neighbours(request: Request, count: int) -> list[Request]:
    """As many requests for blocks in order as there can be."""
    begins = [request.begin + at * BLOCK for at in range(count)]
    return [Request(request.piece, begin, BLOCK) for begin in begins if begin + BLOCK < 2**32]


@given(st.lists(REQUESTS | st.builds(neighbours, REQUESTS, st.integers(1, 150)), max_size=6), st.booleans())
def test_runs_hold_the_requests_as_they_were_made_and_end_where_something_else_begins(
    made: list[Request | list[Request]],
    more: bool,  # noqa: FBT001 - drawn
) -> None:
    requests = [one for each in made for one in (each if isinstance(each, list) else [each])]
    data = b"".join(one.encode() for one in requests)
    runs, stop = request_runs(memoryview(data + Have(1).encode() * more), 0)
    assert stop == len(data)
    heard = Recorder()
    heard.on_requests(None, runs, 0.0)
    assert heard.calls == [("request", one.piece, one.begin, one.length) for one in requests]


def test_many_requests_for_neighbours_are_few_runs() -> None:
    data = b"".join(one.encode() for one in neighbours(Request(3, 0, BLOCK), 256))
    assert len(request_runs(memoryview(data), 0)[0]) == 4


def test_a_message_is_told_with_what_it_says() -> None:
    heard = Recorder()
    tell(heard, None, HAVE, memoryview(b"\0\0\1\2"), 0.0)
    tell(heard, None, PORT, memoryview(b"\x1a\xe1"), 0.0)
    tell(heard, None, 99, memoryview(b"from the future"), 0.0)
    assert heard.calls == [("have", 258), ("port", 6881)]


@pytest.mark.parametrize(("kind", "payload"), [(HAVE, b"\0\0\0"), (HAVE, bytes(5)), (EXTENDED, b"")])
def test_a_message_of_the_wrong_length_is_told_to_nobody(kind: int, payload: bytes) -> None:
    heard = Recorder()
    with pytest.raises(RemoteProtocolError) as wrong:
        tell(heard, None, kind, memoryview(payload), 0.0)
    assert (wrong.value.offence, heard.calls) == (Offence.BAD_MESSAGE_LENGTH, [])


@pytest.mark.parametrize("together", [1, 2, 5, 64])
def test_requests_from_all_over_are_guessed_at_once_or_twice_each(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guess costs about what a request does: more of them would be a way to have others wait."""
    guesses = 0

    def guessed(piece: int, first: int, count: int) -> bytes:
        nonlocal guesses
        guesses += 1
        return block_requests(piece, first, count)

    monkeypatch.setattr(sink, "block_requests", guessed)
    data = b"".join(block_requests(piece, 0, together) for piece in range(200))
    runs, end = request_runs(memoryview(data), 0)
    assert (sum(count for *_, count in runs), end) == (200 * together, len(data))
    assert guesses <= 2 * len(runs) + 6
