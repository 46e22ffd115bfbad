"""`bittern magnet`: the magnet link of a torrent."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from bittern.cli.arguments import Nodes, Urls, checked_torrent_url, checked_url, checked_web_seed
from bittern.cli.failures import UsageError
from bittern.cli.output import printable, say
from bittern.cli.selection import FileChoice
from bittern.cli.sources import read_source
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo


def magnet(
    file: str,
    /,
    *,
    select_file: Annotated[str | None, Parameter(metavar="NUMBERS")] = None,
    peer: Nodes = (),
    tracker: Urls = (),
    web_seed: Urls = (),
    torrent_url: Urls = (),
    bare: bool = False,
) -> None:
    """Print the magnet link of a torrent.

    Parameters
    ----------
    file
        A .torrent file, a magnet link to add to, or an info hash.
    select_file
        Let the link select files, by numbers as `bittern files` shows them: 1-3,5.
    peer
        HOST:PORT of a peer that the link is to name; may be repeated.
    tracker
        URL of a tracker that the link is to name; may be repeated.
    web_seed
        URL of a web server that has the files; may be repeated.
    torrent_url
        http(s) URL where the .torrent file is; may be repeated.
    bare
        Nothing but the info hashes, and what these flags add.
    """
    found = read_source(file)
    link = found if isinstance(found, Magnet) else found.to_magnet()
    if bare:
        link = Magnet(info_hash_v1=link.info_hash_v1, info_hash_v2=link.info_hash_v2)
    link = replace(
        link,
        peers=_joined(link.peers, peer),
        trackers=_joined(link.trackers, map(checked_url, tracker)),
        web_seeds=_joined(link.web_seeds, map(checked_web_seed, web_seed)),
        exact_sources=_joined(link.exact_sources, map(checked_torrent_url, torrent_url)),
        select_only=link.select_only if select_file is None else _selected(found, select_file),
    )
    if lost := set(peer) - set(Magnet.parse(link.to_uri()).peers):
        raise UsageError(f"--peer {printable(min(lost), 80)}: write HOST:PORT, an IPv6 address [ADDRESS]:PORT")
    say(link.to_uri())


def _joined(old: tuple[str, ...], new: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*old, *new)))


def _selected(found: Metainfo | Magnet, text: str) -> tuple[int, ...]:
    """Numbers from 1 among the files without pads, as a link has them: from 0 among all (BEP 53)."""
    choice = FileChoice.parse(text, ())
    if isinstance(found, Magnet):
        raise UsageError("--select-file: a link does not list files; name the .torrent file")
    shown = [number for number, file in enumerate(found.info.files) if not file.pad]
    choice.check(len(shown))
    return tuple([shown[number] for number in choice.select or ()])
