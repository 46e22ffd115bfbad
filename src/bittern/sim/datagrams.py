"""Datagrams between simulated addresses: each comes late or not at all, and in no order."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from bittern.base.address import Address

from .world import World

Receiver: TypeAlias = Callable[[bytes, Address], None]
"""Takes a datagram and where it came from."""


class Datagrams:
    """The paths of datagrams.

    Args:
        world: time and chance.
        loss: the part of all datagrams that is lost.
        latency: the least and the most seconds that one is on its way.

    Attributes:
        sent: datagrams ever sent.
        bytes_sent: their bytes.
        lost: of them, those that came to nobody.
    """

    def __init__(self, world: World, *, loss: float = 0.0, latency: tuple[float, float] = (0.01, 0.12)) -> None:
        self.sent = self.bytes_sent = self.lost = 0
        self._world = world
        self._loss = loss
        self._latency = latency
        self._rng = world.chance("datagrams").rng_for("loss and latency")
        self._receivers: dict[Address, Receiver] = {}

    def attach(self, address: Address, receiver: Receiver) -> None:
        """`receiver` gets what is sent to `address` from now on."""
        assert address not in self._receivers, f"there is somebody at {address}"
        self._receivers[address] = receiver

    def detach(self, address: Address) -> None:
        """Nobody is at `address` any more."""
        del self._receivers[address]

    def send(self, datagram: bytes, source: Address, target: Address) -> None:
        """Send a datagram; `source` is what the receiver is told, true or not."""
        self.sent += 1
        self.bytes_sent += len(datagram)
        if self._loss and self._rng.random() < self._loss:
            self.lost += 1
        else:
            self._world.after(self._rng.uniform(*self._latency), partial(self._arrive, datagram, source, target))

    def _arrive(self, datagram: bytes, source: Address, target: Address) -> None:
        receiver = self._receivers.get(target)
        if receiver is None:
            self.lost += 1
        else:
            receiver(datagram, source)
