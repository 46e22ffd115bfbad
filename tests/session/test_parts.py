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
