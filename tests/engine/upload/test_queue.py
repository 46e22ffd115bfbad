"""A queue of runs, against a plain list of requests."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.engine.upload.queue import RUN_BLOCKS, UploadQueue

Request = tuple[int, int, int]


class Queue(RuleBasedStateMachine):
    """Requests as peers make them, and as no honest peer does."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = UploadQueue()
        self.waiting: list[Request] = []

    @rule(piece=st.integers(0, 2), first=st.integers(0, 5), count=st.integers(1, 20), last=st.sampled_from((BLOCK, 9)))
    def neighbours(self, piece: int, first: int, count: int, last: int) -> None:
        self.queue.add(piece, first * BLOCK, (count - 1) * BLOCK + last, count)
        blocks = [(piece, (first + at) * BLOCK, BLOCK) for at in range(count)]
        self.waiting += [*blocks[:-1], (piece, blocks[-1][1], last)]

    @rule(
        piece=st.integers(0, 2),
        begin=st.sampled_from((0, 1, 100, BLOCK - 1, BLOCK, BLOCK + 1)),
        length=st.integers(1, BLOCK),
    )
    def odd(self, piece: int, begin: int, length: int) -> None:
        self.queue.add(piece, begin, length)
        self.waiting.append((piece, begin, length))

    @rule(at=st.integers(0, 100))
    def cancel_one(self, at: int) -> None:
        if self.waiting:
            request = self.waiting[at % len(self.waiting)]
            assert self.queue.cancel(*request)
            self.waiting.remove(request)

    @rule(
        piece=st.integers(0, 3),
        begin=st.integers(0, 4 * BLOCK),
        length=st.sampled_from((0, 1, 9, BLOCK, BLOCK + 1, 1 << 31)),
    )
    def cancel_any(self, piece: int, begin: int, length: int) -> None:
        """Only a request that waits can be cancelled: not a part of one, nor two at once."""
        request = (piece, begin, length)
        assert self.queue.cancel(*request) == (request in self.waiting)
        if request in self.waiting:
            self.waiting.remove(request)

    @rule()
    def take(self) -> None:
        run = self.queue.next_run()
        if not self.waiting:
            assert run is None
            return
        assert run is not None
        piece, begin, length = run
        assert 0 < length <= RUN_BLOCKS * BLOCK
        while length:
            request = (piece, begin, min(BLOCK, length))
            assert self.waiting.pop(0) == request
            begin += request[2]
            length -= request[2]

    @rule()
    def clear(self) -> None:
        assert self.queue.clear() == self.waiting
        self.waiting.clear()

    @invariant()
    def counts(self) -> None:
        assert self.queue.queued == len(self.waiting)

    def teardown(self) -> None:
        while self.waiting:
            self.take()
        assert self.queue.next_run() is None


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=80, stateful_step_count=40)


def test_part_of_a_request_can_not_be_cancelled() -> None:
    """Else each such cancel would count one request less, until the count is below zero."""
    queue = UploadQueue()
    queue.add(0, 0, BLOCK)
    assert not queue.cancel(0, 0, 1)
    assert not queue.cancel(0, 1, BLOCK - 1)
    assert (queue.queued, queue.next_run(), queue.queued) == (1, (0, 0, BLOCK), 0)


def test_neighbours_are_taken_together_up_to_a_limit() -> None:
    queue = UploadQueue()
    for block in range(RUN_BLOCKS + 2):
        queue.add(5, block * BLOCK, BLOCK)
    assert queue.next_run() == (5, 0, RUN_BLOCKS * BLOCK)
    assert queue.next_run() == (5, RUN_BLOCKS * BLOCK, 2 * BLOCK)
    assert queue.next_run() is None


def test_cancels_that_cost_more_than_any_client_needs_are_an_offence() -> None:
    queue = UploadQueue()
    for piece in range(2000):
        queue.add(piece, 0, BLOCK)
    for _ in range(2001):
        assert not queue.cancel(5000, 0, BLOCK)
    with pytest.raises(RemoteProtocolError) as caught:
        queue.cancel(5000, 0, BLOCK)
    assert caught.value.offence is Offence.REQUEST_FLOOD


@pytest.mark.parametrize("pieces", [range(2000), range(1999, -1, -1)], ids=["in order", "backwards"])
def test_every_request_of_a_full_queue_may_be_cancelled(pieces: range) -> None:
    queue = UploadQueue()
    for piece in range(2000):
        queue.add(piece, 0, BLOCK)
    assert all(queue.cancel(piece, 0, BLOCK) for piece in pieces)
