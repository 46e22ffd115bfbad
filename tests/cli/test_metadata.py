import asyncio
import os
import signal
from hashlib import sha1
from pathlib import Path

import pytest

from bittern.cli import metadata
from bittern.cli.failures import NoPeersError
from bittern.cli.metadata import fetch_metainfo, write_torrent
from bittern.cli.network import Network
from bittern.cli.reports import Lines, Quiet
from bittern.cli.transfer import StoppedError
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.session.session import Session
from bittern.session.status import State
from bittern.tools.create import Version
from tests.faults.rigs.hostile import HostilePeer
from tests.faults.rigs.teller import Teller
from tests.faults.rigs.wire import Wire
from tests.session.rig import album, eventually, seeding, settings, torrent

SECONDS = 30
LINK = "magnet:?xt=urn:btih:" + "ab" * 20


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize("version", [Version.V1, Version.V2, Version.HYBRID])
async def test_what_a_link_leads_to_is_a_whole_torrent(tmp_path: Path, version: Version) -> None:
    """With its piece layers, too (BEP 52), which no link and no metadata of a peer holds."""
    meta = torrent(album(tmp_path / "src" / "album"), version=version, piece_size=16384)
    link = Magnet(meta.info.info_hash_v1, meta.info.info_hash_v2, trackers=("http://127.0.0.1:1/announce",))
    with seeding(meta, tmp_path / "src", tmp_path / "seed") as peer:
        network = Network(listen=("127.0.0.1",), port=0, peer=(peer,), no_dht=True)
        found = await asyncio.wait_for(fetch_metainfo(link.to_uri(), network, Quiet(), None), SECONDS)
    path = write_torrent(found, tmp_path / "new", overwrite=False)
    assert path == tmp_path / "new" / "album.torrent"
    loaded = Metainfo.load(path)
    assert (loaded.info, loaded.piece_layers) == (meta.info, meta.piece_layers)
    assert loaded.trackers == (("http://127.0.0.1:1/announce",),)


async def test_a_download_of_the_same_torrent_is_not_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    meta = torrent(album(tmp_path / "src" / "album"))
    with seeding(meta, tmp_path / "src", tmp_path / "seed") as peer:
        async with Session(settings(tmp_path / "state" / "bittern", down_bytes_per_second=2e4)) as session:
            got = await session.add(meta, tmp_path, peers=[peer])
            await eventually(lambda: got.status.done_bytes > 0)
            network = Network(listen=("127.0.0.1",), port=0, peer=(peer,), no_dht=True)
            link = meta.to_magnet().to_uri()
            assert (await asyncio.wait_for(fetch_metainfo(link, network, Quiet(), None), SECONDS)).info == meta.info
            assert got.status.state is State.DOWNLOADING


async def test_files_of_a_hybrid_are_known_from_who_speaks_version_1_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """But a .torrent file of it would lack its piece layers: that is said, and waited for."""
    monkeypatch.setattr(metadata, "_EXPLAIN_SECONDS", 0.2)
    meta = torrent(album(tmp_path / "album"), version=Version.HYBRID, piece_size=16384)
    raw = meta.info.raw

    def script(peer: Wire) -> None:
        teller = Teller(peer, raw)
        while True:
            teller.tell(teller.asked())

    with HostilePeer(sha1(raw).digest(), script, "127.0.0.1") as old:
        network = Network(listen=("127.0.0.1",), port=0, peer=(old.address,), no_dht=True, encryption="off")
        link, report = str(meta.info.info_hash_v1), Lines()
        found = await asyncio.wait_for(fetch_metainfo(link, network, report, None, whole=False), SECONDS)
        assert found.info == meta.info
        with pytest.raises(NoPeersError, match="nothing came for 1 s"):
            await asyncio.wait_for(fetch_metainfo(link, network, report, 1.0), SECONDS)
    assert capsys.readouterr().err.count("only peers can tell that speak version 2") == 1


def test_a_file_that_is_there_stays_unless_it_may_be_overwritten(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "src" / "album"))
    path = write_torrent(meta, tmp_path, overwrite=False)
    assert write_torrent(meta, tmp_path, overwrite=False) == path
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_torrent(meta, tmp_path, overwrite=False)
    assert path.read_bytes() == b"mine"
    write_torrent(meta, tmp_path, overwrite=True)
    assert Metainfo.load(path).info == meta.info


async def test_an_interrupt_ends_the_waiting() -> None:
    network = Network(listen=("127.0.0.1",), port=0, no_dht=True)
    asyncio.get_running_loop().call_later(0.5, os.kill, os.getpid(), signal.SIGINT)
    with pytest.raises(StoppedError):
        await asyncio.wait_for(fetch_metainfo(LINK, network, Quiet(), None), SECONDS)
