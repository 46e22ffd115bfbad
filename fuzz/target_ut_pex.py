# Invariant: only RemoteProtocolError escapes; at most fifty addresses of each family are added and as many dropped,
# none of them both; what was read comes back unchanged from its own encoding.
"""Fuzz target: messages of peer exchange."""

from bittern.base.errors import RemoteProtocolError
from bittern.wire.ut_pex import MOST, PexMessage
from fuzz.driver import Target
from fuzz.trees import tree_edit


def check(data: bytes) -> bool:
    """Parse `data` as the payload of an extended message."""
    try:
        message = PexMessage.parse(memoryview(data))
    except RemoteProtocolError:
        return False
    for ipv6 in (False, True):
        assert sum(address.is_ipv6 == ipv6 for address in message.added) <= MOST
        assert sum(address.is_ipv6 == ipv6 for address in message.dropped) <= MOST
    assert not set(message.added) & set(message.dropped)
    assert all(0 <= flags <= 31 for flags in message.added.values())
    assert PexMessage.parse(message.encode()) == message
    return True


_KEYS = b"added|added.f|added6|added6.f|dropped|dropped6".split(b"|")

TARGET = Target(
    "ut_pex",
    corpus=(
        b"de",
        b"d5:added6:\x0a\x00\x00\x01\x1a\xe17:added.f1:\x127:dropped6:\xc0\x00\x02\x07\xc8\xd5e",
        b"d6:added618:" + bytes(range(18)) + b"8:added6.f1:\x018:dropped618:" + bytes(18) + b"e",
        b"d5:added360:" + bytes(range(180)) * 2 + b"7:added.f60:" + bytes(range(60)) + b"e",
    ),
    words=(
        *(b"5:added", b"7:added.f", b"6:added6", b"8:added6.f", b"7:dropped", b"8:dropped6", b"0:", b"6:", b"18:"),
        *(bytes(10) + b"\xff\xff", b"i5e", b"l", b"d", b"e"),
    ),
    check=check,
    edits=(tree_edit(_KEYS),),
)
