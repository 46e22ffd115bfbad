"""bittern against real clients: each in both roles, files compared byte for byte."""

from dataclasses import replace
from pathlib import Path

import pytest

from bittern.cli.main import main
from bittern.codec.bencode import decode
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from tests.interop.conftest import OpenSwarm, require
from tests.interop.matrix import Matrix
from tests.interop.rigs.aria2 import Aria2
from tests.interop.rigs.bittern import Bittern
from tests.interop.rigs.client import Client, Swarm
from tests.interop.rigs.content import Kind, make, torrent_of
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.transmission import Transmission
from tests.interop.rigs.webtorrent import Webtorrent

PARTNERS: tuple[Client, ...] = (Libtorrent(), Aria2(), Transmission(), Webtorrent())
V1 = (Kind.V1_SINGLE, Kind.V1_MULTI)
NEW = (Kind.V2, Kind.HYBRID)
WITH_SEEDS = [*((each, kind) for each in PARTNERS for kind in V1), *((Libtorrent(), kind) for kind in NEW)]
WITH_LEECHERS = [*((each, kind) for each in PARTNERS for kind in V1), *((Libtorrent(), kind) for kind in NEW)]
TIMEOUT_SECONDS = 60


@pytest.mark.parametrize(("partner", "kind"), WITH_SEEDS, ids=str)
def test_bittern_gets_from_a_partner(open_swarm: OpenSwarm, matrix: Matrix, partner: Client, kind: Kind) -> None:
    swarm = open_swarm(kind, partner)
    with matrix.case(partner, "seed", kind):
        swarm.seed(partner)
        peer, downloaded = swarm.get(Bittern())
        peer.wait_complete(TIMEOUT_SECONDS)
        assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize(("partner", "kind"), WITH_LEECHERS, ids=str)
def test_a_partner_gets_from_bittern(open_swarm: OpenSwarm, matrix: Matrix, partner: Client, kind: Kind) -> None:
    swarm = open_swarm(kind, partner)
    with matrix.case(partner, "leecher", kind):
        swarm.seed(Bittern())
        peer, downloaded = swarm.get(partner)
        peer.wait_complete(TIMEOUT_SECONDS)
        peer.close()
        assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize("partner", PARTNERS, ids=str)
def test_bittern_gets_a_magnet_from_a_partner(open_swarm: OpenSwarm, matrix: Matrix, partner: Client) -> None:
    swarm = open_swarm(Kind.V1_MULTI, partner)
    with matrix.case(partner, "seed", "v1 magnet"):
        swarm.seed(partner)
        peer, downloaded = swarm.get(Bittern(), swarm.magnet)
        peer.wait_complete(TIMEOUT_SECONDS)
        assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize("partner", PARTNERS, ids=str)
def test_a_partner_gets_a_magnet_from_bittern(open_swarm: OpenSwarm, matrix: Matrix, partner: Client) -> None:
    swarm = open_swarm(Kind.V1_MULTI, partner)
    with matrix.case(partner, "leecher", "v1 magnet"):
        swarm.seed(Bittern())
        peer, downloaded = swarm.get(partner, swarm.magnet)
        peer.wait_complete(TIMEOUT_SECONDS)
        peer.close()
        assert swarm.content.differences(downloaded.folder) == []


def btmh_of(swarm: Swarm) -> str:
    """The magnet link of a torrent, by its hash of version 2 alone."""
    both = Magnet.parse(swarm.magnet)
    return replace(both, info_hash_v1=None).to_uri()


@pytest.mark.parametrize("partner", PARTNERS, ids=str)
def test_a_magnet_link_completes_by_nothing_but_the_peer_that_it_names(open_swarm: OpenSwarm, partner: Client) -> None:
    swarm = open_swarm(Kind.V1_SINGLE, partner)
    seed = swarm.seed(partner)
    link = Magnet(Magnet.parse(swarm.magnet).info_hash_v1, peers=(f"{swarm.place.address}:{seed.port}",))
    peer, downloaded = swarm.get(Bittern(), link.to_uri())
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []
    assert swarm.tracker.events(peer.port) == []


@pytest.mark.parametrize("kind", NEW, ids=str)
def test_a_link_to_version_2_completes_by_nothing_but_the_peer_that_it_names(open_swarm: OpenSwarm, kind: Kind) -> None:
    swarm = open_swarm(kind, Libtorrent())
    seed = swarm.seed(Libtorrent())
    v2 = Magnet.parse(swarm.magnet).info_hash_v2
    link = Magnet(info_hash_v2=v2, peers=(f"{swarm.place.address}:{seed.port}",))
    peer, downloaded = swarm.get(Bittern(), link.to_uri())
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize("kind", [Kind.V1_MULTI, *NEW], ids=str)
def test_files_that_our_links_select_are_the_same_to_libtorrent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: Kind
) -> None:
    """Pads count (BEP 53), also those that a torrent of version 2 does not list."""
    require(Libtorrent().missing())
    import libtorrent as lt  # noqa: PLC0415 - an optional partner

    path = tmp_path / "it.torrent"
    path.write_bytes(torrent_of(make(tmp_path / "content", kind), kind, "http://127.0.0.1:1/announce"))
    assert main(["magnet", str(path), "--select-file", "2,5-6"]) == 0
    wanted = lt.parse_magnet_uri(capsys.readouterr().out.strip()).file_priorities
    made = lt.load_torrent_file(str(path)).ti
    assert made is not None
    names = [made.layout().file_path(number) for number, priority in enumerate(wanted) if priority]
    shown = ["/".join(("multi", *file.path)) for file in Metainfo.load(path).info.files if not file.pad]
    assert names == [shown[number] for number in (1, 4, 5)]


@pytest.mark.parametrize("kind", NEW, ids=str)
def test_the_metadata_that_libtorrent_gives_makes_a_torrent_that_libtorrent_takes(
    open_swarm: OpenSwarm, kind: Kind
) -> None:
    """With its piece layers, which come by hash messages (BEP 52)."""
    import libtorrent as lt  # noqa: PLC0415 - an optional partner

    swarm = open_swarm(kind, Libtorrent())
    seed = swarm.seed(Libtorrent())
    options = ("--metadata-only", "--peer", f"{swarm.place.address}:{seed.port}")
    peer, saved = swarm.get(replace(Bittern(), options=options), btmh_of(swarm))
    peer.wait_complete(TIMEOUT_SECONDS)
    (path,) = saved.folder.iterdir()
    taken, made = (lt.load_torrent_buffer(each.read_bytes()) for each in (path, swarm.torrent))
    assert taken.info_hashes == made.info_hashes
    found, given = (decode(each.read_bytes(), strict=False) for each in (path, swarm.torrent))
    assert isinstance(found, dict)
    assert isinstance(given, dict)
    assert (found[b"info"], found[b"piece layers"]) == (given[b"info"], given[b"piece layers"])


@pytest.mark.parametrize("kind", NEW, ids=str)
def test_bittern_gets_a_btmh_magnet_from_libtorrent(open_swarm: OpenSwarm, matrix: Matrix, kind: Kind) -> None:
    """The piece layers come by hash messages (BEP 52)."""
    partner = Libtorrent()
    swarm = open_swarm(kind, partner)
    with matrix.case(partner, "seed", f"{kind} magnet"):
        seed = swarm.seed(partner)
        options = ("--peer", f"{swarm.place.address}:{seed.port}")
        peer, downloaded = swarm.get(replace(Bittern(), options=options), btmh_of(swarm))
        peer.wait_complete(TIMEOUT_SECONDS)
        assert swarm.content.differences(downloaded.folder) == []


@pytest.mark.parametrize("kind", NEW, ids=str)
def test_libtorrent_gets_a_btmh_magnet_from_bittern(open_swarm: OpenSwarm, matrix: Matrix, kind: Kind) -> None:
    partner = Libtorrent()
    swarm = open_swarm(kind, partner)
    with matrix.case(partner, "leecher", f"{kind} magnet"):
        seed = swarm.seed(Bittern())
        options = ("--peer", f"{swarm.place.address}:{seed.port}")
        peer, downloaded = swarm.get(replace(partner, options=options), btmh_of(swarm))
        peer.wait_complete(TIMEOUT_SECONDS)
        peer.close()
        assert swarm.content.differences(downloaded.folder) == []


def test_bittern_trades_with_itself(open_swarm: OpenSwarm) -> None:
    swarm = open_swarm(Kind.V1_MULTI, Bittern())
    swarm.seed(Bittern())
    peer, downloaded = swarm.get(Bittern())
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []


def test_a_peer_named_on_the_command_line_is_enough(open_swarm: OpenSwarm) -> None:
    swarm = open_swarm(Kind.V1_SINGLE, Libtorrent())
    seed = swarm.seed(Libtorrent())
    options = ("--no-trackers", "--peer", f"{swarm.place.address}:{seed.port}")
    peer, downloaded = swarm.get(replace(Bittern(), options=options))
    peer.wait_complete(TIMEOUT_SECONDS)
    assert swarm.content.differences(downloaded.folder) == []
    assert swarm.tracker.events(peer.port) == []
