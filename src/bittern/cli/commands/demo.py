"""`bittern demo`: a swarm on this machine, with a tracker, a seed and a download over real sockets."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bittern.base.errors import NetworkError
from bittern.cli.arguments import Size
from bittern.cli.exit_codes import ExitCode
from bittern.cli.loop import interrupts, run
from bittern.cli.output import format_size, say
from bittern.cli.transfer import StoppedError, unless_stopped
from bittern.codec.metainfo import Metainfo
from bittern.io.tracker.listening import Places
from bittern.io.tracker.service import TrackerService
from bittern.tools.create import CreateOptions, create
from bittern.tools.scan import scan
from bittern.tools.verify import locate, verify
from bittern.tracker.policy import Policy
from bittern.tracker.settings import TrackerSettings

_SIZE = 96 << 20
_LIMIT = "48M"  # for the eye: without it there would be nothing to watch
_START_SECONDS = 30.0
_END_SECONDS = 12.0
_HERE = Places(("127.0.0.1",), http_port=0, udp_port=None)
_LOOK_SECONDS = 0.05
_LOCAL = ("--listen", "127.0.0.1", "--port", "0", "--no-dht")


def demo(*, size: Size = _SIZE) -> ExitCode:
    """Download a torrent from a swarm on this machine: a tracker, a seed, real sockets. Takes a few seconds.

    Parameters
    ----------
    size
        Bytes of the content, 96M unless given.
    """
    return run(_demo(size))


async def _demo(size: int) -> ExitCode:
    with interrupts("") as stop, tempfile.TemporaryDirectory(prefix="bittern-demo-") as folder:
        try:
            return await unless_stopped(_in_folder(Path(folder), size), stop)
        except StoppedError:
            return ExitCode.UNFINISHED


async def _in_folder(folder: Path, size: int) -> ExitCode:
    began = time.monotonic()
    async with TrackerService(TrackerSettings(interval_seconds=60), Policy(), _HERE) as tracker:
        (url,) = tracker.urls
        content = await asyncio.to_thread(_make_content, folder / "original", size)
        metainfo = await asyncio.to_thread(_make_torrent, content, folder / "demo.torrent", url)
        info = metainfo.info
        say(f"1. A tracker runs at {url}")
        say(f"2. Made demo.torrent: {format_size(info.total_size)} in {info.geometry.piece_count} pieces")
        async with _running(folder, "seed", "demo.torrent", "original", "--quiet", *_LOCAL) as seed:
            await _until_announced(tracker, metainfo, seed)
            say(f"3. A seed runs as process {seed.pid} and has told the tracker")
            say(f"4. $ bittern get demo.torrent -d downloads --down-limit {_LIMIT}")
            sys.stdout.flush()  # before another process writes to it
            arguments = ("demo.torrent", "-d", "downloads", "--down-limit", _LIMIT, *_LOCAL)
            async with _running(folder, "get", *arguments) as get:
                code = await get.wait()
        if code:
            return ExitCode(code) if code in set(ExitCode) else ExitCode.OTHER
        paths = locate(info, folder / "downloads")
        report = await asyncio.to_thread(verify, metainfo, paths)
        if not report.good:
            say(f"5. {len(report.bad_pieces)} pieces are NOT as the torrent says")
            return ExitCode.VERIFY_FAILED
        say(f"5. Read back and hashed again: all {report.piece_count} pieces are good")
    say(f"Done in {time.monotonic() - began:.1f} s; everything is cleaned up")
    return ExitCode.OK


def _make_content(folder: Path, size: int) -> Path:
    root = folder / "bittern-demo"
    (root / "notes").mkdir(parents=True)
    (root / "readme.txt").write_text("This came through a BitTorrent swarm of two.\n")
    for name, share in (("film.bin", size - size // 8), ("notes/music.bin", size // 8)):
        with (root / name).open("wb") as file:
            for at in range(0, share, 1 << 20):
                file.write(os.urandom(min(1 << 20, share - at)))
    return root


def _make_torrent(content: Path, target: Path, tracker: str) -> Metainfo:
    made = create(scan(content), CreateOptions(trackers=((tracker,),)))
    target.write_bytes(made.data)
    return made.metainfo


@asynccontextmanager
async def _running(folder: Path, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`bittern COMMAND` in a process of its own, which ends with the block. It shares no settings with the user's."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bittern", *command, cwd=folder, env=_environment(folder)
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _END_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


def _environment(folder: Path) -> dict[str, str]:
    own = {f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("STATE", "CONFIG", "CACHE")}
    package = Path(__file__).parents[3]
    path = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH"))))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BITTERN_")}
    return {**kept, **own, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


async def _until_announced(tracker: TrackerService, metainfo: Metainfo, seed: asyncio.subprocess.Process) -> None:
    """Until the tracker knows the seed."""
    give_up_at = time.monotonic() + _START_SECONDS
    while not tracker.registry.scrape(metainfo.info.wire_hash)[0]:
        if seed.returncode is not None or time.monotonic() > give_up_at:
            raise NetworkError("the seed did not reach the tracker")
        await asyncio.sleep(_LOOK_SECONDS)
