"""The torrents that the benches move: random bytes on tmpfs, made once a run."""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import libtorrent as lt

MIB = 1 << 20
CHUNK = 8 * MIB


@dataclass(frozen=True, slots=True)
class Workload:
    """A torrent and its content; `folder` holds the torrent's root."""

    name: str
    size: int
    torrent: Path
    folder: Path

    def same(self, other: Path) -> bool:
        """Whether `other` holds the same bytes under the same names."""
        mine, theirs = bytearray(MIB), bytearray(MIB)
        for path in sorted(p for p in self.folder.rglob("*") if p.is_file()):
            copy = other / path.relative_to(self.folder)
            if not copy.is_file() or copy.stat().st_size != path.stat().st_size:
                return False
            with path.open("rb", buffering=0) as ours, copy.open("rb", buffering=0) as its:
                while count := ours.readinto(mine):
                    if its.readinto(theirs) != count or mine[:count] != theirs[:count]:
                        return False
        return True


def mebibytes(text: str) -> int:
    """`256M` or `2G` in MiB."""
    number, unit = int(text[:-1]), text[-1].upper()
    return number * {"M": 1, "G": 1024}[unit]


@contextmanager
def single_file(root: Path, size: int, piece_size: int = MIB, tracker: str | None = None) -> Iterator[Workload]:
    """One file."""
    with _made(root, "single.bin", {"single.bin": size}, piece_size, tracker) as workload:
        yield workload


@contextmanager
def single_file_v2(root: Path, size: int) -> Iterator[Workload]:
    """As `single_file`, of version 2 alone."""
    with _made(root, "single-v2.bin", {"single-v2.bin": size}, MIB, version=lt.create_torrent.v2_only) as workload:
        yield workload


@contextmanager
def single_file_hybrid(root: Path, size: int) -> Iterator[Workload]:
    """As `single_file`, for both versions."""
    with _made(root, "single-hybrid.bin", {"single-hybrid.bin": size}, MIB, version=0) as workload:
        yield workload


@contextmanager
def many_files(root: Path, size: int, count: int = 2000) -> Iterator[Workload]:
    """`count` files of uneven sizes in 40 folders, 256 KiB pieces."""
    rng = random.Random("sizes")
    weights = [rng.lognormvariate(0, 1) for _ in range(count)]
    sizes = [max(1, int(size * weight / sum(weights))) for weight in weights]
    sizes[-1] += size - sum(sizes)
    files = {f"many/{number % 40:02}/{number:04}.bin": each for number, each in enumerate(sizes)}
    with _made(root, "many", files, 256 << 10) as workload:
        yield workload


@contextmanager
def _made(
    root: Path,
    name: str,
    files: dict[str, int],
    piece_size: int,
    tracker: str | None = None,
    version: int = lt.create_torrent.v1_only,
) -> Iterator[Workload]:
    folder = root / f"{name}.content"
    rng = random.Random(name)
    try:
        for relative, size in files.items():
            path = folder / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                for start in range(0, size, CHUNK):
                    file.write(rng.randbytes(min(CHUNK, size - start)))
        maker = lt.create_torrent(lt.list_files(str(folder / name)), piece_size, version)
        if tracker is not None:
            maker.add_tracker(tracker)
        lt.set_piece_hashes(maker, str(folder))
        torrent = root / f"{name}.torrent"
        torrent.write_bytes(lt.bencode(maker.generate()))
        yield Workload(name, sum(files.values()), torrent, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
