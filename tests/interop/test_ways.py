"""Each way in which two clients can be connected: over TCP or uTP, plainly or encrypted, by IPv4 or IPv6.

A session of bittern for each way, which can nothing else, trades with a partner that can all it can.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from bittern.base.address import Address
from tests.interop.conftest import require
from tests.interop.matrix import Fact, Matrix
from tests.interop.rigs.aria2 import Aria2
from tests.interop.rigs.client import Client, Peer, Swarm
from tests.interop.rigs.content import Content, Kind
from tests.interop.rigs.libtorrent import Libtorrent
from tests.interop.rigs.place import Place, missing_for_namespace
from tests.interop.rigs.process import RigError, wait_until
from tests.interop.rigs.tracker import serve
from tests.interop.rigs.transmission import Transmission
from tests.interop.rigs.ways import PARTNER, TCP_WAYS, WAYS, Sessions, Way, network_of_ways, sessions
from tests.interop.rigs.webtorrent import Webtorrent

TIMEOUT_SECONDS = 50.0
PORT = 6000


@dataclass(frozen=True, slots=True)
class Partner:
    """A program, and which ways it can go.

    Attributes:
        make: it as a client, given a port to listen on, and the way that it is to go, or None for all it can.
        seeds: the ways in which bittern takes from it.
        gets: the ways in which it takes from bittern.
        dialed: those of them in which bittern dials it, as it does not go them itself.
    """

    make: Callable[[int, Way | None], Client]
    seeds: tuple[Way, ...]
    gets: tuple[Way, ...]
    dialed: tuple[Way, ...] = ()

    def __str__(self) -> str:
        return self.make(PORT, None).name


def libtorrent(port: int, way: Way | None) -> Client:
    """It retries after a minute where its first way to a peer fails."""
    how: tuple[str, ...] = ("--mixed",)
    if way is not None:
        how = ("--encryption", "require" if way.encrypted else "off", *(("--utp",) if way.utp else ()))
    return Libtorrent(options=(*how, "--listen", f"{PARTNER[False]}:{port},[{PARTNER[True]}]:{port}"))


def aria2(_: int, way: Way | None) -> Client:
    options = ("--bt-require-crypto=true", "--bt-min-crypto-level=arc4") if way is not None and way.encrypted else ()
    return Aria2(options=options, everywhere=True)


def transmission(_: int, way: Way | None) -> Client:
    """It dials by uTP first where it may, and takes long to go on with TCP, which it does for plain words, too."""
    clear, preferred = 0, 1
    settings = {
        "utp-enabled": way is None or way.utp,
        "encryption": preferred if way is None or way.encrypted else clear,
        "bind-address-ipv6": PARTNER[True],
    }
    return Transmission(settings=tuple(settings.items()))


def webtorrent(_port: int, _: Way | None) -> Client:
    return Webtorrent()


PARTNERS = (
    Partner(libtorrent, WAYS, WAYS),
    Partner(aria2, TCP_WAYS, TCP_WAYS),
    Partner(transmission, WAYS, WAYS),
    Partner(webtorrent, TCP_WAYS, TCP_WAYS, tuple(way for way in TCP_WAYS if not way.encrypted)),
)


Passed = dict[Way, bool]


def gets_from(partner: Partner, place: Place, work: Path) -> Passed:
    """Bittern takes from it, in each way that it can."""
    with ExitStack() as stack:
        tracker = stack.enter_context(serve(place.listen()))
        swarm = stack.enter_context(Swarm(place, tracker, work, Kind.V1_SINGLE))
        seed = swarm.seed(partner.make(PORT, None))
        plans = {
            way: {
                "torrent": str(swarm.torrent),
                "folder": str(work / f"got-{way.number}"),
                "peers": [str(Address(way.partner, seed.port))],
            }
            for way in partner.seeds
        }
        got = stack.enter_context(sessions(place, work / "bittern", plans))
        got.wait_complete(TIMEOUT_SECONDS)
        came = {way: swarm.content.differences(work / f"got-{way.number}") == [] for way in partner.seeds}
        seed.running.stop(patience=0.1)
        return {way: came[way] and went(got, way) for way in partner.seeds}


def gives_to(partner: Partner, place: Place, work: Path) -> Passed:
    """It takes from bittern, in each way that it can; where it does not dial by that way, bittern dials it."""
    with ExitStack() as stack:
        swarms = {}
        for way in partner.gets:
            tracker = stack.enter_context(serve(place.listen()))
            (work / str(way)).mkdir()
            swarms[way] = stack.enter_context(Swarm(place, tracker, work / str(way), Kind.V1_SINGLE))
        taking: dict[Way, tuple[Peer, Content]] = {}
        for way in partner.dialed:
            taking[way] = swarms[way].get(partner.make(PORT + 1 + way.number, way))
        for way in partner.dialed:
            swarms[way].tracker.wait_for(lambda announce: announce.left > 0)
        plans = {
            way: {
                "torrent": str(swarm.torrent),
                "folder": str(swarm.content.folder),
                "peers": [str(Address(way.partner, taking[way][0].port))] if way in taking else [],
            }
            for way, swarm in swarms.items()
        }
        giving = stack.enter_context(sessions(place, work / "bittern", plans))
        giving.wait_complete(TIMEOUT_SECONDS)
        for way in partner.gets:
            swarms[way].tracker.named = (Address(way.address, giving.ports[way]),)
            if way not in partner.dialed:
                taking[way] = swarms[way].get(partner.make(PORT + 1 + way.number, way))
        end = time.monotonic() + TIMEOUT_SECONDS
        came = {way: completed(swarms[way], *taking[way], end) for way in partner.gets}
        giving.wait_silent()
        return {way: came[way] and went(giving, way) for way in partner.gets}


def went(bittern: Sessions, way: Way) -> bool:
    """Whether all connections of its session were of this way."""
    return set(bittern.joined[way]) == {("utp" if way.utp else "tcp", way.encrypted)}


def completed(swarm: Swarm, peer: Peer, into: Content, end: float) -> bool:
    """Whether it came to its end in time; it is ended without a goodbye, which takes Transmission long with uTP."""
    try:
        peer.wait_complete(max(0.1, end - time.monotonic()))
    except RigError:
        return False
    finally:
        written = wait_until(lambda: swarm.content.differences(into.folder) == [], 5)
        peer.running.stop(patience=0.1)
    return written


RUNS = {"seed": gets_from, "leecher": gives_to}
"""By the partner's role."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Passed | RigError]:
    """What came of all of them, by partner and role: they run beside each other, for most of the time is waiting."""
    require(missing_for_namespace())
    folder = tmp_path_factory.mktemp("ways")
    with network_of_ways(folder) as place, ThreadPoolExecutor(len(PARTNERS) * len(RUNS)) as pool:
        begun = {}
        for partner in PARTNERS:
            for role, run in RUNS.items():
                if partner.make(PORT, None).missing() is None:
                    work = folder / f"{partner} {role}"
                    work.mkdir()
                    begun[str(partner), role] = pool.submit(run, partner, place, work)
        return {case: _result(future) for case, future in begun.items()}


def _result(future: Future[Passed]) -> Passed | RigError:
    try:
        return future.result()
    except RigError as error:
        return error


@pytest.mark.parametrize("role", RUNS)
@pytest.mark.parametrize("partner", PARTNERS, ids=str)
def test_bittern_trades_with_a_partner_in_each_way(
    results: dict[tuple[str, str], Passed | RigError], matrix: Matrix, partner: Partner, role: str
) -> None:
    client = partner.make(PORT, None)
    require(client.missing())
    passed = results[str(partner), role]
    if isinstance(passed, RigError):
        raise passed
    for way, well in passed.items():
        matrix.facts.append(Fact(client.name, client.version(), role, Kind.V1_SINGLE, well, str(way)))
    assert [str(way) for way, well in passed.items() if not well] == []
