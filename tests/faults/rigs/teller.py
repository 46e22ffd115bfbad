"""A peer that tells what a torrent is made of (BEP 9), true or false."""

import re

from tests.faults.rigs import wire
from tests.faults.rigs.wire import Wire

PART = 16384
_OURS = 7  # our number of ut_metadata


class Teller:
    """A peer that says it has metadata, and what it was asked for.

    Args:
        peer: the connection, before any byte.
        raw: the true metadata.
        size: of the metadata, as it says.
        peer_id: its name.

    Attributes:
        theirs: the number of ut_metadata at the other end.
    """

    def __init__(
        self, peer: Wire, raw: bytes, size: int | None = None, peer_id: bytes = b"-HO0000-hostilehosti"
    ) -> None:
        self.raw = raw
        self.size = len(raw) if size is None else size
        self._peer = peer
        peer.hello(reserved=wire.EXTENSIONS, peer_id=peer_id)
        peer.greeted()
        said = b"d1:md11:ut_metadatai%dee13:metadata_sizei%dee" % (_OURS, self.size)
        peer.say(wire.EXTENDED, b"\0" + said)
        while (hello := peer.until(wire.EXTENDED))[0]:
            pass
        match = re.search(rb"11:ut_metadatai(\d+)e", hello)
        assert match is not None
        self.theirs = int(match[1])

    def asked(self) -> int:
        """The next part that is asked for."""
        while True:
            payload = self._peer.until(wire.EXTENDED)
            match = re.fullmatch(rb"d8:msg_typei0e5:piecei(\d+)ee", payload[1:], re.DOTALL)
            if payload[0] == _OURS and match is not None:
                return int(match[1])

    def tell(self, part: int, data: bytes | None = None, size: int | None = None) -> None:
        """Data for a part: the true one, unless other is given."""
        data = self.raw[part * PART : (part + 1) * PART] if data is None else data
        head = b"d8:msg_typei1e5:piecei%de10:total_sizei%dee" % (part, self.size if size is None else size)
        self._peer.say(wire.EXTENDED, bytes((self.theirs,)) + head + data)

    def refuse(self, part: int) -> None:
        """No."""
        self._peer.say(wire.EXTENDED, bytes((self.theirs,)) + b"d8:msg_typei2e5:piecei%dee" % part)

    def leave(self) -> None:
        """Hang up."""
        self._peer.close()
