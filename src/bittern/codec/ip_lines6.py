"""Many lines of IPv6 at a time: networks and addresses, with next to no step of Python for each.

    2001:db8::/32    2001:db8::1

What each line says is written out as 32 hexadecimal digits; all that follows is done with all addresses in one go, as
bytes and as one large number.
"""

import re

_NETWORK = re.compile(rb"^[ \t]*([0-9a-fA-F:]+)(?:/(\d{1,3}))?[ \t]*(?:[#;][^\n]*)?\r?$", re.MULTILINE)
_EIGHT = b"%4b" * 8
_DIGITS = 32
_ABSENT = [[b""] * count for count in range(9)]
_MOST = (1 << 128) - 1
_MASKS = [(_MOST ^ _MOST >> bits).to_bytes(16) for bits in range(129)]
"""The bits of an address that all of a network have in common, by the length of its prefix."""
_LENGTHS = {b"%0*d" % (width, bits): bits for bits in range(129) for width in (1, 2, 3)} | {b"": 128}
_IPV4 = bytes(10) + b"\xff\xff"


def networks_of(text: bytes, lines: int) -> tuple[bytes, bytes] | None:
    """What all lines of a text say: the first address of each network, 16 bytes each, and the lengths of its prefix.

    None where a single one is not of these forms, or makes no sense, or may be about IPv4: those are for somebody who
    takes more time.

    Args:
        text: whole lines, each with its end.
        lines: how many they are.
    """
    found = _NETWORK.findall(text) if _NETWORK.match(text) else ()
    if len(found) != lines:
        return None
    try:
        lengths = bytes([_LENGTHS[bits] for _, bits in found])
        digits = b"".join([_digits(address) for address, _ in found])
    except (ValueError, KeyError):
        return None
    given = bytes.fromhex(digits.replace(b" ", b"0").decode("ascii"))
    if _IPV4 in given:
        return None
    masks = b"".join([_MASKS[length] for length in lengths])
    return (int.from_bytes(given) & int.from_bytes(masks)).to_bytes(len(given)), lengths


def _digits(address: bytes) -> bytes:
    """Eight groups of four digits, with spaces for zeros.

    Raises:
        ValueError: it is no address.
    """
    head, gap, tail = address.partition(b"::")
    groups = head.split(b":") if head else []
    after = tail.split(b":") if tail else []
    absent = 8 - len(groups) - len(after)
    if b"" in groups or b"" in after or (absent < 1 if gap else absent):
        raise ValueError(address)
    digits = _EIGHT % (*groups, *_ABSENT[absent], *after)
    if len(digits) != _DIGITS:
        raise ValueError(address)
    return digits
