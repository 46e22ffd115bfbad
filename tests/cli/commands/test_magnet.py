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
