"""The info hashes of one torrent, of version 1 and 2, and which of them a connection goes by (BEP 52)."""

from collections.abc import Iterable
from itertools import islice

from bittern.base.address import Address
from bittern.base.ids import InfoHashV1, InfoHashV2
from bittern.wire.handshake import Handshake, Reserved

from .peerbook import MOST_CANDIDATES


class Names:
    """What handshakes may call a torrent.

    A hybrid torrent has two swarms. It is one torrent here: it is dialed by the hash of version 1, with the offer to go
    on in version 2, and whoever calls it by either hash is let in.

    Args:
        wire_hash: the one it was added by.

    Attributes:
        v1, v2: 20 bytes each, that of version 2 truncated; None where unknown, or where there is none.
    """

    def __init__(self, wire_hash: InfoHashV1) -> None:
        self.v1: InfoHashV1 | None = None
        self.v2: InfoHashV1 | None = None
        self._first = wire_hash
        self._met_as_v2: dict[Address, None] = {}

    def learn(self, v1: InfoHashV1 | None, v2: InfoHashV2 | None) -> None:
        """These are the torrent's, as far as they are known."""
        self.v1 = v1 or self.v1
        self.v2 = v2.truncated() if v2 is not None else self.v2

    @property
    def all(self) -> tuple[InfoHashV1, ...]:
        """Every hash that it is called by, the one it was added by first."""
        return tuple(dict.fromkeys(name for name in (self._first, self.v1, self.v2) if name is not None))

    @property
    def other(self) -> InfoHashV1 | None:
        """The one that a hybrid is called by beside the one it was added by; None while there is none."""
        return next(iter(self.all[1:]), None)

    def met(self, addresses: Iterable[Address], name: InfoHashV1 | None) -> None:
        """These were named as members of the swarm of `name`: of that of version 2 alone, some know only that."""
        if self.v1 is not None and name == self.v2:
            room = max(0, MOST_CANDIDATES - len(self._met_as_v2))
            self._met_as_v2.update(dict.fromkeys(islice(addresses, room)))

    def dialed(self, address: Address) -> InfoHashV1:
        """What it is called where we connect: version 1 where there is one, for all who speak only that."""
        if address in self._met_as_v2 and self.v2 is not None:
            return self.v2
        return self.v1 or self._first

    def reserved(self, name: InfoHashV1) -> Reserved:
        """The bits to set where we call it by `name`: BEP 52 lets us offer version 2 to who is called in version 1."""
        return Reserved.V2 if self.v2 not in (None, name) else Reserved(0)

    def answer(self, handshake: Handshake) -> InfoHashV1:
        """What to call it in the answer to a handshake: version 2 where the remote offers that."""
        if self.v2 is not None and handshake.supports(Reserved.V2):
            return self.v2
        return handshake.info_hash
