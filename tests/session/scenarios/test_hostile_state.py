"""A state file that somebody else wrote: nothing in it leads out of a torrent's folder, or is believed unseen."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from bittern.session.session import Session
from bittern.session.store import FILE
from tests.session.rig import PIECE, album, fill, settings, torrent

SECONDS = 30


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rewrite(state: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(state / FILE)
    with connection:
        connection.execute(statement, values)
    connection.close()


NAMES = ["../../outside/evil.bin", "/etc/evil", "a/../../evil", "..", ""]


@pytest.mark.parametrize("name", NAMES)
async def test_names_in_the_state_lead_nowhere(tmp_path: Path, name: str) -> None:
    meta = torrent(album(tmp_path / "in" / "album"))
    (tmp_path / "outside").mkdir()
    fill(tmp_path / "outside" / "evil.bin", 100_000, 9)
    before = snapshot(tmp_path / "outside") | snapshot(tmp_path / "in")
    async with Session(settings(tmp_path / "a", keep_torrents=True)) as session:
        await (await session.add(meta, tmp_path / "in")).completed()
    place = str(tmp_path / "in")
    rows = [json.dumps([place, "album", [[0, name]]]), json.dumps([place, name, []])]
    for row in rows:
        values = (bytes(meta.info.wire_hash), place, row, None, None)
        rewrite(tmp_path / "a", "INSERT OR REPLACE INTO placements VALUES (?, ?, ?, ?, ?)", *values)
        async with Session(settings(tmp_path / "a", keep_torrents=True)) as session:
            [there] = session.torrents
            await asyncio.wait_for(there.completed(), SECONDS)
            await there.recheck()
            assert there.status.complete
    assert snapshot(tmp_path / "outside") | snapshot(tmp_path / "in") == before
    async with Session(settings(tmp_path / "a", keep_torrents=True)) as session:
        await session.remove(session.torrents[0], delete_data=True)
    assert list(snapshot(tmp_path / "outside")) == [str(tmp_path / "outside" / "evil.bin")]


async def test_progress_of_another_torrent_is_none(tmp_path: Path) -> None:
    right = torrent(fill(tmp_path / "one" / "a.bin", 8 * PIECE))
    wrong = torrent(fill(tmp_path / "two" / "a.bin", 8 * PIECE, seed=2))
    async with Session(settings(tmp_path / "a")) as session:
        await (await session.add(right, tmp_path / "one")).completed()
        await (await session.add(wrong, tmp_path / "two")).completed()
    copied = "UPDATE torrents SET resume = (SELECT resume FROM torrents WHERE info_hash = ?) WHERE info_hash = ?"
    rewrite(tmp_path / "a", copied, bytes(right.info.wire_hash), bytes(wrong.info.wire_hash))
    (tmp_path / "two" / "a.bin").write_bytes((tmp_path / "two" / "a.bin").read_bytes()[:-1] + b"\0")
    async with Session(settings(tmp_path / "a")) as session:
        there = await session.add(wrong, tmp_path / "two")
        await asyncio.wait_for(there.checked(), SECONDS)
        assert there.status.done_bytes == 7 * PIECE
