"""What a link leads to, without any of its content: for `files` of a link and `get --metadata-only`."""

import asyncio
import tempfile
from pathlib import Path

from bittern.codec.metainfo import Metainfo
from bittern.codec.paths import safe_name
from bittern.io.disk.atomic import write_atomic
from bittern.session import events
from bittern.session.status import State
from bittern.session.torrent import Torrent

from .loop import interrupts
from .network import Network, session_settings
from .notices import notices
from .opening import opened
from .reports import Report
from .transfer import Watch, find_ways, unless_stopped

_FAREWELL = "stopping (again to quit at once)"
_EXPLAIN_SECONDS = 3.0
_LAYERS = (
    "the metadata is here, but of its piece layers (BEP 52) only peers can tell that speak version 2: waiting for one"
)


async def fetch_metainfo(
    source: str, network: Network, report: Report, patience: float | None, *, whole: bool = True
) -> Metainfo:
    """The torrent that a link, an info hash, a URL or a file leads to. No content is asked for, and nothing is kept.

    Args:
        source: as in `bittern get`.
        network: whom to ask.
        report: is told how it goes.
        patience: seconds after which to give up, when nothing came; None for never.
        whole: whether its piece layers are wanted, too (BEP 52): a .torrent file has them, a list of files needs none.

    Raises:
        StoppedError: the user stopped it before.
        NoPeersError: nobody can be asked, or nothing came in time.
        BitternError: the source is invalid, or cannot be fetched.
        OSError: the .torrent file cannot be read.
    """
    settings = session_settings(network, sequential=False, ratio=None, minutes=None)
    with interrupts(_FAREWELL, report.say) as stop, notices(report.say):
        async with opened(settings, stop, report) as session:
            found = await unless_stopped(session.find(source), stop)
            if isinstance(found, Metainfo):
                return found
            # A place of its own: the user may be downloading the same torrent elsewhere.
            with tempfile.TemporaryDirectory(prefix="bittern-") as nowhere:
                adding = session.add(found, nowhere, peers=network.peer, metadata_only=True)
                torrent = await unless_stopped(adding, stop)
                watch = Watch(torrent, session, report, stop)
                await find_ways(watch, torrent, session, report)
                await watch.until(torrent.metadata(), patience)
                if whole:
                    await _all_layers(torrent, watch, report, patience)
                metainfo = torrent.metainfo
                assert metainfo is not None
                return metainfo


def write_torrent(metainfo: Metainfo, folder: Path, *, overwrite: bool) -> Path:
    """Write NAME.torrent into `folder`, which is made when missing; its path.

    Raises:
        FileExistsError: there is another file of this name, and it may not be overwritten.
        OSError: it cannot be written.
    """
    path = folder / safe_name(f"{metainfo.info.name}.torrent")
    data = metainfo.to_bytes()
    if path.exists() and not overwrite:
        if path.read_bytes() == data:
            return path
        raise FileExistsError(17, "there is another file of this name", str(path))
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data)
    return path


async def _all_layers(torrent: Torrent, watch: Watch, report: Report, patience: float | None) -> None:
    """Wait until the torrent is PAUSED: all that belongs to it is known then."""
    stream = torrent.events(events.StateChanged)

    async def known() -> None:
        while torrent.status.state is not State.PAUSED:
            await anext(stream)

    explaining = asyncio.get_running_loop().call_later(_EXPLAIN_SECONDS, report.say, _LAYERS)
    try:
        await watch.until(known(), patience)
    finally:
        explaining.cancel()
