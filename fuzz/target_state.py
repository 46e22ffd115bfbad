# Invariant: whatever values stand in the rows of the state file, nothing escapes but what each reader says it raises; a
# row that makes no sense is left out or forgotten, what is read is of the right kinds, is written, and reads back.
"""Fuzz target: all that is kept of torrents and rules, with well-formed rows whose values somebody changed."""

import asyncio
import json
import logging
import shutil
import sqlite3
from contextlib import closing, suppress
from functools import cache
from math import isnan
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Final, cast

from bittern.base.bitfield import Bitfield
from bittern.base.errors import BencodeError, MetainfoError, SessionError, StorageError
from bittern.base.ids import InfoHashV1
from bittern.codec.magnet import Magnet
from bittern.codec.resume import FileStamp, Resume
from bittern.engine.settings import EngineSettings
from bittern.io.disk.handles import Handles
from bittern.io.runtime import Runtime
from bittern.session.checking import read_resume
from bittern.session.entry import Entry
from bittern.session.filtering import Filtering
from bittern.session.goals import Goal
from bittern.session.identity import Identity
from bittern.session.journal import Journal
from bittern.session.limits import Limits, check_limit
from bittern.session.options import AddOptions
from bittern.session.placement import Move, Placement, begin_move, load_move, path_now
from bittern.session.queue import Places
from bittern.session.roster import Roster
from bittern.session.rules import Rules
from bittern.session.settings import Settings
from bittern.session.steward import Steward
from bittern.session.store import FILE, Record, Store
from bittern.session.surroundings import Surroundings
from bittern.session.sweep import _differs, _saved
from bittern.sim.host import Host
from bittern.sim.http import Web
from bittern.sim.network import Network
from bittern.sim.process import SimProcess
from bittern.sim.world import World
from fuzz.driver import Target
from fuzz.plays import act, acts, play_edit
from fuzz.swarm import second
from fuzz.target_resume import TARGET as RESUME
from fuzz.target_store import here, state_folder

logging.getLogger("bittern").addHandler(logging.NullHandler())  # what makes no sense is told to the log

_PLACE: Final = "/nonexistent/downloads"
_SETTINGS: Final = Settings(keep_torrents=True)
_VALUES: Final = (
    *(("torrents", name) for name in ("info", "trackers", "resume")),
    *(("layers", name) for name in ("root", "row")),
    *(("placements", name) for name in ("at", "was", "target")),
    *(("members", name) for name in (
        "number", "info_hash", "save_path", "content", "name", "tiers", "selection", "file_priorities", "limits",
        "link", "mode", "position", "priority", "goal", "goal_met", "state", "done_bytes", "total_bytes", "uploaded",
        "downloaded", "complete", "seeded_seconds", "super_seed", "also", "private")),
    ("sources", "torrent"),
    *(("rules", name) for name in ("limits", "groups", "places", "goal", "bans")),
    *(("facts", name) for name in ("port", "unfiltered")),
)  # fmt: skip
"""What an act changes, by its kind."""

_TEXTS = {
    "at": json.dumps(["/there", "two", [[0, "a/b"]]]),
    "was": json.dumps([_PLACE, "two", []]),
    "tiers": '[1, ["http://a/"], ["udp://b:1"]]',
    "selection": "[0, 2]",
    "file_priorities": "[[0, 7], [2, 1]]",
    "limits": '[1000, null, 5, 5, "group", {"10.0.0.1": [1, 0]}]',
    "goal": '[2.0, 60, null, "pause"]',
}
_RULES = {
    "limits": "[1000.0, Infinity]",
    "groups": '{"group": [1000.0, 2000.0]}',
    "places": '{"downloads": 3, "seeds": Infinity, "total": 9}',
    "goal": '{"ratio": 2.0, "seed_minutes": null, "idle_minutes": 5, "then": "pause"}',
    "bans": '[["10.0.0.1", null], ["10.0.0.2", 99999999999]]',
}


def _info_hash() -> InfoHashV1:
    return second(hybrid=True).info.wire_hash


@cache
def _made() -> bytes:
    """A state file with one torrent, and everything that is kept of it."""
    content, folder = second(hybrid=True), state_folder() / "whole"
    info, name = content.info, bytes(_info_hash())
    count = info.geometry.piece_count
    resume = Resume(
        info_hash=info.wire_hash,
        piece_count=count,
        pieces=bytes(Bitfield.full(count)),
        files=tuple(FileStamp(file.length, 5) for file in info.files),
    ).encode()
    limits = Limits(1000, None, 5, 5, "group")
    entry = Entry(
        number=1, info_hash=_info_hash(), save_path=_PLACE, name="two", tiers=(("http://a/",),), own_tiers=1,
        select=(0,), file_priorities={0: 7}, limits=limits, goal=Goal(ratio=2.0), also=InfoHashV1(bytes(range(20))),
    )  # fmt: skip

    async def make() -> None:
        store = here(Store(folder))
        await store.open()
        await store.put(Record(name, _PLACE, info.raw, (("http://a/",),), resume))
        await store.keep_layers(name, content.metainfo.piece_layers)
        at, was = Placement.decode(_TEXTS["at"]), Placement.decode(_TEXTS["was"])
        await begin_move(store, name, Move(_PLACE, at, was, "/there"))
        roster = Roster(store)
        await roster.open()
        await roster.save([entry])
        torrent = (name, b"d4:info" + info.raw + b"e")
        await store.transact(lambda db: db.execute("INSERT INTO sources VALUES (?, ?)", torrent))
        await store.keep_fact("port", "7000")
        await store.keep_fact("unfiltered", json.dumps([str(_info_hash())]))
        await _rules(store).restore()
        await store.transact(lambda db: db.executemany("INSERT INTO rules VALUES (?, ?)", _RULES.items()))
        await store.close()

    asyncio.run(make())
    data = (folder / FILE).read_bytes()
    shutil.rmtree(folder)
    return data


@cache
def _host() -> Host:
    return Network(World(Random, 0)).host("engine")


def _runtime() -> Runtime:
    core = SimProcess(_host(), Web(), EngineSettings(listen_port=7000)).core
    turn = SimpleNamespace(soon=lambda: None)
    return cast("Runtime", SimpleNamespace(core=core, turn=turn, now=lambda: 0.0))


def _rules(store: Store) -> Rules:
    steward = SimpleNamespace(places=Places(), goal=Goal())
    return Rules(_SETTINGS, store, _runtime(), cast("Steward", steward))


def check(data: bytes) -> bool:
    """Each act changes one value: what it is changed to is said behind a byte for the kind of it."""
    folder = state_folder() / "used"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / FILE).write_bytes(_made())
    with closing(sqlite3.connect(folder / FILE)) as connection:
        for kind, said in acts(data):
            with suppress(sqlite3.Error), connection:
                _change(connection, *_VALUES[kind % len(_VALUES)], _value(said))
    return _runner().run(_use(folder))


@cache
def _runner() -> asyncio.Runner:
    return asyncio.Runner()


def _value(said: bytes) -> object:
    text = said[1:].decode(errors="replace")
    match said[0] % 5 if said else 4:
        case 0:
            return said[1:]
        case 1:
            return text
        case 2:
            return int.from_bytes(said[1:9], signed=True)
        case 3:
            with suppress(ValueError):
                return float(text)
            return float("inf")
    return None


def _change(connection: sqlite3.Connection, table: str, name: str, value: object) -> None:
    if table in ("rules", "facts"):
        connection.execute(f"UPDATE {table} SET value = ? WHERE name = ?", (value, name))
    else:
        connection.execute(f"UPDATE {table} SET {name} = ?", (value,))


async def _use(folder: Path) -> bool:
    store = here(Store(folder))
    try:
        await store.open()
        good = await _torrent(store)
        entries = await _roster(store)
        rules = _rules(store)
        await rules.restore()
        assert not any(map(isnan, rules.limits))
        filtering = Filtering(cast("Surroundings", _surroundings(store)))
        await filtering.begin()
        kept = await store.fact("port")
        assert kept is None or isinstance(kept, str)
    except StorageError:
        return False
    finally:
        await store.close()
    return good and bool(entries)


def _surroundings(store: Store) -> SimpleNamespace:
    async def in_thread(work, *args):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN202 - as Surroundings
        return work(*args)

    return SimpleNamespace(store=store, settings=_SETTINGS, runtime=_runtime(), in_thread=in_thread)


async def _torrent(store: Store) -> bool:
    """What is kept of a torrent, as the torrent reads it when it wakes up."""
    name, surroundings = bytes(_info_hash()), cast("Surroundings", _surroundings(store))
    path_now(store, name, _PLACE)
    move = await load_move(store, name, "/there")
    if move is not None:
        assert all(isinstance(each, str) for each in (move.place, move.at.root, move.target or ""))
        assert isinstance(move.at.folder, Path)
    magnet = Magnet.parse(f"magnet:?xt=urn:btih:{_info_hash()}")
    identity = Identity(magnet, AddOptions(save_path=Path(_PLACE)))
    with suppress(BencodeError, MetainfoError, SessionError):
        known, blob = await identity.recall(Journal(surroundings, name, _PLACE))
        if identity.info is not None:
            read_resume(blob, identity.info)
            for root, row in identity.layers.items():
                assert isinstance(root, bytes)
                assert isinstance(row, bytes)
        return known and bool(identity.layers)
    return False


async def _roster(store: Store) -> list[Entry]:
    """The torrents of a session, as it begins."""
    roster = Roster(store)
    await roster.open()
    entries = [entry async for chunk in roster.load() for entry in chunk]
    for entry in entries:
        assert all(isinstance(number, int) for number in entry.select or ())
        for number, priority in (entry.file_priorities or {}).items():
            assert isinstance(number, int)
            assert isinstance(priority, int)
        if entry.limits is not None:
            _check_limits(entry.limits)
        if entry.goal is not None:
            assert all(isinstance(each, float | int | None) for each in (entry.goal.ratio, entry.goal.seed_minutes))
        with suppress(SessionError):
            await roster.source(entry)
        saved = await store.transact(lambda db, entry=entry: _saved(db, entry))  # type: ignore[misc]  # a lambda's default
        _differs(entry, saved, Handles())
    await roster.save(entries)
    again = [entry async for chunk in roster.load() for entry in chunk]
    assert [_told(entry) for entry in again] == [_told(entry) for entry in entries], "what was read is not what is kept"
    return entries


def _check_limits(limits: Limits) -> None:
    for limit in (limits.down, limits.up, limits.peer_down, limits.peer_up):
        assert isinstance(limit, float | int | None)
        check_limit("limit", limit, zero=True)
    assert isinstance(limits.group, str | None)
    for down, up in limits.peers.values():
        check_limit("limit", down, zero=True)
        check_limit("limit", up, zero=True)


def _told(entry: Entry) -> tuple[object, ...]:
    return (
        *(entry.number, entry.info_hash, entry.place, entry.name, entry.tiers, entry.own_tiers, entry.select),
        *(entry.file_priorities, entry.limits, entry.goal, entry.mode, entry.state, entry.position, entry.link),
    )


def _set(name: str, kind: int, said: bytes, table: str = "") -> bytes:
    at = next(number for number, (of, each) in enumerate(_VALUES) if each == name and table in ("", of))
    return act(at, bytes((kind,)) + said)


_JSONS = (b"null", b"{}", b"[[]]", b"[" * 30_000, b"[1e999]", b'[[1e999, "a"]]', b"[NaN, -1]", b'["a", {"b": 1}]', b"0")
_CORPUS = (
    b"",
    *(_set(name, 1, text.encode()) for name, text in _TEXTS.items()),
    *(_set(name, 1, text.encode(), "rules") for name, text in _RULES.items()),
    *(_set(name, 1, said) for name in _TEXTS for said in _JSONS[:2]),
    _set("resume", 0, RESUME.corpus[0]) + _set("row", 2, b"\0\0\0\1\0\0\0\0") + _set("root", 1, b"x"),
    _set("info", 0, b"d4:name1:xe") + _set("torrent", 0, b"d4:infodee") + _set("port", 1, b"99999"),
    _set("was", 4, b"") + _set("target", 4, b"") + _set("at", 1, b'["/a", "..", []]'),
    _set("link", 1, b"magnet:?xt=urn:btih:" + b"a" * 40) + _set("content", 1, b"/a/b") + _set("mode", 1, b"forced"),
    _set("also", 0, bytes(20)) + _set("private", 2, bytes(8)) + _set("seeded_seconds", 1, b"nan"),
)

TARGET = Target(
    "state",
    corpus=_CORPUS,
    words=(
        *_JSONS,
        b'"',
        b",",
        b"[",
        b"]",
        b"{",
        b"}",
        b"Infinity",
        b"-1",
        b"1e400",
        b"1%0400d" % 0,
        b"../",
        b"/",
        b"\0",
        b"null",
        b"true",
    ),
    check=check,
    edits=(play_edit(_CORPUS, RESUME.edits),),
    slow_seconds=3.0,
)
