# Invariant: only GatewayError escapes; ports and lifetimes are in bounds; a mapping without an external port was taken
# back.
"""Fuzz target: what comes from a gateway that is asked by NAT-PMP or PCP."""

from bittern.base.errors import GatewayError
from bittern.wire import natpmp, pcp
from fuzz.driver import Target


def check(data: bytes) -> bool:
    """Parse `data` as a datagram of a gateway."""
    try:
        said = pcp.parse(data) if pcp.version_of(data) == pcp.VERSION else natpmp.parse(data)
    except GatewayError:
        return False
    if isinstance(said, natpmp.Mapped | pcp.Mapped):
        assert 1 <= said.port <= 65535
        assert 0 <= said.external_port <= 65535
        assert said.external_port or not said.lifetime
        assert 0 <= said.lifetime < 2**32
    elif isinstance(said, natpmp.Refused | pcp.Refused):
        assert said.code
        assert str(said).startswith("the router ")
    return True


_PCP = bytes.fromhex("0281 0000 00001c20 00000010" + "00" * 24 + "06000000 1234 5678" + "00" * 10 + "ffff c6336407")
TARGET = Target(
    "natpmp",
    corpus=(
        bytes.fromhex("0080 0000 00000010 c6336407"),
        bytes.fromhex("0082 0000 00000010 1234 5678 00001c20"),
        bytes.fromhex("0081 0002 00000010"),
        _PCP,
        _PCP[:24],
    ),
    words=(b"\x00\x80", b"\x02\x81", b"\x00\x00", b"\xff\xff", b"\x06\x00\x00\x00", b"\x11\x00\x00\x00"),
    check=check,
)
