"""UPnP Internet gateways (IGD 1 and 2): their description, the calls they take, and what they answer.

All of it is what a stranger in the local network may have made up: it is read by `codec.xml`, and no address counts but
that of the host that gave it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final
from urllib.parse import urljoin, urlsplit

from bittern.base.errors import GatewayError
from bittern.codec.xml import Element, XmlError, parse_xml

IP_CONNECTION: Final = "urn:schemas-upnp-org:service:WANIPConnection:"
PPP_CONNECTION: Final = "urn:schemas-upnp-org:service:WANPPPConnection:"
FIREWALL: Final = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:"
ONLY_PERMANENT: Final = 725
"""The router knows no leases that end."""
ACTION_FAILED: Final = 501
"""It did not work; many routers say no more where a port is taken."""
CONFLICT: Final = 718
"""Another host has that port."""
CONFLICT_WITH_OTHER: Final = 729
"""So has something that is no mapping (IGD 2)."""
NO_SUCH_PINHOLE: Final = 704
"""The firewall has no pinhole of that number."""
SAME_PORTS_ONLY: Final = 724
"""The router maps a port only to the same port."""

_KINDS = (IP_CONNECTION, PPP_CONNECTION, FIREWALL)
_SERVICE = re.compile(r"urn:schemas-upnp-org:service:\w{1,40}:[1-9]\d?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}")
_MOST_SERVICES = 16


@dataclass(frozen=True, slots=True)
class Service:
    """Something that a router can be asked to do.

    Attributes:
        kind: one of the kinds above, and its version.
        url: http, on the host that described it: where its calls go to.
    """

    kind: str
    url: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a service.

    Attributes:
        service: whose.
        action: its name.
        arguments: in the order that the service wants.
    """

    service: Service
    action: str
    arguments: Mapping[str, str | int]

    @property
    def headers(self) -> dict[str, str]:
        """Of the HTTP request, beside those that all have."""
        return {
            "Content-Type": 'text/xml; charset="utf-8"',
            "SOAPAction": f'"{self.service.kind}#{self.action}"',
        }

    def body(self) -> bytes:
        """Of the HTTP request."""
        said = "".join(f"<{name}>{escape(str(value), quote=False)}</{name}>" for name, value in self.arguments.items())
        return (
            '<?xml version="1.0"?>\r\n'
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
            's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
            f'<u:{self.action} xmlns:u="{self.service.kind}">{said}</u:{self.action}>'
            "</s:Body></s:Envelope>\r\n"
        ).encode()


def own_url(url: str, host: str) -> str:
    """`url` if it is one of http on `host`, a numeric IPv4 address, without a user.

    Raises:
        GatewayError: it leads elsewhere.
    """
    try:
        parts = urlsplit(url)
        there, port = parts.hostname, parts.port
    except ValueError:
        raise GatewayError(f"the router names a place that is no URL: {url[:80]!r}") from None
    if parts.scheme != "http" or there != host or "@" in parts.netloc or port == 0:
        raise GatewayError(f"the router at {host} names a place that is not its own: {url[:80]!r}")
    return url


def parse_description(data: bytes, location: str, host: str) -> tuple[Service, ...]:
    """The services of a router that help to let others in; what leads to another host is left out.

    Args:
        data: the description that was fetched.
        location: its URL.
        host: of the router, numeric.

    Raises:
        GatewayError: it is no description.
    """
    try:
        root = parse_xml(data)
    except XmlError as error:
        raise GatewayError(f"the description of the router: {error}") from None
    if root.name != "root":
        raise GatewayError("the description of the router is none")
    base = _joined(location, root.value("URLBase"), host) or location  # of UPnP 1.0
    found = []
    for element in root.walk():
        kind, path = element.value("serviceType"), element.value("controlURL")
        if element.name == "service" and kind.startswith(_KINDS) and _SERVICE.fullmatch(kind) and path:
            url = _joined(base, path, host)
            if url is not None:
                found.append(Service(kind, url))
    return tuple(found[:_MOST_SERVICES])


def _joined(base: str, url: str, host: str) -> str | None:
    """What `url` means at `base`; None where it leads to another host than `host`."""
    try:
        return own_url(urljoin(base, url), host)
    except (GatewayError, ValueError):
        return None


def parse_answer(call: Call, data: bytes) -> dict[str, str]:
    """What a call gave, by name.

    Raises:
        GatewayError: it was refused, with the router's code (402, 501, 718 ...), or the answer makes no sense.
    """
    try:
        root = parse_xml(data)
    except XmlError as error:
        raise GatewayError(f"the router's answer to {call.action}: {error}") from None
    body = root.find("Body") if root.name == "Envelope" else None
    if body is None:
        raise GatewayError(f"the router's answer to {call.action} makes no sense")
    answer = body.find(f"{call.action}Response")
    if answer is None:
        raise _fault(call, body)
    return {child.name: child.text for child in answer.children if _NAME.fullmatch(child.name)}


def _fault(call: Call, body: Element) -> GatewayError:
    error = body.find("Fault", "detail", "UPnPError")
    code = error.value("errorCode") if error is not None else ""
    if error is None or not re.fullmatch(r"[0-9]{1,5}", code):
        return GatewayError(f"the router does not do {call.action}")
    said = "".join(char if char.isprintable() else " " for char in error.value("errorDescription")[:80])
    return GatewayError(f"the router refuses {call.action}: {said or 'error'} ({code})", int(code))
