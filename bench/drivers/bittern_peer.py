"""A bittern client for benches, through the public API.

    python bittern_peer.py seed|get SOURCE FOLDER [--listen HOST:PORT] [--peer HOST:PORT] [--web-seed URL]
        [--tracker] [--slots N] [--utp] [--encryption require|prefer|off] [--probe]

It says `ready PORT`; a leecher then waits for `go` and says `done T` (monotonic seconds) when its bytes are in
its files. With `--probe` it answers the line `lag` with `lag WORST P99 CPU`, what `Probe` saw since the last such
line. The end of its input ends it.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import bittern

PROBE_SECONDS = 0.005


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["seed", "get"])
    parser.add_argument("source", help="a .torrent file")
    parser.add_argument("folder", help="what holds, or will hold, the torrent's root")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT")
    parser.add_argument("--peer", action="append", default=[], metavar="HOST:PORT")
    parser.add_argument("--web-seed", action="append", default=[], metavar="URL")
    parser.add_argument("--tracker", action="store_true", help="ask the torrent's trackers")
    parser.add_argument("--slots", type=int, default=2000, help="peers to serve at a time")
    parser.add_argument("--utp", action="store_true", help="uTP only, instead of TCP only")
    parser.add_argument("--encryption", choices=["require", "prefer", "off"], default="off")
    parser.add_argument("--probe", action="store_true", help="measure the event loop's lag")
    return parser.parse_args()


def settings_for(args: argparse.Namespace, state_dir: str) -> bittern.Settings:
    """One transport on one address, and no limit on peers that a bench would meet; the defaults otherwise."""
    host, _, port = args.listen.rpartition(":")
    return bittern.Settings(
        state_dir=Path(state_dir),
        listen=(host,),
        port=int(port),
        tcp=not args.utp,
        utp=args.utp,
        use_trackers=args.tracker,
        encryption_in=args.encryption,
        encryption_out=args.encryption,
        max_peers=2000,
        upload_slots=args.slots,
    )


class Probe:
    """Wakes every few milliseconds: a callback that hogs the loop shows as a late timer.

    The loop's own CPU time between two wakes tells such a callback from a machine that was busy elsewhere.
    """

    def __init__(self) -> None:
        self._late: list[float] = []
        self._worked: list[float] = []

    async def watch(self) -> None:
        """Measure for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due, cpu = loop.time() + PROBE_SECONDS, time.thread_time()
            await asyncio.sleep(PROBE_SECONDS)
            self._late.append(loop.time() - due)
            self._worked.append(time.thread_time() - cpu)

    def report(self) -> str:
        """`lag WORST P99 CPU` in seconds since the last report: lateness, and the most CPU time in one go."""
        late = sorted(self._late) or [0.0]
        line = f"lag {late[-1]!r} {late[int(len(late) * 0.99)]!r} {max(self._worked, default=0.0)!r}"
        self._late.clear()
        self._worked.clear()
        return line


async def lines() -> asyncio.StreamReader:
    """Standard input, without blocking the loop."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def run(args: argparse.Namespace, settings: bittern.Settings) -> None:
    """Seed or get until standard input ends."""
    probe = Probe()
    stdin = await lines()
    meta = bittern.Metainfo.load(args.source)
    async with bittern.Session(settings) as session:
        probing = asyncio.create_task(probe.watch()) if args.probe else None
        if args.role == "seed":
            torrent = await session.add(meta, save_path=args.folder)
            await torrent.completed()
            print(f"ready {session.port}", flush=True)
        else:
            print(f"ready {session.port}", flush=True)
            if (await stdin.readline()).strip() != b"go":
                return
            torrent = await session.add(meta, save_path=args.folder, peers=args.peer, web_seeds=args.web_seed)
            await torrent.completed()
            print(f"done {time.monotonic()!r}", flush=True)
        while line := await stdin.readline():
            if line.strip() == b"lag":
                print(probe.report(), flush=True)
        if probing is not None:
            probing.cancel()


def main() -> None:
    """The command line, with state that is gone afterwards, on the torrent's disk: another may be slow to sync."""
    args = options()
    with tempfile.TemporaryDirectory(prefix="bittern-state-", dir=Path(args.source).parent) as state_dir:
        asyncio.run(run(args, settings_for(args, state_dir)))


if __name__ == "__main__":
    main()
