# Invariant: only TrackerError escapes; intervals, peers and texts are in their documented bounds; requests and answers
# that were accepted are the same after a round trip, as far as they are kept.
"""Fuzz target: datagrams of UDP trackers, both ways."""

from bittern.base.errors import TrackerError
from bittern.wire.tracker_udp import (
    MAX_SCRAPE,
    Announce,
    Announced,
    Refused,
    Scrape,
    Scraped,
    encode_reply,
    encode_request,
    endpoint,
    parse_reply,
    parse_request,
    transaction_of,
    url_data,
)
from fuzz.driver import Target

_HEAD = bytes.fromhex("1122334455667788 00000001 01020304")


def check(data: bytes) -> bool:
    """Take `data` for an answer by each family, for a request, and for the URL of a tracker."""
    _check_url(data.decode(errors="replace"))
    return any([_check_reply(data, ipv6=False), _check_reply(data, ipv6=True), _check_request(data)])


def _check_reply(data: bytes, *, ipv6: bool) -> bool:
    try:
        reply = parse_reply(data, ipv6=ipv6)
    except TrackerError:
        return False
    assert transaction_of(data) == reply.transaction
    if isinstance(reply, Announced):
        said = reply.reply
        assert 60 <= said.interval <= 86400
        assert len(set(said.peers)) == len(said.peers) <= 2000
        assert all(0 < peer.port < 65536 for peer in said.peers)
        if any(peer.is_ipv6 != ipv6 for peer in said.peers):
            return True  # IPv4 addresses mapped into IPv6 are read as IPv4
    elif isinstance(reply, Scraped):
        assert len(reply.entries) <= MAX_SCRAPE
    elif isinstance(reply, Refused):
        assert 0 < len(reply.words) <= 500
        return True
    assert parse_reply(encode_reply(reply), ipv6=ipv6) == reply
    return True


def _check_request(data: bytes) -> bool:
    try:
        request = parse_request(data)
    except TrackerError:
        return False
    if isinstance(request, Announce):
        assert len(request.url_data) <= len(data)
    elif isinstance(request, Scrape):
        assert 0 < len(request.info_hashes) <= MAX_SCRAPE
    assert parse_request(encode_request(request)) == request
    return True


def _check_url(text: str) -> None:
    try:
        host, port = endpoint(text)
        said = url_data(text)
    except TrackerError:
        return
    assert host
    assert host.isascii()
    assert 0 < port < 65536
    assert all(0x21 <= byte <= 0x7E for byte in said)


TARGET = Target(
    "tracker_udp",
    corpus=(
        bytes.fromhex("0000041727101980 00000000 01020304"),
        _HEAD + bytes(40) + bytes(24) + bytes.fromhex("00000002 00000000 00000007 ffffffff 1ae1") + b"\x02\x05/a?b=",
        bytes.fromhex("1122334455667788 00000002 01020304") + bytes(40),
        bytes.fromhex("00000000 01020304 1122334455667788"),
        bytes.fromhex("00000001 01020304 00000708 00000001 00000002 7f0000011ae1 0a0000010050"),
        bytes.fromhex("00000001 01020304 00000708 00000001 00000002") + bytes(range(36)),
        bytes.fromhex("00000002 01020304") + bytes(range(24)),
        bytes.fromhex("00000003 01020304") + b"no such torrent",
        b"udp://tracker.example:6969/announce?x=%20#f",
        b"udp://[::1]:80/",
    ),
    words=(
        *(b"\x00\x00\x00\x00", b"\x00\x00\x00\x01", b"\x00\x00\x00\x02", b"\x00\x00\x00\x03", b"\xff\xff\xff\xff"),
        *(b"\x02\xff", b"\x02\x00", b"\x01", b"\x00", bytes(10) + b"\xff\xff\x0a\x00\x00\x01\x00\x50"),
        *(b"udp://", b":99999", b"[", b"]", b"%", b"\r\n", b" ", b"?", b"#", b"@", b"/announce", b"\xc3\xbc", b".."),
    ),
    check=check,
)
