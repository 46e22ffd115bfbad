"""What everything goes out by and comes in by: an interface, or an address of this machine; without it nothing does."""

import errno
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final, Self

from bittern.base.errors import NetworkError

from .interfaces import Interface, interfaces

_BIND_TO_DEVICE: Final = getattr(socket, "SO_BINDTODEVICE", None)


class Binding:
    """The tie to one interface.

    Sockets are bound to it by the system (SO_BINDTODEVICE, which Linux allows everybody since 5.7): what they send
    leaves by it or not at all, whatever the routes say. Where the system has no such thing, only to an address.

    Args:
        name: of an interface, or one of its addresses.

    Attributes:
        name: likewise.
        host: the address to come from, where one was named.
        device: the interface, as far as sockets can be bound to it.
        gone: why nothing goes out or comes in at present; None where it does.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.host = name if _is_address(name) else None
        self.device: str | None = None
        self.gone: str | None = f"{name} is not there"
        self._index = 0
        self._hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str) -> Self:
        """A tie that holds.

        Raises:
            NetworkError: there is no such interface or address, or sockets cannot be bound to it here.
        """
        binding = cls(name)
        binding.look()
        if binding.gone is not None:
            raise NetworkError(f"cannot bind to {name}: {binding.gone}")
        return binding

    def look(self) -> bool:
        """See whether it is there; whether that, or which interface it is, is another answer than before.

        An interface that went and came again is another one: sockets bound to it before are bound to nothing. So is one
        that has other addresses now: what comes for the old ones does not arrive.
        """
        before, moved = (self.gone, self._index), False
        try:
            found = self._find(interfaces())
        except OSError:
            self.gone, self._index = self._without_interfaces(), 0
            return (self.gone, self._index) != before
        if found is None:
            self.gone, self._index = f"{self.name} is not there", 0
        elif not found.up:
            self.gone, self._index = f"{found.name} is down", found.index
        elif not found.hosts:
            self.gone, self._index = f"{found.name} has no address", found.index
        else:
            moved = _moved(self._hosts, found.hosts)
            self.gone, self._index, self.device, self._hosts = None, found.index, found.name, found.hosts
            if not self._can_bind():
                self.device = None
                self.gone = None if self.host is not None else "this system binds no sockets to interfaces"
        return moved or (self.gone, self._index) != before

    def hold(self, sock: socket.socket) -> None:
        """Bind a new socket.

        Raises:
            OSError: it is gone.
        """
        if self.gone is not None:
            raise OSError(errno.ENETDOWN, self.gone)
        if self.device is not None and _BIND_TO_DEVICE is not None:
            sock.setsockopt(socket.SOL_SOCKET, _BIND_TO_DEVICE, self.device.encode() + b"\0")

    def _find(self, there: list[Interface]) -> Interface | None:
        if self.host is not None:
            return next((each for each in there if self.host in each.hosts), None)
        return next((each for each in there if each.name == self.name), None)

    def _can_bind(self) -> bool:
        try:
            with socket.socket(type=socket.SOCK_DGRAM) as sock:
                self.hold(sock)
        except OSError:
            return False
        return self.device is not None and _BIND_TO_DEVICE is not None

    def _without_interfaces(self) -> str | None:
        """An address is there if a socket can be bound to it."""
        if self.host is None:
            return "this system binds no sockets to interfaces: name one of its addresses"
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.bind((self.host, 0))
        except OSError:
            return f"{self.host} is not there"
        return None


def _moved(before: Sequence[str], now: Sequence[str]) -> bool:
    """Whether an IPv4 address is gone, or all of IPv6: of those, some come and go by themselves (RFC 8981)."""
    four, six = ([host for host in before if (":" in host) == ipv6] for ipv6 in (False, True))
    return not set(four) <= set(now) or (bool(six) and set(six).isdisjoint(now))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
