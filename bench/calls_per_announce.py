"""Python calls for each announce to our tracker, without its sockets: the same number on every machine.

    python -m bench.calls_per_announce [--announces 4096] [--top 15]

Every call of a Python or C function is counted (`sys.setprofile`), in a second run, when every peer is known. The
numbers are held to a ceiling by tests/test_calls_per_announce.py.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from random import Random

from bench.calls_per_block import Counting
from bittern.tracker.connection_ids import ConnectionIds
from bittern.tracker.counters import Counters
from bittern.tracker.http import HttpFront
from bittern.tracker.policy import Policy
from bittern.tracker.questions import Clerk
from bittern.tracker.registry import Registry
from bittern.tracker.settings import TrackerSettings
from bittern.tracker.udp import UdpFront
from bittern.tracker.window import Audience, Window
from bittern.wire.http_request import Answer, RequestReader
from bittern.wire.tracker_udp_server import CONNECT_REQUEST

HOST = bytes([192, 0, 2, 1])
SWARMS = 16
ANNOUNCE = (
    b"GET /announce?info_hash=%b&peer_id=-XX0000-%%00abcdefghijk&port=%d&uploaded=0&downloaded=0&left=%d&compact=1"
)
END = b"&numwant=50&key=abcd HTTP/1.1\r\nHost: tracker.example\r\nUser-Agent: x\r\nConnection: close\r\n\r\n"


def udp(announces: int) -> Counter[str]:
    """Calls for so many datagrams, each to its answer."""
    settings, registry, counters = _tracker()
    front = UdpFront(registry, Policy(per_second=1e9), ConnectionIds(bytes(32)), settings, counters)
    given = front.answer(CONNECT_REQUEST + bytes(8), HOST, 0.0)
    assert isinstance(given, bytes)
    head = given[8:16] + b"\0\0\0\1tran"
    said = [
        head + _hash(at) + bytes(20 + 8 + 7) + bytes((at % 4,)) + bytes(8 + 4 + 4 + 4) + b"\0\0\0\x32" + _port(at)
        for at in range(announces)
    ]

    def work() -> None:
        for data in said:
            front.answer(data, HOST, 1.0)

    return _counted(work)


def http(announces: int) -> Counter[str]:
    """Calls for so many requests, each from the bytes of a connection to those of the answer."""
    settings, registry, counters = _tracker()
    front = HttpFront(registry, Policy(per_second=1e9), settings, counters)
    window = Window(front, Clerk(registry, counters), Audience.LOCAL, 0.0)
    said = [
        ANNOUNCE % ("".join(f"%{byte:02x}" for byte in _hash(at)).encode(), int.from_bytes(_port(at)), at % 4) + END
        for at in range(announces)
    ]

    def work() -> None:
        for data in said:
            reader = RequestReader()
            reader.feed(data)
            request = reader.take()
            assert request is not None
            answer = window.answer(request, HOST, 1.0)
            assert isinstance(answer, Answer)
            answer.encode(keep_alive=False)

    return _counted(work)


def _tracker() -> tuple[TrackerSettings, Registry, Counters]:
    settings = TrackerSettings()
    return settings, Registry(0.0, settings.life_seconds, settings.max_peers, Random(1).random), Counters()


def _hash(at: int) -> bytes:
    return bytes((at % SWARMS,)) * 20


def _port(at: int) -> bytes:
    return (1 + at).to_bytes(2)


def _counted(work: Callable[[], None]) -> Counter[str]:
    work()
    counting = Counting()
    counting.start()
    work()
    counting.stop()
    return counting.calls


def main() -> None:
    """Print the numbers, and who makes the calls."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--announces", type=int, default=4096)
    parser.add_argument("--top", type=int, default=15)
    args = parser.parse_args()
    for measure in (udp, http):
        calls = measure(args.announces)
        print(f"{measure.__name__}: {calls.total() / args.announces:.1f} calls an announce")
        for name, count in calls.most_common(args.top):
            print(f"{count / args.announces:8.2f} {name}")


if __name__ == "__main__":
    main()
