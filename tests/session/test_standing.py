from pathlib import Path

from bittern.session import events
from bittern.session.session import Session
from bittern.session.status import State
from tests.session.rig import PIECE, fill, life_of, settings, torrent


async def test_a_state_is_told_once_and_who_waits_is_woken_each_time(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "s")) as session:
        there = await session.add(torrent(fill(tmp_path / "a.bin", PIECE)), tmp_path)
        await there.completed()
        standing = life_of(session, there)._standing
        heard = there.events(events.StateChanged)
        for state in (State.PAUSED, State.PAUSED, State.SEEDING):
            standing.enter(state)
        assert heard.take() == [events.StateChanged(State.PAUSED), events.StateChanged(State.SEEDING)]


async def test_the_swarm_falls_silent_with_a_state_and_gives_one_when_it_speaks(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "src" / "a.bin", PIECE))
    async with Session(settings(tmp_path / "s")) as session:
        for folder, expected in (("src", State.SEEDING), ("dst", State.DOWNLOADING)):
            there = await session.add(meta, tmp_path / folder)
            await there.checked()
            standing = life_of(session, there)._standing
            assert standing.swarm is not None
            standing.leave(State.QUEUED)
            assert (there.status.state, standing.swarm.searches_locally) == (State.QUEUED, False)
            standing.speak()
            assert there.status.state is expected
            await session.remove(there)


async def test_without_a_swarm_it_is_the_metadata_that_is_sought(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "s")) as session:
        there = await session.add(torrent(fill(tmp_path / "a.bin", PIECE)), tmp_path)
        await there.completed()
        life = life_of(session, there)
        await life._membership.leave()
        assert life._standing.swarm is None
        life._standing.enter_swarm()
        assert life.state is State.METADATA
        await there.recheck()
