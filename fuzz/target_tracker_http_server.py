# Invariant: only RequestError escapes the reader and nothing the front; any split of the stream gives the same answers;
# bodies of announces and scrapes are canonical bencode; the registry's invariants hold.
"""Fuzz target: what comes in on a connection to our tracker."""

from random import Random

from bittern.codec.bencode import decode
from bittern.tracker.counters import Counters
from bittern.tracker.http import HttpFront
from bittern.tracker.policy import Policy
from bittern.tracker.registry import Registry
from bittern.tracker.settings import TrackerSettings
from bittern.wire.http_request import Answer, RequestError, RequestReader
from fuzz.driver import Target

_HOSTS = (bytes([192, 0, 2, 1]), bytes(range(16)))
_QUERY = b"info_hash=%00aaaaaaaaaaaaaaaaaaa&peer_id=-XX0000-............&port=6881&left=1"


def check(data: bytes) -> bool:
    """Take `data` for all that a client sends, at once and in bytes of a drawn length."""
    step = Random(len(data)).randint(1, 40)
    whole = _answers(data, len(data) or 1)
    assert whole == _answers(data, step)
    return any(b"8:interval" in answer or b"5:files" in answer for answer in whole)


def _answers(data: bytes, step: int) -> list[bytes]:
    settings = TrackerSettings(trust_ip=True)
    registry = Registry(0.0, settings.life_seconds, 100, Random(1).random)
    front = HttpFront(registry, Policy(), settings, Counters())
    reader, answers = RequestReader(), list[bytes]()
    at = 0
    try:
        while at < len(data):
            part = data[at : at + min(step, reader.room)]
            at += len(part)
            reader.feed(part)
            while (request := reader.take()) is not None:
                answer = front.answer(request, _HOSTS[len(answers) % 2], 0.0)
                assert isinstance(answer, Answer)
                if answer.status == 200:
                    decode(answer.body)
                answers.append(answer.encode(keep_alive=request.keep_alive))
    except RequestError as error:
        answers.append(b"%d" % error.status)
    registry.check_invariants()
    return answers


TARGET = Target(
    "tracker_http_server",
    corpus=(
        b"GET /announce?" + _QUERY + b" HTTP/1.1\r\nHost: t\r\nAccept-Encoding: gzip\r\n\r\n",
        b"GET /key/announce?" + _QUERY + b"&event=completed&compact=0&ip=192.0.2.7 HTTP/1.0\r\n\r\n",
        b"GET /scrape?info_hash=%00aaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET http://t/announce.php?" + _QUERY + b"&ipv6=2001:db8::1 HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\n",
    ),
    words=(
        *(
            b"\r\n\r\n",
            b"\r\n",
            b"GET ",
            b" HTTP/1.1",
            b"%",
            b"%zz",
            b"&",
            b"=",
            b"?",
            b"/",
            b"info_hash=",
            b"numwant=",
        ),
        *(b"&left=0", b"&event=stopped", b"&port=0", b"-1", b"99999999999999999999", b"Content-Length: 9\r\n"),
        *(b"Connection: close\r\n", b"Transfer-Encoding: chunked\r\n", b"&ip=::", b"\xff", b"\0"),
    ),
    check=check,
)
