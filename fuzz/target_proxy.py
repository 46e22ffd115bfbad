# Invariant: only ProxyError escapes; a handshake asks for a bounded number of bytes at a time and in all, and a header
# of a datagram that is read ends within it.
"""Fuzz target: what proxies of each kind say, and the datagrams that come from them."""

from bittern.base.errors import ProxyError
from bittern.wire.proxy.handshake import Endpoint, Handshake
from bittern.wire.proxy.http_connect import MAX_ANSWER, http_connect
from bittern.wire.proxy.socks import ASSOCIATE, CONNECT, read_udp_header, socks4a, socks5
from fuzz.driver import Target

_TARGET = Endpoint("tracker.example", 80)


def check(data: bytes) -> bool:
    """Take `data` for what a proxy says."""
    header = read_udp_header(data)
    assert header is None or header[1] <= len(data)
    handshakes = (
        socks5(CONNECT, _TARGET, "user", "password"),
        socks5(ASSOCIATE, _TARGET),
        socks4a(_TARGET),
        http_connect(_TARGET),
    )
    granted = [_granted(handshake, data) for handshake in handshakes]
    return any(granted) or header is not None


def _granted(handshake: Handshake, data: bytes) -> bool:
    at, step = 0, next(handshake)
    try:
        while at + step.need <= len(data):
            assert 0 < step.need <= 257
            assert at <= MAX_ANSWER + 4
            at += step.need
            step = handshake.send(data[at - step.need : at])
    except ProxyError:
        return False
    except StopIteration:
        return True
    return False


TARGET = Target(
    "proxy",
    corpus=(
        b"\x05\x00\x05\x00\x00\x01\xc0\x00\x02\x07\x1a\xe1",
        b"\x05\x02\x01\x00\x05\x00\x00\x04" + bytes(16) + b"\x1a\xe1",
        b"\x05\x00\x05\x00\x00\x03\x07example\x00\x50",
        b"\x05\x00\x05\x05\x00\x01" + bytes(6),
        b"\x00\x5a" + bytes(6),
        b"HTTP/1.1 200 Connection established\r\nVia: a\r\n\r\n",
        b"HTTP/1.0 407 Proxy Authentication Required\r\n\r\n",
        b"\x00\x00\x00\x01\xc0\x00\x02\x07\x1a\xe1payload",
        b"\x00\x00\x00\x04" + bytes(16) + b"\x1a\xe1payload",
    ),
    words=(b"\x05\x00", b"\x05\x02", b"\x01\x00", b"HTTP/1.", b" 200 ", b"\r\n\r\n", b"\x03", b"\x04", b"\x00\x5a"),
    check=check,
)
