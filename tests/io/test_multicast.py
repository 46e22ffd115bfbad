"""Announces in local networks that the test made: hosts on a switch, each in a network namespace of its own."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bittern.io.multicast import Multicast
from bittern.io.route import DIRECT
from tests.interop.conftest import require
from tests.interop.rigs.place import Place, missing_for_namespace
from tests.interop.rigs.process import Running
from tests.interop.rigs.star import Link, Star, star

DRIVER = Path(__file__).parent / "drivers" / "neighbour.py"
EVERYWHERE = ("0.0.0.0", "::")


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Star]:
    """Three hosts with an IPv4 and an IPv6 address each."""
    require(missing_for_namespace())
    with star(tmp_path, [Link()] * 3) as made:
        for number, host in enumerate(made.hosts):
            command = f"ip -6 addr add {six(number)}/64 dev eth0 nodad"
            subprocess.run([*host.enter, *command.split()], check=True)
        yield made


def six(host: int) -> str:
    return f"fd00::{host + 1}"


@contextmanager
def neighbours(folder: Path, *places: tuple[Place, tuple[str, ...]]) -> Iterator[list[Running]]:
    """A process in each place that listens on some addresses; each is ready."""
    with ExitStack() as stack:
        running = []
        for number, (place, hosts) in enumerate(places):
            command = [*place.enter, sys.executable, str(DRIVER), *hosts]
            running.append(stack.enter_context(Running(command, folder / f"{number}.txt", talks=True)))
        yield running


def hears(host: Running, count: int) -> list[str]:
    """The next lines that a host says."""
    return sorted(host.read_line(10) for _ in range(count))


def test_everybody_in_the_network_hears_an_announce_by_both_families(network: Star, tmp_path: Path) -> None:
    ann, bob, cat = network.hosts
    with neighbours(tmp_path, (ann, EVERYWHERE), (bob, EVERYWHERE), (cat, EVERYWHERE)) as hosts:
        assert [host.read_line(10) for host in hosts] == ["ready 2"] * 3
        hosts[0].say("7001")
        said = sorted([f"heard {ann.address} 7001", f"heard {six(0)} 7001"])
        assert [hears(host, 2) for host in hosts] == [said] * 3
        hosts[2].say("7003")
        said = sorted([f"heard {cat.address} 7003", f"heard {six(2)} 7003"])
        assert [hears(host, 2) for host in hosts] == [said] * 3


def test_who_listens_on_one_address_speaks_and_hears_there_only(network: Star, tmp_path: Path) -> None:
    ann, bob, cat = network.hosts
    with neighbours(tmp_path, (ann, (ann.address,)), (bob, (six(1),)), (cat, EVERYWHERE)) as hosts:
        assert [host.read_line(10) for host in hosts] == ["ready 1", "ready 1", "ready 2"]
        hosts[0].say("1")
        hosts[1].say("2")
        assert hears(hosts[2], 2) == sorted([f"heard {ann.address} 1", f"heard {six(1)} 2"])
        hosts[2].say("3")
        assert hears(hosts[0], 2) == [f"heard {ann.address} 1", f"heard {cat.address} 3"]
        assert hears(hosts[1], 2) == sorted([f"heard {six(1)} 2", f"heard {six(2)} 3"])


def test_a_network_that_comes_later_is_noticed(network: Star, tmp_path: Path) -> None:
    ann, bob, _ = network.hosts
    address = [f"{ann.address}/24", "dev", "eth0"]
    subprocess.run([*ann.enter, "ip", "addr", "del", *address], check=True)
    with neighbours(tmp_path, (ann, (ann.address,)), (bob, (bob.address,))) as hosts:
        assert [host.read_line(10) for host in hosts] == ["ready 0", "ready 1"]
        subprocess.run([*ann.enter, "ip", "addr", "add", *address], check=True)
        hosts[0].say("2")
        assert hears(hosts[1], 1) == [f"heard {ann.address} 2"]
        assert hears(hosts[0], 1) == [f"heard {ann.address} 2"]


async def test_there_is_nobody_to_speak_to_on_loopback() -> None:
    multicast = Multicast(asyncio.get_running_loop(), DIRECT, ("127.0.0.1", "::1"), lambda *_: None)
    assert multicast.networks == 0
    multicast.close()
