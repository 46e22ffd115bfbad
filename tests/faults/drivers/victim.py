"""A session that others mistreat, and that says on request how it is.

python victim.py STATE HYBRID.torrent FOLDER WANTED.torrent FOLDER

It has all of the first torrent and wants all of the second. Each line of its input is a word and arguments; each is
answered by a line of JSON. The end of its input is its end.

    report              names of its tasks, its open files and threads, and how long its loop was away at most
    dropped HOST        reasons and offences of connections of a host that were peers and are gone
    banned HOST         whether a host is banned
    connected HOST      how many peers of that host there are
    add LINK FOLDER     take a torrent in, for `remove`
    limit RATE          serve it at so many bytes a second at most
    remove
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from bittern.session.events import EventStream, PeerDropped
from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.session.torrent import Torrent
from tests.leaks import open_files, threads

EVERY_SECONDS = 0.02
SLOTS = 100  # whose turn it is to be served is another question than whether one who is served waits


def say(value: Any) -> None:
    """One line to whoever drives us."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


class Victim:
    """Answers what it is asked."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._torrents: list[Torrent] = []
        self._dropped: dict[str, list[tuple[str, bool]]] = {}
        self._listeners: dict[Torrent, asyncio.Task[None]] = {}
        self.away_seconds = 0.0

    async def take(self, source: str, folder: str) -> Torrent:
        """Add a torrent and listen to it."""
        torrent = await self._session.add(source, folder)
        self._torrents.append(torrent)
        self._listeners[torrent] = asyncio.create_task(self._listen(torrent.events(PeerDropped)), name="victim")
        return torrent

    async def _listen(self, stream: EventStream) -> None:
        async for event in stream:
            if isinstance(event, PeerDropped):
                self._dropped.setdefault(event.address.host, []).append((event.reason, event.offence))

    async def watch(self) -> None:
        """Notice when the loop is away."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(EVERY_SECONDS)
            self.away_seconds = max(self.away_seconds, loop.time() - began - EVERY_SECONDS)

    async def answer(self, word: str, *given: str) -> Any:
        """What is answered to one line."""
        match word, given:
            case "report", ():
                away, self.away_seconds = self.away_seconds, 0.0
                tasks = sorted(task.get_name() for task in asyncio.all_tasks())
                running = sorted(thread.name for thread in threads())
                return {"tasks": tasks, "files": sorted(open_files().values()), "threads": running, "away": away}
            case "dropped", (host,):
                return self._dropped.get(host, [])
            case "banned", (host,):
                return host in self._session.bans
            case "connected", (host,):
                return sum(peer.host == host for torrent in self._torrents for peer in torrent.peers)
            case "add", (link, folder):
                return (await self.take(link, folder)).info_hash.hex()
            case "limit", (rate,):
                self._torrents[-1].set_limits(up=float(rate))
                return True
            case "remove", ():
                torrent = self._torrents.pop()
                await self._session.remove(torrent)
                await self._listeners.pop(torrent)
                return True
        raise ValueError(word)


async def main(state: str, given: str, folder: str, wanted: str, into: str) -> None:
    """Serve until the input ends."""
    settings = Settings(
        state_dir=Path(state), listen=("127.0.0.1",), port=0, upload_slots=SLOTS, dht=True, goodbye_seconds=1.0
    )
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with Session(settings) as session:
        victim = Victim(session)
        await (await victim.take(given, folder)).completed()
        await (await victim.take(wanted, into)).checked()
        watching = asyncio.create_task(victim.watch(), name="watch")
        say(session.port)
        while line := await reader.readline():
            say(await victim.answer(*line.decode().split()))
        watching.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
