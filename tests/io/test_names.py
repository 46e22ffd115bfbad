"""Names are looked up beside the loop, and nobody waits for an answer that does not come."""

import asyncio
import socket
import subprocess
import sys
import threading
import time

import pytest

from bittern.io.names import look_up


async def test_a_numeric_address_is_its_own_answer() -> None:
    found = await look_up("127.0.0.1", 80, family=socket.AF_INET, kind=socket.SOCK_STREAM)
    assert [entry[4] for entry in found] == [("127.0.0.1", 80)]


async def test_without_a_thread_addresses_are_known_and_names_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    found = await look_up("::1", 80, kind=socket.SOCK_STREAM)
    assert [entry[4][:2] for entry in found] == [("::1", 80)]
    with pytest.raises(OSError, match="no more threads"):
        await look_up("localhost", 80)


@pytest.mark.parametrize("name", ["nobody.invalid", "a..b", "x" * 300])
async def test_a_name_that_is_none_is_an_error(name: str) -> None:
    with pytest.raises((OSError, UnicodeError)):
        await look_up(name, None)


async def test_who_waits_no_more_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def slow(*_: object) -> list[object]:
        assert go.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(look_up("slow.invalid", None), 0.01)
    go.set()
    await asyncio.sleep(0.05)


def test_a_name_server_that_is_silent_does_not_hold_up_the_end_of_the_process() -> None:
    script = """
import asyncio, socket, time
socket.getaddrinfo = lambda *_: time.sleep(30)
from bittern.io.names import look_up
async def main():
    task = asyncio.create_task(look_up("silent.invalid", None))
    await asyncio.sleep(0.1)
    task.cancel()
asyncio.run(main())
"""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", script], check=True, timeout=20)
    assert time.monotonic() - began < 10
