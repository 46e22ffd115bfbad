"""Network addresses of peers: text, and the compact forms of BEP 23 (IPv4) and BEP 7 (IPv6)."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
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
        return ip_address(self.host).packed + self.port.to_bytes(2)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_ipv6 else f"{self.host}:{self.port}"


_LOCAL = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),  # RFC 1918, 4193: private
        *("169.254.0.0/16", "fe80::/10"),  # RFC 3927, 4291: of one link
        *("127.0.0.0/8", "::1/128"),  # RFC 1122, 4291: of one machine
    )
)


def is_local(host: str) -> bool:
    """Whether a numeric address belongs to the local network, or to this machine."""
    ip = ip_address(host)
    return any(ip in network for network in _LOCAL)


def parse_compact(data: bytes, *, ipv6: bool = False) -> list[Address]:
    """Split a compact peer list; a trailing partial entry is dropped, as every client does."""
    size = 18 if ipv6 else 6
    whole = len(data) - len(data) % size
    entries = (data[at : at + size] for at in range(0, whole, size))
    kind = IPv6Address if ipv6 else IPv4Address
    return [Address.of(str(kind(entry[:-2])), int.from_bytes(entry[-2:])) for entry in entries]


def compact(addresses: Iterable[Address]) -> tuple[bytes, bytes]:
    """The compact IPv4 list and the compact IPv6 list of `addresses`."""
    four, six = bytearray(), bytearray()
    for address in addresses:
        (six if address.is_ipv6 else four).extend(address.compact())
    return bytes(four), bytes(six)
