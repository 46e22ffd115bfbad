"""Any call of the library may be cancelled, at any step: nothing leaks, nothing is half done, and it works again.

A step is a pass of the loop in which something happened. Each call is cancelled at its first step, its second, and so
on, until it ends by itself. Calls are found by looking at the classes: a new one without a recipe fails here.
"""

import asyncio
import inspect
import selectors
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec

import pytest

from bittern.base.errors import AlreadyAddedError, CheckCancelledError, NoSuchTorrentError, SessionError
from bittern.codec.metainfo import Metainfo
from bittern.session.events import EventStream
from bittern.session.session import Session
from bittern.session.status import TROUBLED
from bittern.session.torrent import Torrent
from tests.leaks import tasks_end
from tests.session.rig import eventually, fill, settings, torrent

SECONDS = 20.0
"""What takes longer hangs."""
MOST_STEPS = 500
"""A call that takes more does not end."""

CALLS = [
    f"{owner.__name__}.{name}"
    for owner in (Session, Torrent, EventStream)
    for name, member in inspect.getmembers(owner, inspect.iscoroutinefunction)
    if not name.startswith("_") or name.endswith("__")
]


P = ParamSpec("P")


class Passes(selectors.DefaultSelector):
    """Lets a loop cancel a task after so many of its passes."""

    def __init__(self) -> None:
        super().__init__()
        self._task: asyncio.Task[object] | None = None
        self._left = 0

    async def cancel_after(self, passes: int, work: Coroutine[Any, Any, object]) -> bool:
        """Whether `work` was cancelled before it ended; what it raises comes out."""
        self._left, self._task = passes, asyncio.get_running_loop().create_task(work)
        if not passes:
            self._task.cancel()
        task = self._task
        await asyncio.wait([task], timeout=SECONDS)
        self._task = None
        assert task.done(), "it hangs"
        if not task.cancelled():
            task.result()
        return task.cancelled()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Between two passes: what is ready."""
        if self._task is not None:
            self._left -= 1
            if self._left == -1:
                self._task.cancel()
                timeout = 0.0  # that made something ready that the loop does not know of yet
        return super().select(timeout)


class World:
    """A session with one tiny torrent."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.disk, self.other = root / "disk", root / "other"
        self.other.mkdir(parents=True)
        fill(self.disk / "album" / "one.bin", 20_000, 1)
        fill(self.disk / "album" / "two.bin", 17_000, 2)
        self.meta: Metainfo = torrent(self.disk / "album", piece_size=16384)
        self.file = root / "album.torrent"
        self.file.write_bytes(self.meta.to_bytes())
        self.bytes = self._on_disk()
        self.session = self.new_session()
        self.meanwhile: asyncio.Task[None] | None = None

    def new_session(self) -> Session:
        return Session(settings(self.root / "state", keep_torrents=True))

    @property
    def torrent(self) -> Torrent:
        """The one that is there."""
        [there] = self.session.torrents
        return there

    async def begin(self) -> None:
        """With the torrent just added: its files are being checked."""
        await self.session.open()
        await self.session.add(self.file, self.disk)

    async def seed(self) -> None:
        """With the torrent complete."""
        await self.begin()
        await self.torrent.completed()

    async def sleep(self) -> None:
        """With the torrent complete, and asleep."""
        await self.seed()
        await self.reopen()

    async def open(self) -> None:
        """Without a torrent."""
        await self.session.open()

    async def ended(self) -> None:
        """Between two sessions."""
        await self.seed()
        await self.session.close()

    async def nothing(self) -> None:
        """Before the first session."""

    async def reopen(self) -> None:
        """End the session, at once, and begin the next."""
        await asyncio.wait_for(self.session.close(), SECONDS)
        assert self.session.torrents == ()
        self.session = self.new_session()
        await self.session.open()

    async def whole(self) -> None:
        """The torrent is there and complete, or not there; its files are, once and in one place."""
        for there in self.session.torrents:
            await there.resume_check()
            with suppress(CheckCancelledError):  # perhaps it is, in a moment
                await asyncio.wait_for(there.checked(), SECONDS)
            if there.status.state in TROUBLED:
                await there.resume()
            await asyncio.wait_for(there.completed(), SECONDS)
            await eventually(self._is_in_place)  # what did not come to its end goes on with the next session
        assert self._on_disk() == self.bytes

    def _is_in_place(self) -> bool:
        return self.torrent.path in [path.parent for path in self.root.rglob("one.bin")]

    def _on_disk(self) -> list[bytes]:
        found = [path for folder in (self.disk, self.other) for path in folder.rglob("*") if path.is_file()]
        return sorted(path.read_bytes() for path in found)


@dataclass(frozen=True)
class Recipe:
    """How a call is made.

    Attributes:
        begin: what is so before.
        call: makes it.
        done: what it may raise when it is made again, because it was done after all.
    """

    begin: Callable[[World], Awaitable[None]]
    call: Callable[[World], Coroutine[Any, Any, object]]
    done: tuple[type[Exception], ...] = ()


async def _remove(world: World) -> None:
    if not world.session.torrents:
        raise NoSuchTorrentError("it is gone")
    await world.session.remove(world.torrent)


async def _move(world: World) -> None:
    await moved(world.torrent.move_to, world.other)
    assert world.torrent.path == world.other / "album"


async def _rename(world: World) -> None:
    await moved(world.torrent.rename, "record")
    assert world.torrent.path == world.disk / "record"


async def _rename_file(world: World) -> None:
    await moved(world.torrent.rename_file, 1, "deep/down.bin")
    path = world.torrent.path
    assert path is not None
    assert (path / "deep" / "down.bin").exists()


async def moved(call: Callable[P, Awaitable[None]], *args: P.args, **kwargs: P.kwargs) -> None:
    """Make a call that is refused while a move goes on, that of a call that was cancelled, for example."""
    while True:
        try:
            await call(*args, **kwargs)
        except SessionError as error:
            if "being moved already" not in str(error):
                raise
            await asyncio.sleep(0.001)
        else:
            return


async def _reload_ip_filter(world: World) -> None:
    listed = world.root / "list"
    listed.write_text("192.0.2.0/24\n")
    assert (await world.session.reload_ip_filter([str(listed)])).ranges == 1


async def _exempt(world: World) -> None:
    await world.torrent.set_ip_filtered(on=False)
    assert not world.torrent.ip_filtered


async def _news(world: World) -> None:
    """The first event of a check."""
    there = world.torrent
    stream = there.events()
    world.meanwhile = asyncio.ensure_future(there.recheck())
    await anext(stream)


def of(call: Callable[[Torrent], Coroutine[Any, Any, object]]) -> Callable[[World], Coroutine[Any, Any, object]]:
    """A call of the torrent."""
    return lambda world: call(world.torrent)


RECIPES: dict[str, list[Recipe]] = {
    "Session.__aenter__": [
        Recipe(World.nothing, lambda world: world.session.__aenter__(), (SessionError,)),
    ],
    "Session.__aexit__": [Recipe(World.seed, lambda world: world.session.__aexit__(None, None, None))],
    "Session.open": [Recipe(World.ended, lambda world: world.session.open(), (SessionError,))],
    "Session.close": [Recipe(World.begin, lambda world: world.session.close())],
    "Session.find": [Recipe(World.open, lambda world: world.session.find(world.file))],
    "Session.add": [
        Recipe(World.open, lambda world: world.session.add(world.file, world.disk), (AlreadyAddedError,)),
        Recipe(
            World.open,
            lambda world: world.session.add(world.meta, world.disk, peers=["127.0.0.1:9"], recheck=True),
            (AlreadyAddedError,),
        ),
    ],
    "Session.reload_ip_filter": [Recipe(World.seed, _reload_ip_filter)],
    "Session.remove": [Recipe(begin, _remove, (NoSuchTorrentError,)) for begin in (World.begin, World.sleep)],
    "Torrent.metadata": [Recipe(World.sleep, of(Torrent.metadata))],
    "Torrent.checked": [Recipe(World.begin, of(Torrent.checked))],
    "Torrent.completed": [Recipe(World.begin, of(Torrent.completed))],
    "Torrent.pause": [Recipe(World.seed, of(Torrent.pause))],
    "Torrent.resume": [Recipe(World.seed, of(Torrent.resume))],
    "Torrent.set_ip_filtered": [Recipe(World.sleep, _exempt)],
    "Torrent.set_deadline": [Recipe(World.sleep, of(lambda there: there.set_deadline(0, 1.0)))],
    "Torrent.recheck": [Recipe(World.sleep, of(Torrent.recheck))],
    "Torrent.move_to": [Recipe(World.seed, _move)],
    "Torrent.rename": [Recipe(World.seed, _rename)],
    "Torrent.rename_file": [Recipe(World.seed, _rename_file)],
    "Torrent.cancel_move": [Recipe(World.seed, of(Torrent.cancel_move))],
    "Torrent.pause_check": [Recipe(World.begin, of(Torrent.pause_check))],
    "Torrent.resume_check": [Recipe(World.begin, of(Torrent.resume_check))],
    "Torrent.cancel_check": [Recipe(World.begin, of(Torrent.cancel_check))],
    "EventStream.__anext__": [Recipe(World.seed, _news)],
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_may_be_cancelled_at_any_step(tmp_path: Path, name: str) -> None:
    """After every other step the session ends at once, with what goes on; else the call is made again."""
    for number, recipe in enumerate(RECIPES[name]):
        for step in range(MOST_STEPS):
            selector = Passes()
            root = tmp_path / f"{number}.{step}"
            with asyncio.Runner(loop_factory=partial(asyncio.SelectorEventLoop, selector)) as runner:
                cancelled = runner.run(attempt(World(root), recipe, selector, step, hasty=step % 2 == 1))
            if not cancelled:
                break
        else:
            pytest.fail(f"{name} does not end by itself")


async def attempt(world: World, recipe: Recipe, passes: Passes, step: int, *, hasty: bool) -> bool:
    """Cancel a call at one step; whether it was not over by then.

    Args:
        world: in which it is made.
        recipe: how it is made.
        passes: of the loop that runs this.
        step: at which it is cancelled.
        hasty: end the session at once, with what goes on, instead of making the call again.
    """
    await recipe.begin(world)
    try:
        cancelled = await passes.cancel_after(step, recipe.call(world))
    except recipe.done:
        cancelled = False
    if hasty:
        await world.reopen()
    else:
        with suppress(*recipe.done):
            await asyncio.wait_for(recipe.call(world), SECONDS)
        with suppress(SessionError):
            await world.session.open()
    await world.whole()
    await asyncio.wait_for(world.session.close(), SECONDS)
    await tasks_end(set())
    return cancelled


def test_the_loop_may_end_at_any_step_of_the_end(tmp_path: Path) -> None:
    """asyncio.run cancels every task that is left when it ends, as after a second Ctrl-C: no thread stays."""
    for step in range(MOST_STEPS):
        selector, world = Passes(), World(tmp_path / str(step))
        with asyncio.Runner(loop_factory=partial(asyncio.SelectorEventLoop, selector)) as runner:
            left = runner.run(leave(world, selector, step))
        assert [thread for thread in threading.enumerate() if thread.name.startswith("bittern")] == []
        if not left:
            break
    else:
        pytest.fail("the session does not end by itself")


async def leave(world: World, passes: Passes, step: int) -> bool:
    """Wait for the end of a session no longer than so many steps; whether it was not over by then."""
    await world.seed()
    ending = asyncio.ensure_future(world.session.close())
    return await passes.cancel_after(step, asyncio.wait([ending]))
