"""What is set for all torrents, and for each, while a session runs: it is there in the next, after kill -9 too."""

import json
import os
import signal
import sqlite3
import sys
import time
from math import inf
from pathlib import Path

import pytest

from bittern.base.errors import SessionError
from bittern.session.goals import AtGoal, Goal
from bittern.session.limits import Limits
from bittern.session.queue import Places
from bittern.session.session import Session
from bittern.session.store import FILE
from tests.interop.rigs.process import Running, wait_until
from tests.session.rig import PIECE, eventually, fill, settings, torrent

_CHILD = """
import asyncio, sys
from pathlib import Path
from bittern.session.goals import AtGoal, Goal
from bittern.session.queue import Places
from bittern.session.session import Session
from tests.session.rig import settings

async def main(state, *sources):
    async with Session(settings(Path(state), keep_torrents=True)) as session:
        one, two = [await session.add(source, Path(state) / "down") for source in sources]
        session.set_limits(down=1e6, up=2e5)
        session.group("films", down=5e5)
        session.group("free")
        session.set_places(Places(downloads=1, total=7))
        session.set_goal(Goal(ratio=2.0, then=AtGoal.REMOVE))
        session.ban("198.51.100.7")
        session.ban("2001:db8::7", 3600.0)
        session.ban("198.51.100.8")
        session.unban("198.51.100.8")
        one.set_limits(down=1e5, up=float("inf"), peer_down=2e4, peer_up=3e4)
        one.join("films")
        one.set_goal(Goal(seed_minutes=9.0))
        one.set_super_seeding(on=True)
        two.move(0)
        two.set_priority(3)
        await two.pause()
        await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


def kept_rules(state: Path) -> dict[str, object]:
    """What is in the state file, read beside its owner."""
    connection = sqlite3.connect(f"file:{state / FILE}?mode=ro", uri=True)
    try:
        return {name: json.loads(value) for name, value in connection.execute("SELECT name, value FROM rules")}
    except sqlite3.OperationalError:
        return {}
    finally:
        connection.close()


def two_are_kept(state: Path) -> bool:
    if not (state / FILE).exists() or not {"limits", "groups", "places", "goal", "bans"} <= set(kept_rules(state)):
        return False
    connection = sqlite3.connect(f"file:{state / FILE}?mode=ro", uri=True)
    query = "SELECT count(*) FROM members WHERE (super_seed AND position = 1) OR (mode = 'paused' AND priority = 3)"
    [[count]] = connection.execute(query).fetchall()
    connection.close()
    return bool(count == 2)


async def test_everything_that_was_set_is_there_again_after_kill_9(tmp_path: Path) -> None:
    state, sources = tmp_path / "state", list[str]()
    for number in (1, 2):
        meta = torrent(fill(tmp_path / f"{number}.bin", PIECE, seed=number))
        (tmp_path / f"{number}.torrent").write_bytes(meta.to_bytes())
        sources.append(str(tmp_path / f"{number}.torrent"))
    root = Path(__file__).parents[2]
    words = [sys.executable, "-c", _CHILD, str(state), *sources]
    child = Running(words, tmp_path / "log.txt", env={"PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])})
    try:
        assert wait_until(lambda: two_are_kept(state), 20), (tmp_path / "log.txt").read_text()
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(5) == -signal.SIGKILL
    finally:
        child.stop()
    async with Session(settings(state, keep_torrents=True)) as session:
        one, two = session.torrents
        assert session.limits == (1e6, 2e5)
        assert session.groups == {"films": (5e5, inf)}
        assert session._open().steward.places == Places(downloads=1, total=7)
        assert session._open().steward.goal == Goal(ratio=2.0, then=AtGoal.REMOVE)
        assert list(session.bans) == ["198.51.100.7", "2001:db8::7"]
        assert session.bans["198.51.100.7"] is None
        assert 3500 < (session.bans["2001:db8::7"] or 0) <= 3600
        assert one.limits == Limits(down=1e5, up=inf, peer_down=2e4, peer_up=3e4, group="films")
        assert one.goal == Goal(seed_minutes=9.0)
        assert (one.super_seeding, two.super_seeding) == (True, False)
        assert (two.position, one.position, two.priority) == (0, 1, 3)
        await eventually(lambda: session._entries[one.info_hash].life is not None)
        swarm = session._open().runtime.core.torrents
        await eventually(lambda: bool(swarm))
        [limits] = [each.limits.whole for each in swarm.values()]
        assert (limits.down.limit, limits.above) == (
            1e5,
            session._open().runtime.core.limits.group("films"),
        )


async def test_what_the_settings_say_at_the_start_goes_before(tmp_path: Path) -> None:
    state = tmp_path / "s"
    async with Session(settings(state, keep_torrents=True)) as session:
        session.set_limits(down=1e6, up=2e5)
        session.set_places(Places(seeds=4))
        session.set_goal(Goal(ratio=2.0))
    said = {"down_bytes_per_second": 7e6, "active_downloads": 3, "seed_idle_minutes": 5.0}
    async with Session(settings(state, keep_torrents=True, **said)) as session:
        assert session.limits == (7e6, 2e5), "one direction was silent"
        assert session._open().steward.places == Places(downloads=3)
        assert session._open().steward.goal == Goal(idle_minutes=5.0)
    async with Session(settings(state, keep_torrents=True)) as session:
        assert session.limits == (1e6, 2e5), "settings are for one session"
        assert session._open().steward.goal == Goal(ratio=2.0)


async def test_a_session_that_keeps_nothing_neither_reads_nor_writes_rules(tmp_path: Path) -> None:
    async with Session(settings(tmp_path, keep_torrents=True)) as session:
        session.set_limits(up=5e5)
    async with Session(settings(tmp_path)) as session:
        assert session.limits == (inf, inf)
        session.set_limits(up=1.0)
        session.ban("198.51.100.7")
    assert kept_rules(tmp_path) == {"limits": [inf, 5e5]}


async def test_who_was_banned_for_lies_is_so_in_the_next_session_and_old_bans_end(tmp_path: Path) -> None:
    async with Session(settings(tmp_path, keep_torrents=True)) as session:
        session.ban("198.51.100.7", 3600.0)
        session._open().runtime.core.bans.ban("198.51.100.9")  # as a torrent does
    async with Session(settings(tmp_path, keep_torrents=True)) as session:
        assert list(session.bans) == ["198.51.100.7", "198.51.100.9"]
    ended = [["198.51.100.7", time.time() - 1], ["198.51.100.9", None]]
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE rules SET value = ? WHERE name = 'bans'", (json.dumps(ended),))
    connection.close()
    async with Session(settings(tmp_path, keep_torrents=True)) as session:
        assert session.bans == {"198.51.100.9": None}


DEEP = pytest.param("[" * 100_000, id="deep")
HUGE = pytest.param(f"[{10**400}, {10**400}]", id="huge")


@pytest.mark.parametrize(
    "text", ["[", "5", '{"a": 1}', '["x", "y"]', '[["nowhere", null]]', "[-1, -1]", "[[1]]", DEEP, HUGE]
)
async def test_rules_that_make_no_sense_are_forgotten(tmp_path: Path, text: str) -> None:
    async with Session(settings(tmp_path, keep_torrents=True)) as session:
        session.set_limits(up=5e5)
    with sqlite3.connect(tmp_path / FILE) as connection:
        for name in ("limits", "groups", "places", "goal", "bans"):
            connection.execute("INSERT OR REPLACE INTO rules VALUES (?, ?)", (name, text))
    connection.close()
    async with Session(settings(tmp_path, keep_torrents=True)) as session:
        assert (session.limits, session.groups, session.bans) == ((inf, inf), {}, {})
        assert session._open().steward.goal == Goal()


async def test_rules_that_can_not_be_are_refused_and_change_nothing(tmp_path: Path) -> None:
    async with Session(settings(tmp_path)) as session:
        for wrong in ({"down": 0.0}, {"up": -1.0}):
            with pytest.raises(SessionError):
                session.set_limits(**wrong)
            with pytest.raises(SessionError):
                session.group("films", **wrong)
        for host, seconds in (("nobody", None), ("198.51.100.7", 0.0)):
            with pytest.raises(SessionError):
                session.ban(host, seconds)
        assert (session.limits, session.groups, session.bans) == ((inf, inf), {}, {})
