"""Files to share and torrents of them, made by libtorrent so that no code of ours vouches for itself."""

import random
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PIECE_SIZE = 64 << 10


class Kind(StrEnum):
    """What a torrent is: its format and its shape."""

    V1_SINGLE = "v1 single"
    V1_MULTI = "v1 multi"
    HYBRID = "hybrid"
    V2 = "v2"


# Sizes that meet the borders: below a block, exact pieces, pieces shared by several files, and an empty file.
FILES = {
    "a/empty": 0,
    "a/one byte": 1,
    "b/c/block": 16 << 10,
    "b/c/piece": PIECE_SIZE,
    "b/über.bin": 300_001,
    "large.bin": 1_500_000,
    "last": 77_777,
}
SINGLE_SIZE = 2_000_003


@dataclass(frozen=True, slots=True)
class Content:
    """Files below `folder`; `name` is the torrent's root there (a file or a folder)."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """The file, or the torrent's root folder."""
        return self.folder / self.name

    def differences(self, other: Path) -> list[str]:
        """The relative paths that are not byte for byte the same below `other`, a copy of `folder`.

        An empty file may be missing there: Transmission makes none.
        """
        paths = [self.path] if self.path.is_file() else sorted(self.path.rglob("*"))
        wrong = []
        for path in paths:
            relative = path.relative_to(self.folder)
            if path.is_dir() or (path.stat().st_size == 0 and not (other / relative).exists()):
                continue
            if not (other / relative).is_file() or (other / relative).read_bytes() != path.read_bytes():
                wrong.append(str(relative))
        return wrong


def make(folder: Path, kind: Kind) -> Content:
    """Write the content for a torrent of this kind; the same bytes every time."""
    rng = random.Random(f"bittern {kind}")
    if kind is Kind.V1_SINGLE:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "single.bin").write_bytes(rng.randbytes(SINGLE_SIZE))
        return Content(folder, "single.bin")
    for relative, size in FILES.items():
        path = folder / "multi" / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))
    return Content(folder, "multi")


def torrent_of(content: Content, kind: Kind, tracker: str, *, piece_size: int = PIECE_SIZE) -> bytes:
    """A torrent of `content`, made by libtorrent, with one tracker."""
    import libtorrent as lt  # noqa: PLC0415 - an optional partner: only the tests that need it import it

    flags = {Kind.V1_SINGLE: lt.create_torrent.v1_only, Kind.V1_MULTI: lt.create_torrent.v1_only}
    flags[Kind.V2] = lt.create_torrent.v2_only
    maker = lt.create_torrent(lt.list_files(str(content.path)), piece_size, flags.get(kind, 0))
    maker.add_tracker(tracker)
    lt.set_piece_hashes(maker, str(content.folder))
    return bytes(lt.bencode(maker.generate()))


def magnet_of(torrent: bytes) -> str:
    """The magnet link of a torrent, its tracker included."""
    import libtorrent as lt  # noqa: PLC0415 - as above

    return str(lt.make_magnet_uri(lt.load_torrent_buffer(torrent)))
