from math import nan
from pathlib import Path
from typing import Any

import pytest

from bittern.base.errors import SessionError
from bittern.session.settings import USER_AGENT, Settings
from bittern.wire.mse.policy import Encryption


def test_defaults_are_valid_and_reach_the_engine() -> None:
    engine = Settings(max_peers=7, down_bytes_per_second=1000, sequential=True).for_engine()
    assert (engine.max_peers, engine.down_bytes_per_second, engine.sequential) == (7, 1000, True)
    assert engine.user_agent == USER_AGENT == "bittern/0.1.0"


@pytest.mark.parametrize(
    ("sockets", "connections", "strangers"),
    [(None, 500, 200), (10**6, 500, 200), (600, 480, 120), (100, 80, 20), (8, 7, 1), (1, 1, 1)],
)
def test_connections_are_never_more_than_fit(sockets: int | None, connections: int, strangers: int) -> None:
    engine = Settings().for_engine(sockets)
    assert (engine.max_connections, engine.max_strangers) == (connections, strangers)
    assert sockets is None or sockets < 2 or engine.max_connections + engine.max_strangers <= sockets


@pytest.mark.parametrize(
    "bad",
    [
        {"port": 65536},
        {"port": -1},
        {"max_peers": 0},
        {"up_bytes_per_second": -1.0},
        {"down_bytes_per_second": 0},
        {"seed_ratio": -0.5},
        {"seed_minutes": nan},
        {"save_seconds": 0},
        {"event_buffer": 0},
        {"listen": "127.0.0.1"},
        {"tcp": False, "utp": False},
    ],
)
def test_a_value_out_of_range_names_its_field(bad: dict[str, Any]) -> None:
    with pytest.raises(SessionError, match=next(iter(bad))):
        Settings(**bad)


def test_paths_may_be_given_as_text() -> None:
    settings = Settings(save_path="downloads", state_dir="state")
    assert (settings.save_path, settings.state_dir) == (Path("downloads"), Path("state"))


def test_the_state_folder_follows_xdg() -> None:
    home = Path("~/.local/state/bittern").expanduser()
    assert Settings().state_folder({"XDG_STATE_HOME": "/x"}) == Path("/x/bittern")
    assert Settings().state_folder({"XDG_STATE_HOME": "relative"}) == home
    assert Settings().state_folder({}) == home
    assert Settings(state_dir=Path("/s")).state_folder({"XDG_STATE_HOME": "/x"}) == Path("/s")


def test_where_the_system_has_no_cipher_nothing_is_encrypted_and_nothing_may_be_required() -> None:
    wishes = Settings(encryption_in="prefer", encryption_out="prefer")
    assert wishes.for_engine().encryption_in is wishes.for_engine().encryption_out is Encryption.PREFER
    engine = wishes.for_engine(rc4=False)
    assert engine.encryption_in is engine.encryption_out is Encryption.OFF
    for wishes in (Settings(encryption_in="require"), Settings(encryption_out="require")):
        with pytest.raises(SessionError, match="RC4"):
            wishes.for_engine(rc4=False)
