"""What the user says about all torrents while a session runs: limits, groups, places, the goal, bans.

A session that keeps its torrents keeps these too: each change is written down at once, and holds in the next session.
What the settings of the next session say goes before: see `Settings.keep_torrents`.
"""

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import asdict
from math import inf
from typing import Any

from bittern.base.errors import SessionError, StorageError
from bittern.engine.swarm.lanes import Lanes
from bittern.io.runtime import Runtime

from . import bans
from .goals import AtGoal, Goal
from .limits import check_limit
from .queue import Places
from .settings import Settings
from .steward import Steward
from .store import Store, read_json

_log = logging.getLogger("bittern.session")

MOST_BANS = 10_000
"""Bans that are kept, the latest ones: who has a whole network to lie from must not fill the disk."""

_SCHEMA = "CREATE TABLE IF NOT EXISTS rules (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"


class Rules:
    """The rules of one session.

    Args:
        settings: of the session.
        store: an open one.
        runtime: the engine, which is held to them.
        steward: likewise.
    """

    def __init__(self, settings: Settings, store: Store, runtime: Runtime, steward: Steward) -> None:
        self._settings = settings
        self._store = store
        self._runtime = runtime
        self._steward = steward
        self._unsaved: dict[str, None] = {}
        self._bans_saved = 0  # the revision of the bans that are in the store
        self._saving: asyncio.Task[None] | None = None

    async def restore(self) -> None:
        """Hold the session to what was said in the last one.

        Raises:
            StorageError: the store cannot be used.
        """
        if not self._settings.keep_torrents:
            return

        def read(connection: sqlite3.Connection) -> dict[str, str]:
            connection.execute(_SCHEMA)
            return dict(connection.execute("SELECT name, value FROM rules").fetchall())

        kept = await self._store.transact(read)
        for name, take in (
            ("limits", self._take_limits),
            ("groups", self._take_groups),
            ("places", self._take_places),
            ("goal", self._take_goal),
            ("bans", self._take_bans),
        ):
            try:
                take(read_json(kept.get(name, "null")))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError, SessionError):
                _log.warning("the %s in the state folder make no sense, and are forgotten", name)
        self._bans_saved = self._runtime.core.bans.revision

    def set_limits(self, down: float | None, up: float | None) -> None:
        """See Session.set_limits."""
        self._set_limits(self._runtime.core.limits.whole, down, up)
        self._keep("limits")

    def set_group(self, name: str, down: float | None, up: float | None) -> None:
        """See Session.group."""
        check_limit("down", down)  # else a group would be made all the same
        check_limit("up", up, zero=True)
        self._set_limits(self._runtime.core.limits.group(name), down, up)
        self._keep("groups")

    @property
    def limits(self) -> tuple[float, float]:
        """Of all torrents together, down and up; `math.inf` for none."""
        return _limits_of(self._runtime.core.limits.whole)

    @property
    def groups(self) -> dict[str, tuple[float, float]]:
        """Likewise of each group."""
        return {name: _limits_of(lanes) for name, lanes in self._runtime.core.limits.groups.items()}

    def set_places(self, places: Places) -> None:
        """See Session.set_places."""
        self._steward.places = places
        self._steward.decide()
        self._keep("places")

    def set_goal(self, goal: Goal) -> None:
        """See Session.set_goal."""
        self._steward.goal = goal
        self._keep("goal")

    def ban(self, host: str, seconds: float | None) -> None:
        """See Session.ban."""
        bans.ban(self._runtime, host, seconds)
        self._keep("bans")

    def unban(self, host: str) -> bool:
        """See Session.unban."""
        found = bans.unban(self._runtime, host)
        self._keep("bans")
        return found

    @property
    def bans(self) -> dict[str, float | None]:
        """See Session.bans."""
        return bans.all_bans(self._runtime)

    def look(self) -> None:
        """Write down who was banned by itself since the last call."""
        if self._runtime.core.bans.revision != self._bans_saved:
            self._keep("bans")

    async def save(self) -> None:
        """Write down what was not yet. What goes wrong is told to the log and tried again with the next change."""
        while self._unsaved:
            names, self._unsaved = self._unsaved, {}
            self._bans_saved = self._runtime.core.bans.revision
            rows = [(name, json.dumps(self._value(name))) for name in names]

            def write(connection: sqlite3.Connection, rows: list[tuple[str, str]] = rows) -> None:
                connection.executemany("INSERT OR REPLACE INTO rules VALUES (?, ?)", rows)

            try:
                await self._store.transact(write)
            except StorageError as error:
                self._unsaved = names | self._unsaved
                _log.warning("what was set for all torrents cannot be kept: %s", error)
                return

    def _keep(self, name: str) -> None:
        self._runtime.turn.soon()
        if not self._settings.keep_torrents:
            return
        self._unsaved[name] = None
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self.save(), name="bittern rules")

    async def close(self) -> None:
        """Write down the last of it."""
        if self._saving is not None:
            await asyncio.wait([self._saving])
        self.look()
        if self._saving is not None:
            await asyncio.wait([self._saving])

    def _set_limits(self, lanes: Lanes, down: float | None, up: float | None) -> None:
        check_limit("down", down)
        check_limit("up", up, zero=True)
        lanes.set_limits(down, up)
        self._runtime.core.limits_changed()

    def _value(self, name: str) -> object:
        """What is kept under a name, as JSON can say it; times of bans on the clock of the wall."""
        if name == "limits":
            return self.limits
        if name == "groups":
            return {group: limits for group, limits in self.groups.items() if limits != (inf, inf)}
        if name == "places":
            return asdict(self._steward.places)
        if name == "goal":
            return {**asdict(self._steward.goal), "then": self._steward.goal.then.value}
        wall = time.time()
        latest = list(self.bans.items())[-MOST_BANS:]
        return [[host, None if seconds is None else wall + seconds] for host, seconds in latest]

    def _take_limits(self, kept: Any) -> None:
        if kept is not None:
            down, up = map(float, kept)
            settings = self._settings
            self._set_limits(
                self._runtime.core.limits.whole,
                down if settings.down_bytes_per_second == inf else None,
                up if settings.up_bytes_per_second == inf else None,
            )

    def _take_groups(self, kept: Mapping[str, Any] | None) -> None:
        for name, (down, up) in (kept or {}).items():
            self._set_limits(self._runtime.core.limits.group(str(name)), float(down), float(up))

    def _take_places(self, kept: Any) -> None:
        if kept is not None and self._settings.places() == Places():
            self._steward.places = Places(**{name: float(value) for name, value in kept.items()})

    def _take_goal(self, kept: Any) -> None:
        if kept is not None and self._settings.goal() == Goal():
            self._steward.goal = Goal(**{**kept, "then": AtGoal(kept["then"])})

    def _take_bans(self, kept: Any) -> None:
        wall = time.time()
        for host, until_at in kept or ():
            if until_at is None or until_at > wall:
                bans.ban(self._runtime, host, None if until_at is None else until_at - wall)


def _limits_of(lanes: Lanes) -> tuple[float, float]:
    return lanes.down.limit, lanes.up.limit
