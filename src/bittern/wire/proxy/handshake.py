"""What all handshakes with proxies have in common: something is said, then so many bytes are awaited."""

from collections.abc import Generator
from ipaddress import ip_address
from typing import NamedTuple, TypeAlias


class Step(NamedTuple):
    """Send `data`, then read so many bytes: never one more, what follows a handshake is the other end's."""

    data: bytes
    need: int


class Endpoint(NamedTuple):
    """A host, by its name or its numeric address, and a port."""

    host: str
    port: int

    @property
    def is_numeric(self) -> bool:
        """Whether the host is an address and no name."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Handshake: TypeAlias = Generator[Step, bytes, Endpoint]
"""Yields steps, is sent what was read for each, and returns what the proxy says it uses for us; raises ProxyError."""

NOWHERE = Endpoint("0.0.0.0", 0)  # noqa: S104 - what protocols say for "no address"
