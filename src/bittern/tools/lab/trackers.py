"""Asking trackers for peers, one after the other."""

import time
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urljoin, urlsplit

from bittern.base.errors import TrackerError
from bittern.base.ids import InfoHashV1
from bittern.wire.announce import AnnounceReply, AnnounceRequest
from bittern.wire.tracker_http import MAX_REPLY, announce_url, parse_announce_reply

from .client import NAME, Client

_REDIRECTS = 5
_WEB = ("http://", "https://")
_UDP = "udp://"


def announce(client: Client, trackers: Sequence[str], info_hash: InfoHashV1, left: int) -> AnnounceReply:
    """Ask one tracker after the other until one names peers.

    Args:
        client: who asks.
        trackers: URLs, the best first; those that are not http, https or udp are passed over.
        info_hash: the torrent.
        left: bytes still missing; at least 1, or trackers name no seeds.

    Returns:
        The first answer with peers, or the last without any.

    Raises:
        TrackerError: no tracker answered, with the reason of the last.
    """
    request = AnnounceRequest(info_hash, client.peer_id, client.port, uploaded=0, downloaded=0, left=left)
    reply = None
    failure = TrackerError("the torrent names no http, https or udp tracker")
    for tracker in trackers:
        if not tracker.lower().startswith((*_WEB, _UDP)):
            continue
        try:
            reply = _ask_one(client, tracker, request)
        except TrackerError as error:
            failure = error
            failure.add_note(tracker)
            continue
        if reply.peers:
            break
    if reply is None:
        raise failure
    return reply


def _ask_one(client: Client, tracker: str, request: AnnounceRequest) -> AnnounceReply:
    if tracker.lower().startswith(_UDP):
        from .udp import ask  # noqa: PLC0415 - a third of the start, which few need

        return ask(client, tracker, request)
    return _ask(client, announce_url(tracker, request))


def _ask(client: Client, url: str) -> AnnounceReply:
    """GET `url`, and where it redirects to."""
    deadline = time.monotonic() + client.answer_seconds
    for _ in range(_REDIRECTS + 1):
        try:
            status, reason, target, body = _get(client, url, deadline)
        except (OSError, HTTPException, ValueError) as error:
            raise TrackerError(f"cannot be asked: {getattr(error, 'strerror', None) or error}") from error
        if target is None:
            break
        url = urljoin(url, target)
        if not url.lower().startswith(_WEB):
            raise TrackerError(f"redirects to {url}")
    else:
        raise TrackerError(f"redirects more than {_REDIRECTS} times")
    try:
        reply = parse_announce_reply(body)
    except TrackerError as error:
        client.trace.received(urlsplit(url).netloc, body, f"{status} {reason}: {error}")
        if status != 200 and "answer" in str(error):
            raise TrackerError(f"answered {status} {reason}") from error
        raise
    client.trace.received(urlsplit(url).netloc, body, reply)
    return reply


def _get(client: Client, url: str, deadline: float) -> tuple[int, str, str | None, bytes]:
    """Status, reason, where a redirect leads to, and the body of one exchange."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    target = f"{parts.path or '/'}?{parts.query}"
    client.trace.sent(parts.netloc, b"", f"GET {target}")
    with closing(connect(parts.hostname or "", parts.port, timeout=client.answer_seconds)) as connection:
        connection.request("GET", target, headers={"User-Agent": NAME})
        with connection.getresponse() as response:
            if response.status in (301, 302, 303, 307, 308):
                return response.status, response.reason, response.getheader("Location", ""), b""
            return response.status, response.reason, None, _body(response, deadline)


def _body(response: HTTPResponse, deadline: float) -> bytes:
    body = bytearray()
    while part := response.read1(65536):
        body += part
        if len(body) > MAX_REPLY:
            raise ValueError(f"its answer is longer than {MAX_REPLY} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError("timed out")
    return bytes(body)
