import asyncio
import time

from bittern.io.turn import Turn


class Sender:
    """A link that notes when it is flushed."""

    def __init__(self, story: list[str]) -> None:
        self.story = story
        self.again: Turn | None = None

    def flush(self, now: float) -> None:
        self.story.append("sent")
        if self.again is not None:
            again, self.again = self.again, None
            again.send_later(self)


def tick() -> None:
    """The clock moves on."""
    time.sleep(0.002)


async def passes(turns: int = 5) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_many_arrivals_are_settled_once_and_then_sent() -> None:
    turn, story = Turn(asyncio.get_running_loop()), list[str]()

    def settle(_: float) -> None:
        story.append("settled")

    turn.start(settle, bool)
    await passes()
    story.clear()
    sender = Sender(story)
    for _ in range(3):
        turn.soon()
        turn.send_later(sender)
    await passes()
    assert story == ["settled", "sent"]
    turn.close()


async def test_what_sending_brings_up_is_sent_in_the_same_turn() -> None:
    turn, story = Turn(asyncio.get_running_loop()), list[str]()
    turn.start(lambda _: None, bool)
    sender = Sender(story)
    sender.again = turn
    turn.send_later(sender)
    await passes()
    assert story == ["sent", "sent"]
    turn.close()


async def test_sending_may_make_another_turn_necessary() -> None:
    loop, settled, left = asyncio.get_running_loop(), list[float](), [True, True, False]
    turn = Turn(loop)

    def settle(now: float) -> None:
        settled.append(now)

    turn.start(settle, lambda: left.pop(0) if left else False)
    await passes(10)
    assert len(settled) == 3
    turn.close()


async def test_the_time_is_the_same_throughout_a_turn_and_new_in_the_next() -> None:
    turn, times = Turn(asyncio.get_running_loop()), list[float]()

    def settle(now: float) -> None:
        times.append(now)
        time.sleep(0.002)
        times.append(turn.now())

    turn.start(settle, bool)
    await passes()
    turn.soon()
    await passes()
    first, second = times[:2], times[2:]
    assert first[0] == first[1]
    assert second[0] == second[1] > first[0]
    turn.close()


async def test_who_asks_for_the_time_between_turns_does_not_stop_it() -> None:
    """Asked from a command, not from an arrival: what it was told must not be what the next turn is told."""
    turn = Turn(asyncio.get_running_loop())
    before = turn.now()  # not even started
    await passes()
    turn.start(lambda _: None, bool)
    await passes()
    tick()
    assert turn.now() > before
    asked = turn.now()
    await passes()
    tick()
    assert turn.now() > asked
    turn.close()
    tick()
    closed = turn.now()
    tick()
    assert turn.now() > closed > asked


async def test_the_next_turn_comes_when_it_is_due_without_any_arrival() -> None:
    turn, times = Turn(asyncio.get_running_loop()), list[float]()
    done = asyncio.Event()

    def settle(now: float) -> float | None:
        times.append(now)
        if len(times) == 3:
            done.set()
            return None
        return now + 0.01

    turn.start(settle, bool)
    async with asyncio.timeout(5):
        await done.wait()
    assert times[2] - times[0] >= 0.019
    turn.close()


async def test_a_closed_turn_settles_nothing_more() -> None:
    turn, times = Turn(asyncio.get_running_loop()), list[float]()

    def settle(now: float) -> float:
        times.append(now)
        return now

    turn.start(settle, bool)
    turn.close()
    turn.soon()
    await passes()
    assert times == []
