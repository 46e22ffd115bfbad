import errno
import socket

import pytest

from bittern.base.errors import NetworkError
from bittern.io import binding as module
from bittern.io.binding import Binding
from bittern.io.interfaces import Interface
from bittern.io.route import Route

TUN = Interface(7, "tun0", True, ("10.8.0.2", "fd00::2"))


class Machine:
    """Interfaces of a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there: list[Interface] | None = [TUN]
        monkeypatch.setattr(module, "interfaces", self._tell)

    def _tell(self) -> list[Interface]:
        if self.there is None:
            raise OSError
        return self.there


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(Binding, "_can_bind", lambda _: True)
    return Machine(monkeypatch)


@pytest.mark.parametrize("name", ["tun0", "10.8.0.2", "fd00::2"])
def test_an_interface_goes_and_comes_and_each_change_is_told_once(machine: Machine, name: str) -> None:
    binding = Binding.of(name)
    assert (binding.gone, binding.device) == (None, "tun0")
    assert not binding.look()
    machine.there = []
    assert binding.look()
    assert binding.gone == f"{name} is not there"
    assert not binding.look()
    with pytest.raises(OSError, match="not there") as caught, socket.socket() as sock:
        binding.hold(sock)
    assert caught.value.errno == errno.ENETDOWN
    machine.there = [TUN]
    assert binding.look()
    assert binding.gone is None


def test_one_that_came_back_between_two_looks_is_another_one(machine: Machine) -> None:
    binding = Binding.of("tun0")
    machine.there = [Interface(8, "tun0", True, TUN.hosts)]
    assert binding.look()
    assert binding.gone is None


@pytest.mark.parametrize(
    ("hosts", "another"),
    [
        (("10.8.0.3", "fd00::2"), True),
        (("10.8.0.2", "10.8.0.3", "fd00::2"), False),
        (("10.8.0.2", "fd00::3"), True),
        (("10.8.0.2",), True),
        (("10.8.0.2", "fd00::2", "fd00::3"), False),
    ],
)
def test_one_that_lost_the_address_that_others_know_is_another_one(
    machine: Machine, hosts: tuple[str, ...], *, another: bool
) -> None:
    binding = Binding.of("tun0")
    machine.there = [Interface(7, "tun0", True, hosts)]
    assert binding.look() is another
    assert binding.gone is None
    assert not binding.look()


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (Interface(7, "tun0", False, TUN.hosts), "tun0 is down"),
        (Interface(7, "tun0", True, ()), "tun0 has no address"),
        (Interface(7, "eth0", True, ("10.0.0.1",)), "tun0 is not there"),
    ],
)
def test_one_that_is_of_no_use_is_as_good_as_gone(machine: Machine, there: Interface, reason: str) -> None:
    machine.there = [there]
    with pytest.raises(NetworkError, match=f"cannot bind to tun0: {reason}"):
        Binding.of("tun0")


def test_where_the_system_tells_of_no_interfaces_only_an_address_will_do(machine: Machine) -> None:
    machine.there = None
    assert Binding.of("127.0.0.1").device is None
    for name in ("192.0.2.77", "lo"):
        with pytest.raises(NetworkError):
            Binding.of(name)


def test_sockets_are_bound_to_the_interface_and_none_is_made_when_it_is_gone() -> None:
    binding = Binding.of("lo")
    route = Route(binding=binding)
    with route.reaching("127.0.0.1", socket.SOCK_DGRAM) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"
    binding.gone = "lo is down"
    with pytest.raises(OSError, match="lo is down"):
        route.reaching("127.0.0.1", socket.SOCK_STREAM)
    with pytest.raises(OSError, match="lo is down"):
        route.bound("127.0.0.1", 0, socket.SOCK_STREAM)
    with pytest.raises(OSError, match="lo is down"):
        route.to_proxy("127.0.0.1", socket.SOCK_STREAM)
