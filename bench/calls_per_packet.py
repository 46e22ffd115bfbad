"""Python calls for each packet of uTP, and calls to the system for each MiB: the same numbers on every machine.

    python -m bench.calls_per_packet [--packets 20000] [--top 15]

Two ports in one process without sockets or clocks: what one sends, the other hears at once, either as it was sent (as
where the system gathers datagrams, or 64 are read with one call) or packet by packet. Packets have the length that
Ethernet carries. The numbers are held to a ceiling by tests/test_calls_per_packet.py.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from bench.calls_per_block import Counting
from bittern.base.address import Address
from bittern.wire.stream import Link, LinkLost
from bittern.wire.utp.mux import Mux
from bittern.wire.utp.settings import UtpSettings

DATAGRAM = 1472
TURN_SECONDS = 0.001
WARM_TURNS = 300
"""Turns before counting begins: the window has grown to what the other side has room for."""
MIB = 1 << 20


class Source:
    """A stream that always has more to send."""

    def __init__(self) -> None:
        self._data = memoryview(bytes(MIB))
        self.sent_bytes = 0

    def receive_buffers(self) -> Sequence[memoryview]:
        """Nothing comes."""
        return ()

    def received(self, count: int, now: float) -> None:
        """Nothing comes."""
        raise AssertionError

    def send_buffers(self, limit: int) -> Sequence[memoryview]:
        """Whatever lies there."""
        return (self._data[:limit],)

    def sent(self, count: int, now: float) -> None:
        """See Stream."""
        self.sent_bytes += count

    def lost(self, reason: LinkLost, now: float) -> None:
        """It must not come to that."""
        raise AssertionError(reason)


class Sink(Source):
    """A stream that takes everything, 256 KiB at a time, and says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._into = memoryview(bytearray(256 << 10))
        self.got = 0

    def receive_buffers(self) -> Sequence[memoryview]:
        """See Stream."""
        return (self._into,)

    def received(self, count: int, now: float) -> None:
        """See Stream."""
        self.got += count

    def send_buffers(self, limit: int) -> Sequence[memoryview]:
        """Nothing goes."""
        return ()


class Side:
    """A port without a socket, and who is told of its connections."""

    def __init__(self, address: Address, stream: Source) -> None:
        self.address = address
        self.stream = stream
        self.mux = Mux(UtpSettings(largest_datagram=DATAGRAM), Random(address.port), self)

    def accepted(self, link: Link, now: float) -> Source:
        """See UtpHost."""
        return self.stream

    def connected(self, ticket: int, link: Link, now: float) -> Source:
        """See UtpHost."""
        return self.stream

    def failed(self, ticket: int, reason: LinkLost, now: float) -> None:
        """It must not come to that."""
        raise AssertionError(reason)

    def wake(self) -> None:
        """Every turn is its turn."""


@dataclass
class Counts:
    """What was counted while so many packets of data went.

    Attributes:
        packets: of data.
        sender, receiver: calls of each side by function.
        bursts: calls to the system of both sides together, to send.
    """

    packets: int
    sender: Counter[str]
    receiver: Counter[str]
    bursts: int

    @property
    def per_packet(self) -> tuple[float, float]:
        """Calls of each side."""
        return self.sender.total() / self.packets, self.receiver.total() / self.packets

    @property
    def bursts_per_mib(self) -> float:
        """Calls to the system to send a MiB and to acknowledge it; those to receive are as many at most."""
        return self.bursts / (self.packets * DATAGRAM / MIB)


class Line:
    """A sender, a receiver, and what goes between them.

    Args:
        gathered: whether datagrams are read as they were sent, many at once.
    """

    def __init__(self, *, gathered: bool) -> None:
        self._gathered = gathered
        self._sink = Sink()
        self._sides = (Side(Address("10.0.0.1", 1), Source()), Side(Address("10.0.0.2", 2), self._sink))
        self._now = 1.0
        self._bursts = 0
        self._sides[0].mux.connect(1, self._sides[1].address, self._now)

    def measure(self, packets: int) -> Counts:
        """Count while about so many packets go."""
        for _ in range(WARM_TURNS):
            self._turn(None)
        before, self._bursts = self._sink.got, 0
        counting = (Counting(), Counting())
        while (self._sink.got - before) // (DATAGRAM - 20) < packets:
            self._turn(counting)
        done = (self._sink.got - before) // (DATAGRAM - 20)
        return Counts(done, counting[0].calls, counting[1].calls, self._bursts)

    def _turn(self, counting: tuple[Counting, Counting] | None) -> None:
        self._now += TURN_SECONDS
        now = self._now
        for number, side in enumerate(self._sides):
            other = self._sides[1 - number]
            _counted(counting, number, lambda mux=side.mux: mux.deliver(now))  # type: ignore[misc]  # of this round
            due = side.mux.next_deadline()
            if due is not None and due <= now:
                _counted(counting, number, lambda mux=side.mux: mux.advance(now))  # type: ignore[misc]  # likewise
            _counted(counting, number, lambda mux=side.mux: mux.flush(now))  # type: ignore[misc]  # likewise
            for burst in side.mux.take_bursts():
                self._bursts += 1
                data = memoryview(b"".join(burst.buffers))
                step = len(data) if self._gathered else burst.segment
                for at in range(0, len(data), step):
                    part, size = data[at : at + step], burst.segment
                    _counted(
                        counting,
                        1 - number,
                        lambda mux=other.mux, part=part, size=size, source=side.address: mux.receive(  # type: ignore[misc]  # likewise
                            part, size, source, now
                        ),
                    )


def _counted(counting: tuple[Counting, Counting] | None, number: int, call: Callable[[], None]) -> None:
    if counting is None:
        call()
        return
    counting[number].start()
    call()
    counting[number].stop()


def main() -> None:
    """Print the table, and the functions called most."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--packets", type=int, default=20_000, help="to count over")
    parser.add_argument("--top", type=int, default=0, help="functions to list")
    options = parser.parse_args()
    for gathered in (True, False):
        counts = Line(gathered=gathered).measure(options.packets)
        print(f"{'gathered' if gathered else 'one by one'}: {counts.bursts_per_mib:.1f} bursts a MiB")
        for name, calls, each in zip(
            ("sender", "receiver"), (counts.sender, counts.receiver), counts.per_packet, strict=True
        ):
            print(f"{'':4}{name:10}{each:8.2f} calls a packet")
            for function, count in calls.most_common(options.top):
                print(f"{'':14}{count / counts.packets:8.3f} {function}")


if __name__ == "__main__":
    main()
