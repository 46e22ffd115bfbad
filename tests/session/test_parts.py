from pathlib import Path

import pytest

from bittern.base.errors import NetworkError
from bittern.session.session import Session
from tests.session.rig import settings

SECONDS = 30


async def test_the_port_is_drawn_once(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a", port=None)) as session:
        port = session.port
        async with Session(settings(tmp_path / "a", port=None)) as other:
            assert other.port not in (0, port)
    async with Session(settings(tmp_path / "a", port=None)) as session:
        assert session.port == port


async def test_a_port_that_is_taken_opens_nothing(tmp_path: Path) -> None:
    async with Session(settings(tmp_path / "a")) as session:
        with pytest.raises(NetworkError, match=str(session.port)):
            async with Session(settings(tmp_path / "b", port=session.port)):
                pass


async def test_who_is_anonymous_goes_by_chance_alone(tmp_path: Path) -> None:
    names = set[bytes]()
    for anonymous in (False, True, True):
        async with Session(settings(tmp_path / "a", anonymous=anonymous)) as session:
            parts = session._parts
            assert parts is not None
            name = bytes(parts.runtime.core._shared.peer_id)
            assert (name[:3] == b"-BZ") == (not anonymous)
            names.add(name[:8])
    assert len(names) == 3


async def test_behind_a_strict_proxy_nobody_can_connect(tmp_path: Path) -> None:
    through = settings(tmp_path / "a", proxy="http://127.0.0.1:1", dht=True)
    async with Session(through) as session:
        assert (session.port, session.searches_dht, session.searches_locally) == (0, False, False)
        assert session.proxy_trouble is None
        with pytest.raises(NetworkError):
            await session.find("http://127.0.0.1:1/a.torrent")
        assert session.proxy_trouble == "the proxy http://127.0.0.1:1: connection refused"
