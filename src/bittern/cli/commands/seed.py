"""`bittern seed`: share files that are there."""

from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bittern.base.errors import StorageError
from bittern.cli.arguments import Json, check_content
from bittern.cli.exit_codes import ExitCode
from bittern.cli.failures import UsageError
from bittern.cli.loop import interrupts, run
from bittern.cli.network import Network, session_settings
from bittern.cli.notices import notices
from bittern.cli.opening import opened
from bittern.cli.output import format_size, note, printable
from bittern.cli.reports import Report, progress_fields, report_for
from bittern.cli.sharing import Sharing
from bittern.cli.sources import check_source
from bittern.cli.transfer import StoppedError, Watch, no_way_to_peers, searching, unless_stopped
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Info
from bittern.session.settings import Settings
from bittern.session.status import State
from bittern.session.torrent import Torrent
from bittern.tools.verify import locate

_FAREWELL = "stopping: telling trackers (again to quit at once)"
_DEFAULTS = Network()
_SHARING = Sharing()


def seed(
    source: str,
    path: Path,
    /,
    *,
    trust: bool = False,
    super_seed: bool = False,
    seed_ratio: Annotated[float | None, Parameter(metavar="RATIO")] = None,
    seed_time: Annotated[float | None, Parameter(metavar="MINUTES")] = None,
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"))] = False,
    json: Json = False,
    network: Network = _DEFAULTS,
    sharing: Sharing = _SHARING,
) -> ExitCode:
    """Share files that are there, until stopped. Exit status 5 when they are not what the torrent says.

    Parameters
    ----------
    source
        A .torrent file, or the http(s) URL of one.
    path
        The content itself (the file, or the torrent's root folder) or the folder that holds it.
    trust
        Believe that files of the right size are right, instead of checking them.
    super_seed
        Send each piece about once: show pieces to peers one by one until others have everything.
    seed_ratio
        Stop when this many times the size was uploaded.
    seed_time
        Stop after this many minutes.
    quiet
        Say nothing but errors.
    json
        Print one JSON event a line.
    """
    check_source(source)
    settings = session_settings(network, sequential=False, ratio=seed_ratio, minutes=seed_time)
    settings = sharing.applied_to(settings)
    path.stat()  # raises when there is nothing at all
    report = report_for(json=json, quiet=quiet)
    with closing(report), suppress(StoppedError):  # before it began
        terms = _Terms(trust=trust, super_seed=super_seed, sharing=sharing)
        return run(_seed(source, path, settings, network, terms, quiet=quiet, report=report))
    return ExitCode.OK


@dataclass(frozen=True, slots=True)
class _Terms:
    trust: bool
    super_seed: bool
    sharing: Sharing


async def _seed(
    source: str, path: Path, settings: Settings, network: Network, terms: _Terms, *, quiet: bool, report: Report
) -> ExitCode:
    with interrupts("" if quiet else _FAREWELL, report.say) as stop, notices(report.say):
        async with opened(settings, stop, report) as session:
            try:
                found = await unless_stopped(session.find(source), stop)
                if isinstance(found, Magnet):
                    raise UsageError("a magnet link has no piece hashes to check files against; name a .torrent file")
                check_content(found.info, path)
                # Paused until it is checked: `seed` never writes to the content. `overwrite` only means that
                # the check reports what is wrong instead of protecting it.
                torrent = await session.add(
                    found,
                    content=_root(found.info, path),
                    peers=network.peer,
                    trust=terms.trust,
                    paused=True,
                    overwrite=True,
                    super_seed=terms.super_seed,
                )
                terms.sharing.hold(torrent)
                watch = Watch(torrent, session, report, stop)
                await watch.until(torrent.checked())
                if not torrent.status.complete:
                    _complain(torrent)
                    return ExitCode.VERIFY_FAILED
                asked = session.settings.use_trackers
                nowhere = no_way_to_peers(torrent, searching=bool(searching(session)), trackers_asked=asked)
                if nowhere is not None:
                    way = f"peers have to know this address, port {session.port}"
                    report.say(f"{nowhere}; {way if session.port else 'and nobody can connect to us'}")
                await torrent.resume()
                await watch.until_state(lambda state: state is State.FINISHED)
            except StorageError as error:
                if error.kind is StorageError.Kind.EXISTS:
                    note(f"bittern: {printable(str(error), 600)}")
                    return ExitCode.VERIFY_FAILED
                raise
            except StoppedError:
                pass
            else:
                _say_end(torrent, report)
    return ExitCode.OK


def _root(info: Info, path: Path) -> Path:
    """The content itself, for it or the folder that holds it."""
    first = locate(info, path)[0]
    return first if not info.multi_file else first.parents[len(info.files[0].path) - 1]


def _complain(torrent: Torrent) -> None:
    status = torrent.status
    note(
        f"bittern: {printable(str(torrent.path), 600)}: {format_size(status.done_bytes)} of "
        f"{format_size(status.total_bytes)} are as the torrent says; `bittern verify` tells which are not"
    )


def _say_end(torrent: Torrent, report: Report) -> None:
    status = torrent.status
    report.result(
        "finished", progress_fields(status), f"Goal reached: {format_size(status.uploaded)} uploaded of {status.name}"
    )
