"""Lists of IP addresses that people share: P2P text, eMule's DAT, networks (CIDR), ranges and addresses, a line each.

    Some organisation:1.2.4.0-1.2.4.255             P2P (PeerGuardian)
    001.002.004.000 - 001.002.004.255 , 000 , text  DAT (eMule): the middle number is below 128 where it is blocked
    1.2.4.0/24  2001:db8::/32  1.2.4.1              networks and addresses
    1.2.4.0-1.2.4.255  2001:db8::1 - 2001:db8::5    ranges

Each line is read for itself, so that forms may be mixed; what follows `#` or `;` is a comment. A line that is none of
these is counted and left out: a list of a million lines is not worth less for one of them.
"""

import re
from array import array
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from itertools import chain
from operator import gt, or_, xor
from sys import byteorder

from bittern.base.errors import IpListError, PackedError

from .ip_lines6 import networks_of
from .ip_ranges import IpRanges, RangeBuilder
from .unpacked import PART, unpacked

MOST_BYTES = 256 << 20
"""Of a list, unpacked."""
MOST_RANGES = 10_000_000
"""Of all lists together."""
_LONGEST_LINE = 1 << 12
_LONGEST_ADDRESS = 46
_SHOWN = 80
_BOM = b"\xef\xbb\xbf"
_ALLOWED_FROM = 128
"""DAT: ranges of this level and above are not blocked."""

_ADDRESS = rb"\.".join([rb"(\d{1,3})"] * 4)
_START = rb"^(?:|[^\n]*:)[ \t]*" + _ADDRESS
_END = rb"[ \t]*-[ \t]*" + _ADDRESS
_COMMENT = rb"[ \t]*(?:[#;][^\n]*)?\r?$"
_BLOCKED = rb"(?:0?\d{1,2}|1[01]\d|12[0-7])"
# Two that take most lines of most lists, with nothing to decide for each; and one that takes every line.
_RANGE = re.compile(_START + _END + rb"[ \t]*(?:,[ \t]*" + _BLOCKED + rb"[ \t]*(?:,[^\n]*)?)?\r?$", re.MULTILINE)
_NETWORK = re.compile(rb"^[ \t]*" + _ADDRESS + rb"/(\d{1,2})" + _COMMENT, re.MULTILINE)
_LINE = re.compile(
    _START
    + rb"(?:"
    + _END
    + rb"[ \t]*(?:,[ \t]*(\d{1,3})[ \t]*(?:,[^\n]*)?)?|/(\d{1,2}))?"
    + _COMMENT
    + rb"|^([^\n]+)$",
    re.MULTILINE,
)
_REMARK = re.compile(rb"[#;]|//")
_OCTETS = {b"%0*d" % (width, octet): octet for octet in range(256) for width in (1, 2, 3)}
_HOSTS = [0xFFFF_FFFF >> bits for bits in range(33)]
"""The bits of an address that tell hosts of a network apart, by the length of its prefix."""
_V6_MOST = (1 << 128) - 1
_FRIENDS = (-1, -1)
"""What a line names that is not to be blocked."""


@dataclass(frozen=True, slots=True)
class IpList:
    """What was read of some lists.

    Attributes:
        ranges: the addresses in them.
        entries: lines that said which, before what overlaps was merged.
        allowed: lines that name addresses which are not to be blocked (DAT), and that nothing came of.
        bad: lines that make no sense.
        first_bad: the first of those: list, line number and text; empty when there are none.
    """

    ranges: IpRanges
    entries: int
    allowed: int
    bad: int
    first_bad: str


class IpListReader:
    """Reads lists, one after the other, into one set."""

    def __init__(self) -> None:
        self._builder = RangeBuilder()
        self._entries = 0
        self._allowed = 0
        self._bad = 0
        self._first_bad = ""
        self._lines = 0  # of the list that is being read, before what is being read

    def read(self, name: str, chunks: Iterable[bytes]) -> None:
        """Read a list.

        Args:
            name: for errors.
            chunks: its bytes in order, as they are or compressed (gzip, zip).

        Raises:
            IpListError: it has no line that makes sense, though it has lines; it breaks off; it is too long.
        """
        self._lines = 0
        before, bad_before = self._entries + self._allowed, self._bad
        try:
            for text in _whole_lines(unpacked(chunks, MOST_BYTES)):
                self._read_part(name, text)
                if self._entries > MOST_RANGES:
                    raise IpListError(f"{name}: more than {MOST_RANGES:,} ranges")
        except PackedError as error:
            raise IpListError(f"{name}: {error}") from None
        if self._bad > bad_before and self._entries + self._allowed == before:
            raise IpListError(f"{name}: this is no list of addresses")

    def result(self) -> IpList:
        """All that was read; the reader has done its work."""
        return IpList(self._builder.build(), self._entries, self._allowed, self._bad, self._first_bad)

    def _read_part(self, name: str, text: bytes) -> None:
        """Some whole lines, each with its end."""
        lines = text.count(b"\n")
        if not (self._read_ranges(text, lines) or self._read_networks(text, lines) or self._read6(text, lines)):
            self._read_lines(name, text)
        self._lines += lines

    def _read_ranges(self, text: bytes, lines: int) -> bool:
        """Read lines that all are ranges of IPv4, and good; False, and nothing read, when they are not."""
        found = _RANGE.findall(text) if _RANGE.match(text) else ()
        if len(found) != lines:
            return False
        try:
            octets = bytes(map(int, chain.from_iterable(found)))
        except ValueError:  # one above 255
            return False
        both = _numbers(octets)
        starts, ends = both[::2], both[1::2]
        if any(map(gt, starts, ends)):
            return False
        self._builder.extend(starts, ends)
        self._entries += lines
        return True

    def _read_networks(self, text: bytes, lines: int) -> bool:
        """As `_read_ranges`, for lines that all are networks of IPv4."""
        found = _NETWORK.findall(text) if _NETWORK.match(text) else ()
        if len(found) != lines:
            return False
        try:
            parts = bytes(map(int, chain.from_iterable(found)))
        except ValueError:
            return False
        bits = parts[4::5]
        if max(bits) > 32:
            return False
        octets = bytearray(4 * lines)
        for octet in range(4):
            octets[octet::4] = parts[octet::5]
        hosts = [_HOSTS[count] for count in bits]
        ends = array("I", map(or_, _numbers(octets), hosts))
        self._builder.extend(array("I", map(xor, ends, hosts)), ends)
        self._entries += lines
        return True

    def _read6(self, text: bytes, lines: int) -> bool:
        """As `_read_ranges`, for lines that all are networks or addresses of IPv6."""
        networks = networks_of(text, lines)
        if networks is None:
            return False
        self._builder.extend6(*networks)
        self._entries += lines
        return True

    def _read_lines(self, name: str, text: bytes) -> None:
        """Read lines of any form, some ten times as slow."""
        starts, ends = array("I"), array("I")
        bad = self._bad
        for *quads, level, bits, other in _LINE.findall(text):
            if other:
                self._read_other(other)
            elif level and int(level) >= _ALLOWED_FROM:
                self._allowed += 1
            elif (found := _range(quads, bits)) is not None:
                starts.append(found[0])
                ends.append(found[1])
            else:
                self._bad += 1
        self._builder.extend(starts, ends)
        self._entries += len(starts)
        if self._bad > bad and not self._first_bad:
            self._first_bad = f"{name}, {self._first_bad_of(text)}"

    def _read_other(self, line: bytes) -> None:
        """A line that is not IPv4."""
        found = _other_range(line)
        if found is None:
            self._bad += 1
        elif found == _FRIENDS:
            self._allowed += 1
        elif found:
            self._builder.add6(*found)
            self._entries += 1

    def _first_bad_of(self, text: bytes) -> str:
        """The number and the text of the first bad line of some among which there is one."""
        for number, line in enumerate(text.split(b"\n"), start=self._lines + 1):
            found = _LINE.match(line)
            if found is None:
                continue
            *quads, level, bits, other = (group or b"" for group in found.groups())
            if other:
                bad = _other_range(other) is None
            else:
                bad = not (level and int(level) >= _ALLOWED_FROM) and _range(quads, bits) is None
            if bad:
                return f"line {number}: {line[:_SHOWN].decode('ascii', 'replace')}"
        raise AssertionError


def _numbers(octets: bytes | bytearray) -> "array[int]":
    """Addresses of IPv4, four bytes each, as numbers."""
    numbers = array("I", bytes(octets))
    if byteorder == "little":
        numbers.byteswap()
    return numbers


def _range(quads: list[bytes], bits: bytes) -> tuple[int, int] | None:
    """The first and the last address: of a range, of a network of so many bits, or one alone; None for nonsense."""
    try:
        a, b, c, d, e, f, g, h = (_OCTETS[quad] if quad else -1 for quad in quads)
    except KeyError:
        return None
    start = a << 24 | b << 16 | c << 8 | d
    if e >= 0:
        end = e << 24 | f << 16 | g << 8 | h
        return (start, end) if start <= end else None
    if not bits:
        return start, start
    if int(bits) > 32:
        return None
    hosts = _HOSTS[int(bits)]
    return start & ~hosts, start | hosts


def _other_range(line: bytes) -> tuple[int, int] | tuple[()] | None:
    """The first and the last address of a line of IPv6; () for a line that blocks nothing, None for nonsense."""
    try:
        text = _REMARK.split(line, maxsplit=1)[0].decode("latin-1").strip()
        if not text:
            return ()
        if "%" in text:  # an address of one link is nobody's elsewhere
            return None
        if "-" not in text:
            address, slash, bits = text.partition("/")
            if slash and not (bits.isascii() and bits.isdigit() and len(bits) < 4 and int(bits) <= 128):
                return None
            hosts = _V6_MOST >> int(bits) if slash else 0
            end = int(IPv6Address(address)) | hosts
            return end ^ hosts, end
        fields = [field.strip() for field in text.split(",", 2)]
        if len(fields) > 1 and (found := _range6(fields[0])) is not None:
            level = fields[1]
            return _FRIENDS if level.isdecimal() and level.isascii() and int(level[:4]) >= _ALLOWED_FROM else found
        return _range6(text)
    except ValueError:
        return None


def _range6(text: str) -> tuple[int, int] | None:
    """`FIRST-LAST`, perhaps behind a name and a colon; then the first address is the one that is nearest to the last.

    For a name can look like the beginning of an address.
    """
    head, _, last = text.rpartition("-")
    try:
        end = int(IPv6Address(last.strip()))
    except AddressValueError:
        return None
    head = head.strip()
    if len(head) > _LONGEST_ADDRESS:
        head = head[-_LONGEST_ADDRESS:].partition(":")[2]
    starts: list[int] = []
    while head:
        with suppress(AddressValueError):
            starts.append(int(IPv6Address(head.strip())))
        head = head.partition(":")[2]
    if not starts or starts[0] > end:
        return None
    return max(start for start in starts if start <= end), end


def _whole_lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in parts that end with a line, also where the last line has no end; of long lines not all."""
    held = b""
    for at, part in enumerate(_gathered(parts)):
        head, end, tail = (part.removeprefix(_BOM) if not at else part).rpartition(b"\n")
        if end:
            yield held + head + end
            held = tail[:_LONGEST_LINE]
        else:
            held += tail[: max(0, _LONGEST_LINE - len(held))]
    if held:
        yield held + b"\n"


def _gathered(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in parts that are not small, however small they came."""
    gathered, size = [], 0
    for part in parts:
        gathered.append(part)
        size += len(part)
        if size >= PART:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)
