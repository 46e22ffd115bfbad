"""One UDP port for all that speak over UDP: what a datagram is, told by its first bytes; and many that leave as one."""

from collections.abc import Sequence
from enum import Enum, unique
from typing import Final, NamedTuple

from bittern.base.address import Address

from .stream import Buffer

UTP_HEADER_BYTES: Final = 20
"""Of each packet of uTP (BEP 29)."""
MAX_BURST_BYTES: Final = 60_000
"""Of all datagrams of a burst: what a system takes at once."""
MAX_BURST: Final = 64
"""Datagrams of a burst, likewise."""

_UTP_FIRST: Final = bytes(kind << 4 | 1 for kind in range(5))  # BEP 29: type and version 1


@unique
class Kind(Enum):
    """Who understands a datagram."""

    DHT = "dht"
    UTP = "utp"
    TRACKER = "tracker"
    UNKNOWN = "unknown"


@unique
class Cut(Enum):
    """Where a datagram may be cut that is too long for its way."""

    NEVER = "it is to be found out whether it is too long"
    HERE = "by the sender's system, if it knows so already; else nowhere"
    ANYWHERE = "by any router, too: it must get there"


class Burst(NamedTuple):
    """Datagrams to one address, one after the other.

    Attributes:
        address: whom they are for.
        buffers: their bytes, in order; where one datagram ends and the next begins only `segment` says.
        segment: bytes of each; the last may be shorter.
        cut: where they may be cut.
    """

    address: Address
    buffers: Sequence[Buffer]
    segment: int
    cut: Cut = Cut.HERE


def kind_of(data: bytes | memoryview) -> Kind:
    """What a datagram seems to be; whether it is well-formed is for its reader to find out.

    KRPC messages are dictionaries (BEP 5); a tracker's action is a small number in four bytes (BEP 15).
    """
    if not data:
        return Kind.UNKNOWN
    first = data[0]
    if first == 0x64:  # "d"
        return Kind.DHT
    if first in _UTP_FIRST and len(data) >= UTP_HEADER_BYTES:
        return Kind.UTP
    return Kind.TRACKER if data[:3] == b"\0\0\0" else Kind.UNKNOWN


def all_utp(data: memoryview, segment: int) -> bool:
    """Whether each of several datagrams that came as one seems to be of uTP; what is too short is for it to drop."""
    return not data[::segment].tobytes().translate(None, _UTP_FIRST)


def datagrams_of(burst: Burst) -> list[list[Buffer]]:
    """The datagrams of a burst one by one, each in one or several buffers."""
    found: list[list[Buffer]] = [[]]
    room = burst.segment
    for buffer in burst.buffers:
        view = memoryview(buffer)
        while view:
            if not room:
                found.append([])
                room = burst.segment
            found[-1].append(view[:room])
            view, room = view[room:], max(0, room - len(view))
    return found
