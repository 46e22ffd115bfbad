"""Who called us and has not shown yet that it hears us.

Next to nothing is kept of them, and nothing sent but one small answer to each call, so that forged calls harm neither
us nor those in whose names they come.
"""

from typing import TYPE_CHECKING, NamedTuple

from bittern.base.address import Address

from .packet import HEAD, MASK, STATE, SYN, Packet, encode, micros
from .settings import UtpSettings

if TYPE_CHECKING:
    from random import Random

_SECONDS = 30.0
"""As long as a caller may take: it repeats its SYN several times."""


class Caller(NamedTuple):
    """A call that was answered.

    Attributes:
        theirs: the number of its SYN.
        ours: the number of our first packet.
        at: when it called first.
    """

    theirs: int
    ours: int
    at: float


class Callers:
    """The half-open connections of a port."""

    def __init__(self, settings: UtpSettings, rng: "Random") -> None:
        self._settings = settings
        self._rng = rng
        self._calls: dict[tuple[Address, int], Caller] = {}  # by the id that packets to us will carry, oldest first
        self._per_host: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def call(self, source: Address, syn: Packet, now: float) -> bytes | None:
        """The answer to a SYN, as large as the call at most; None when it gets none."""
        key = (source, syn.connection + 1 & MASK)
        caller = self._calls.get(key)
        if caller is None or caller.theirs != syn.seq:
            if caller is not None:
                self._forget(key)
            if self._per_host.get(source.host, 0) >= self._settings.half_open_per_host:
                self._expire(now)
                if self._per_host.get(source.host, 0) >= self._settings.half_open_per_host:
                    return None
            while len(self._calls) >= self._settings.half_open:
                self._forget(next(iter(self._calls)))
            caller = Caller(syn.seq, self._rng.randrange(1 << 16), now)
            self._calls[key] = caller
            self._per_host[source.host] = self._per_host.get(source.host, 0) + 1
        difference = (micros(now) - syn.stamp) & 0xFFFFFFFF
        window = self._settings.window_bytes
        answer = (STATE, syn.connection, micros(now), difference, window, caller.ours, caller.theirs, 0, HEAD)
        return encode(Packet(*answer))

    def __contains__(self, key: tuple[Address, int]) -> bool:
        """Whether somebody has called from that address, by the id that packets to us carry."""
        return key in self._calls

    def proved(self, source: Address, packet: Packet, now: float) -> Caller | None:
        """The caller whom `packet` is from, when it acknowledges our answer; it is none any more then."""
        key = (source, packet.connection)
        caller = self._calls.get(key)
        if caller is None or packet.kind == SYN or packet.ack != caller.ours - 1 & MASK:
            return None
        self._forget(key)
        return caller

    def _expire(self, now: float) -> None:
        """Forget who took too long: they are the first."""
        while self._calls:
            key, caller = next(iter(self._calls.items()))
            if now < caller.at + _SECONDS:
                return
            self._forget(key)

    def _forget(self, key: tuple[Address, int]) -> None:
        del self._calls[key]
        host = key[0].host
        left = self._per_host[host] - 1
        if left:
            self._per_host[host] = left
        else:
            del self._per_host[host]
