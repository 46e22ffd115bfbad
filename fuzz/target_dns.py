# Invariant: only DnsError escapes, in no time; addresses are addresses.
"""Fuzz target: answers of name servers."""

from ipaddress import ip_address

from bittern.wire.dns import DnsError, parse, question
from fuzz.driver import Target

_ASKED = question("tracker.example", 0x1234, ipv6=False)


def check(data: bytes) -> bool:
    """Parse `data` as an answer; its beginning is made to fit the question."""
    try:
        said = parse(_ASKED[:2] + data[:10].ljust(10, b"\0") + _ASKED[12:] + data[10:], _ASKED)
    except DnsError:
        return False
    for host in said.hosts:
        ip_address(host)
    return True


_HEAD = bytes.fromhex("8180 0001 0002 0000 0000")
_RECORD = bytes.fromhex("c00c 0001 0001 0000003c 0004 01020304")
TARGET = Target(
    "dns",
    corpus=(_HEAD + _RECORD * 2, _HEAD + bytes.fromhex("c00c 0005 0001 0000003c 0004 0161c00c") + _RECORD),
    words=(b"\xc0\x0c", b"\xc0\x00", b"\x00\x01", b"\x00\x05", b"\x00\x04", b"\x01a", b"\x00"),
    check=check,
)
