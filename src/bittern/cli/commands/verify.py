"""`bittern verify`: files against their torrent."""

from pathlib import Path

from bittern.cli.arguments import Count, Json, check_content
from bittern.cli.exit_codes import ExitCode
from bittern.cli.failures import UsageError
from bittern.cli.output import counted, format_size, print_json, printable, say
from bittern.cli.progress import ProgressLine
from bittern.cli.sources import read_source
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Info
from bittern.tools.verify import FileState, FileVerdict, VerifyReport, locate
from bittern.tools.verify import verify as verify_torrent

_SHOWN_PIECES = 8


def verify(source: str, path: Path, /, *, threads: Count | None = None, json: Json = False) -> ExitCode:
    """Check files against their torrent, piece by piece. Exit status 5 when not all is good.

    Parameters
    ----------
    source
        A .torrent file.
    path
        The content itself (the file, or the torrent's root folder) or the folder that holds it.
    threads
        Threads to hash with; one for each processor unless given.
    json
        Print one JSON document.
    """
    metainfo = read_source(source)
    if isinstance(metainfo, Magnet):
        raise UsageError("a magnet link has no piece hashes to check against; name the .torrent file")
    check_content(metainfo.info, path)
    with ProgressLine("verifying") as progress:
        report = verify_torrent(metainfo, locate(metainfo.info, path), threads=threads, progress=progress)
    if json:
        print_json(_document(metainfo.info, report))
    else:
        _print(metainfo.info, report)
    return ExitCode.OK if report.good else ExitCode.VERIFY_FAILED


def _print(info: Info, report: VerifyReport) -> None:
    if report.good:
        all_of_it = "the only piece is" if report.piece_count == 1 else f"all {report.piece_count} pieces are"
        say(f"{printable(info.name)}: {all_of_it} good ({format_size(info.total_size)})")
        return
    for verdict in report.files:
        if verdict.state is not FileState.GOOD:
            say(f"{verdict.state.value:>10}  {printable(_shown(info, verdict), 4096)}{_details(verdict)}")
    bad_files = sum(verdict.state is not FileState.GOOD for verdict in report.files)
    say(
        f"{printable(info.name)}: not as the torrent says: {bad_files} of {counted(len(report.files), 'file')}, "
        f"{len(report.bad_pieces)} of {counted(report.piece_count, 'piece')}; "
        f"{format_size(report.good_bytes)} of {format_size(info.total_size)} are good"
    )


def _details(verdict: FileVerdict) -> str:
    shown = ", ".join(map(str, verdict.bad_pieces[:_SHOWN_PIECES]))
    more = len(verdict.bad_pieces) - _SHOWN_PIECES
    pieces = f"pieces {shown}" + (f" and {more} more" if more > 0 else "") if shown else ""
    details = [part for part in (verdict.detail, pieces) if part]
    return f"  ({'; '.join(details)})" if details else ""


def _document(info: Info, report: VerifyReport) -> dict[str, object]:
    return {
        "name": info.name,
        "good": report.good,
        "pieces": report.piece_count,
        "bad_pieces": list(report.bad_pieces),
        "good_bytes": report.good_bytes,
        "total_size": info.total_size,
        "bad_files": [
            {
                "path": _shown(info, verdict),
                "state": verdict.state.value,
                "bad_pieces": list(verdict.bad_pieces),
                "detail": verdict.detail or None,
            }
            for verdict in report.files
            if verdict.state is not FileState.GOOD
        ],
    }


def _shown(info: Info, verdict: FileVerdict) -> str:
    return "/".join(info.files[verdict.number].path)
