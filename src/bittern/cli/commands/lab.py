"""`bittern lab`: the protocol step by step, one command for each, with exact output for scripts."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bittern.base.errors import BencodeError
from bittern.cli.arguments import Seconds, finish, group
from bittern.cli.failures import TypedBencodeError, UsageError
from bittern.cli.output import note, printable, say

if TYPE_CHECKING:
    from bittern.tools.lab.client import Client
    from bittern.tools.lab.steps import Target

# Each command imports what it needs when it runs: `decode` takes a third of the time that way.

Output = Annotated[Path, Parameter(name=("--output", "-o"))]
"""Where to write what was downloaded."""

_MOST_TRACE = 4000

lab = group(
    "lab",
    "Take single steps of the protocol: decode, announce, shake hands, fetch a piece.",
    ("info film.torrent", "peers film.torrent", "handshake film.torrent 192.0.2.7:6881 --trace"),
)


@lab.command
def decode(value: str, /, *, trace: bool = False) -> None:
    """Print a bencoded value as JSON.

    Parameters
    ----------
    value
        The bencoding, such as 5:hello or d3:fooi52ee.
    trace
        Also show the bytes on stderr.
    """
    from bittern.tools.lab.decode import bencode_to_json

    data = os.fsencode(value)
    if trace:
        note(f"{len(data)} bytes: {data.hex()}")
    try:
        say(bencode_to_json(data))
    except BencodeError as error:
        raise TypedBencodeError(error.reason, error.offset) from None


@lab.command
def info(file: Path, /, *, trace: bool = False) -> None:
    """Print what a .torrent file says: tracker, length, info hash, pieces.

    Parameters
    ----------
    file
        A .torrent file.
    trace
        Also show on stderr the bytes that are hashed.
    """
    from bittern.tools.lab.steps import info_lines

    target = _torrent(file)
    assert target.info is not None
    if trace:
        from bittern.tools.lab.dissect import aligned, dissect_info

        note(f"info dictionary, {len(target.info.raw)} bytes: {target.info.raw.hex()}")
        for line in aligned(dissect_info(target.info.raw)):
            note(printable(line, _MOST_TRACE))
    _say_all(info_lines(target.info, _first(target.trackers)))


@lab.command
def peers(file: Path, /, *, trace: bool = False, timeout: Seconds = 10.0) -> None:
    """Ask the tracker of a torrent for peers and print them, one a line.

    Parameters
    ----------
    file
        A .torrent file.
    trace
        Show on stderr what is sent and received, the first message of each kind byte by byte.
    timeout
        Seconds to wait for each answer, 10 unless given.
    """
    from bittern.tools.lab.steps import find_peers

    _say_all([str(peer) for peer in find_peers(_client(timeout, trace=trace), _torrent(file))])


@lab.command
def handshake(file: Path, peer: str, /, *, trace: bool = False, timeout: Seconds = 10.0) -> None:
    """Shake hands with a peer and print its id.

    Parameters
    ----------
    file
        A .torrent file.
    peer
        IP:PORT of the peer.
    trace
        Show on stderr what is sent and received, the first message of each kind byte by byte.
    timeout
        Seconds to wait for each answer, 10 unless given.
    """
    from bittern.base.address import Address
    from bittern.tools.lab.steps import handshake as shake_hands

    try:
        address = Address.parse(peer)
    except ValueError as error:
        raise UsageError(f"{error}; write the address as 192.0.2.1:51413 or [2001:db8::1]:51413") from None
    say(f"Peer ID: {shake_hands(_client(timeout, trace=trace), _torrent(file), address).peer_id}")


@lab.command(name="download_piece")
def download_piece(file: Path, piece: int, /, *, output: Output, trace: bool = False, timeout: Seconds = 10.0) -> None:
    """Download one piece of a torrent and check its hash.

    Parameters
    ----------
    file
        A .torrent file.
    piece
        Number of the piece, counted from 0.
    output
        The file to write.
    trace
        Show on stderr what is sent and received, the first message of each kind byte by byte.
    timeout
        Seconds to wait for each answer, 10 unless given.
    """
    _piece(_client(timeout, trace=trace), _torrent(file), piece, output)


@lab.command
def download(file: Path, /, *, output: Output, trace: bool = False, timeout: Seconds = 10.0) -> None:
    """Download all of a torrent and check it.

    Parameters
    ----------
    file
        A .torrent file.
    output
        The file to write, or the folder when the torrent has several files.
    trace
        Show on stderr what is sent and received, the first message of each kind byte by byte.
    timeout
        Seconds to wait for each answer, 10 unless given.
    """
    from bittern.tools.lab.steps import download as download_all

    download_all(_client(timeout, trace=trace), _torrent(file), output)
    say(f"Downloaded {file} to {output}.")


@lab.command(name="magnet_parse")
def magnet_parse(link: str, /, *, trace: bool = False) -> None:
    """Print the tracker and the info hash of a magnet link.

    Parameters
    ----------
    link
        A magnet link.
    trace
        Also show on stderr all that the link says.
    """
    target = _magnet(link)
    if trace:
        from bittern.tools.lab.trace import describe

        note(describe(target))
    _say_all([f"Tracker URL: {_first(target.trackers)}", f"Info Hash: {target.info_hash}"])


@lab.command(name="magnet_handshake")
def magnet_handshake(link: str, /, *, trace: bool = False, timeout: Seconds = 10.0) -> None:
    """Shake hands with a peer of a magnet link, also for extensions, and print what it is called there.

    Parameters
    ----------
    link
        A magnet link.
    trace
        Show on stderr what is sent and received, the first message of each kind byte by byte.
    timeout
        Seconds to wait for each answer, 10 unless given.
    """
    from bittern.tools.lab.steps import magnet_handshake as shake_hands

    hello, number = shake_hands(_client(timeout, trace=trace), _magnet(link))
    _say_all([f"Peer ID: {hello.peer_id}", f"Peer Metadata Extension ID: {number}"])


@lab.command(name="magnet_info")
def magnet_info(link: str, /, *, trace: bool = False, timeout: Seconds = 10.0) -> None:
    """Fetch the metadata of a magnet link from a peer and print what it says.

    Parameters
    ----------
    link
        A magnet link.
    trace
        Show on stderr what is sent and received, the first message of each kind byte by byte.
    timeout
        Seconds to wait for each answer, 10 unless given.
    """
    from bittern.tools.lab.steps import info_lines
    from bittern.tools.lab.steps import magnet_info as fetch_info

    target = _magnet(link)
    _say_all(info_lines(fetch_info(_client(timeout, trace=trace), target), _first(target.trackers)))


@lab.command(name="magnet_download_piece")
def magnet_download_piece(
    link: str, piece: int, /, *, output: Output, trace: bool = False, timeout: Seconds = 10.0
) -> None:
    """Download one piece of a magnet link's torrent and check its hash.

    Parameters
    ----------
    link
        A magnet link.
    piece
        Number of the piece, counted from 0.
    output
        The file to write.
    trace
        Show on stderr what is sent and received, the first message of each kind byte by byte.
    timeout
        Seconds to wait for each answer, 10 unless given.
    """
    _piece(_client(timeout, trace=trace), _magnet(link), piece, output)


@lab.command(name="magnet_download")
def magnet_download(link: str, /, *, output: Output, trace: bool = False, timeout: Seconds = 10.0) -> None:
    """Download all of a magnet link's torrent and check it.

    Parameters
    ----------
    link
        A magnet link.
    output
        The file to write, or the folder when the torrent has several files.
    trace
        Show on stderr what is sent and received, the first message of each kind byte by byte.
    timeout
        Seconds to wait for each answer, 10 unless given.
    """
    from bittern.tools.lab.steps import download as download_all

    download_all(_client(timeout, trace=trace), _magnet(link), output)
    say(f"Downloaded to {output}.")


finish(lab)  # from bytes to whole torrents, as docs/how-it-works has it


def _piece(client: "Client", target: "Target", piece: int, output: Path) -> None:
    from bittern.tools.lab.steps import NoSuchPieceError
    from bittern.tools.lab.steps import download_piece as download_one

    try:
        download_one(client, target, piece, output)
    except NoSuchPieceError as error:
        raise UsageError(str(error)) from None
    say(f"Piece {piece} downloaded to {output}.")


def _client(timeout: float, *, trace: bool) -> "Client":
    from bittern.tools.lab.client import Client
    from bittern.tools.lab.trace import Trace

    if not 0 < timeout <= 3600:
        raise UsageError("--timeout: needs a number of seconds, more than 0 and at most 3600")
    shown = Trace((lambda line: note(printable(line, _MOST_TRACE))) if trace else None)
    return Client(connect_seconds=min(timeout, 4.0), answer_seconds=timeout, trace=shown)


def _torrent(file: Path) -> "Target":
    from bittern.cli.sources import read_torrent
    from bittern.tools.lab.steps import Target

    return Target.of_torrent(read_torrent(file))


def _magnet(link: str) -> "Target":
    from bittern.codec.magnet import Magnet
    from bittern.tools.lab.steps import Target

    return Target.of_magnet(Magnet.parse(link))


def _first(trackers: Sequence[str]) -> str:
    return trackers[0] if trackers else ""


def _say_all(lines: Sequence[str]) -> None:
    for line in lines:
        say(printable(line, 4096))
