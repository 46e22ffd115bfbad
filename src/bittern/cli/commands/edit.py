"""`bittern edit`: what stands beside the info dictionary of .torrent files."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bittern.base.errors import BitternError
from bittern.cli.arguments import Nodes, Text, Urls, checked_node, checked_web_seed, tracker_tiers
from bittern.cli.failures import UsageError
from bittern.cli.output import printable, say
from bittern.io.disk.atomic import write_atomic
from bittern.tools.edit import Changes
from bittern.tools.edit import edit as edit_torrent


def edit(
    *files: Path,
    tracker: Urls = (),
    add_tracker: Urls = (),
    remove_tracker: Urls = (),
    replace_tracker: Annotated[tuple[tuple[str, str], ...], Parameter(metavar="OLD NEW")] = (),
    clear_trackers: bool = False,
    web_seed: Urls = (),
    add_web_seed: Urls = (),
    remove_web_seed: Urls = (),
    clear_web_seeds: bool = False,
    node: Nodes = (),
    clear_nodes: bool = False,
    comment: Text | None = None,
    created_by: Text | None = None,
    no_date: bool = False,
    source: Annotated[str | None, Parameter(show=False)] = None,
    private: Annotated[bool | None, Parameter(show=False)] = None,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
) -> None:
    """Change trackers, web seeds or the comment of torrent files. Info hashes stay as they are.

    `source`, `private`, names and pieces are inside the info hash: `bittern create` makes another torrent.

    Parameters
    ----------
    files
        .torrent files, replaced in one step each.
    tracker
        The new trackers: repeat for more tiers, join with commas for one tier.
    add_tracker
        A tier to add after those there are; may be repeated.
    remove_tracker
        URL of a tracker to take out; may be repeated.
    replace_tracker
        Put NEW in the place of OLD in every tracker's URL; may be repeated.
    clear_trackers
        Take out all trackers.
    web_seed
        The new web seeds; may be repeated.
    add_web_seed
        URL of a web seed to add; may be repeated.
    remove_web_seed
        URL of a web seed to take out; may be repeated.
    clear_web_seeds
        Take out all web seeds.
    node
        The new DHT nodes, HOST:PORT each; may be repeated.
    clear_nodes
        Take out all DHT nodes.
    comment
        The new comment; "" takes it out.
    created_by
        The new name of the program that made it; "" takes it out.
    no_date
        Take out when it was made.
    output
        Write here instead of replacing the file; only with one file.
    """
    if source is not None or private is not None:
        word = "source" if source is not None else "private"
        raise UsageError(
            f"--{word}: is part of the info hash, so that changing it makes another torrent; "
            f"make that with `bittern create --{word}`"
        )
    if not files:
        raise UsageError("no file given; name the .torrent files to change")
    if output is not None and len(files) > 1:
        raise UsageError("--output: takes one result; name one file")
    changes = Changes(
        trackers=tracker_tiers(tracker) if tracker or clear_trackers else None,
        add_trackers=tracker_tiers(add_tracker),
        remove_trackers=remove_tracker,
        replace_in_trackers=replace_tracker,
        web_seeds=tuple(map(checked_web_seed, web_seed)) if web_seed or clear_web_seeds else None,
        add_web_seeds=tuple(map(checked_web_seed, add_web_seed)),
        remove_web_seeds=remove_web_seed,
        nodes=tuple(map(checked_node, node)) if node or clear_nodes else None,
        comment=comment,
        created_by=created_by,
        creation_date=-1 if no_date else None,
    )
    if changes == Changes():
        raise UsageError("nothing to change; see `bittern edit --help` for what can be")
    for file in files:
        _edit_file(file, output or file, changes)


def _edit_file(file: Path, target: Path, changes: Changes) -> None:
    before = file.read_bytes()
    try:
        after = edit_torrent(before, changes)
    except BitternError as error:
        error.add_note(str(file))
        raise
    if after != before or target != file:
        write_atomic(target, after)
    say(f"{printable(str(target))}: {'changed' if after != before else 'nothing to change'}")
