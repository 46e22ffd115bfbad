"""The synchronous facade: in a script, in threads, beside a running loop as in Jupyter."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bittern.base.errors import NetworkError, SessionError
from bittern.session import events
from bittern.session.goals import Goal
from bittern.session.queue import Places
from bittern.session.status import State
from bittern.session.sync import Session
from tests.session.rig import PIECE, fill, seeding, settings, torrent

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
