"""Routers that translate addresses: what a host behind one can send, and who reaches it (RFC 3489 has the kinds)."""

from dataclasses import dataclass
from enum import Enum, unique

from bittern.base.address import Address

MAPPING_SECONDS = 60.0
"""A mapping that nothing was sent through for so long is forgotten (RFC 4787 asks for two minutes; few keep that)."""


@unique
class NatKind(Enum):
    """How a router maps what goes out, and what it lets in."""

    FULL_CONE = "one outer port, which everybody may send to"
    RESTRICTED = "one outer port, which hosts may send to that were sent to"
    PORT_RESTRICTED = "one outer port, which addresses may send to that were sent to"
    SYMMETRIC = "an outer port for each address that is sent to, which may answer"


@dataclass(slots=True)
class _Mapping:
    """An outer port: for whom, and until when.

    Attributes:
        inner: the port behind the router.
        target: the one address it is for, or None for all.
        used: when each address was last sent to.
    """

    inner: int
    target: Address | None
    used: dict[Address, float]


class Nat:
    """The router in front of one host, whose address it has as its own to the outside.

    Args:
        kind: how it translates.
        first_port: outer ports are counted up from here.
        keeps_ports: the outer port is the inner one where that is free.
    """

    def __init__(self, kind: NatKind, first_port: int = 20001, *, keeps_ports: bool = False) -> None:
        self.kind = kind
        self._keeps_ports = keeps_ports
        self._next = first_port
        self._mappings: dict[int, _Mapping] = {}  # by outer port
        self._outer: dict[tuple[int, Address | None], int] = {}

    def outbound(self, inner: int, target: Address, now: float) -> int:
        """A datagram goes from the port `inner` to `target`: the port that it seems to come from."""
        key = (inner, target if self.kind is NatKind.SYMMETRIC else None)
        port = self._outer.get(key)
        if port is None or not self._alive(self._mappings[port], now):
            port = inner if self._keeps_ports and inner not in self._mappings else self._next
            self._next += port == self._next
            self._outer[key] = port
            self._mappings[port] = _Mapping(inner, key[1], {})
        self._mappings[port].used[target] = now
        return port

    def inbound(self, port: int, source: Address, now: float) -> int | None:
        """A datagram came to the outer `port`: the port behind the router that gets it; None where it is dropped."""
        mapping = self._mappings.get(port)
        if mapping is None or not self._alive(mapping, now):
            return None
        live = [address for address, used in mapping.used.items() if now - used < MAPPING_SECONDS]
        if self.kind is NatKind.FULL_CONE:
            let_in = True
        elif self.kind is NatKind.RESTRICTED:
            let_in = any(address.host == source.host for address in live)
        else:
            let_in = source in live
        return mapping.inner if let_in else None

    @staticmethod
    def _alive(mapping: _Mapping, now: float) -> bool:
        return now - max(mapping.used.values()) < MAPPING_SECONDS
