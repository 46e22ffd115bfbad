import asyncio
from pathlib import Path

import pytest

import bittern
from bittern.base.errors import NetworkError
from bittern.io.binding import Binding
from bittern.session.session import Session

from .rig import album, seeding, settings, torrent


class Switch:
    """The interface of a session, which a test takes away and gives back."""

    def __init__(self, session: Session) -> None:
        assert session._parts is not None
        assert session._parts.tether is not None
        self.tether = session._parts.tether
        self.binding = self.tether._binding

    def flip(self, monkeypatch: pytest.MonkeyPatch, gone: str | None) -> None:
        def look(binding: Binding) -> bool:
            changed = binding.gone != gone
            binding.gone = gone
            return changed

        monkeypatch.setattr(Binding, "look", look)
        self.tether.look()


async def test_without_its_interface_a_session_has_no_connection_and_goes_on_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = album(tmp_path / "there" / "album")
    meta = torrent(content)
    with seeding(meta, content.parent, tmp_path / "seed", up_bytes_per_second=60_000) as seed:
        async with bittern.Session(settings(tmp_path / "state", interface="lo")) as session:
            switch, port = Switch(session), session.port
            got = await session.add(meta, tmp_path / "here", peers=[seed])
            async with asyncio.timeout(10):
                while not got.status.downloaded:  # noqa: ASYNC110 - a status is looked at
                    await asyncio.sleep(0.01)
            switch.flip(monkeypatch, "lo is down")
            assert session.cut_off == "lo is down"
            await asyncio.sleep(0.3)
            assert got.status.peers == 0
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            here = got.status.downloaded
            await asyncio.sleep(0.3)
            assert got.status.downloaded == here
            switch.flip(monkeypatch, None)
            assert session.port == port
            async with asyncio.timeout(30):
                await got.completed()


async def test_a_port_that_somebody_took_meanwhile_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bittern.Session(settings(tmp_path / "state", interface="lo")) as session:
        switch = Switch(session)
        switch.flip(monkeypatch, "lo is down")
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", session.port)
        switch.flip(monkeypatch, None)
        assert "cannot listen" in (session.cut_off or "")
        taken.close()
        await taken.wait_closed()
        switch.tether.look()
        assert session.cut_off is None


async def test_an_interface_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="nowhere0 is not there"):
        await bittern.Session(settings(tmp_path / "state", interface="nowhere0")).open()


async def test_who_is_not_bound_is_never_cut_off(tmp_path: Path) -> None:
    async with bittern.Session(settings(tmp_path / "state")) as session:
        assert session.cut_off is None
