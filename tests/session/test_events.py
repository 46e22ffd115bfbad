import asyncio
import gc

import pytest

from bittern.session.events import Completed, Event, EventsLost, EventStream, PieceFailed, PieceStored, Publisher


def stored(*pieces: int) -> list[Event]:
    return [PieceStored(piece) for piece in pieces]


async def test_a_reader_gets_what_happens_after_it_came_and_then_the_end() -> None:
    publisher = Publisher(10)
    publisher.publish(PieceStored(0))
    stream = publisher.stream()
    publisher.publish(PieceStored(1))
    publisher.publish(Completed())
    publisher.end()
    assert [event async for event in stream] == [PieceStored(1), Completed()]


async def test_a_slow_reader_loses_the_oldest_and_is_told_how_many() -> None:
    stream = EventStream(2)
    for event in stored(1, 2, 3, 4):
        stream.push(event)
    stream.end()
    assert [event async for event in stream] == [EventsLost(2), *stored(3, 4)]


async def test_a_cancelled_reader_loses_nothing() -> None:
    stream = EventStream(10)
    reader = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    stream.push(PieceStored(1))
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await anext(stream) == PieceStored(1)


async def test_a_reader_may_choose_kinds() -> None:
    publisher = Publisher(10)
    stream = publisher.stream((PieceFailed,))
    for event in (PieceStored(1), PieceFailed(2)):
        publisher.publish(event)
    assert stream.take() == [PieceFailed(2)]
    assert stream.take() == []


async def test_take_tells_what_was_lost() -> None:
    stream = EventStream(1)
    for event in stored(1, 2):
        stream.push(event)
    assert stream.take() == [EventsLost(1), *stored(2)]


async def test_a_reader_that_nobody_holds_costs_nothing() -> None:
    publisher = Publisher(10)
    publisher.stream()
    gc.collect()
    assert len(publisher._streams) == 0


async def test_a_reader_that_comes_after_the_end_ends_at_once() -> None:
    publisher = Publisher(10)
    publisher.end()
    assert [event async for event in publisher.stream()] == []


async def test_who_waits_for_a_change_is_woken() -> None:
    publisher = Publisher(10)
    waiter = asyncio.create_task(publisher.change())
    await asyncio.sleep(0)
    assert not waiter.done()
    publisher.wake()
    await asyncio.wait_for(waiter, 5)
