import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.session.session import Session
from bittern.session.settings import Settings

QUIET = Settings(listen=("127.0.0.1",), port=0, dht=False, use_lsd=False, use_trackers=False)
ALWAYS = {"bittern session", "bittern nat"}


async def running_with(settings: Settings) -> set[str]:
    """The names of what runs while a session with these settings is open."""
    before = asyncio.all_tasks()
    async with Session(settings):
        return {task.get_name() for task in asyncio.all_tasks() - before if task.get_name().startswith("bittern ")}


@pytest.mark.parametrize(
    ("more", "beside"),
    [
        ({}, set()),
        ({"keep_torrents": True}, {"bittern sweep"}),
        ({"dht": True}, {"bittern dht"}),
        ({"port_command": "echo 0"}, {"bittern port"}),
        ({"listen": ("0.0.0.0",)}, {"bittern network"}),
        ({"listen": ("0.0.0.0",), "interface": "lo"}, {"bittern interface"}),
    ],
)
async def test_what_runs_in_the_background_follows_from_the_settings(
    tmp_path: Path, more: dict[str, object], beside: set[str]
) -> None:
    settings = replace(QUIET, state_dir=tmp_path, **more)  # type: ignore[arg-type]  # names are those of Settings
    running = await running_with(settings)
    assert (
        running & {f"bittern {name}" for name in ("session", "nat", "sweep", "dht", "port", "network", "interface")}
        == ALWAYS | beside
    )
