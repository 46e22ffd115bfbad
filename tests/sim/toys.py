"""Streams without a protocol, for looking at the network alone."""

from collections.abc import Sequence

from bittern.sim.host import Host
from bittern.wire.stream import Buffer, Link, LinkLost


class Toy:
    """Sends what it is given and keeps what it gets; can refuse to read."""

    def __init__(self, send: bytes = b"", buffer_sizes: Sequence[int] = (7, 4096)) -> None:
        self.to_send = bytearray(send)
        self.got = bytearray()
        self.counts: list[int] = []
        self.loss: LinkLost | None = None
        self.lost_at = -1.0
        self.last_at = -1.0
        self.reading = True
        self.link: Link | None = None
        self._sizes = buffer_sizes
        self._buffers: list[memoryview] = []

    def receive_buffers(self) -> Sequence[memoryview]:
        self._buffers = [memoryview(bytearray(size)) for size in self._sizes] if self.reading else []
        return self._buffers

    def received(self, count: int, now: float) -> None:
        assert self.loss is None
        self.counts.append(count)
        self.got += b"".join(self._buffers)[:count]
        self.last_at = now

    def send_buffers(self, limit: int) -> Sequence[Buffer]:
        return [bytes(self.to_send[:5]), memoryview(bytes(self.to_send[5:limit]))] if self.to_send else []

    def sent(self, count: int, now: float) -> None:
        del self.to_send[:count]

    def lost(self, reason: LinkLost, now: float) -> None:
        assert self.loss is None
        self.loss, self.lost_at = reason, now


class Echo(Toy):
    """Sends back what it gets."""

    def received(self, count: int, now: float) -> None:
        super().received(count, now)
        self.to_send += b"".join(self._buffers)[:count]
        assert self.link is not None
        self.link.wake_sender()


class Listener:
    """Gives each incoming link the next of its toys."""

    def __init__(self, *toys: Toy) -> None:
        self._toys = list(toys)

    def accepted(self, link: Link, now: float) -> Toy:
        toy = self._toys.pop(0)
        toy.link = link
        return toy


class Dial:
    """What became of one connection attempt."""

    def __init__(self, host: Host, target: Host, toy: Toy) -> None:
        self.toy = toy
        self.connected_at = -1.0
        self.failure: LinkLost | None = None
        self._world = host.network.world
        host.network.connect(host, target.address, self._connected, self._failed)

    def _connected(self, link: Link) -> Toy:
        self.connected_at = self._world.now
        self.toy.link = link
        return self.toy

    def _failed(self, reason: LinkLost) -> None:
        self.failure = reason
