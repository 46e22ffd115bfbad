"""Nothing goes another way than through the proxy: real proxies, and a firewall that counts what goes elsewhere."""

import shutil
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from tests.interop.conftest import require
from tests.interop.rigs.place import missing_for_namespace
from tests.interop.rigs.proxies import WORLD6, World, world

SECONDS = 75
"""A tracker over UDP is asked again after 15 seconds, and after 30 more, where a datagram was lost."""
SWITCHES = ("proxy_peers", "proxy_trackers", "proxy_web", "proxy_dht", "proxy_names")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The hosts of all tests here."""
    require(missing_for_namespace())
    for program, package in (
        ("danted", "dante-server"),
        ("tinyproxy", "tinyproxy"),
        ("nft", "nftables"),
        ("openssl", "openssl"),
    ):
        require(None if shutil.which(program) else f"no `{program}` ({package})")
    with world(tmp_path_factory.mktemp("proxies")) as one:
        yield one


@pytest.fixture(autouse=True)
def from_zero(place: World) -> None:
    """Count anew."""
    place.outside()


def job(source: str, *peers: str, **settings: Any) -> dict[str, Any]:
    """One session with one torrent, that looks nowhere for peers unless it is told to."""
    quiet = {"dht": False, "use_pex": False}
    return {"source": source, "peers": peers, "settings": {**quiet, **settings}}


def ways(place: World, proxy: str, *, udp: bool) -> dict[str, dict[str, Any]]:
    """Sessions that have one way to the content each."""
    facts, bare, info_hash = place.facts, place.source("bare"), place.facts["hash"]
    seed, routers = f"seed.test:{facts['seed']}", [f"router.test:{facts['router']}"]
    found = {
        "a peer by its name": job(bare, seed, utp=False, proxy=proxy),
        "a peer by its address": job(bare, f"{place.address}:{facts['seed']}", utp=False, proxy=proxy),
        "a tracker": job(place.source("http"), proxy=proxy),
        "a web seed": job(place.source("web"), proxy=proxy),
        "a torrent of a web server": job(f"http://web.test:{facts['web']}/http.torrent", proxy=proxy),
        "a magnet link with a tracker": job(f"magnet:?xt=urn:btih:{info_hash}&tr={facts['http']}", proxy=proxy),
        "a magnet link with a peer": job(f"magnet:?xt=urn:btih:{info_hash}&x.pe={seed}", proxy=proxy),
    }
    if udp:
        found |= {
            "uTP": job(bare, seed, tcp=False, proxy=proxy),
            "a tracker over UDP": job(place.source("udp"), proxy=proxy),
            "the DHT": job(bare, dht=True, dht_routers=routers, proxy=proxy),
            "a magnet link and the DHT": job(
                f"magnet:?xt=urn:btih:{info_hash}", dht=True, dht_routers=routers, proxy=proxy
            ),
        }
    return found


@pytest.mark.parametrize("kind", ["socks5", "socks4a", "http"])
def test_everything_is_found_and_fetched_through_the_proxy_and_nothing_goes_elsewhere(place: World, kind: str) -> None:
    jobs = ways(place, place.http if kind == "http" else f"{kind}://{place.socks}", udp=kind == "socks5")
    if kind == "socks4a":  # Dante takes SOCKS 4, and looks up no names for those who speak it
        jobs = {name: job for name, job in jobs.items() if name == "a peer by its address"}
    states, listening = place.run(list(jobs.values()), SECONDS)
    assert dict(zip(jobs, states, strict=True)) == dict.fromkeys(jobs, "complete")
    assert (place.outside(), listening) == (0, 0)


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_who_has_no_ipv6_reaches_ipv6_through_a_proxy_that_has(place: World, kind: str) -> None:
    proxy = place.http if kind == "http" else f"{kind}://{place.socks}"
    states, _ = place.run([job(place.source("bare"), f"[{WORLD6}]:{place.facts['seed']}", proxy=proxy)], SECONDS)
    assert (states, place.outside()) == (["complete"], 0)


def test_a_proxy_that_wants_a_name_and_password_is_given_them(place: World) -> None:
    good, bad = place.guarded_socks(), place.guarded_socks("guess")
    jobs = ways(place, good, udp=True)
    states, _ = place.run([jobs["a peer by its name"], jobs["a tracker over UDP"]], SECONDS)
    assert states == ["complete"] * 2
    states, _ = place.run([job(f"http://web.test:{place.facts['web']}/bare.torrent", proxy=bad)], SECONDS)
    assert states == [f"the proxy {bad.replace('ann:guess@', '')}: it refuses the name and password"]
    assert place.outside() == 0


def test_nothing_goes_elsewhere_whatever_is_switched(place: World) -> None:
    """With every source of peers at once, by name; what is not to go through the proxy does not go at all."""
    jobs, routers = [], [f"router.test:{place.facts['router']}"]
    magnet = f"magnet:?xt=urn:btih:{place.facts['hash']}&tr={place.facts['http']}&tr={place.facts['udp']}"
    for proxy in (f"socks5://{place.socks}", place.http):
        for switched in product((True, False), repeat=len(SWITCHES)):
            switches = dict(zip(SWITCHES, switched, strict=True))
            for source in (place.source("all"), magnet):
                peers = (f"seed.test:{place.facts['seed']}", f"{place.address}:{place.facts['seed']}")
                settings = {"dht": True, "dht_routers": routers, "use_pex": True, "proxy": proxy, **switches}
                jobs.append(job(source, *peers, **settings, utp=switches["proxy_web"]))
    states, listening = place.run(jobs, 8)
    assert (place.outside(), listening) == (0, 0)
    assert "complete" in states


def test_a_proxy_that_is_not_there_leaves_no_way(place: World) -> None:
    jobs = ways(place, f"socks5://{place.proxy}:9", udp=True)
    states, listening = place.run(list(jobs.values()), 2)
    assert "complete" not in states
    assert (place.outside(), listening) == (0, 0)


def test_without_a_proxy_the_counter_sees_it(place: World) -> None:
    jobs = [
        job(place.source("http"), use_lsd=False),
        job(place.source("bare"), f"{place.address}:{place.facts['seed']}", use_lsd=False),
    ]
    states, listening = place.run(jobs, 2)
    assert states[1] == "complete"
    assert place.outside() > 0
    assert listening > 0


@pytest.mark.parametrize("switch", SWITCHES)
def test_what_is_switched_off_a_proxy_that_is_not_strict_goes_elsewhere_and_is_seen(place: World, switch: str) -> None:
    """So the zeros above are none for want of trying."""
    settings = {"proxy": f"socks5://{place.socks}", "proxy_strict": False, "use_lsd": False, switch: False}
    address, facts = place.address, place.facts
    wanted = {
        "proxy_peers": job(place.source("bare"), f"{address}:{facts['seed']}", **settings),
        "proxy_trackers": job(f"magnet:?xt=urn:btih:{facts['hash']}&tr={facts['http']}", **settings),
        "proxy_web": job(f"http://{address}:{facts['web']}/bare.torrent", **settings),
        "proxy_dht": job(place.source("bare"), dht=True, dht_routers=[f"{address}:{facts['router']}"], **settings),
        "proxy_names": job(place.source("http"), **settings),
    }
    place.run([wanted[switch]], 1)
    assert place.outside() > 0
