"""Torrents made of nothing: their bytes follow from a name and a seed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1

from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.codec.metainfo import Metainfo

from .world import World

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """A torrent and all its bytes."""

    metainfo: Metainfo
    data: bytes = field(repr=False)

    @property
    def info(self) -> Info:
        """The info dictionary."""
        return self.metainfo.info


def make_content(
    world: World, name: str = "content", size: int = 4 * MIB, piece_size: int = 65536, trackers: Sequence[str] = ()
) -> Content:
    """A single-file torrent (version 1) of `size` random bytes, each tracker in a tier of its own."""
    data = world.chance("content").rng_for(name).randbytes(size)
    hashes = b"".join([sha1(data[at : at + piece_size]).digest() for at in range(0, size, piece_size)])
    raw = encode({"length": size, "name": name, "piece length": piece_size, "pieces": hashes})
    return Content(Metainfo.from_info(Info.parse(raw), [[url] for url in trackers]), data)
