# Invariant: only TrackerError escapes; intervals, peers and texts are in their documented bounds; URLs made from what
# a tracker said are printable ASCII without blanks.
"""Fuzz target: answers of HTTP trackers."""

from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.wire.announce import AnnounceReply, AnnounceRequest
from bittern.wire.tracker_http import announce_url, parse_announce_reply, parse_scrape_reply, scrape_url
from fuzz.driver import Target
from fuzz.trees import tree_edit

_HASH = InfoHashV1(bytes(range(20)))


def check(data: bytes) -> bool:
    """Take `data` for an answer to an announce, to a scrape, and for the URL of a tracker."""
    _check_url(data.decode(errors="replace"))
    try:
        for entry in parse_scrape_reply(data).values():
            assert min(entry.complete, entry.downloaded, entry.incomplete) >= 0
        reply = parse_announce_reply(data)
    except TrackerError as error:
        refusal = error
    else:
        _check_reply(reply)
        return True
    assert refusal.retry_in is None or refusal.retry_in >= 0
    assert len(str(refusal)) < 1000
    return False


def _check_reply(reply: AnnounceReply) -> None:
    assert 60 <= reply.interval <= 86400
    assert reply.min_interval is None or 60 <= reply.min_interval <= 86400
    assert len(set(reply.peers)) == len(reply.peers) <= 2000
    assert all(0 < peer.port < 65536 for peer in reply.peers)
    assert reply.warning is None or len(reply.warning) <= 500
    request = AnnounceRequest(_HASH, PeerId(_HASH), 1, 0, 0, 1, tracker_id=reply.tracker_id)
    assert all("!" <= char <= "~" for char in announce_url("http://t/announce", request))


def _check_url(text: str) -> None:
    try:
        url = announce_url(text, AnnounceRequest(_HASH, PeerId(_HASH), 1, 0, 0, 1))
        scrape = scrape_url(text, [_HASH]) or ""
    except TrackerError:
        return
    assert all("!" <= char <= "~" for char in url + scrape)


_KEYS = (
    b"interval|min interval|peers|peers6|failure reason|retry in|files|ip|port|peer id|"
    b"warning message|tracker id|external ip|complete|incomplete|downloaded"
).split(b"|")

TARGET = Target(
    "tracker_http",
    corpus=(
        b"d8:completei1e10:incompletei0e8:intervali1800e5:peers12:\x7f\x00\x00\x01\x1a\xe1\x0a\x00\x00\x01\x00\x50e",
        b"d8:intervali60e5:peersld2:ip9:127.0.0.14:porti6881eed2:ip3:::14:porti1eeee",
        b"d14:failure reason3:no!8:retry in5:nevere",
        b"d15:warning message4:slow10:tracker id3:abc11:external ip4:\x0a\x00\x00\x016:peers618:"
        + bytes(range(18))
        + b"e",
        b"d5:filesd20:" + bytes(range(20)) + b"d8:completei5e10:downloadedi50e10:incompletei10eeee",
        b"http://user@tracker.example:80/announce.php?passkey=1#x",
        b"https://[::1]:443/x/announce",
    ),
    words=(
        *(b"8:interval", b"12:min interval", b"5:peers", b"6:peers6", b"14:failure reason", b"8:retry in", b"5:files"),
        *(
            b"2:ip",
            b"4:port",
            b"i0e",
            b"i-1e",
            b"i9223372036854775807e",
            b"d",
            b"l",
            b"e",
            b"0:",
            b"6:\x00\x00\x00\x00\x00\x00",
        ),
        *(
            b"http://",
            b":99999",
            b"[",
            b"]",
            b"%",
            b"\r\n",
            b" ",
            b"?",
            b"#",
            b"&",
            b"@",
            b"/announce",
            b"\xc3\xbc",
            b"\xe2\x84\x80",
        ),
    ),
    check=check,
    edits=(tree_edit(_KEYS),),
)
