"""The info hashes of one torrent, of version 1 and 2, and which of them a connection goes by (BEP 52)."""

from bittern.base.ids import InfoHashV1, InfoHashV2
from bittern.wire.handshake import Handshake, Reserved


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

    def learn(self, v1: InfoHashV1 | None, v2: InfoHashV2 | None) -> None:
        """These are the torrent's, as far as they are known."""
        self.v1 = v1 or self.v1
        self.v2 = v2.truncated() if v2 is not None else self.v2

    @property
    def all(self) -> tuple[InfoHashV1, ...]:
        """Every hash that it is called by, the one it was added by first."""
        return tuple(dict.fromkeys(name for name in (self._first, self.v1, self.v2) if name is not None))

    @property
    def dialed(self) -> InfoHashV1:
        """What it is called where we connect: version 1 where there is one, for all who speak only that."""
        return self.v1 or self._first

    @property
    def reserved(self) -> Reserved:
        """The bits to set where we call it by `dialed`."""
        hybrid = self.v2 is not None and self.dialed != self.v2
        return Reserved.V2 if hybrid else Reserved(0)

    def answer(self, handshake: Handshake) -> InfoHashV1:
        """What to call it in the answer to a handshake: version 2 where the remote offers that."""
        if self.v2 is not None and handshake.supports(Reserved.V2):
            return self.v2
        return handshake.info_hash
