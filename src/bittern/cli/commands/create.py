"""`bittern create`: a torrent from a file or folder."""

import errno
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from bittern.cli.arguments import Count, Json, Nodes, Size, Text, Urls, checked_node, checked_web_seed, tracker_tiers
from bittern.cli.failures import UsageError
from bittern.cli.output import counted, format_size, print_json, printable, say, warn
from bittern.cli.progress import ProgressLine
from bittern.io.disk.atomic import write_atomic
from bittern.tools.create import Created, CreateError, CreateOptions, Version
from bittern.tools.create import create as create_torrent
from bittern.tools.scan import Symlinks, scan


def create(
    path: Path,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    v1: bool = False,
    v2: bool = False,
    hybrid: bool = False,
    piece_size: Size | None = None,
    tracker: Urls = (),
    web_seed: Urls = (),
    node: Nodes = (),
    private: bool = False,
    source: Text | None = None,
    comment: Text | None = None,
    no_date: bool = False,
    similar: Annotated[tuple[str, ...], Parameter(metavar="INFO_HASH...")] = (),
    collection: Annotated[tuple[str, ...], Parameter(metavar="NAME...")] = (),
    exclude: Annotated[tuple[str, ...], Parameter(metavar="PATTERN...")] = (),
    symlinks: Literal["follow", "keep", "skip"] = "follow",
    threads: Count | None = None,
    force: bool = False,
    json: Json = False,
) -> None:
    """Make a torrent from a file or folder.

    Parameters
    ----------
    path
        The file or folder to share.
    output
        The .torrent file to write; NAME.torrent in the current folder unless given.
    v1
        For clients of BitTorrent v1 only.
    v2
        For clients of BitTorrent v2 (BEP 52) only.
    hybrid
        For both; so it is unless given.
    piece_size
        Bytes of a piece, a power of two from 16k to 128M; fitted to the content unless given.
    tracker
        URL of a tracker; repeat for more tiers, join with commas for one tier.
    web_seed
        URL of an HTTP server that has the files; may be repeated.
    node
        HOST:PORT of a DHT node to begin with; may be repeated.
    private
        No peers but those of the trackers.
    source
        A tag that makes the info hash differ from that of the same files elsewhere.
    comment
        Free text.
    no_date
        Leave out when it was made: the same files make the same torrent, byte for byte.
    similar
        Info hash of a torrent that shares files; may be repeated.
    collection
        Name of a collection the torrent belongs to; may be repeated.
    exclude
        Pattern of paths to leave out (`*.tmp`, `cache/*`); may be repeated.
    symlinks
        What becomes of symbolic links: their targets (unless given), links within the torrent, or nothing.
    threads
        Threads to hash with; one for each processor unless given.
    force
        Replace the .torrent file if there is one.
    json
        Print one JSON document.
    """
    if v1 + v2 + hybrid > 1:
        raise UsageError("--v1, --v2 and --hybrid exclude each other; give one of them")
    try:
        options = CreateOptions(
            version=Version.V1 if v1 else Version.V2 if v2 else Version.HYBRID,
            piece_size=piece_size,
            trackers=tracker_tiers(tracker),
            web_seeds=tuple(map(checked_web_seed, web_seed)),
            nodes=tuple(map(checked_node, node)),
            private=private,
            source=source,
            comment=comment,
            creation_date=None if no_date else int(time.time()),
            similar=tuple(map(_info_hash, similar)),
            collections=collection,
        )
        target = _target(output or Path(f"{path.resolve().name}.torrent"), force=force)
        content = scan(path, symlinks=Symlinks(symlinks), excluded=_matcher(exclude))
        with ProgressLine("hashing") as progress:
            made = create_torrent(content, options, threads=threads, progress=progress)
    except CreateError as error:
        raise UsageError(str(error)) from error
    write_atomic(target, made.data)
    for name, stored in made.renamed:
        warn(f"{printable(name)} will be downloaded as {printable(stored)}: not every system allows its name")
    _report(made, target, json=json)


def _matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    return lambda name: any(fnmatchcase(name, pattern) for pattern in patterns)


def _target(path: Path, *, force: bool) -> Path:
    """`path` if a file can be made there: to find that out after hours of hashing would be late."""
    if path.is_dir():
        raise UsageError(f"-o {path}: this is a folder; name the file to write in it, such as {path / 'new.torrent'}")
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(path.parent))
    if path.exists() and not force:
        raise FileExistsError(errno.EEXIST, "there is a file of this name", str(path))
    return path


def _report(made: Created, target: Path, *, json: bool) -> None:
    info = made.metainfo.info
    if json:
        print_json(
            {
                "path": str(target),
                "name": info.name,
                "info_hash_v1": None if info.info_hash_v1 is None else str(info.info_hash_v1),
                "info_hash_v2": None if info.info_hash_v2 is None else str(info.info_hash_v2),
                "piece_length": info.piece_size,
                "pieces": info.geometry.piece_count,
                "total_size": info.total_size,
                "magnet": made.metainfo.to_magnet().to_uri(),
            }
        )
        return
    say(f"Wrote {printable(str(target))}: {format_size(info.total_size)}")
    say(f"{counted(info.geometry.piece_count, 'piece')} of {format_size(info.piece_size)}")
    if info.info_hash_v1 is not None:
        say(f"Info hash v1  {info.info_hash_v1}")
    if info.info_hash_v2 is not None:
        say(f"Info hash v2  {info.info_hash_v2}")


def _info_hash(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise UsageError(f"--similar {text}: not an info hash; write 40 or 64 hexadecimal digits") from None
