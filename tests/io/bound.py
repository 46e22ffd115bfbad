"""UDP sockets of this machine, and where they are."""

import socket
from collections.abc import Callable

from bittern.base.address import Address

Bound = Callable[[str], socket.socket]
"""Makes one on a numeric host, which does not block; see the fixture `bound`."""


def at(sock: socket.socket) -> Address:
    return Address(*sock.getsockname()[:2])
