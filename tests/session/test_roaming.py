import asyncio
from pathlib import Path

import pytest

import bittern
from bittern.base.ids import PeerId
from bittern.io.interfaces import Interface
from bittern.io.nat.gateways import Gateway
from bittern.session import roaming as module
from bittern.session.roaming import Roaming, location

from .rig import album, settings, torrent, tracking

NEW_ID = PeerId(b"-BZ0100-in-a-new-net")
HOME = {False: Gateway("192.168.1.1", "wlan0"), True: Gateway("fe80::1%wlan0", "wlan0")}


class Machine:
    """In some network; the addresses of its interface, and its routers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hosts: tuple[str, ...] = ("192.168.1.7", "2a00::7")
        self.gateways: dict[bool, Gateway] = dict(HOME)
        monkeypatch.setattr(module, "interfaces", lambda: [Interface(2, "wlan0", True, self.hosts)])
        monkeypatch.setattr(module, "default_gateway", lambda *, ipv6: self.gateways.get(ipv6))


def test_where_a_machine_is_its_routers_and_its_own_addresses_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    assert location() == (("192.168.1.1", ("192.168.1.7",)), ("fe80::1%wlan0", ()))
    machine.hosts = ("192.168.1.7", "2a00::8")  # a temporary address
    assert location() == (("192.168.1.1", ("192.168.1.7",)), ("fe80::1%wlan0", ()))
    machine.hosts = ()
    assert location() == ()

    def silent() -> list[Interface]:
        raise OSError

    monkeypatch.setattr(module, "interfaces", silent)
    assert location() == ()


async def test_in_another_network_trackers_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, content = Machine(monkeypatch), album(tmp_path / "album")
    with tracking() as tracker:
        async with bittern.Session(settings(tmp_path / "state")) as session:
            assert session._parts is not None
            roaming = Roaming(session._parts.runtime, lambda: NEW_ID)
            await session.add(torrent(content, tracker.url), content.parent)
            await asyncio.to_thread(tracker.wait_for, lambda announce: announce.event == "started")
            for _ in range(3):
                roaming.look()
            machine.gateways.clear()  # on the way
            roaming.look()
            await asyncio.sleep(0.1)
            assert len(tracker.announces) == 1
            machine.gateways, machine.hosts = {False: Gateway("10.0.0.1", "wlan0")}, ("10.0.0.9",)
            roaming.look()
            async with asyncio.timeout(10):
                while len(tracker.announces) < 2:  # noqa: ASYNC110 - a tracker tells nobody
                    await asyncio.sleep(0.01)
            roaming.look()
            await asyncio.sleep(0.1)
            assert len(tracker.announces) == 2


async def test_connections_from_an_address_that_is_gone_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch)
    left, told = list[frozenset[str]](), list[PeerId]()

    def hosts_changed(hosts: frozenset[str]) -> bool:
        left.append(hosts)
        return "192.168.1.7" not in hosts

    async with bittern.Session(settings(tmp_path / "state")) as session:
        assert session._parts is not None
        runtime = session._parts.runtime
        monkeypatch.setattr(runtime, "hosts_changed", hosts_changed)
        monkeypatch.setattr(runtime, "join_again", told.append)
        roaming = Roaming(runtime, lambda: NEW_ID)
        for _ in range(2):
            roaming.look()
        assert (left, told) == ([frozenset(machine.hosts)], [])
        machine.hosts = ("192.168.1.8",)
        machine.gateways.clear()
        for _ in range(2):
            roaming.look()
        assert left[1:] == [frozenset(machine.hosts)]
        assert told == [NEW_ID], "those that did not see us go would refuse the old one"
