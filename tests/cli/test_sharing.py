from pathlib import Path

import pytest

from bittern.cli.failures import UsageError
from bittern.cli.main import main
from bittern.cli.sharing import Sharing
from bittern.session.limits import Limits
from bittern.session.session import Session
from bittern.session.settings import Settings
from tests.session.rig import PIECE, fill, settings, torrent, write_torrent


def test_flags_become_settings() -> None:
    sharing = Sharing(exempt_local=True, max_per_network=9, upload_slots="5", seed_choker="fastest", seed_idle=3.0)
    made = sharing.applied_to(Settings(seed_ratio=2.0))
    assert (made.exempt_local, made.max_per_network, made.upload_slots) == (True, 9, 5)
    assert (made.slot_count, made.seed_choker) == ("fixed", "fastest")
    assert (made.seed_ratio, made.seed_idle_minutes) == (2.0, 3.0)
    classes = Sharing(peer_class=("local,unlimited", "utp,up=5k")).applied_to(Settings()).peer_classes
    assert [each.name for each in classes] == ["local,unlimited", "utp,up=5k"]
    automatic = Sharing(upload_slots="auto").applied_to(Settings())
    assert (automatic.slot_count, automatic.upload_slots) == ("automatic", Settings().upload_slots)


def test_without_flags_nothing_changes() -> None:
    assert Sharing().applied_to(Settings()) == Settings()


@pytest.mark.parametrize(
    ("sharing", "flag"),
    [
        (Sharing(peer_up_limit=0), "--peer-up-limit 0"),
        (Sharing(peer_down_limit=0), "--peer-down-limit 0"),
        (Sharing(max_per_network=0), "--max-per-network 0"),
        (Sharing(upload_slots="0"), "--upload-slots 0"),
        (Sharing(upload_slots="many"), "--upload-slots many"),
        (Sharing(upload_slots="-3"), "--upload-slots -3"),
        (Sharing(seed_idle=-1.0), "--seed-idle -1.0"),
        (Sharing(peer_class=("lokal,unlimited",)), "--peer-class lokal,unlimited"),
        (Sharing(seed_idle=float("nan")), "--seed-idle nan"),
    ],
)
def test_bad_values_are_refused_by_the_name_of_the_flag(sharing: Sharing, flag: str) -> None:
    with pytest.raises(UsageError, match=flag):
        sharing.applied_to(Settings())


async def test_each_peer_is_held_to_its_limit(tmp_path: Path) -> None:
    meta = torrent(fill(tmp_path / "a.bin", PIECE))
    async with Session(settings(tmp_path / "state")) as session:
        added = await session.add(meta, tmp_path)
        Sharing().hold(added)
        assert added.limits == Limits()
        Sharing(peer_up_limit=50_000).hold(added)
        assert added.limits == Limits(peer_up=50_000)


@pytest.mark.parametrize("command", ["get", "seed"])
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--upload-slots", "few"], "--upload-slots"),
        (["--peer-class", "local"], "--peer-class local"),
        (["--seed-choker", "slowest"], "seed-choker"),
        (["--peer-up-limit", "5q"], "peer-up-limit"),
        (["--peer-up-limit", "0"], "--peer-up-limit 0"),
        (["--up-limit", "-5k"], "up-limit"),
        (["--seed-idle", "soon"], "seed-idle"),
        (["--max-per-network", "x"], "max-per-network"),
    ],
)
def test_a_bad_flag_is_one_line_and_exit_2(
    command: str, words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_torrent(fill(tmp_path / "a.bin", PIECE), tmp_path / "a.torrent")
    operands = [str(tmp_path / "a.torrent"), *([str(tmp_path / "a.bin")] if command == "seed" else [])]
    assert main([command, *operands, *words]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert len(error.splitlines()) == 1


def test_they_come_from_the_config_file_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = fill(tmp_path / "a.bin", PIECE)
    write_torrent(source, tmp_path / "a.torrent")
    config = tmp_path / "config.toml"
    words = ["--config", str(config), "seed", str(tmp_path / "a.torrent"), str(source), "--listen", "127.0.0.1"]
    config.write_text('up-limit = "1M"\npeer-up-limit = "50k"\nupload-slots = 4\nport = 0\n[seed]\nseed-idle = 0\n')
    assert main(words) == 0
    capsys.readouterr()
    config.write_text('[seed]\nupload-slots = "few"\n')
    assert main(words) == 2
    assert "--upload-slots few: write a number from 1, or auto" in capsys.readouterr().err
