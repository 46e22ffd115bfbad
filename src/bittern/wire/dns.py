"""Questions to name servers, and their answers (RFC 1035, 3596): the addresses of a name, and nothing else."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from bittern.base.errors import ProtocolError

from .stream import Buffer

PORT: Final = 53
MAX_DATAGRAM: Final = 4096
"""Bytes of an answer that are read."""

_HEAD = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")
_ANSWER, _TRUNCATED, _RECURSE, _CODE = 0x8000, 0x0200, 0x0100, 0x000F
_A, _CNAME, _AAAA, _INTERNET = 1, 5, 28, 1
_MOST_RECORDS = 200
_MOST_STEPS = 16
_NO_SUCH_NAME = 3


class DnsError(ProtocolError):
    """A name cannot be asked for, or a datagram is no answer to a question."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a name server says.

    Attributes:
        hosts: numeric addresses, in its order; none where the name has none of that kind.
        exists: whether the server knows the name.
        refused: whether it cannot, or will not say: another one may.
        truncated: whether there is more, to be asked for by TCP.
    """

    hosts: tuple[str, ...] = ()
    exists: bool = True
    refused: bool = False
    truncated: bool = False


def question(name: str, number: int, *, ipv6: bool) -> bytes:
    """Which addresses has `name`?

    Args:
        name: of a host.
        number: 0..65535, by which the answer is known.
        ipv6: of which kind.

    Raises:
        DnsError: no host can be called so.
    """
    head = _HEAD.pack(number, _RECURSE, 1, 0, 0, 0)
    return head + _encoded(name) + struct.pack("!HH", _AAAA if ipv6 else _A, _INTERNET)


def parse(datagram: Buffer, asked: bytes) -> Addresses:
    """Read what came for a question.

    Raises:
        DnsError: it is no answer to it.
    """
    data = bytes(datagram)
    if len(data) < _HEAD.size or data[:2] != asked[:2]:
        raise DnsError("no answer")
    _, flags, questions, answers, _, _ = _HEAD.unpack_from(data)
    end = len(asked)
    # The question comes back as it was asked, but perhaps in other letters (RFC 1035 7.3).
    if not flags & _ANSWER or questions != 1 or data[_HEAD.size : end].lower() != asked[_HEAD.size :].lower():
        raise DnsError("an answer to something else")
    code = flags & _CODE
    if code:
        return Addresses(exists=code != _NO_SUCH_NAME, refused=code != _NO_SUCH_NAME)
    if flags & _TRUNCATED:
        return Addresses(truncated=True)
    name, at = _name(data, _HEAD.size)
    wanted = int.from_bytes(data[at : at + 2])
    return Addresses(_hosts(data, end, min(answers, _MOST_RECORDS), name, wanted))


def _hosts(data: bytes, at: int, count: int, name: bytes, wanted: int) -> tuple[str, ...]:
    """The addresses of `name`, or of what it stands for."""
    found: dict[bytes, list[str]] = {}
    stands_for: dict[bytes, bytes] = {}
    for _ in range(count):
        owner, at = _name(data, at)
        if at + _FIXED.size > len(data):
            raise DnsError("half an answer")
        kind, realm, _, length = _FIXED.unpack_from(data, at)
        at += _FIXED.size
        body, at = data[at : at + length], at + length
        if len(body) < length:
            raise DnsError("half an answer")
        if realm == _INTERNET and kind == _CNAME:
            stands_for.setdefault(owner, _name(data, at - length)[0])
        elif (realm, kind, length) == (_INTERNET, wanted, 16 if wanted == _AAAA else 4):
            host = str(IPv6Address(body)) if wanted == _AAAA else str(IPv4Address(body))
            found.setdefault(owner, []).append(host)
    for _ in range(_MOST_STEPS):
        if name in found or name not in stands_for:
            break
        name = stands_for[name]
    return tuple(dict.fromkeys(found.get(name, ())))


def _encoded(name: str) -> bytes:
    try:
        text = name.rstrip(".").encode("idna")
    except UnicodeError:
        raise DnsError(f"{name[:80]!r} is no name of a host") from None
    labels = text.split(b".")
    if not text or len(text) > 253 or not all(0 < len(label) < 64 for label in labels):
        raise DnsError(f"{name[:80]!r} is no name of a host")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def _name(data: bytes, at: int) -> tuple[bytes, int]:
    """A name in lower-case letters, and where it ends; parts of it may stand further in front (RFC 1035 4.1.4)."""
    labels: list[bytes] = []
    end = None
    while True:
        if at >= len(data) or len(labels) > 128:
            raise DnsError("a name that does not end")
        length = data[at]
        if length >= 0xC0:
            if at + 2 > len(data):
                raise DnsError("a name that does not end")
            end = at + 2 if end is None else end
            target = int.from_bytes(data[at : at + 2]) & 0x3FFF
            if target >= at:
                raise DnsError("a name that leads forward")
            at = target
            labels.append(b"")  # counted, so that names that lead round in circles end
            continue
        if length > 63:
            raise DnsError("a name of another kind")
        if not length:
            break
        labels.append(data[at + 1 : at + 1 + length].lower())
        at += 1 + length
    return b".".join(label for label in labels if label), (at + 1 if end is None else end)
