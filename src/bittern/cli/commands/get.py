"""`bittern get`: download and verify."""

import sys
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bittern.base.errors import SessionError
from bittern.cli.arguments import Json, Seconds, Urls, check_folder, checked_web_seed
from bittern.cli.exit_codes import ExitCode
from bittern.cli.failures import UsageError
from bittern.cli.loop import interrupts, run
from bittern.cli.metadata import fetch_metainfo, write_torrent
from bittern.cli.network import Network, session_settings
from bittern.cli.notices import notices
from bittern.cli.opening import opened
from bittern.cli.output import format_rate, format_size, printable
from bittern.cli.reports import Report, progress_fields, report_for
from bittern.cli.room import shortage
from bittern.cli.selection import FileChoice, ask_for_files
from bittern.cli.sharing import Sharing
from bittern.cli.sources import check_source
from bittern.cli.transfer import StoppedError, Watch, find_ways, unless_stopped
from bittern.codec.metainfo import Metainfo
from bittern.session.session import Session
from bittern.session.settings import Settings
from bittern.session.status import State
from bittern.session.torrent import Torrent
from bittern.tools.show import numbered_files

_FAREWELL = "stopping: saving progress, telling trackers (again to quit at once)"
_DEFAULTS = Network()
_SHARING = Sharing()


def get(
    source: str,
    /,
    *,
    directory: Annotated[Path, Parameter(name=("--dir", "-d"), metavar="DIR")] = Path(),
    select_file: Annotated[str | None, Parameter(metavar="NUMBERS")] = None,
    choose: bool = False,
    web_seed: Urls = (),
    priority: Annotated[tuple[str, ...], Parameter(metavar="NUMBERS=0-7...")] = (),
    seed_ratio: Annotated[float | None, Parameter(metavar="RATIO")] = None,
    seed_time: Annotated[float | None, Parameter(metavar="MINUTES")] = None,
    sequential: bool = False,
    preallocate: bool = False,
    part_suffix: bool = False,
    executable: bool = False,
    symlinks: bool = False,
    overwrite: bool = False,
    recheck: bool = False,
    metadata_only: bool = False,
    timeout: Seconds | None = None,
    quiet: Annotated[bool, Parameter(name=("--quiet", "-q"))] = False,
    json: Json = False,
    network: Network = _DEFAULTS,
    sharing: Sharing = _SHARING,
) -> ExitCode:
    """Download a torrent and verify it. Run it again to go on where it was; exit status 7 when it is unfinished.

    Parameters
    ----------
    source
        A .torrent file, a magnet link, the http(s) URL of a .torrent file, or an info hash.
    directory
        Folder to download to; the current one unless given.
    select_file
        Numbers of the files to download, as `bittern files` shows them: 1-3,5.
    choose
        Show the files and ask which to download, before anything of them comes.
    web_seed
        URL of a web server that has the file, or of the folder that it is in, ending in /; may be repeated.
    priority
        How much files are wanted, 0 (not at all) to 7 (first), 4 unless given: 1-3=7; may be repeated.
    seed_ratio
        When complete, go on until this many times the size was uploaded.
    seed_time
        When complete, go on for this many minutes.
    sequential
        Download from the beginning to the end.
    preallocate
        Set aside all the room on the disk before the first piece comes.
    part_suffix
        Let the names of files end in .part until they are complete.
    executable
        Let complete files be run that the torrent marks as programs.
    symlinks
        Make the torrent's symbolic links when it is complete, those that stay in its folder.
    overwrite
        Overwrite files that have nothing in common with the torrent's.
    recheck
        Hash what is there, whatever was saved, and fetch what is not there any more.
    metadata_only
        Download nothing: save what the source leads to as NAME.torrent.
    timeout
        Give up (exit status 6) when nothing came for this many seconds; never unless given.
    quiet
        Say nothing but errors.
    json
        Print one JSON event a line.
    """
    check_source(source)
    check_folder("--dir", directory)
    settings = session_settings(network, sequential=sequential, ratio=seed_ratio, minutes=seed_time)
    settings = replace(
        sharing.applied_to(settings),
        preallocate=preallocate,
        part_suffix=part_suffix,
        executable=executable,
        symlinks=symlinks,
    )
    choice = FileChoice.parse(select_file, priority)
    if choose and (select_file is not None or not sys.stdin.isatty()):
        raise UsageError("--choose asks on a terminal; otherwise use `bittern files` and --select-file")
    report = report_for(json=json, quiet=quiet)
    if metadata_only:
        with closing(report):
            return run(_save_torrent(source, directory, network, report, timeout, overwrite=overwrite))
    if choose:
        try:
            with closing(report_for(json=False, quiet=quiet)) as asking:
                found = run(fetch_metainfo(source, network, asking, timeout, whole=False))
        except StoppedError:
            return ExitCode.UNFINISHED
        choice = FileChoice.parse(ask_for_files(found.info, sys.stdin), priority)
    job = _Job(
        source=source,
        folder=directory,
        choice=choice,
        network=network,
        web_seeds=tuple(map(checked_web_seed, web_seed)),
        sharing=sharing,
        overwrite=overwrite,
        recheck=recheck,
        timeout=timeout,
        report=report,
        farewell="" if quiet else _FAREWELL,
    )
    with closing(report):
        return run(job.run(settings))


@dataclass(slots=True, kw_only=True)
class _Job:
    """One download; the arguments are those of the command."""

    source: str
    folder: Path
    choice: FileChoice
    network: Network
    web_seeds: tuple[str, ...]
    sharing: Sharing
    overwrite: bool
    recheck: bool
    timeout: float | None
    report: Report
    farewell: str
    _began: float = field(default_factory=time.monotonic)
    _downloaded_before: int = 0
    _torrent: Torrent | None = None

    async def run(self, settings: Settings) -> ExitCode:
        """Download, and end as the exit status says.

        Raises:
            BitternError: why it could not be done; also when the last bytes could not be synced.
        """
        try:
            code = await self._run(settings)
        except StoppedError:  # before it began
            return ExitCode.UNFINISHED
        error = self._torrent.status.error if self._torrent is not None else None
        if code is ExitCode.OK and error is not None:  # of the last save: what was complete may not be on the disk
            raise error
        return code

    async def _run(self, settings: Settings) -> ExitCode:
        with interrupts(self.farewell, self.report.say) as stop, notices(self.report.say):
            async with opened(settings, stop, self.report) as session:
                try:
                    found = await unless_stopped(session.find(self.source), stop)
                    if isinstance(found, Metainfo):
                        self.choice.check(len(numbered_files(found.info)))
                    adding = session.add(
                        found,
                        self.folder,
                        peers=self.network.peer,
                        web_seeds=self.web_seeds,
                        select=self.choice.select,
                        priorities=self.choice.priorities,
                        overwrite=self.overwrite,
                        recheck=self.recheck,
                    )
                    torrent = await unless_stopped(adding, stop)
                except StoppedError:
                    return ExitCode.UNFINISHED
                self.sharing.hold(torrent)
                self._torrent = torrent
                watch = Watch(torrent, session, self.report, stop)
                try:
                    await self._complete(torrent, watch, session)
                except StoppedError:
                    self._say_unfinished(torrent)
                    return ExitCode.UNFINISHED
                except SessionError:
                    self.choice.check(len(torrent.files))  # what a link is made of is known by now
                    raise
                self._say_complete(torrent)
                if not settings.goal().never:
                    await self._seed(torrent, watch)
                return ExitCode.OK

    async def _complete(self, torrent: Torrent, watch: Watch, session: Session) -> None:
        await find_ways(watch, torrent, session, self.report)
        self._began, self._downloaded_before = time.monotonic(), torrent.status.downloaded
        await watch.until(torrent.checked(), self.timeout)  # of a link: its metadata, too
        status = torrent.status
        if torrent.path and (line := shortage(torrent.path, status.total_bytes - status.done_bytes)):
            self.report.say(line)
        await watch.until(torrent.completed(), self.timeout)

    async def _seed(self, torrent: Torrent, watch: Watch) -> None:
        try:
            await watch.until_state(lambda state: state not in (State.SEEDING, State.DOWNLOADING, State.CHECKING))
        except StoppedError:
            return

    def _say_complete(self, torrent: Torrent) -> None:
        status = torrent.status
        path, size = str(torrent.path), format_size(status.total_bytes)
        seconds = time.monotonic() - self._began
        fetched = status.downloaded - self._downloaded_before  # in this run
        rate = f", {format_rate(fetched / max(seconds, 1e-3))}" if fetched > 0 else ""
        self.report.result(
            "complete",
            {**progress_fields(status), "name": torrent.name, "path": path},
            f"Complete: {printable(path, 4096)} ({size}, verified{rate})",
        )

    def _say_unfinished(self, torrent: Torrent) -> None:
        status = torrent.status
        done, total = format_size(status.done_bytes), format_size(status.total_bytes)
        so_far = f"{done} of {total}" if status.total_bytes else "the metadata has not come"
        self.report.result("stopped", progress_fields(status), f"Unfinished: {so_far}; run it again to go on")


async def _save_torrent(
    source: str, folder: Path, network: Network, report: Report, patience: float | None, *, overwrite: bool
) -> ExitCode:
    try:
        metainfo = await fetch_metainfo(source, network, report, patience)
    except StoppedError:
        report.result("stopped", {}, "Unfinished: the metadata has not come; nothing was saved")
        return ExitCode.UNFINISHED
    path = write_torrent(metainfo, folder, overwrite=overwrite)
    size = metainfo.info.total_size
    fields = {"name": metainfo.info.name, "path": str(path), "total_bytes": size}
    report.result("saved", fields, f"Saved: {printable(str(path), 4096)} (leads to {format_size(size)})")
    return ExitCode.OK
