from pathlib import Path

import pytest

from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import main
from bittern.codec.bencode import encode
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo


def test_the_link_leads_to_the_torrent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = {"name": "ä b", "piece length": 16384, "length": 1, "pieces": bytes(20)}
    path = tmp_path / "a.torrent"
    path.write_bytes(encode({"info": info, "announce": "http://t/x"}))
    assert main(["magnet", str(path)]) == ExitCode.OK
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    link = Magnet.parse(out)
    assert link.info_hash_v1 == Metainfo.load(path).info.info_hash_v1
    assert (link.name, link.trackers) == ("ä b", ("http://t/x",))


def test_a_hash_makes_the_barest_link(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["magnet", "ab" * 20]) == ExitCode.OK
    assert capsys.readouterr().out == f"magnet:?xt=urn:btih:{'ab' * 20}\n"


@pytest.fixture
def torrent(tmp_path: Path) -> Path:
    """A file, a pad and another file."""
    files = [
        {"length": 16_000, "path": ["a"]},
        {"length": 384, "path": [".pad", "384"], "attr": "p"},
        {"length": 2048, "path": ["b"]},
    ]
    info = {"name": "x", "piece length": 16384, "files": files, "pieces": bytes(40)}
    path = tmp_path / "a.torrent"
    path.write_bytes(encode({"info": info, "announce": "http://t/x"}))
    return path


def test_a_link_says_what_it_is_told_to(torrent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--peer", "127.0.0.1:1", "--peer", "[::1]:2", "--tracker", "udp://u:1", "--web-seed", "http://w/"]
    more += ["--torrent-url", "http://h/a.torrent", "--select-file", "2"]
    assert main(["magnet", str(torrent), *more]) == ExitCode.OK
    link = Magnet.parse(capsys.readouterr().out)
    assert link == Magnet(
        info_hash_v1=Metainfo.load(torrent).info.info_hash_v1,
        name="x",
        trackers=("http://t/x", "udp://u:1"),
        web_seeds=("http://w/",),
        peers=("127.0.0.1:1", "[::1]:2"),
        select_only=(2,),  # pads count there
        exact_length=18_048,
        exact_sources=("http://h/a.torrent",),
    )
    assert main(["magnet", link.to_uri(), "--bare", "--peer", "127.0.0.1:3"]) == ExitCode.OK
    assert capsys.readouterr().out == f"magnet:?xt=urn:btih:{link.info_hash_v1}&x.pe=127.0.0.1:3\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--peer", "nowhere"], "--peer nowhere: write HOST:PORT"),
        (["--web-seed", "nowhere"], "nowhere: not an http or https URL; write one like https://example.org/files/"),
        (["--select-file", "3"], "there is no file 3: the torrent has 2"),
        (["--select-file", "x"], "write numbers of files"),
    ],
)
def test_what_can_not_be_in_a_link_is_refused(
    torrent: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["magnet", str(torrent), *words]) == ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_a_link_has_no_files_to_select(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["magnet", "ab" * 20, "--select-file", "1"]) == ExitCode.USAGE
    assert "a link does not list files" in capsys.readouterr().err
