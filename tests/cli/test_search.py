import socket
from pathlib import Path

import pytest

from bittern.cli.search import NOWHERE, Finds, Search
from bittern.session.session import Session
from bittern.session.status import State
from bittern.tools.create import CreateOptions, create
from bittern.tools.scan import scan
from tests.session.rig import eventually, fill, settings

LINK = "magnet:?xt=urn:btih:" + "ab" * 20


@pytest.mark.parametrize(
    ("asked", "words"),
    [((), ""), (("the DHT",), "the DHT"), (("1 tracker", "the DHT", "them"), "1 tracker, the DHT and them")],
)
def test_whom_is_asked_reads_as_people_say_it(asked: tuple[str, ...], words: str) -> None:
    assert Search(asked).words == words
    assert NOWHERE.words == ""


def test_when_nobody_comes_there_is_advice() -> None:
    assert "is this machine online?" in Search(mute=True).advice(0)
    assert Search(unused="the DHT, without --no-dht").advice(0) == "ask the DHT, without --no-dht, too"
    assert Search().advice(0).startswith("perhaps nobody shares it now")
    assert "a firewall" in Search(mute=True).advice(3)


def test_who_names_peers_for_the_first_time_is_said_with_all_others() -> None:
    finds = Finds()
    said = [
        finds.line(found)
        for found in (
            {},
            {"manual": 1, "incoming": 2},
            {"manual": 1, "dht": 3},
            {"dht": 9},
            {"dht": 9, "tracker": 40, "pex": 1},
            {"dht": 9, "tracker": 41, "pex": 2},
            {},
            {"lsd": 1, "resume": 2},
        )
    ]
    assert [line for line in said if line] == [
        "addresses of peers: 3 from the DHT",
        "addresses of peers: 40 from trackers, 9 from the DHT, 1 from other peers",
        "addresses of peers: 1 from the local network, 2 from an earlier run",
    ]


async def test_the_web_server_of_a_link_is_asked_for_its_torrent_file(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.torrent"
        async with Session(settings(tmp_path / "s")) as session:
            one = await session.add(f"{LINK}&xs={url}", tmp_path)
            two = await session.add(f"{LINK.replace('ab', 'cd')}&xs={url}&as={url}", tmp_path)
            three = await session.add(f"{LINK.replace('ab', 'ef')}&xs={url}&as={url}2", tmp_path)
            assert [Search.of(each, session).words for each in (one, two)] == ["the web server of the link"] * 2
            assert Search.of(three, session).words == "the web servers of the link"


async def test_whom_a_torrent_asks_follows_from_it_and_from_the_settings(tmp_path: Path) -> None:
    content = fill(tmp_path / "a.bin", 1000)
    options = CreateOptions(private=True, trackers=(("http://127.0.0.1:1/announce",),))
    given = settings(tmp_path / "s", dht=True, dht_routers=("127.0.0.1:1",))
    async with Session(given) as session:
        tracked = await session.add(f"{LINK}&tr=http://127.0.0.1:1/announce&tr=udp://127.0.0.1:1&tr=wss://a/", tmp_path)
        bare = await session.add(LINK.replace("ab", "cd"), tmp_path, peers=["127.0.0.1:1"])
        private = await session.add(create(scan(content), options).metainfo, tmp_path)
        await private.completed()
        await eventually(lambda: tracked.status.state is State.METADATA and bare.status.state is State.METADATA)
        assert Search.of(tracked, session).words == "2 trackers and the DHT"
        assert Search.of(bare, session).words == "the DHT"
        assert Search.of(bare, session).found == {"manual": 1}
        assert Search.of(private, session).words == "1 tracker"
    async with Session(settings(tmp_path / "s", use_trackers=False)) as session:
        search = Search.of(await session.add(f"{LINK}&tr=http://127.0.0.1:1/announce", tmp_path), session)
        assert (search.asked, search.found) == (NOWHERE.asked, NOWHERE.found)
        assert search.advice(0) == "ask the DHT, without --no-dht, too"


async def test_a_proxy_that_knows_no_udp_leaves_no_way_to_the_dht(tmp_path: Path) -> None:
    """Nobody is said to be asked there, though it is not switched off."""
    choice = settings(tmp_path / "s", dht=True, proxy="http://127.0.0.1:1", listen=None)
    async with Session(choice) as session:
        torrent = await session.add(f"{LINK}&tr=http://127.0.0.1:1/announce", tmp_path)
        await eventually(lambda: torrent.status.state is State.METADATA)
        assert Search.of(torrent, session).words == "1 tracker"
