"""`bittern files`: the files of a torrent."""

from contextlib import closing
from pathlib import Path

from bittern.cli.arguments import Json, Seconds
from bittern.cli.exit_codes import ExitCode
from bittern.cli.loop import run
from bittern.cli.metadata import fetch_metainfo
from bittern.cli.network import Network
from bittern.cli.output import print_json, say
from bittern.cli.reports import report_for
from bittern.cli.selection import file_lines
from bittern.cli.sources import is_remote, read_torrent
from bittern.cli.transfer import StoppedError
from bittern.codec.metainfo import Info
from bittern.tools.show import numbered_files

_DEFAULTS = Network()


def files(
    source: str, /, *, timeout: Seconds | None = None, json: Json = False, network: Network = _DEFAULTS
) -> ExitCode:
    """List the files of a torrent: number (for --select-file), size, path.

    Parameters
    ----------
    source
        A .torrent file; or a magnet link, an info hash or a URL: what those lead to is fetched, without any content.
    timeout
        Give up (exit status 6) when nothing came for this many seconds; never unless given.
    json
        Print one JSON document.
    """
    if not is_remote(source):
        _list(read_torrent(Path(source)).info, json=json)
        return ExitCode.OK
    try:
        with closing(report_for(json=False, quiet=False)) as report:
            metainfo = run(fetch_metainfo(source, network, report, timeout, whole=False))
    except StoppedError:
        return ExitCode.UNFINISHED
    _list(metainfo.info, json=json)
    return ExitCode.OK


def _list(info: Info, *, json: bool) -> None:
    if json:
        rows = [
            {"number": number, "path": "/".join(file.path), "size": file.length}
            for number, file in numbered_files(info)
        ]
        print_json(rows)
        return
    for line in file_lines(info):
        say(line)
