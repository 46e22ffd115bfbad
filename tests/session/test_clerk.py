import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from bittern.session.clerk import AT_A_TIME, Clerk
from tests.session.rig import most_in_a_turn


class Office:
    """What a clerk did: each job, and where a round of several began and ended."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.clerk = Clerk("clerk", self._around)

    @contextmanager
    def _around(self) -> Iterator[None]:
        self.log.append("(")
        try:
            yield
        finally:
            self.log.append(")")

    def ask(self, word: str, error: Exception | None = None, *, alone: bool = False) -> asyncio.Future[str]:
        def work() -> str:
            self.log.append(word)
            if error is not None:
                raise error
            return word.upper()

        return self.clerk.ask(work, alone=alone)


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    opened = Office()
    try:
        yield opened
    finally:
        opened.clerk.end()


async def test_what_is_asked_for_in_one_turn_is_done_together_and_in_order() -> None:
    async with office() as opened:
        assert await asyncio.gather(*map(opened.ask, "abc")) == ["A", "B", "C"]
        assert await opened.ask("d") == "D"
        assert opened.log == ["(", "a", "b", "c", ")", "d"]


async def test_where_one_fails_each_is_done_by_itself() -> None:
    async with office() as opened:
        answers = await asyncio.gather(
            opened.ask("a"), opened.ask("b", ValueError("no")), opened.ask("c"), return_exceptions=True
        )
        assert (answers[0], str(answers[1]), answers[2]) == ("A", "no", "C")
        assert opened.log == ["(", "a", "b", ")", "a", "b", "c"]


async def test_what_can_not_be_done_together_is_not() -> None:
    async with office() as opened:
        await asyncio.gather(opened.ask("a"), opened.ask("b"), opened.ask("c", alone=True), opened.ask("d"))
        assert opened.log == ["(", "a", "b", ")", "c", "d"]


async def test_what_is_cancelled_in_time_is_not_done() -> None:
    async with office() as opened:
        first, second = opened.ask("a"), opened.ask("b")
        first.cancel()
        assert await second == "B"
        opened.ask("c").cancel()
        await asyncio.sleep(0)
        assert await opened.ask("d") == "D"
        assert opened.log == ["b", "d"]


async def test_what_follows_of_many_jobs_is_spread_over_turns_of_the_loop() -> None:
    async with office() as opened:
        assert await most_in_a_turn(lambda: opened.ask("a"), 100) <= AT_A_TIME


async def test_what_is_asked_for_now_goes_first() -> None:
    async with office() as opened:
        later = opened.ask("later")
        assert opened.clerk.ask_now(lambda: opened.log.append("now")).result() is None
        await later
        assert opened.log == ["now", "later"]


async def test_after_the_end_nothing_is_done() -> None:
    async with office() as opened:
        opened.clerk.end()
        for _ in range(2):
            with pytest.raises(RuntimeError, match="shutdown"):
                await opened.ask("a")
        assert opened.log == []
