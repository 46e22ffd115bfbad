"""What a node keeps from one run to the next: its id, and nodes to begin with."""

from dataclasses import dataclass
from typing import Final

from bittern.base.errors import BencodeError, ResumeError
from bittern.codec.bencode import Limits, decode, encode
from bittern.wire.krpc import ID_BYTES, Contact, pack_contacts, unpack_contacts

MAX_SAVED: Final = 200
"""Nodes that are kept."""
_LIMITS: Final = Limits(depth=3, tokens=20, size=1 << 16)


@dataclass(frozen=True, slots=True)
class NodeState:
    """An id and nodes that answered lately, all of one address family.

    Attributes:
        id: 20 bytes.
        contacts: at most 200.
    """

    id: bytes
    contacts: tuple[Contact, ...] = ()

    def encode(self) -> bytes:
        """As bytes for a file."""
        six = any(contact.address.is_ipv6 for contact in self.contacts)
        nodes = pack_contacts(self.contacts[:MAX_SAVED])
        return encode({"id": self.id, "nodes6" if six else "nodes": nodes})

    @classmethod
    def decode(cls, data: bytes) -> "NodeState":
        """Read what `encode` made.

        Raises:
            ResumeError: it is something else.
        """
        try:
            said = decode(data, limits=_LIMITS)
        except BencodeError as error:
            raise ResumeError(f"saved nodes: {error}") from None
        if not isinstance(said, dict):
            raise ResumeError("saved nodes: not a dictionary")
        own_id, four, six = said.get(b"id"), said.get(b"nodes", b""), said.get(b"nodes6", b"")
        if not isinstance(own_id, bytes) or len(own_id) != ID_BYTES:
            raise ResumeError("saved nodes: no id of 20 bytes")
        if not isinstance(four, bytes) or not isinstance(six, bytes):
            raise ResumeError("saved nodes: no nodes")
        return cls(own_id, (*_unpack(four, 26, ipv6=False), *_unpack(six, 38, ipv6=True))[:MAX_SAVED])


def _unpack(nodes: bytes, size: int, *, ipv6: bool) -> list[Contact]:
    """All of them, one by one: replies are read no further than 16."""
    whole = len(nodes) // size * size
    return [c for at in range(0, whole, size) for c in unpack_contacts(nodes[at : at + size], ipv6=ipv6)]
