"""The search for routers that speak UPnP (SSDP, UPnP Device Architecture 1.1): a question to all, and the answers."""

from dataclasses import dataclass
from typing import Final, Self

from bittern.base.address import Address
from bittern.base.errors import GatewayError

from .stream import Buffer

GROUP: Final = Address("239.255.255.250", 1900)
MAX_DATAGRAM: Final = 2048
"""Bytes of an answer that are read."""
TARGETS: Final = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
)
"""What is sought: one question for each, since some routers answer only to one of them."""
MAX_LOCATION: Final = 500

_MOST_LINES = 50


def search(target: str, host: Address = GROUP, wait_seconds: int = 1) -> bytes:
    """Who is `target`?

    Args:
        target: of TARGETS.
        host: whom the datagram goes to.
        wait_seconds: within which those who are many should answer.
    """
    lines = (
        "M-SEARCH * HTTP/1.1",
        f"HOST: {host}",
        'MAN: "ssdp:discover"',
        f"MX: {wait_seconds}",
        f"ST: {target}",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


@dataclass(frozen=True, slots=True)
class Found:
    """A device says where it describes itself.

    Attributes:
        location: a URL, as it came; ASCII without spaces, at most 500 characters.
        target: what it is.
    """

    location: str
    target: str

    @classmethod
    def parse(cls, datagram: Buffer) -> Self:
        """Read an answer.

        Raises:
            GatewayError: it is none, or names no place.
        """
        first, *lines = bytes(datagram[:MAX_DATAGRAM]).decode("latin-1").split("\n", _MOST_LINES)
        words = first.split(None, 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or words[1] != "200":
            raise GatewayError("no answer of UPnP")
        fields: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                fields.setdefault(name.strip().lower(), value.strip())
        location = fields.get("location", "")
        if not 0 < len(location) <= MAX_LOCATION or not location.isascii() or not location.isprintable():
            raise GatewayError("an answer of UPnP that names no place")
        if " " in location:
            raise GatewayError("an answer of UPnP that names no place")
        return cls(location, fields.get("st", ""))
