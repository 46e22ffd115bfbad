# Invariant: only MagnetError escapes, and what was parsed comes back unchanged from its own link.
"""Fuzz target: magnet links."""

from bittern.base.errors import MagnetError
from bittern.codec.magnet import Magnet
from fuzz.driver import Target


def check(data: bytes) -> bool:
    """Parse `data` as text, with whatever a command line makes of bad UTF-8."""
    try:
        magnet = Magnet.parse(data.decode(errors="surrogateescape"))
    except MagnetError:
        return False
    assert Magnet.parse(magnet.to_uri()) == magnet
    return True


_HEX = b"0123456789abcdef0123456789abcdef01234567"

TARGET = Target(
    "magnet",
    corpus=(
        b"magnet:?xt=urn:btih:" + _HEX,
        b"magnet:?xt=urn:btih:AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT&dn=a+b%20c.mkv&xl=5&tr=http://t/a%3Fb&tr.1=udp://u:80",
        b"magnet:?xt=urn:btmh:1220" + _HEX + _HEX[:24] + b"&so=0,2,4-6&x.pe=1.2.3.4:5&x.pe=[::1]:80&ws=http://w/",
        b"magnet:?xt.1=urn%3Abtih%3A" + _HEX + b"&amp;xs=http://x/&as=y&dn=con.&kt=z",
    ),
    words=(
        *(
            b"&",
            b"=",
            b"%",
            b"%00",
            b"%2F",
            b"%ff",
            b"+",
            b" ",
            b":",
            b"&dn=",
            b"&tr=http://",
            b"&x.pe=",
            b"&so=",
            b"&xl=",
        ),
        *(b"0-99999", b",", b"-", b"[", b"]", b"\xe2\x80\xae", b"\xd9\xa1", b"con", b"..", b"&xt=urn:btih:", b"."),
    ),
    check=check,
)
