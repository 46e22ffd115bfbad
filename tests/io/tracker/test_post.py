import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

from bittern.io.tracker.post import Post, inboxes


@asynccontextmanager
async def posts(count: int) -> AsyncIterator[tuple[list[Post], list[socket.socket]]]:
    """Workers that answer with what they are asked and their number; and their inboxes."""
    with ExitStack() as stack:
        ours, theirs = inboxes(count)
        for sock in (*ours, *theirs):
            stack.enter_context(sock)

        def answerer(index: int) -> Post:
            return Post(
                asyncio.get_running_loop(), index, ours[index], theirs, lambda question: question + bytes((index,))
            )

        made = [answerer(index) for index in range(count)]
        for post in made:
            stack.callback(post.close)
        yield made, ours


async def ask(post: Post, *questions: tuple[int, bytes]) -> list[bytes] | None:
    answer: asyncio.Future[list[bytes] | None] = asyncio.get_running_loop().create_future()
    post.colleagues.errand(questions, list, None)(answer.set_result)
    return await asyncio.wait_for(answer, 10)


async def test_questions_travel_to_whom_they_are_for() -> None:
    async with posts(3) as (made, _):
        assert await ask(made[0], (1, b"a"), (2, b"b"), (1, b"c")) == [b"a\1", b"b\2", b"c\1"]
        assert await ask(made[2], (0, b"a")) == [b"a\0"]


async def test_many_at_once_all_arrive() -> None:
    """More than the kernel holds for a reader that is busy."""
    async with posts(2) as (made, _):
        size = 20_000
        found = await asyncio.gather(*(ask(made[0], (1, bytes(size))) for _ in range(30)))
        assert found == [[bytes(size) + b"\1"]] * 30


async def test_what_the_kernel_does_not_take_is_sent_again() -> None:
    async with posts(2) as (made, ours):
        asyncio.get_running_loop().remove_reader(ours[1].fileno())  # busy
        asked = [asyncio.ensure_future(ask(made[0], (1, bytes(50_000)))) for _ in range(15)]
        with suppress(BlockingIOError):
            while True:
                made[0]._outboxes[1].send(b"\0")  # a datagram of worker 0 that says nothing
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().add_reader(ours[1].fileno(), made[1]._receive)
        assert await asyncio.gather(*asked) == [[bytes(50_000) + b"\1"]] * 15
