"""The synchronous facade: in a script, in threads, beside a running loop as in Jupyter."""

import asyncio
import inspect
import math
import subprocess
import sys
import threading
from asyncio import BaseEventLoop
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

from bittern.base.errors import NetworkError, NoSuchTorrentError, SessionError
from bittern.session import dht, events, sync
from bittern.session import session as asynchronous
from bittern.session import torrent as handles
from bittern.session.goals import Goal
from bittern.session.queue import Places
from bittern.session.status import State
from bittern.session.sync import Session
from tests.session.rig import PIECE, album, fill, seeding, settings, torrent

SECONDS = 30


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("bittern")]


def test_a_script_downloads_and_leaves_no_thread(tmp_path: Path) -> None:
    source = fill(tmp_path / "src" / "a.bin", 20 * PIECE)
    meta = torrent(source)
    with seeding(meta, tmp_path / "src", tmp_path / "a") as address, Session(settings(tmp_path / "b")) as session:
        assert session.port
        got = session.add(meta, tmp_path / "dst", peers=[address])
        assert got.metadata(SECONDS) == meta.info
        got.completed(SECONDS)
        got.checked(SECONDS)
        assert (got.status.state, got.status.complete, got.name) == (State.SEEDING, True, "a.bin")
        assert got.path == tmp_path / "dst" / "a.bin"
        assert (got.info, len(got.files), got.trackers) == (meta.info, 1, ())
        assert session.torrents == (got,) == (session.get(got.info_hash),)
        assert {got} == set(session.torrents)
        assert set(session.changes().torrents) == {got.info_hash}
        got.move(0)
        got.set_priority(1)
        got.set_goal(Goal(ratio=3))
        session.set_goal(Goal())
        session.set_places(Places())
        got.pause()
        got.resume(force=True)
        got.recheck()
        session.remove(got, delete_data=True)
        assert not session.torrents
        assert session.get(got.info_hash) is None
    assert names() == []


async def test_it_works_beside_a_running_loop(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    with Session(settings(tmp_path / "s")) as session:  # as in a cell of a notebook
        there = session.add(meta, tmp_path)
        there.completed(SECONDS)
        assert there.status.complete
    assert asyncio.get_running_loop().is_running()


def test_waiting_ends_in_time_and_the_session_goes_on(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    with Session(settings(tmp_path / "s")) as session:
        got = session.add(meta, tmp_path / "dst")
        with pytest.raises(TimeoutError, match=r"not within 0\.1 s"):
            got.completed(timeout=0.1)
        assert got.status.state is State.DOWNLOADING


def test_events_come_one_by_one_until_the_end(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    with Session(settings(tmp_path / "s")) as session:
        there = session.add(meta, tmp_path)
        told = there.events(events.StateChanged)
        there.completed(SECONDS)
        assert next(told) == events.StateChanged(State.SEEDING)
        session.remove(there)
        assert list(told) == [events.StateChanged(State.REMOVED)]


def test_errors_are_those_of_the_library(tmp_path: Path) -> None:
    session = Session(settings(tmp_path / "s"))
    with pytest.raises(SessionError, match=r"with bittern\.sync\.Session"):
        _ = session.torrents
    with Session(settings(tmp_path / "a")) as first, pytest.raises(NetworkError):
        Session(settings(tmp_path / "b", port=first.port)).__enter__()
    assert names() == []


def test_a_call_on_the_sessions_own_loop_is_refused(tmp_path: Path) -> None:
    with Session(settings(tmp_path / "s")) as session:

        async def inside() -> None:
            _ = session.torrents

        with pytest.raises(SessionError, match="own loop"):
            session._wait(inside())


def test_ctrl_c_ends_the_wait_and_the_session_in_order(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    (tmp_path / "a.torrent").write_bytes(meta.to_bytes())
    script = f"""
import os, signal, threading, bittern
with bittern.sync.Session(bittern.Settings(state_dir={str(tmp_path / "s")!r}, listen=("127.0.0.1",), port=0)) as s:
    got = s.add({str(tmp_path / "a.torrent")!r}, {str(tmp_path / "dst")!r})
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        got.completed()
    except KeyboardInterrupt:
        print("interrupted", got.status.state.value)
print("ended", [t.name for t in threading.enumerate() if t.name.startswith("bittern")])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "interrupted downloading\nended []\n"


ADDED = {"timeout"}
"""What calls that wait take beside the arguments of the library."""

PAIRS: list[tuple[type, type]] = [
    (asynchronous.Session, sync.Session),
    (handles.Torrent, sync.Torrent),
    (dht.Dht, sync.Dht),
    (events.EventStream, sync.EventStream),
]


def public(kind: type) -> set[str]:
    """Public names of a class, with those that only its instances have."""
    return {name for name in dir(kind) if not name.startswith("_")} | (
        {"settings"} if kind is asynchronous.Session else set()
    )


@pytest.mark.parametrize(("original", "facade"), PAIRS)
def test_the_facade_can_do_what_the_library_can(original: type, facade: type) -> None:
    only_for_the_engine = {"push", "end"} if original is events.EventStream else set[str]()
    assert public(facade) - {"inner"} == public(original) - only_for_the_engine


def calls() -> Iterator[ParameterSet]:
    for original, facade in PAIRS:
        for name in sorted(public(facade) & public(original)):
            if callable(getattr(original, name, None)):
                yield pytest.param(getattr(original, name), getattr(facade, name), id=f"{facade.__name__}.{name}")


@pytest.mark.parametrize(("original", "facade"), list(calls()))
def test_every_call_takes_the_same_arguments(original: Callable[..., object], facade: Callable[..., object]) -> None:
    wanted, got = inspect.signature(original).parameters, inspect.signature(facade).parameters
    assert [p for p in wanted if p != "self"] == [p for p in got if p not in {"self", *ADDED}]
    for parameter in wanted.keys() - {"self"}:
        assert (wanted[parameter].kind, wanted[parameter].default) == (got[parameter].kind, got[parameter].default)
    assert facade.__doc__
    assert not inspect.iscoroutinefunction(facade)


def test_every_command_reaches_the_session(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    with seeding(meta, tmp_path / "src", tmp_path / "a") as address, Session(settings(tmp_path / "b")) as session:
        assert session.find(meta) == meta
        session.set_limits(down=10_000_000, up=inf)
        session.group("few", down=5_000_000)
        assert (session.limits, session.groups) == ((10_000_000, inf), {"few": (5_000_000, inf)})
        session.ban("10.0.0.1")
        assert session.bans == {"10.0.0.1": None}
        assert session.unban("10.0.0.1")
        got = session.add(meta, tmp_path / "dst", peers=[address], recheck=True, super_seed=False)
        got.completed(SECONDS)
        got.set_limits(up=1_000_000)
        got.set_peer_limits("10.0.0.2", down=1000)
        assert got.limits.peers == {"10.0.0.2": (1000, None)}
        got.join("few")
        got.set_priority(2)
        got.set_goal(Goal(ratio=9))
        assert (got.group, got.position, got.priority, got.forced, got.goal) == ("few", 0, 2, False, Goal(ratio=9))
        got.set_file_priorities({0: 7})
        got.set_deadline(0, 5.0)
        got.set_deadline(0, None)
        with pytest.raises(SessionError):
            got.set_deadline(99, 1.0)
        with pytest.raises(SessionError, match="must be a number"):
            got.set_deadline(0, math.nan)
        got.rename("songs")
        got.rename_file(0, "uno.bin")
        got.move_to(tmp_path / "else")
        assert got.path == tmp_path / "else" / "songs"
        assert (tmp_path / "else" / "songs" / "uno.bin").exists()
        for idle in (got.cancel_move, got.pause_check, got.resume_check, got.cancel_check):
            idle()
        assert got.status.state is State.SEEDING


def test_a_step_of_events_may_end_in_time_and_loses_nothing(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    with Session(settings(tmp_path / "s")) as session:
        there = session.add(meta, tmp_path)
        there.completed(SECONDS)
        told = there.events(events.StateChanged, timeout=0.05)
        with pytest.raises(TimeoutError):
            next(told)
        there.pause()
        assert next(told) == events.StateChanged(State.PAUSED)
        there.resume()
        assert told.take() == [events.StateChanged(State.SEEDING)]
    with pytest.raises(StopIteration):
        next(told)


def test_after_the_end_what_was_known_can_be_read_but_nothing_is_done(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE))
    with Session(settings(tmp_path / "s")) as session:
        there = session.add(meta, tmp_path)
        there.completed(SECONDS)
    assert (there.status.complete, there.name, list(there.events())) == (True, "a.bin", [])
    for command in (there.pause, there.resume, there.recheck):
        with pytest.raises(NoSuchTorrentError):
            command()
    assert names() == []


def test_ctrl_c_at_any_moment_leaves_no_thread_and_a_whole_state(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    (tmp_path / "a.torrent").write_bytes(meta.to_bytes())
    script = f"""
import os, signal, threading, bittern
settings = bittern.Settings(state_dir={str(tmp_path / "s")!r}, listen=("127.0.0.1",), port=0, keep_torrents=True)
with bittern.sync.Session(settings):
    interrupted = 0  # what is imported late is there now: Python survives no interrupt of an import
for step in range(40):
    timer = threading.Timer(step / 400, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        with bittern.sync.Session(settings) as session:
            for torrent in session.torrents:
                session.remove(torrent)
            session.add({str(tmp_path / "a.torrent")!r}, {str(tmp_path / "src")!r}).completed(20)
        timer.join()
    except KeyboardInterrupt:
        interrupted += 1
print(interrupted, [t.name for t in threading.enumerate() if t.name.startswith("bittern")])
with bittern.sync.Session(settings) as session:
    print(len(session.torrents) <= 1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.endswith("[]\nTrue\n"), done.stdout + done.stderr


def test_ctrl_c_the_moment_that_something_was_handed_over_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening, each call, and closing hand something to the loop: one of them after the other is interrupted."""
    meta = torrent(fill(tmp_path / "src" / "a.bin", 20 * PIECE))
    kept = settings(tmp_path / "s", keep_torrents=True)
    hand_over, here = BaseEventLoop.call_soon_threadsafe, threading.current_thread()
    left, interrupts = 0, 0

    def counted(loop: BaseEventLoop, *words: Any, **more: Any) -> None:
        nonlocal left
        hand_over(loop, *words, **more)
        if threading.current_thread() is here:
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

    monkeypatch.setattr(BaseEventLoop, "call_soon_threadsafe", counted)
    while left <= 0:  # until there are fewer than that
        left = interrupts + 1
        with suppress(KeyboardInterrupt), Session(kept) as session:
            for each in session.torrents:
                session.remove(each)
            session.add(meta, tmp_path / "src").completed(20)
        assert names() == []
        interrupts += 1
    assert interrupts > 5


def test_a_session_may_be_opened_and_closed_by_hand(tmp_path: Path) -> None:
    session = Session(settings(tmp_path / "s")).open()
    with pytest.raises(SessionError, match="open already"):
        session.open()
    assert session.port
    session.close()
    with session:
        assert session.port
    session.close()
    assert names() == []
