"""Peer exchange (BEP 11): which peers somebody has met, and which have left, since the last message."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from itertools import islice
from typing import Final, Self

from bittern.base.address import Address, compact, parse_compact
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.codec.bencode import Value, encode

from .extended import parse_dict
from .stream import Buffer

NAME: Final = "ut_pex"
"""The extension's name in the handshake of BEP 10."""
MOST: Final = 50
"""Addresses of one family that a message adds, and drops, at most; BEP 11 has it for both together."""

_SIZES: Final = {False: 6, True: 18}


class PexFlag(IntFlag):
    """What is known of a peer that is told of."""

    NONE = 0
    PREFERS_ENCRYPTION = 0x01
    """It said so in its extension handshake (`e`)."""
    SEED = 0x02
    """It has everything, or all that it wants."""
    UTP = 0x04
    """It speaks uTP."""
    HOLEPUNCH = 0x08
    """It speaks the holepunch extension (BEP 55)."""
    REACHABLE = 0x10
    """Who tells of it had connected to it."""


_ALL: Final = PexFlag(0x1F)


@dataclass(frozen=True, slots=True)
class PexMessage:
    """Changes among the peers of who sends it.

    Attributes:
        added: peers it has met, with what it knows of them; at most 50 of each address family.
        dropped: peers that have left it, none of them in `added`; as many at most.
        listed: addresses that the message had in all, of which no more than those were read.
    """

    added: Mapping[Address, PexFlag] = field(default_factory=dict)
    dropped: tuple[Address, ...] = ()
    listed: int = field(default=0, compare=False)

    def encode(self) -> bytes:
        """The payload of the extended message; of each family and list, the first 50."""
        said: dict[bytes, bytes] = {}
        for ipv6, suffix in ((False, b""), (True, b"6")):
            added = {address: flags for address, flags in self.added.items() if address.is_ipv6 == ipv6}
            dropped = [address for address in self.dropped if address.is_ipv6 == ipv6]
            if ipv6 and not (added or dropped):
                continue  # many swarms have none
            said[b"added" + suffix] = compact(islice(added, MOST))[ipv6]
            said[b"added" + suffix + b".f"] = bytes(islice(added.values(), MOST))
            said[b"dropped" + suffix] = compact(islice(dropped, MOST))[ipv6]
        return encode(said)

    @classmethod
    def parse(cls, payload: Buffer) -> Self:
        """Read the payload of an extended message with our number for `ut_pex`.

        What stands in a list after its first 50 addresses is only counted. Flags that are not one for each address
        count as absent, bits of no meaning as not set. An address that comes twice is read once.

        Raises:
            RemoteProtocolError: BAD_EXTENSION: no dictionary, or a list that is not made of whole addresses.
        """
        said, _ = parse_dict(payload)
        added: dict[Address, PexFlag] = {}
        dropped: dict[Address, None] = {}
        listed = 0
        for ipv6, suffix in ((False, b""), (True, b"6")):
            met, count = _addresses(said, b"added" + suffix, ipv6=ipv6)
            left, more = _addresses(said, b"dropped" + suffix, ipv6=ipv6)
            listed += count + more
            flags = said.get(b"added" + suffix + b".f")
            known = flags if isinstance(flags, bytes) and len(flags) == count else bytes(count)
            for address, bits in zip(met, known, strict=False):
                if address.is_ipv6 == ipv6:  # else IPv4 in the clothes of IPv6
                    added.setdefault(address, PexFlag(bits) & _ALL)
            dropped.update((address, None) for address in left if address.is_ipv6 == ipv6)
        return cls(added, tuple([address for address in dropped if address not in added]), listed)


def _addresses(said: Mapping[bytes, Value], key: bytes, *, ipv6: bool) -> tuple[list[Address], int]:
    """The first addresses of a list, and how many it has."""
    data = said.get(key, b"")
    size = _SIZES[ipv6]
    if not isinstance(data, bytes) or len(data) % size:
        raise RemoteProtocolError(Offence.BAD_EXTENSION, f"{NAME}: {key.decode()} is no list of addresses")
    return parse_compact(data[: MOST * size], ipv6=ipv6), len(data) // size
