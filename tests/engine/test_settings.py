from dataclasses import fields
from math import inf

import pytest

from bittern.base.errors import SessionError
from bittern.engine.settings import EngineSettings


def test_all_defaults_are_valid_and_unlimited() -> None:
    settings = EngineSettings()
    assert (settings.down_bytes_per_second, settings.up_bytes_per_second) == (inf, inf)


NUMBERS = [field.name for field in fields(EngineSettings) if not isinstance(field.default, (bool, str))]


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_may_be_negative(name: str) -> None:
    with pytest.raises(SessionError, match=name):
        EngineSettings(**{name: -1})  # type: ignore[arg-type]  # any of the fields


@pytest.mark.parametrize("port", [65536, 10**9])
def test_a_port_has_sixteen_bits(port: int) -> None:
    with pytest.raises(SessionError, match="listen_port"):
        EngineSettings(listen_port=port)
    assert EngineSettings(listen_port=65535).listen_port == 65535


def test_some_way_to_reach_peers_is_left() -> None:
    with pytest.raises(SessionError, match="tcp and utp"):
        EngineSettings(tcp=False, utp=False)
