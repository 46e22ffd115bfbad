"""What all who speak over UDP need of a port: a socket of ours, or a place that a proxy gave us."""

from collections.abc import Callable
from typing import Protocol

from bittern.base.address import Address
from bittern.wire.datagrams import Burst, Kind

from .sorter import Receiver


class Sender(Protocol):
    """Who sends bursts, and hears what became of them."""

    def writable(self, now: float) -> None:
        """There is room for more."""
        ...

    def refused(self, address: Address, now: float) -> None:
        """The network, or the system, says that nobody is there; anybody could have made the network say it."""
        ...

    def too_big(self, address: Address, size: int, now: float) -> None:
        """A datagram of `size` bytes does not get there whole."""
        ...


class DatagramPort(Protocol):
    """A port. It ends with `close`, or when nobody receives anything there any more.

    Attributes:
        clock: gives the time.
        address: where it is; port 0 where nobody knows.
    """

    clock: Callable[[], float]
    address: Address

    def reaches(self, address: Address) -> bool:
        """Whether datagrams can go to `address` from here."""
        ...

    def join(self, kind: Kind, receiver: Receiver) -> None:
        """`receiver` gets all datagrams of a kind from now on."""
        ...

    def leave(self, kind: Kind) -> None:
        """Nobody gets this kind any more; the port is closed when nobody gets any."""
        ...

    def watch(self, sender: Sender) -> None:
        """`sender` hears what becomes of datagrams from now on."""
        ...

    def send(self, data: bytes, address: Address) -> None:
        """Send one datagram; where the system has no room, it is as if it were lost on the way.

        Raises:
            OSError: it cannot be sent to `address`.
        """
        ...

    def send_burst(self, burst: Burst) -> bool:
        """Send a burst; False where there is no room: the sender is told of some."""
        ...

    def close(self) -> None:
        """Send and receive no more. May be called again."""
        ...
