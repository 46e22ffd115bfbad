"""Torrents made of nothing: their bytes follow from a name and a seed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha1

from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.codec.merkle import TreeBuilder, leaf_hashes
from bittern.codec.metainfo import Metainfo

from .world import World

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """A torrent and what is in it.

    Attributes:
        metainfo: as a .torrent file has it.
        data: all the bytes of its pieces, pads and gaps between files included.
    """

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


def make_content_files(
    world: World, name: str, sizes: Sequence[int], piece_size: int, trackers: Sequence[str] = ()
) -> Content:
    """A torrent of version 1 with files of `sizes` random bytes, each at the start of a piece behind a pad (BEP 47)."""
    rng = world.chance("content").rng_for(name)
    space, listed = bytearray(), list[dict[str, object]]()
    for number, size in enumerate(sizes):
        gap = -len(space) % piece_size
        if gap:
            listed.append({"attr": "p", "length": gap, "path": [".pad", str(gap)]})
        space += bytes(gap) + rng.randbytes(size)
        listed.append({"length": size, "path": [f"{number:04}.bin"]})
    hashes = b"".join([sha1(space[at : at + piece_size]).digest() for at in range(0, len(space), piece_size)])
    raw = encode({"files": listed, "name": name, "piece length": piece_size, "pieces": hashes})
    return Content(Metainfo.from_info(Info.parse(raw), [[url] for url in trackers]), bytes(space))


def make_content_v2(
    world: World,
    name: str = "content",
    sizes: Sequence[int] = (4 * MIB,),
    piece_size: int = 65536,
    trackers: Sequence[str] = (),
    *,
    hybrid: bool = False,
) -> Content:
    """A torrent of version 2, or a hybrid one: files of `sizes` random bytes, each at the start of a piece."""
    rng = world.chance("content").rng_for(name)
    space, tree, layers, listed = bytearray(), {}, {}, []
    for number, size in enumerate(sizes):
        gap = -len(space) % piece_size
        if gap:
            listed.append({"attr": "p", "length": gap, "path": [".pad", str(gap)]})
        data = rng.randbytes(size)
        space += bytes(gap) + data
        builder = TreeBuilder(piece_size)
        builder.add(leaf_hashes(data))
        root, layer = builder.finish()
        path = name if len(sizes) == 1 else f"{number:04}.bin"
        tree[path] = {"": {"length": size, "pieces root": root}}
        listed.append({"length": size, "path": [path]})
        if layer:
            layers[root] = layer
    info: dict[str, object] = {"file tree": tree, "meta version": 2, "name": name, "piece length": piece_size}
    if hybrid:
        steps = range(0, len(space), piece_size)
        info["pieces"] = b"".join([sha1(space[at : at + piece_size]).digest() for at in steps])
        info |= {"length": sizes[0]} if len(sizes) == 1 else {"files": listed}
    parsed = Metainfo.from_info(Info.parse(encode(info)), [[url] for url in trackers])
    return Content(replace(parsed, piece_layers=layers), bytes(space))
