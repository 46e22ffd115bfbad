"""What users name a torrent, or a peer, by."""

import asyncio
import os
import re
import socket
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path

from bittern.base.address import Address
from bittern.base.errors import BitternError, NetworkError, SessionError
from bittern.codec.magnet import Magnet, magnet_of_hash
from bittern.codec.metainfo import Metainfo
from bittern.io.http import HttpFetcher
from bittern.io.proxying import Purpose
from bittern.io.route import Route
from bittern.wire.webseed import WebUrl

MAX_TORRENT_BYTES = 10 << 20
FETCH_SECONDS = 60.0

_URL = re.compile(r"https?://", re.IGNORECASE)
_PEER = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\s]+)):(?P<port>\d{1,5})")

TorrentSource = Metainfo | Magnet | str | os.PathLike[str]
"""A torrent, a magnet link, the path or http(s) URL of a .torrent file, or an info hash: 40 hexadecimal or 32 base32
digits, or 64 hexadecimal ones of version 2."""


async def find_torrent(source: TorrentSource, http: HttpFetcher, threads: Executor) -> Metainfo | Magnet:
    """The torrent that `source` names. A file of that name goes before an info hash.

    Args:
        source: a torrent, a link, or the name of one.
        http: fetches it.
        threads: for what blocks.

    Raises:
        BencodeError, MetainfoError, MagnetError: it is invalid; a note names the file or URL.
        NetworkError: the URL cannot be fetched.
        OSError: the file cannot be read.
    """
    if isinstance(source, (Metainfo, Magnet)):
        return source
    text = os.fspath(source)
    if text[:7].lower() == "magnet:":
        return Magnet.parse(text)
    try:
        if _URL.match(text):
            return await fetch_torrent(text, http, threads)
        return await asyncio.get_running_loop().run_in_executor(threads, _load, text)
    except BitternError as error:
        error.add_note(text)
        raise


def _load(text: str) -> Metainfo | Magnet:
    link = magnet_of_hash(text)
    return link if link is not None and not Path(text).exists() else Metainfo.load(text)


def check_web_seeds(urls: Iterable[str]) -> None:
    """Raise SessionError where one cannot be a web seed."""
    for url in urls:
        if WebUrl.parse(url) is None:
            raise SessionError(f"{url}: a web seed is an http or https URL")


def is_peer(text: str) -> bool:
    """Whether `text` is written as `HOST:PORT`."""
    match = _PEER.fullmatch(text.strip())
    return match is not None and 0 < int(match["port"]) < 65536


async def find_peer(text: str, route: Route, purpose: Purpose = Purpose.PEERS) -> list[Address]:
    """The addresses of `HOST:PORT`; a name is looked up.

    Args:
        text: likewise.
        route: how we get out.
        purpose: what is wanted there.

    Raises:
        SessionError: it is not written so.
        NetworkError: the name is not known.
    """
    match = _PEER.fullmatch(text.strip())
    if match is None or not is_peer(text):
        raise SessionError(f"{text}: a peer is written HOST:PORT, an IPv6 address [ADDRESS]:PORT")
    host, port = match["six"] or match["host"], int(match["port"])
    try:
        return await route.look_up(host, port, purpose, kind=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NetworkError(f"{text}: {getattr(error, 'strerror', None) or error}") from None


async def peers_of(magnet: Magnet, route: Route) -> tuple[Address, ...]:
    """The peers that a link names (`x.pe`), as far as they can be found."""
    found: list[Address] = []
    for peer in magnet.peers:
        with suppress(BitternError):
            found += await find_peer(peer, route)
    return tuple(found)


async def fetch_torrent(
    url: str, http: HttpFetcher, threads: Executor, *, local: bool = True, timeout_seconds: float = FETCH_SECONDS
) -> Metainfo:
    """The .torrent file at `url`.

    Args:
        url: http or https.
        http: fetches it.
        threads: for what blocks.
        local: whether the server may be in the local network (see engine.sources.guard).
        timeout_seconds: for all of it.

    Raises:
        NetworkError: it cannot be fetched, or what is there is a web page.
        BencodeError, MetainfoError: it is no torrent.
    """
    status, body = await http.fetch(url, MAX_TORRENT_BYTES, timeout_seconds, local=local)
    if status != 200:
        raise NetworkError(f"the server answered with HTTP status {status}")
    if body.lstrip()[:1] == b"<":
        raise NetworkError("there is a web page, not a .torrent file")
    return await asyncio.get_running_loop().run_in_executor(threads, Metainfo.from_bytes, body)
