"""The port that somebody forwards to us, a VPN for example: a file or a command says which, and we listen there."""

import asyncio
import logging
import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from bittern.base.errors import NetworkError

LOOK_SECONDS: Final = 2.0
"""The file is read so often."""
AGAIN_SECONDS: Final = 60.0
"""A command that ended is run again after so long."""
KILL_SECONDS: Final = 2.0
MAX_BYTES: Final = 4096

_NUMBER = re.compile(rb"\d{1,5}")
_log = logging.getLogger("bittern.network")


def port_in(text: bytes) -> int | None:
    """The port that a text gives: the only number from 1 to 65535 in it; None where there is none, or several."""
    found = {int(number) for number in re.findall(rb"\d+", text[:MAX_BYTES]) if _NUMBER.fullmatch(number)}
    ports = [port for port in found if 1 <= port <= 65535]
    return ports[0] if len(ports) == 1 else None


def port_of_file(path: str | os.PathLike[str]) -> int | None:
    """The port in a file; None where there is none, or no file."""
    try:
        with Path(path).open("rb") as file:
            return port_in(file.read(MAX_BYTES))
    except OSError:
        return None


class Forwarding:
    """Follows the port.

    Args:
        move: listens at another port from now on; NetworkError where that is taken.
        file: that holds the port; None for none.
        command: of the shell, that prints it once, and is run again, or a line for each change; None for none.
    """

    def __init__(self, move: Callable[[int], None], file: str | os.PathLike[str] | None, command: str | None) -> None:
        self._move = move
        self._file = file
        self._command = command
        self._told: str | None = None

    async def run(self) -> None:
        """Follow until cancelled."""
        if self._file is not None:
            while True:
                self.follow(port_of_file(self._file))
                await asyncio.sleep(LOOK_SECONDS)
        while self._command is not None:
            await self._run_command(self._command)
            await asyncio.sleep(AGAIN_SECONDS)

    def follow(self, port: int | None) -> None:
        """Listen at `port`, if one is known; where it is taken that is tried again when it is heard of again."""
        if port is None:
            return
        try:
            self._move(port)
            self._told = None
        except NetworkError as error:
            if str(error) != self._told:
                self._told = str(error)
                _log.warning("%s", error)

    async def _run_command(self, command: str) -> None:
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_shell(
                command, stdin=nothing, stdout=pipe, limit=MAX_BYTES, start_new_session=True
            )
        )
        try:
            job = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await _end(await starting)  # asyncio would end the shell alone, not what it has begun
            raise
        try:
            assert job.stdout is not None
            while line := await job.stdout.readline():
                self.follow(port_in(line))
        except ValueError:
            _log.warning("%s: a very long line", command)
        finally:
            await _end(job)


async def _end(job: asyncio.subprocess.Process) -> None:
    """End a command, and what it has begun."""
    for stop in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(job.pid, stop)
        with suppress(TimeoutError):
            async with asyncio.timeout(KILL_SECONDS):
                await job.wait()
                return
