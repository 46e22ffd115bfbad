"""Network addresses of peers: text, and the compact forms of BEP 23 (IPv4) and BEP 7 (IPv6)."""

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import NamedTuple, Self


class Address(NamedTuple):
    """A numeric IP address and a port.

    Attributes:
        host: IPv4 dotted or IPv6 in its canonical short form; never a name.
        port: 0..65535; 0 means unknown.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1.2.3.4:80` or `[::1]:80`; ValueError names what is wrong."""
        host, colon, port = text.strip().rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
            raise ValueError(f"{text!r} is not IP:PORT")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"{text!r}: an IPv6 address is written [ADDRESS]:PORT")
        return cls.of(host, int(port))

    @classmethod
    def of(cls, host: str, port: int) -> Self:
        """Canonical address; IPv4 mapped into IPv6 becomes plain IPv4. ValueError when no IP address."""
        ip = ip_address(host)
        if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        return cls(str(ip), port)

    @property
    def is_ipv6(self) -> bool:
        """Whether the host is an IPv6 address."""
        return ":" in self.host

    def compact(self) -> bytes:
        """6 bytes (BEP 23) or 18 bytes (BEP 7)."""
        host, port = self
        packed = IPv6Address(host).packed if ":" in host else bytes(map(int, host.split(".")))
        return packed + port.to_bytes(2)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_ipv6 else f"{self.host}:{self.port}"


# RFC 1918, 4193: private; RFC 3927, 4291: of one link; RFC 1122, 4291: of one machine
_LOCAL_BYTES = frozenset(("10", "127"))
_LOCAL_PAIRS = frozenset(("192.168", "169.254", *(f"172.{second}" for second in range(16, 32))))
_LOCAL6 = tuple(IPv6Network(text) for text in ("fc00::/7", "fe80::/10", "::1/128"))


def is_local(host: str) -> bool:
    """Whether a numeric address belongs to the local network, or to this machine."""
    if ":" not in host:  # by far the most, and asked for each of them
        first, second, _ = host.split(".", 2)
        return first in _LOCAL_BYTES or f"{first}.{second}" in _LOCAL_PAIRS
    ip = IPv6Address(host)
    return any(ip in network for network in _LOCAL6)


ALIASES = "240."
"""How addresses begin that stand for names that only a proxy looks up: there is no host in 240.0.0.0/4 (RFC 1112)."""


def is_alias(host: str) -> bool:
    """Whether a numeric address stands for a name."""
    return host.startswith(ALIASES)


def parse_compact(data: bytes, *, ipv6: bool = False) -> list[Address]:
    """Split a compact peer list; a trailing partial entry is dropped, as every client does."""
    size = 18 if ipv6 else 6
    whole = len(data) - len(data) % size
    entries = (data[at : at + size] for at in range(0, whole, size))
    if not ipv6:
        return [Address(f"{e[0]}.{e[1]}.{e[2]}.{e[3]}", e[4] << 8 | e[5]) for e in entries]
    return [Address.of(str(IPv6Address(entry[:-2])), int.from_bytes(entry[-2:])) for entry in entries]


def compact(addresses: Iterable[Address]) -> tuple[bytes, bytes]:
    """The compact IPv4 list and the compact IPv6 list of `addresses`."""
    four, six = bytearray(), bytearray()
    for address in addresses:
        (six if address.is_ipv6 else four).extend(address.compact())
    return bytes(four), bytes(six)
