"""Canonical peer priority (BEP 40): both sides of a connection rank it alike, whoever they are and whoever asks."""

from ipaddress import ip_address

from bittern.base.address import Address

from .places import network_of

MOST_VOTERS = 200
"""Networks whose word on our address is remembered; the oldest is forgotten."""


def _make_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # noqa: PLW2901 - the register of the division
        table.append(byte)
    return tuple(table)


_TABLE = _make_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli, RFC 3720)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def priority(one: Address, other: Address) -> int:
    """The 32-bit priority of a connection between two addresses of one family, the same in either order.

    The nearer the two are, the more of their addresses counts: so peers of one network do not all rank alike.

    Raises:
        ValueError: one is IPv4 and the other IPv6.
    """
    if one.is_ipv6 != other.is_ipv6:
        raise ValueError(f"{one} and {other} are of different families")
    first, second = ip_address(one.host).packed, ip_address(other.host).packed
    if first == second:
        return crc32c(b"".join(sorted((one.port.to_bytes(2), other.port.to_bytes(2)))))
    # BEP 40: all of an IPv4 address within a /24, FF.FF.FF.55 within a /16, else FF.FF.55.55; likewise for IPv6,
    # where the first 6 bytes always count, and one more for each that is shared from there.
    least, last = (6, len(first)) if one.is_ipv6 else (2, 4)
    shared = next(at for at in range(last) if first[at] != second[at])
    whole = least if shared < least else shared + 1
    mask = b"\xff" * whole + b"\x55" * (last - whole)
    masked = sorted(bytes(a & b for a, b in zip(address, mask, strict=True)) for address in (first, second))
    return crc32c(b"".join(masked))


class Ourselves:
    """Our address as others see it (`yourip` of BEP 10): each network that we met has one vote, the last one counts.

    Args:
        port: see below.
        node_port: see below.

    Attributes:
        port: where others connect to us, which may be a port of a router; 0 for nowhere.
        node_port: where others reach our node of the distributed hash table, likewise.
    """

    def __init__(self, port: int, node_port: int = 0) -> None:
        self.port = port
        self.node_port = node_port
        self._votes: dict[str, str] = {}
        self.known: tuple[Address, ...] = ()
        """At most one address of each family."""

    def move(self, port: int, node_port: int) -> bool:
        """Others reach us at these ports from now on; False where nothing is new."""
        if (port, node_port) == (self.port, self.node_port):
            return False
        self.port, self.node_port = port, node_port
        self.known = tuple([Address(address.host, port) for address in self.known])
        return True

    def elsewhere(self, *, ipv6: bool) -> str | None:
        """Our address of one family, for peers of the other; None where none is known that the whole world can reach.

        Args:
            ipv6: of which family.
        """
        hosts = (address.host for address in self.known if address.is_ipv6 == ipv6)
        return next((host for host in hosts if ip_address(host).is_global), None)

    def told(self, ours: str, by: str) -> None:
        """The host `by`, numeric or a name, says that our address is `ours`."""
        network = network_of(by) if ":" in by or by[-1:].isdigit() else by
        if self._votes.pop(network, None) is None and len(self._votes) >= MOST_VOTERS:
            del self._votes[next(iter(self._votes))]
        self._votes[network] = ours
        counts: dict[str, int] = {}
        for vote in self._votes.values():
            counts[vote] = counts.get(vote, 0) + 1
        known = []
        for ipv6 in (False, True):
            votes = [vote for vote in counts if (":" in vote) == ipv6]
            # Neighbours in the local network see another address of ours than the rest of the world.
            best = max(votes, key=lambda vote: (ip_address(vote).is_global, counts[vote]), default=None)
            if best is not None:
                known.append(Address(best, self.port))
        if tuple(known) != self.known:
            self.known = tuple(known)

    def rank(self, theirs: Address) -> float | None:
        """The priority of a connection with `theirs`, 0 to 1; None while we do not know our own address."""
        ours = next((address for address in self.known if address.is_ipv6 == theirs.is_ipv6), None)
        return priority(ours, theirs) / 0xFFFFFFFF if ours is not None else None
