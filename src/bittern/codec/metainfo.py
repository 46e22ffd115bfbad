"""The .torrent file: an info dictionary and what stands beside it (BEP 3, 5, 12, 19, 38, 52)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from bittern.base.errors import MetainfoError, NotATorrentError

from .bencode import DEFAULT_LIMITS, INTEGER_MAX, Value, decode_spans, encode
from .info import Info, hash_list, text_field, text_list
from .layout import File
from .magnet import Magnet
from .merkle import HASH_BYTES, check_layer, layer_count
from .other_files import what_else
from .text import clean_url, decode_text

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["File", "Info", "Metainfo"]

MAX_URLS = 1000
"""Trackers, and web seeds, that are kept."""

MAX_NODES = 1000
"""DHT nodes that are kept."""


@dataclass(frozen=True, slots=True)
class Metainfo:
    """A checked .torrent file.

    ```python
    metainfo = bittern.Metainfo.load("album.torrent")
    for file in metainfo.info.files:
        print("/".join(file.path), file.length)
    print(metainfo.to_magnet().to_uri())
    ```

    Attributes:
        info: what the torrent is made of.
        trackers: URLs in tiers, the first tier first (BEP 12); none twice.
        web_seeds: URLs of `url-list` (BEP 19); one ending in `/` is a folder.
        nodes: DHT nodes, host and port (BEP 5).
        comment: free text.
        created_by: the program that made it.
        creation_date: seconds since 1970, by the maker's clock.
        piece_layers: by file root, the hashes of its pieces, 32 bytes each (BEP 52); empty when the info
            came through a magnet link, until peers supply them.
        similar: info hashes of torrents that may share files (BEP 38).
        collections: names of collections it belongs to (BEP 38).
    """

    info: Info
    trackers: tuple[tuple[str, ...], ...] = ()
    web_seeds: tuple[str, ...] = ()
    nodes: tuple[tuple[str, int], ...] = ()
    comment: str | None = None
    created_by: str | None = None
    creation_date: int | None = None
    piece_layers: Mapping[bytes, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False, hash=False)
    similar: tuple[bytes, ...] = ()
    collections: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: "str | PathLike[str]") -> Self:
        """Read a .torrent file.

        Raises:
            OSError: it cannot be read.
            BencodeError: it is not bencode.
            MetainfoError: it is not a valid torrent.
        """
        with Path(path).open("rb") as file:
            # One byte too many is enough for the refusal, if this is someone's film.
            return cls.from_bytes(file.read(DEFAULT_LIMITS.size + 1))

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Self:
        """Check the content of a .torrent file.

        Bad essential fields are refused; bad optional ones are dropped. Keys in any order and bytes after
        the end are forgiven, but no key may stand twice inside `info`.

        Raises:
            BencodeError: not bencode.
            MetainfoError: not a valid torrent.
        """
        data = bytes(data)
        if data[:1] != b"d" and len(data) <= DEFAULT_LIMITS.size:
            raise NotATorrentError(what_else(data))
        box, spans = decode_spans(data, strict=False, unique=(b"info",))
        if b"info" not in box:
            raise MetainfoError("info", "missing")
        declared = box.get(b"encoding")
        encoding = declared.decode("latin-1") if isinstance(declared, bytes) else None
        info = Info.of(data[spans[b"info"]], box[b"info"], encoding)
        collections = text_list(box.get(b"collections"), encoding)
        date = box.get(b"creation date")
        return cls(
            info=info,
            trackers=_tiers(_tracker_lists(box)),
            web_seeds=tuple(dict.fromkeys(_urls(box.get(b"url-list"))))[:MAX_URLS],
            nodes=_nodes(box.get(b"nodes")),
            comment=text_field(box, b"comment", encoding),
            created_by=text_field(box, b"created by", encoding),
            creation_date=date if isinstance(date, int) and 0 <= date <= INTEGER_MAX else None,
            piece_layers=_piece_layers(box, info),
            similar=tuple(dict.fromkeys((*info.similar, *hash_list(box.get(b"similar"))))),
            collections=tuple(dict.fromkeys((*info.collections, *collections))),
        )

    @classmethod
    def from_info(cls, info: Info, trackers: Sequence[Sequence[str]] = (), web_seeds: Sequence[str] = ()) -> Self:
        """The torrent of an info dictionary that came from peers (BEP 9).

        Args:
            info: the checked dictionary.
            trackers: tiers of URLs, from the magnet link.
            web_seeds: URLs, from the magnet link.
        """
        return cls(info, _tiers(trackers), tuple(web_seeds), similar=info.similar, collections=info.collections)

    def to_bytes(self) -> bytes:
        """A .torrent file with what a client needs of this one; the info dictionary is the same to the byte."""
        outside: dict[str, object] = {"announce-list": [list(tier) for tier in self.trackers]} if self.trackers else {}
        outside |= {"nodes": [list(node) for node in self.nodes]} if self.nodes else {}
        outside |= {"piece layers": dict(self.piece_layers)} if self.piece_layers else {}
        outside |= {"url-list": list(self.web_seeds)} if self.web_seeds else {}
        fields = {key: encode(value) for key, value in outside.items()} | {"info": self.info.raw}
        return b"d" + b"".join(encode(key) + fields[key] for key in sorted(fields)) + b"e"

    def to_magnet(self) -> Magnet:
        """The magnet link that leads to this torrent."""
        return Magnet(
            info_hash_v1=self.info.info_hash_v1,
            info_hash_v2=self.info.info_hash_v2,
            name=self.info.name,
            trackers=tuple(url for tier in self.trackers for url in tier),
            web_seeds=self.web_seeds,
            exact_length=self.info.total_size,
        )


def _tracker_lists(box: dict[bytes, Value]) -> Iterator[list[str]]:
    """The tiers of `announce-list`, or the one tracker of `announce` when there is none (BEP 12)."""
    found = False
    tiers = box.get(b"announce-list")
    for tier in tiers if isinstance(tiers, list) else []:
        urls = _urls(tier)
        found = found or bool(urls)
        yield urls
    if not found:
        yield _urls(box.get(b"announce"))


def _tiers(lists: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """`lists` without URLs that came before, nor tiers that are empty then."""
    seen: set[str] = set()
    tiers: list[tuple[str, ...]] = []
    for urls in lists:
        tier = tuple([url for url in dict.fromkeys(urls) if url not in seen])[: MAX_URLS - len(seen)]
        if tier:
            seen.update(tier)
            tiers.append(tier)
    return tuple(tiers)


def _urls(value: Value | None) -> list[str]:
    """The URLs in a list, or the single one; what is no URL is left out."""
    items = value if isinstance(value, list) else [value]
    urls = [clean_url(decode_text(item)) for item in items if isinstance(item, bytes)]
    return [url for url in urls if url]


def _nodes(value: Value | None) -> tuple[tuple[str, int], ...]:
    nodes: dict[tuple[str, int], None] = {}
    for item in value if isinstance(value, list) else []:
        match item:
            case [bytes(host), int(port)] if 0 < port < 65536 and 0 < len(host) <= 253 and host.isascii():
                if (text := host.decode()).isprintable() and " " not in text:
                    nodes[text, port] = None
            case _:
                pass
    return tuple(nodes)[:MAX_NODES]


def _piece_layers(box: dict[bytes, Value], info: Info) -> Mapping[bytes, bytes]:
    """The piece layers, checked against the roots in `info` (BEP 52)."""
    if info.info_hash_v2 is None:
        return MappingProxyType({})
    given = box.get(b"piece layers", {})
    if not isinstance(given, dict):
        raise MetainfoError("piece layers", "not a dictionary")
    layers: dict[bytes, bytes] = {}
    for file in info.files:
        root = file.pieces_root
        if root is None or file.length <= info.piece_size:
            continue
        layer = given.get(root)
        if not isinstance(layer, bytes):
            raise MetainfoError("piece layers", f"missing for {'/'.join(file.path)!r}")
        # Files may share a root: hash once, but each length has to fit.
        fits = len(layer) == HASH_BYTES * layer_count(file.length, info.piece_size)
        if not fits or not (root in layers or check_layer(root, layer, file.length, info.piece_size)):
            raise MetainfoError("piece layers", f"do not hash to the root of {'/'.join(file.path)!r}")
        layers[root] = layer
    if len(layers) != len(given):
        raise MetainfoError("piece layers", "a layer belongs to no file")
    return MappingProxyType(layers)
