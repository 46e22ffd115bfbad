"""A session of its own that does as it is told, one line at a time, and answers each with a line of JSON.

    python session.py STATE [SETTING=VALUE...]

`add TORRENT FOLDER [PEER...]`, `status [NUMBER]`, `port`, `recheck`, `move FOLDER`, `rename PATH` (of the root folder),
`remove` (with its data), `quit`. All is about the torrent that was added last, or the one of this number, from 0.
`status` says the state, the error, bytes done, and how late the loop was at most, in milliseconds, since the last time.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bittern.base.errors import BitternError
from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.session.torrent import Torrent

_TICK_SECONDS = 0.01


class Lag:
    """How late the loop is."""

    def __init__(self) -> None:
        self._most = 0.0

    async def watch(self) -> None:
        """For ever."""
        while True:
            begun = time.monotonic()
            await asyncio.sleep(_TICK_SECONDS)
            self._most = max(self._most, time.monotonic() - begun - _TICK_SECONDS)

    def take(self) -> float:
        """Milliseconds at most since the last call."""
        most, self._most = self._most, 0.0
        return round(most * 1000, 1)


class Driver:
    """Does what lines say, in one session."""

    def __init__(self, session: Session, lag: Lag) -> None:
        self._session = session
        self._lag = lag
        self._torrent: Torrent | None = None
        self._commands: dict[str, Callable[..., Awaitable[Any]]] = {
            "add": self.add,
            "status": self.status,
            "port": self.port,
            "recheck": self.recheck,
            "move": self.move,
            "rename": self.rename,
            "remove": self.remove,
        }

    async def do(self, line: str) -> Any:
        """What comes of one line."""
        name, *words = line.split("\t")
        try:
            return await self._commands[name](*words)
        except BitternError as error:
            return {"refused": str(error)}

    async def add(self, source: str, folder: str, *peers: str) -> str:
        """Add the torrent."""
        self._torrent = await self._session.add(source, folder, peers=peers)
        return "added"

    async def status(self, number: str = "-1") -> dict[str, Any]:
        """How it is."""
        status = self._session.torrents[int(number)].status
        error = None if status.error is None else str(status.error)
        return {
            "state": status.state.value,
            "error": error,
            "done_bytes": status.done_bytes,
            "lag_ms": self._lag.take(),
        }

    async def port(self) -> int | None:
        """Where it listens."""
        return self._session.port

    async def recheck(self) -> str:
        """Hash everything."""
        await self._there.recheck()
        return "checked"

    async def move(self, folder: str) -> str:
        """Move the files, unless they are there."""
        if self._there.path != Path(folder) / self._there.name:
            await self._there.move_to(folder)
        return "moved"

    async def rename(self, path: str) -> str:
        """Give the root folder another name, unless it has that."""
        if self._there.path != Path(path):
            await self._there.rename(Path(path).name)
        return "renamed"

    async def remove(self) -> str:
        """Remove it with its data."""
        await self._session.remove(self._there, delete_data=True)
        return "removed"

    @property
    def _there(self) -> Torrent:
        assert self._torrent is not None, "nothing was added"
        return self._torrent


async def main(state: Path, changes: dict[str, float]) -> None:
    """Serve until the input ends, or it is told to quit."""
    settings = Settings(
        state_dir=state,
        listen=("127.0.0.1",),
        **{"port": 0, "dht": False, "utp": False, "use_lsd": False, "sleep_seconds": None, **changes},  # type: ignore[arg-type]  # checked there
    )
    lag = Lag()
    async with Session(settings) as session:
        watching = asyncio.ensure_future(lag.watch())
        driver = Driver(session, lag)
        while (line := (await asyncio.to_thread(sys.stdin.readline)).strip()) not in ("", "quit"):
            print(json.dumps(await driver.do(line)), flush=True)
        watching.cancel()


if __name__ == "__main__":
    given = dict(word.split("=") for word in sys.argv[2:])
    asyncio.run(main(Path(sys.argv[1]), {name: float(value) for name, value in given.items()}))
