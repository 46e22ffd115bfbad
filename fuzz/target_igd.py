# Invariant: only GatewayError escapes; no place is named but one of http on the router itself; a refusal has a number.
"""Fuzz target: what a UPnP router answers to a search, describes itself as, and answers to calls."""

from urllib.parse import urlsplit

from bittern.base.errors import GatewayError
from bittern.wire.igd import Call, Service, own_url, parse_answer, parse_description
from bittern.wire.ssdp import Found
from fuzz.driver import Target

_HOST = "192.168.1.1"
_KIND = "urn:schemas-upnp-org:service:WANIPConnection:1"
_CALL = Call(Service(_KIND, f"http://{_HOST}/c"), "AddPortMapping", {})


def check(data: bytes) -> bool:
    """Read `data` as each of the three."""
    return any([_found(data), _described(data), _answered(data)])


def _found(data: bytes) -> bool:
    try:
        own_url(Found.parse(data).location, _HOST)
    except GatewayError:
        return False
    return True


def _described(data: bytes) -> bool:
    try:
        services = parse_description(data, f"http://{_HOST}:5000/root.xml", _HOST)
    except GatewayError:
        return False
    for service in services:
        parts = urlsplit(service.url)
        assert (parts.scheme, parts.hostname, parts.username) == ("http", _HOST, None)
        assert service.kind.isascii()
    return True


def _answered(data: bytes) -> bool:
    try:
        said = parse_answer(_CALL, data)
    except GatewayError as error:
        refused = error
    else:
        assert all(name.isascii() for name in said)
        return True
    assert 0 <= refused.code <= 99999
    return False


TARGET = Target(
    "igd",
    corpus=(
        b"HTTP/1.1 200 OK\r\nST: x\r\nLocation: http://192.168.1.1:5000/a\r\n\r\n",
        b"<root><service><serviceType>%s</serviceType><controlURL>/c</controlURL></service></root>" % _KIND.encode(),
        b"<s:Envelope xmlns:s='x'><s:Body><u:AddPortMappingResponse xmlns:u='y'/></s:Body></s:Envelope>",
        b"<Envelope><Body><Fault><detail><UPnPError><errorCode>718</errorCode></UPnPError></detail></Fault></Body></Envelope>",
    ),
    words=(
        b"http://192.168.1.1",
        b"http://192.168.1.2/",
        b"//",
        b"@",
        b"<controlURL>",
        b"</controlURL>",
        b"<service>",
        b"</service>",
        _KIND.encode(),
        b"&#0;",
        b"<!DOCTYPE a>",
        b"[",
        b"%",
    ),
    check=check,
)
