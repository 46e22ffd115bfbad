# Invariant: only IpListError escapes; the ranges are in order, do not touch, and are no more than the lines that said
# them; each end of each range is in the set; cut anywhere, the same is read.
"""Fuzz target: lists of addresses, compressed or not."""

import gzip
import zlib
from ipaddress import ip_address
from itertools import pairwise
from unittest.mock import patch

from bittern.base.errors import IpListError
from bittern.codec import ip_list
from bittern.codec.ip_list import IpList, IpListReader
from fuzz.driver import Target

_MOST = 4 << 20


def _read(chunks: list[bytes]) -> IpList | None:
    reader = IpListReader()
    with patch.object(ip_list, "MOST_BYTES", _MOST):
        try:
            reader.read("fuzz", chunks)
        except IpListError:
            return None
    return reader.result()


def check(data: bytes) -> bool:
    """Read `data` as a list, whole and cut in two."""
    found = _read([data])
    cut = zlib.crc32(data) % (len(data) + 1)
    again = _read([data[:cut], data[cut:]])
    assert (found is None) == (again is None)
    if found is None or again is None:
        return False
    assert (found.entries, found.allowed, found.bad, found.first_bad) == (
        again.entries,
        again.allowed,
        again.bad,
        again.first_bad,
    )
    assert bool(found.bad) == bool(found.first_bad)
    pairs = list(found.ranges)
    assert len(pairs) == len(found.ranges) <= found.entries
    for host in [host for pair in pairs for host in pair]:
        assert host in found.ranges or getattr(ip_address(host), "ipv4_mapped", None)  # IPv4 is another set
    for (_, last), (first, _) in pairwise(pairs):
        assert first != last
    return bool(pairs)


_TEXT = (
    b"# list\nSome Organisation:1.2.4.0-1.2.4.255\n001.002.005.000 - 001.002.006.255 , 000 , text\n"
    b"10.0.0.0/8 ; x\n2001:db8::/32\nOrg:2001:db8::1-2001:db8::5\n2001:: - 2001::5 , 200 , x\n1.2.3.4\n"
)
TARGET = Target(
    "ip_list",
    corpus=(
        _TEXT,
        gzip.compress(_TEXT),
        b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0" + len(_TEXT).to_bytes(4, "little") * 2 + b"\x05\0\0\0a.txt"
        b"" + _TEXT + b"PK\x01\x02",
    ),
    words=(
        b"\n",
        b"\r\n",
        b":",
        b"-",
        b" - ",
        b" , 128 , ",
        b"/33",
        b"/0",
        b"255.255.255.255",
        b"0.0.0.0",
        b"256",
        b"::",
        b"ffff:",
        b"::ffff:1.2.3.4",
        b"%eth0",
        b"#",
        b"PK\x03\x04",
        b"PK\x01\x02",
        b"PK\x07\x08",
        b"\x1f\x8b",
        b"\xef\xbb\xbf",
        b"\xd9\xa1",
    ),
    check=check,
)
