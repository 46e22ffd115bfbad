from pathlib import Path

import pytest

from bittern.base.errors import NoSuchTorrentError
from bittern.session.session import Session
from bittern.session.status import State
from tests.session.rig import PIECE, eventually, fill, settings, torrent


async def test_after_the_end_handles_can_be_read_but_command_nothing(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", 20 * PIECE), "http://127.0.0.1:1/announce")
    async with Session(settings(tmp_path / "a", sleep_seconds=0.0)) as session:
        there = await session.add(meta, tmp_path)
        await eventually(lambda: session._entries[there.info_hash].life is None and bool(there.trackers))
    assert there.status.complete
    assert there.info is None
    assert [event async for event in there.events()] == []
    for command in (there.pause(), there.resume(), there.recheck()):
        with pytest.raises(NoSuchTorrentError):
            await command
    with pytest.raises(NoSuchTorrentError):
        there.move(0)


async def test_a_removed_torrent_commands_nothing(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a", sleep_seconds=0.0)) as session:
        there = await session.add(torrent(fill(tmp_path / "a.bin", PIECE)), tmp_path)
        await eventually(lambda: session._entries[there.info_hash].life is None)
        await session.remove(there)
        assert there.status.state is State.REMOVED
        with pytest.raises(NoSuchTorrentError):
            await there.pause()
        with pytest.raises(NoSuchTorrentError):
            await session.remove(there)
