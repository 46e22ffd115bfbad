"""What the network says about datagrams that were sent (ICMP), kept by Linux for a socket that asks (IP_RECVERR)."""

import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from bittern.base.address import Address

from . import capabilities

_RECVERR: Final[dict[int, tuple[int, int]]] = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
_ERROR: Final = struct.Struct("=IBBBxII")  # struct sock_extended_err of linux/errqueue.h
_CONTROL_BYTES: Final = 256
_AT_ONCE: Final = 64
_NOBODY: Final = frozenset((errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES))
_HEADER_BYTES: Final[dict[int, int]] = {socket.AF_INET: 28, socket.AF_INET6: 48}  # of IP and UDP


class Complaint(NamedTuple):
    """One of them.

    Attributes:
        address: where the datagram was to go.
        largest: bytes of a datagram that can go there whole; None where nobody is there.
    """

    address: Address
    largest: int | None


def ask_for_complaints(sock: socket.socket) -> None:
    """Have the system keep them, if it can; they must be taken then."""
    if capabilities.ERROR_QUEUE:
        level, option = _RECVERR[sock.family]
        sock.setsockopt(level, option, 1)


def complaints(sock: socket.socket) -> Iterator[Complaint]:
    """Those that have come, and make room for more."""
    if not capabilities.ERROR_QUEUE:
        return
    for _ in range(_AT_ONCE):
        try:
            _, control, _, name = sock.recvmsg(1, _CONTROL_BYTES, socket.MSG_ERRQUEUE)
        except OSError:
            return
        complaint = complaint_of(sock.family, control, name)
        if complaint is not None:
            yield complaint


def complaint_of(
    family: int, control: Sequence[tuple[int, int, bytes]], name: tuple[str, int] | None
) -> Complaint | None:
    """What the system says, where it is one.

    Args:
        family: of the socket.
        control: what came beside the datagram.
        name: where it was to go; without a port, or None, when the system itself refused it, and said so at once.
    """
    for level, option, value in control:
        if (level, option) == _RECVERR[family] and len(value) >= _ERROR.size and name and name[1]:
            number, _, _, _, told, _ = _ERROR.unpack_from(value)
            address = Address.of(name[0].partition("%")[0], name[1])
            if number in _NOBODY:
                return Complaint(address, None)
            if number == errno.EMSGSIZE:
                return Complaint(address, max(0, told - _HEADER_BYTES[family]))
    return None
