# Invariant: no exception escapes; strangers get no more bytes than they sent, announces at most 1,400; the registry's
# invariants hold.
"""Fuzz target: datagrams to our tracker, from strangers and from who has a connection id."""

from random import Random

from bittern.tracker.connection_ids import ConnectionIds
from bittern.tracker.counters import Counters
from bittern.tracker.policy import Policy
from bittern.tracker.registry import Registry
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.udp import UdpFront
from fuzz.driver import Target

_HOST = bytes([192, 0, 2, 1])
_ASK = (0x41727101980).to_bytes(8)
_ANNOUNCE = b"\0\0\0\1tran" + bytes(range(20)) + b"-XX0000-............" + bytes(8) + b"\0" * 7 + b"\1" + bytes(8)
_REST = b"\0\0\0\2" + bytes(8) + b"\xff\xff\xff\xff\x1a\xe1"


def check(data: bytes) -> bool:
    """Take `data` for a datagram: as it is, and behind a good connection id."""
    settings, accepted = TrackerSettings(), False
    for policy in (Policy(per_second=0), Policy([bytes(range(20))], ["key"])):
        registry = Registry(0.0, settings.life_seconds, 100, Random(1).random)
        front = UdpFront(registry, policy, ConnectionIds(bytes(32)), settings, Counters())
        assert len(_answer(front, data)) <= len(data)
        given = _answer(front, _ASK + b"\0\0\0\0tran")
        for _ in range(2):
            answer = _answer(front, given[8:] + data)
            assert len(answer) <= 1400
            accepted |= answer != b"" and answer[3] != 3
        registry.check_invariants()
    return accepted


def _answer(front: UdpFront, data: bytes) -> bytes:
    """What is sent back, b"" for nothing."""
    answer = front.answer(data, _HOST, 0.0) or b""
    assert isinstance(answer, bytes)
    return answer


TARGET = Target(
    "tracker_udp_server",
    corpus=(
        _ASK + b"\0\0\0\0tran",
        _ANNOUNCE + _REST,
        _ANNOUNCE + _REST + b"\x02\x0d/key/announce\x01\x00",
        b"\0\0\0\2tran" + bytes(range(40)),
    ),
    words=(_ASK, b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3", b"\x02\x0d/key/announce", b"\x02\xff", b"\x01", bytes(20)),
    check=check,
)
