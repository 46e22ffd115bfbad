"""SOCKS 5 (RFC 1928, 1929) and SOCKS 4a: connections and datagrams through a proxy, by address or by name."""

import errno
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from bittern.base.errors import ProxyError

from .handshake import NOWHERE, Endpoint, Handshake, Step

CONNECT: Final = 1
ASSOCIATE: Final = 3
MAX_NAME: Final = 255
MAX_UDP_HEADER: Final = 4 + 1 + MAX_NAME + 2

_V4, _NAME, _V6 = 1, 3, 4
_ADDRESS_BYTES: Final = {_V4: 4, _V6: 16}
_NO_AUTH, _PASSWORD, _NONE_FITS = 0, 2, 255
_UNSUPPORTED_COMMAND: Final = 7

_REFUSALS: Final = {
    1: ("could not make the connection", errno.EHOSTUNREACH),
    2: ("does not allow it", errno.EACCES),
    3: ("cannot reach that network", errno.ENETUNREACH),
    4: ("cannot reach that host", errno.EHOSTUNREACH),
    5: ("was refused", errno.ECONNREFUSED),
    6: ("got no answer in time", errno.ETIMEDOUT),
    8: ("does not know addresses of this kind", errno.EAFNOSUPPORT),
}


def socks5(command: int, target: Endpoint, user: str | None = None, password: str = "") -> Handshake:
    """Ask a SOCKS 5 proxy for a connection to `target`, or for a place to send datagrams to.

    Args:
        command: CONNECT, or ASSOCIATE: then `target` is where our datagrams come from, or NOWHERE.
        target: a name is looked up by the proxy.
        user: to give if it asks; None to give none.
        password: that goes with it.

    Returns:
        The address that the proxy uses; for ASSOCIATE, where to send datagrams to.

    Raises:
        ProxyError: it refuses, or speaks something else.
    """
    methods = bytes((_NO_AUTH,)) if user is None else bytes((_NO_AUTH, _PASSWORD))
    version, method = yield Step(bytes((5, len(methods))) + methods, 2)
    if version != 5:
        raise ProxyError("it does not speak SOCKS 5")
    if method == _PASSWORD and user is not None:
        name, secret = user.encode(), password.encode()
        _, status = yield Step(bytes((1, len(name))) + name + bytes((len(secret),)) + secret, 2)
        if status:
            raise ProxyError("it refuses the name and password")
    elif method == _NONE_FITS:
        raise ProxyError("it wants a name and password" if user is None else "it takes no name and password")
    elif method != _NO_AUTH:
        raise ProxyError(f"it chose method {method}, which it was not offered")
    version, status, _, kind = yield Step(bytes((5, command, 0)) + _place(target), 4)
    if version != 5:
        raise ProxyError("it does not speak SOCKS 5")
    if status == _UNSUPPORTED_COMMAND:
        raise ProxyError("it knows no UDP" if command == ASSOCIATE else "it makes no connections")
    if status:
        words, code = _REFUSALS.get(status, (f"refuses with code {status}", errno.EHOSTUNREACH))
        raise ProxyError(f"it {words}", code if command == CONNECT else None)
    if kind not in (_V4, _NAME, _V6):
        raise ProxyError(f"it answers with an address of kind {kind}")
    length = (yield Step(b"", 1))[0] if kind == _NAME else _ADDRESS_BYTES[kind]
    rest = yield Step(b"", length + 2)
    return Endpoint(_host(kind, rest[:-2]), int.from_bytes(rest[-2:]))


def socks4a(target: Endpoint, user: str | None = None) -> Handshake:
    """Ask a SOCKS 4a proxy for a connection to `target`.

    Args:
        target: a name is looked up by the proxy; an IPv6 address cannot be written.
        user: to give; None for none.

    Raises:
        ProxyError: it refuses, or speaks something else.
    """
    name = b""
    if not target.is_numeric:
        host, name = IPv4Address("0.0.0.1").packed, told_name(target.host) + b"\0"  # an address that says: by name
    elif ":" in target.host:
        raise ProxyError("SOCKS 4 knows no IPv6", errno.EAFNOSUPPORT)
    else:
        host = IPv4Address(target.host).packed
    said = b"\4\1" + target.port.to_bytes(2) + host + (user or "").encode() + b"\0" + name
    version, status, *_ = yield Step(said, 8)
    if version != 0:
        raise ProxyError("it does not speak SOCKS 4")
    if status in (92, 93):
        raise ProxyError("it wants to know who we are")
    if status != 90:
        raise ProxyError("it could not make the connection, or does not allow it", errno.EHOSTUNREACH)
    return NOWHERE


@lru_cache(4096)
def udp_header(target: Endpoint) -> bytes:
    """What goes before a datagram for `target` to a SOCKS 5 proxy; a name is looked up by the proxy."""
    return b"\0\0\0" + _place(target)


def read_udp_header(data: bytes | memoryview) -> tuple[Endpoint, int] | None:
    """Who sent a datagram that came from a SOCKS 5 proxy, and where its payload begins.

    None for what is none, for fragments, which nobody sends, and for senders without a numeric address.
    """
    if len(data) < 4 or data[2]:
        return None
    size = _ADDRESS_BYTES.get(data[3])
    if size is None or len(data) < 4 + size + 2:
        return None
    return _endpoint(bytes(data[3 : 4 + size + 2])), 4 + size + 2


@lru_cache(4096)
def _endpoint(packed: bytes) -> Endpoint:
    return Endpoint(_host(packed[0], packed[1:-2]), int.from_bytes(packed[-2:]))


def _place(target: Endpoint) -> bytes:
    port = target.port.to_bytes(2)
    if not target.is_numeric:
        name = told_name(target.host)
        return bytes((_NAME, len(name))) + name + port
    packed = ip_address(target.host).packed
    return bytes((_V4 if len(packed) == 4 else _V6,)) + packed + port


def told_name(host: str) -> bytes:
    """A name as a proxy is told it.

    Raises:
        ProxyError: no proxy could look it up.
    """
    try:
        name = host.encode("ascii")
    except UnicodeError:
        name = b""
    if not 0 < len(name) <= MAX_NAME or b"\0" in name:
        raise ProxyError(f"{host!r} is no name that a proxy could look up", errno.EHOSTUNREACH)
    return name


def _host(kind: int, packed: bytes) -> str:
    if kind == _NAME:
        return packed.decode("ascii", "replace")
    ip = ip_address(packed)
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return str(mapped or ip)
