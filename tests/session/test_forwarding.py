import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from bittern.base.errors import NetworkError
from bittern.session import forwarding as module
from bittern.session.forwarding import Forwarding, port_in, port_of_file
from bittern.session.session import Session

from .rig import album, settings, torrent, tracking


@pytest.mark.parametrize(
    ("text", "port"),
    [
        (b"51413\n", 51413),
        (b" 51413", 51413),
        (b'{"port": 51413}', 51413),
        (b"", None),
        (b"0", None),
        (b"70000", None),
        (b"none", None),
        (b"1 2", None),
        (b"51413 51413", 51413),
        (b"9" * 5000, None),
    ],
)
def test_a_port_is_the_only_number_that_can_be_one(text: bytes, port: int | None) -> None:
    assert port_in(text) == port


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert port_of_file(tmp_path / "none") is None
    assert port_of_file(tmp_path) is None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for knows nothing of asyncio
            await asyncio.sleep(0.01)


async def test_a_file_is_followed_and_the_session_listens_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    first, second = free_port(), free_port()
    file = tmp_path / "port"
    file.write_text(f"{first}\n")
    async with Session(settings(tmp_path / "state", port_file=file, port=None)) as session:
        assert session.port == first
        file.write_text(f"{second}\n")
        await until(lambda: session.port == second)
        file.unlink()
        await asyncio.sleep(0.1)
        assert session.port == second
        _, writer = await asyncio.open_connection("127.0.0.1", second)
        writer.close()
        await writer.wait_closed()


async def test_a_port_that_is_taken_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    tried: list[int] = []

    def move(port: int) -> None:
        tried.append(port)
        if len(tried) < 3:
            raise NetworkError("taken")

    (tmp_path / "port").write_text("7")
    task = asyncio.create_task(Forwarding(move, tmp_path / "port", None).run())
    await until(lambda: len(tried) >= 3)
    task.cancel()
    await asyncio.wait([task])


async def test_a_command_may_print_a_port_for_each_change_or_end_and_be_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    moved: list[int] = []
    task = asyncio.create_task(Forwarding(moved.append, None, "echo 1111; echo nothing; echo 2222").run())
    await until(lambda: moved[:4] == [1111, 2222, 1111, 2222])
    task.cancel()
    await asyncio.wait([task])


async def test_a_command_that_goes_on_ends_with_the_session() -> None:
    moved: list[int] = []
    task = asyncio.create_task(Forwarding(moved.append, None, "echo 1111; exec sleep 600").run())
    await until(lambda: moved == [1111])
    task.cancel()
    async with asyncio.timeout(2):
        await asyncio.wait([task])


async def test_what_a_command_has_begun_ends_with_it(tmp_path: Path) -> None:
    moved: list[int] = []
    command = f"echo 1111; sleep 600 & echo $! > {tmp_path / 'pid'}; wait"
    task = asyncio.create_task(Forwarding(moved.append, None, command).run())
    await until((tmp_path / "pid").exists)
    await until(lambda: bool((tmp_path / "pid").read_text().strip()))
    task.cancel()
    await asyncio.wait([task])
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes())


async def test_a_tracker_hears_of_the_port_that_is_forwarded_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    first, second = free_port(), free_port()
    file, content = tmp_path / "port", album(tmp_path / "album")
    file.write_text(str(first))
    with tracking() as tracker:
        async with Session(settings(tmp_path / "state", port_file=file, port=None)) as session:
            await session.add(torrent(content, tracker.url), content.parent)
            await asyncio.to_thread(tracker.wait_for, lambda announce: announce.port == first)
            file.write_text(str(second))
            await asyncio.to_thread(tracker.wait_for, lambda announce: announce.port == second)
