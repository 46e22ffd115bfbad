"""Behind a real router (miniupnpd): others come in by each of the three protocols, and by none when we are gone."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.interop.conftest import require
from tests.interop.rigs.bittern import QUIET, Bittern
from tests.interop.rigs.client import Command, Swarm
from tests.interop.rigs.content import Kind
from tests.interop.rigs.gateway import DROP_PCP, HOME6, WAN, gateway
from tests.interop.rigs.place import missing_for_namespace
from tests.interop.rigs.process import wait_until
from tests.interop.rigs.tracker import serve

OURS = Bittern(quiet=tuple(flag for flag in QUIET if flag != "--no-nat"))
END_SECONDS = 3.0
"""The end may take so long, with a router that answers."""


@pytest.fixture(autouse=True)
def _a_router() -> None:
    lacking = [f"a router needs `{name}`" for name in ("nft", "miniupnpd") if shutil.which(name) is None]
    require(missing_for_namespace() or next(iter(lacking), None))


@pytest.mark.parametrize(
    ("upnp", "datagrams", "rules", "said"),
    [
        (False, True, "", "PCP MAP: added mapping TCP"),
        (False, True, DROP_PCP, "NAT-PMP port mapping request"),
        (True, False, "", "AddPortMapping: ext port"),
    ],
    ids=["PCP", "NAT-PMP", "UPnP"],
)
def test_a_peer_outside_connects_to_a_seed_behind_a_router(
    tmp_path: Path,
    upnp: bool,  # noqa: FBT001 - a parameter
    datagrams: bool,  # noqa: FBT001 - a parameter
    rules: str,
    said: str,
) -> None:
    with (
        gateway(tmp_path, upnp=upnp, datagrams=datagrams, rules=rules) as there,
        serve(there.world.listen()) as tracker,
        Swarm(there.home, tracker, tmp_path, Kind.V1_SINGLE) as swarm,
    ):
        seed = swarm.seed(OURS)
        ways = ("0x6 th dport", "0x11 th dport")
        mapped = [f"{way} {seed.port} dnat ip to {there.home.address}:{seed.port}" for way in ways]
        assert wait_until(lambda: all(line in there.mappings() for line in mapped), 15), there.mappings()
        assert said in (tmp_path / "miniupnpd.log").read_text(errors="replace")
        line = f"the router lets others in: {WAN}, port {seed.port}"
        assert wait_until(lambda: line in seed.running.log.read_text(), 5)
        others = Bittern(options=("--peer", f"{WAN}:{seed.port}"))
        peer, content = swarm.get(others, swarm.untracked(), place=there.world)
        peer.wait_complete(30)
        assert content.path.read_bytes() == swarm.content.path.read_bytes()
        assert isinstance(seed, Command)
        seed.running.terminate()
        assert seed.running.wait(END_SECONDS) == 0
        assert "dport" not in there.mappings()
        assert {announce.port for announce in tracker.announces} == {seed.port}


@pytest.mark.parametrize("upnp", [False, True], ids=["PCP", "UPnP"])
def test_a_peer_outside_connects_by_ipv6_through_the_firewall_of_the_router(tmp_path: Path, *, upnp: bool) -> None:
    with (
        gateway(tmp_path, upnp=upnp, datagrams=not upnp) as there,
        serve(there.world.listen()) as tracker,
        Swarm(there.home, tracker, tmp_path, Kind.V1_SINGLE) as swarm,
    ):
        assert "dport" not in there.allowed()
        seed = swarm.seed(replace(OURS, options=("--listen", HOME6)))
        assert wait_until(lambda: there.allowed().count(f"th dport {seed.port} @nh,192,128") == 2, 15), there.allowed()
        others = Bittern(options=("--peer", f"[{HOME6}]:{seed.port}"))
        peer, content = swarm.get(others, swarm.untracked(), place=there.world)
        peer.wait_complete(30)
        assert content.path.read_bytes() == swarm.content.path.read_bytes()
        seed.close()
        assert "dport" not in there.allowed()
