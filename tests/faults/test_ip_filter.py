"""What the real program says to addresses that its IP filter blocks: nothing, whatever they are named as."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.rigs.program import Program
from tests.interop.rigs.process import wait_until
from tests.session.rig import fill, write_torrent

HOST = "127.0.0.66"
QUIET = ("--no-lsd", "--no-nat")
ALL = {"peer", "peer, uTP", "tracker", "tracker, UDP", "web seed", "node"}


class Ears:
    """Sockets at the blocked address: whether anybody came to each, by what it is named as."""

    def __init__(self, stack: ExitStack) -> None:
        self._sockets: dict[str, socket.socket] = {}
        self._heard: set[str] = set()
        for name in ("peer", "tracker", "web seed"):
            self._sockets[name] = stack.enter_context(socket.create_server((HOST, 0)))
        for name in ("peer, uTP", "tracker, UDP", "node"):
            sock = self._sockets[name] = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            sock.bind((HOST, 0))

    def port(self, name: str) -> int:
        """Where it listens."""
        return int(self._sockets[name].getsockname()[1])

    def heard(self) -> set[str]:
        """Who was called so far."""
        self._heard |= {name for name, sock in self._sockets.items() if _was_called(sock)}
        return self._heard


def _was_called(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        if sock.type == socket.SOCK_DGRAM:
            sock.recv(1)
        else:
            sock.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.fixture
def ears() -> Iterator[Ears]:
    with ExitStack() as stack:
        yield Ears(stack)


@pytest.mark.parametrize("filtered", [True, False], ids=["filtered", "free"])
def test_nothing_is_sent_to_a_blocked_address_and_to_a_free_one_all_of_it(
    tmp_path: Path, ears: Ears, monkeypatch: pytest.MonkeyPatch, *, filtered: bool
) -> None:
    monkeypatch.delenv("BITTERN_NO_DHT")  # it begins with the node that is named, and with no other
    trackers = f"http://{HOST}:{ears.port('tracker')}/announce", f"udp://{HOST}:{ears.port('tracker, UDP')}"
    source = fill(tmp_path / "a.bin", 100_000)
    write_torrent(source, tmp_path / "a.torrent", *trackers)
    meta = write_torrent(source, tmp_path / "b.torrent")
    listed = tmp_path / "list"
    listed.write_text(f"{HOST if filtered else '127.0.0.67'}/32\n")
    both = ["-d", str(tmp_path / "out"), "--port", "0", "--ip-filter", str(listed)]
    if filtered:
        both += ["--timeout", "4"]
    words = ["get", str(tmp_path / "a.torrent"), *both, "--no-dht", "--announce-to-all"]
    for name in ("peer", "peer, uTP"):
        words += ["--peer", f"{HOST}:{ears.port(name)}"]
    words += ["--web-seed", f"http://{HOST}:{ears.port('web seed')}/a.bin"]
    seeking = ["get", str(meta.info.wire_hash), *both, "--dht-router", f"{HOST}:{ears.port('node')}"]
    with (
        Program(words, tmp_path / "home", quiet=QUIET) as program,
        Program(seeking, tmp_path / "other home", quiet=QUIET) as other,
    ):
        if not filtered:
            assert wait_until(lambda: ears.heard() == ALL, 10)
            return
        assert (program.ends(20), other.ends(20)) == (6, 6)
        told = [line for line in (*program.messages, *other.messages) if "blocked: " in line]
    assert ears.heard() == set()
    assert "2 addresses that were named" in told[0]
    assert re.search(r" [1-9] connections? to (a web seed|web seeds)", told[0])  # it is asked again after a while
    assert "2 questions to trackers" in told[0]
    assert "of the DHT" in told[1]
