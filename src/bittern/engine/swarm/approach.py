"""How a candidate is tried: over which transport first, and encrypted or not; and what one try leads to.

libtorrent and Transmission begin with uTP and go on with TCP when that failed, some seconds later. Here TCP begins,
which is faster and costs less, and uTP follows before it has failed, as browsers do with the two families of
addresses (RFC 8305): who is reached by either one is a peer after a second at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from bittern.base.address import Address, is_local
from bittern.base.transport import Transport
from bittern.wire.mse.policy import Encryption
from bittern.wire.stream import LinkLost
from bittern.wire.ut_pex import PexFlag

STAGGER_SECONDS = 1.0
"""The second transport begins when the first has not answered for so long: a SYN is repeated after a second, so that
this is the first one that is lost, or the only one (RFC 6298)."""

_CODES = (None, Transport.TCP, Transport.UTP)
_PLAIN = 4
_NAMES = {Transport.TCP: "TCP", Transport.UTP: "uTP"}


class Approach(NamedTuple):
    """One way to reach a candidate.

    Attributes:
        transport: what carries the connection.
        encrypted: whether message stream encryption is tried on it.
    """

    transport: Transport = Transport.TCP
    encrypted: bool = False


@dataclass(slots=True)
class Past:
    """What is known of how to reach a candidate.

    Attributes:
        said: what other peers told of it (BEP 11).
        first: what carried the connection with it that stood last; where nobody said a word over that, the other one.
        plain: it answered us plainly, and not when we began encrypted.
    """

    said: PexFlag = PexFlag.NONE
    first: Transport | None = None
    plain: bool = False

    @property
    def code(self) -> int:
        """What we found ourselves, in a byte, for another run."""
        return _CODES.index(self.first) | _PLAIN * self.plain

    def recall(self, code: int) -> None:
        """What was found in an earlier run; 0 for nothing, and what is no code says nothing."""
        if code < 2 * _PLAIN and 0 < code % _PLAIN < len(_CODES):
            self.first, self.plain = _CODES[code % _PLAIN], code >= _PLAIN


@dataclass(frozen=True, slots=True)
class Ways:
    """How candidates may be reached at all.

    Attributes:
        tcp: whether over TCP.
        utp: whether over uTP.
        utp_first: whether uTP begins where nothing better is known, but for the local network.
        encryption: the rule for connections that we make.
    """

    tcp: bool = True
    utp: bool = False
    utp_first: bool = False
    encryption: Encryption = Encryption.OFF

    def transports(self, address: Address, past: Past) -> tuple[Transport, ...]:
        """What to try, in this order.

        What worked is tried first. Who speaks uTP, and was never reached by those who tell of it, is behind a router
        as a rule, which datagrams pass more often than connections.
        """
        if not (self.tcp and self.utp):
            return (Transport.TCP,) * self.tcp + (Transport.UTP,) * self.utp
        hidden = PexFlag.UTP in past.said and PexFlag.REACHABLE not in past.said
        usual = not is_local(address.host) and (self.utp_first or hidden)
        utp_first = past.first is Transport.UTP if past.first is not None else usual
        return (Transport.UTP, Transport.TCP) if utp_first else (Transport.TCP, Transport.UTP)

    def encrypted(self, past: Past) -> tuple[bool, ...]:
        """Whether to encrypt, and whether to do otherwise where the other side does not answer to that."""
        can, must = bool(self.encryption.methods), not self.encryption.plain
        if not can or must:
            return (must,)
        return (False, True) if past.plain else (True, False)


class Attempt:
    """One candidate being tried, until somebody answers there or every approach has failed.

    One transport begins, and the other when the first has failed or does not answer for a while. The one that makes a
    connection first is the one: the other is forgotten. Who does not answer to the first words is tried once more
    over the same transport, plainly instead of encrypted or the other way round.

    Args:
        address: of the candidate.
        transports: to try, in this order.
        encrypted: whether to, and then otherwise.
        now: the first one may begin.

    Attributes:
        stands: a connection was made, and its handshake is awaited.
        next_at: when the next one begins; infinity while none is to.
    """

    __slots__ = ("_encrypted", "_failures", "_left", "_under_way", "address", "next_at", "stands")

    def __init__(
        self, address: Address, transports: Sequence[Transport], encrypted: Sequence[bool], now: float
    ) -> None:
        self.address = address
        self.stands = False
        self.next_at = now if transports else inf
        self._left = list(transports)
        self._encrypted = list(encrypted)
        self._failures: dict[Transport, LinkLost] = {}
        self._under_way = 0

    def begin(self, now: float) -> Approach:
        """The approach that begins now; there is one at `next_at`."""
        approach = Approach(self._left.pop(0), self._encrypted[0])
        self._under_way += 1
        self.next_at = now + STAGGER_SECONDS if self._left else inf
        return approach

    def failed(self, approach: Approach, reason: LinkLost, now: float) -> bool:
        """No connection could be made; whether there is no other way any more."""
        self._under_way -= 1
        self._failures[approach.transport] = reason
        self.next_at = min(self.next_at, now) if self._left else inf
        return not self._left and not self._under_way

    def stood(self) -> None:
        """A connection was made; whatever else was under way, or to come, is not wanted any more."""
        self.stands = True
        self._under_way = 0
        self._left.clear()
        self.next_at = inf

    def unanswered(self, approach: Approach, now: float) -> bool:
        """The connection ended before the other side said anything; whether it is tried once more."""
        self.stands = False
        self._encrypted = self._encrypted[1:]
        if not self._encrypted:
            return False
        self._left = [approach.transport]
        self.next_at = now
        return True

    @property
    def reason(self) -> str:
        """Why no connection could be made, for people."""
        if len(self._failures) == 1:
            return str(*self._failures.values())
        return "; ".join(f"{_NAMES[transport]}: {lost}" for transport, lost in self._failures.items())
