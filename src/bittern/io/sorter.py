"""Who gets which of the datagrams that come to one port: all who speak over UDP share it."""

from collections.abc import Callable
from typing import Protocol

from bittern.base.address import Address
from bittern.wire.datagrams import Kind, all_utp, kind_of


class Receiver(Protocol):
    """Understands one kind of datagrams."""

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        """Datagrams came.

        Args:
            data: one of them, or of uTP several of `segment` bytes, the last of which may be shorter; valid during the
                call only.
            segment: bytes of each.
            source: whose they are, so they say.
            now: the time.
        """
        ...

    def caught_up(self, now: float) -> None:
        """Some came in this turn, and for now there are no more."""
        ...


class Sorter:
    """The receivers of one port."""

    def __init__(self) -> None:
        self._receivers: dict[Kind, Receiver] = {}
        self._busy: dict[Kind, Receiver] = {}

    def join(self, kind: Kind, receiver: Receiver) -> None:
        """`receiver` gets all of a kind from now on."""
        self._receivers[kind] = receiver

    def leave(self, kind: Kind) -> bool:
        """Nobody gets this kind any more; whether anybody gets another one."""
        self._receivers.pop(kind, None)
        self._busy.pop(kind, None)
        return bool(self._receivers)

    def came(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        """One datagram, or several of `segment` bytes each, the last of which may be shorter; see Receiver.receive."""
        kind = kind_of(data)
        if len(data) > segment and (kind is not Kind.UTP or not all_utp(data, segment)):
            for at in range(0, len(data), segment):
                one = data[at : at + segment]
                self.came(one, len(one), source, now)
            return
        receiver = self._receivers.get(kind)
        if receiver is not None:  # else nobody has asked for it: as if the port were closed
            self._busy[kind] = receiver
            receiver.receive(data, segment, source, now)

    def caught_up(self, now: float) -> None:
        """For now there are no more."""
        if self._busy:
            busy, self._busy = self._busy, {}
            for receiver in busy.values():
                receiver.caught_up(now)


class Single:
    """A receiver of single datagrams.

    Args:
        take: is called with each, and where it came from.
        caught_up: see Receiver.
    """

    def __init__(self, take: Callable[[bytes, Address, float], None], caught_up: Callable[[float], None]) -> None:
        self._take = take
        self._caught_up = caught_up

    def receive(self, data: memoryview, segment: int, source: Address, now: float) -> None:
        """See Receiver."""
        self._take(data.tobytes(), source, now)

    def caught_up(self, now: float) -> None:
        """See Receiver."""
        self._caught_up(now)
