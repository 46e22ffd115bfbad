"""What a link leads to, without any of its content: for `files` of a link and `get --metadata-only`."""

import tempfile
from pathlib import Path

from bittern.codec.metainfo import Metainfo
from bittern.codec.paths import safe_name
from bittern.io.disk.atomic import write_atomic
from bittern.session import events
from bittern.session.session import Session
from bittern.session.status import State
from bittern.session.torrent import Torrent

from .loop import interrupts
from .network import Network, session_settings
from .reports import Report
from .transfer import Watch, find_ways, unless_stopped

_FAREWELL = "stopping (again to quit at once)"


async def fetch_metainfo(source: str, network: Network, report: Report, patience: float | None) -> Metainfo:
    """The torrent that a link, an info hash, a URL or a file leads to. No content is asked for, and nothing is kept.

    Args:
        source: as in `bittern get`.
        network: whom to ask.
        report: is told how it goes.
        patience: seconds after which to give up, when nothing came; None for never.

    Raises:
        StoppedError: the user stopped it before.
        NoPeersError: nobody can be asked, or nothing came in time.
        BitternError: the source is invalid, or can not be fetched.
        OSError: the .torrent file can not be read.
    """
    settings = session_settings(network, sequential=False, ratio=None, minutes=None)
    with interrupts(_FAREWELL, report.say) as stop:
        async with Session(settings) as session:
            found = await unless_stopped(session.find(source), stop)
            if isinstance(found, Metainfo):
                return found
            # A place of its own: the user may be downloading the same torrent elsewhere.
            with tempfile.TemporaryDirectory(prefix="bittern-") as nowhere:
                adding = session.add(found, nowhere, peers=network.peer, metadata_only=True)
                torrent = await unless_stopped(adding, stop)
                watch = Watch(torrent, session, report, stop)
                await find_ways(watch, torrent, session, report)
                await watch.until(_ready(torrent), patience)
                metainfo = torrent.metainfo
                assert metainfo is not None
                return metainfo


def write_torrent(metainfo: Metainfo, folder: Path, *, overwrite: bool) -> Path:
    """Write NAME.torrent into `folder`, which is made when missing; its path.

    Raises:
        FileExistsError: there is another file of this name, and it may not be overwritten.
        OSError: it can not be written.
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


async def _ready(torrent: Torrent) -> None:
    stream = torrent.events(events.StateChanged)
    await torrent.metadata()
    while torrent.status.state is not State.PAUSED:  # piece layers are still to come
        await anext(stream)
