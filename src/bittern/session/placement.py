"""Where a torrent's files are: the folder, the name of the root, and the files that were renamed."""

import json
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from types import MappingProxyType

from bittern.base.errors import SessionError, StorageError
from bittern.codec.metainfo import Info
from bittern.codec.paths import safe_path

from .options import AddOptions
from .store import Store, read_json


@dataclass(frozen=True, slots=True)
class Placement:
    """A place on the disk for each file of a torrent.

    Attributes:
        folder: absolute.
        root: in it, the name of the single file, or of the folder with the files.
        names: by number among all files, paths below the root of those that do not have the torrent's.
    """

    folder: Path
    root: str
    names: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, info: Info, options: AddOptions) -> "Placement":
        """Where a torrent's files are by its options."""
        path = options.content or options.save_path / (options.root or info.name)
        return cls(path.parent, path.name, dict(options.names))

    def apply(self, info: Info, options: AddOptions) -> None:
        """Let the options say that the files are here."""
        options.names = dict(self.names)
        if options.content is not None:
            options.content = self.folder / self.root
        else:
            options.save_path = self.folder
            options.root = None if self.root == info.name else self.root

    def paths(self, info: Info) -> list[str]:
        """Where each of `info.files` is."""
        root = os.path.join(self.folder, self.root)
        if not info.multi_file:
            return [root]
        return [
            os.path.join(root, self.names[number]) if number in self.names else os.path.join(root, *file.path)
            for number, file in enumerate(info.files)
        ]

    def parts(self, info: Info) -> str:
        """Where the part file is."""
        return os.path.join(self.folder, f".{info.wire_hash}.parts")

    def renamed(self, info: Info, number: int, path: str) -> "Placement":
        """The same, with the file numbered `number` at `path` below the root.

        Raises:
            SessionError: the path is not safe, or another file is there.
        """
        parts = tuple(path.split("/"))
        if safe_path(parts) != parts:
            raise SessionError(f"{path!r} cannot be the name of a file here")
        if not info.multi_file:
            return self.with_root(path)
        names = {**self.names, number: os.path.join(*parts)}
        if names[number] == os.path.join(*info.files[number].path):
            del names[number]
        placement = Placement(self.folder, self.root, names)
        taken = {os.path.normcase(found).casefold() for at, found in enumerate(placement.paths(info)) if at != number}
        mine = placement.paths(info)[number].casefold()
        if any(mine == one or mine.startswith(one + "/") or one.startswith(mine + "/") for one in taken):
            raise SessionError(f"{path!r} is, or would hide, another file of the torrent")
        return placement

    def with_root(self, name: str) -> "Placement":
        """The same, with another name for the single file or the folder of the files.

        Raises:
            SessionError: the name is not safe.
        """
        if safe_path((name,)) != (name,):
            raise SessionError(f"{name!r} cannot be the name of a file or folder here")
        return Placement(self.folder, name, self.names)

    def encode(self) -> str:
        """As text for the store."""
        return json.dumps([str(self.folder), self.root, list(self.names.items())])

    @classmethod
    def decode(cls, text: str) -> "Placement":
        """What `encode` made; ValueError or TypeError if it did not."""
        folder, root, names = read_json(text)
        checked = {index(number): str(name) for number, name in names}
        for path in (str(root), *checked.values()):
            if safe_path(path.split("/")) != tuple(path.split("/")):  # nothing in the store may lead elsewhere
                raise ValueError(path)
        return cls(Path(folder), str(root), checked)


@dataclass(frozen=True, slots=True)
class Move:
    """A torrent's placement in the store, and the one that it is leaving, while it does.

    Attributes:
        place: key of the torrent's row.
        at: where its files are, or are to be.
        was: where some of them may still be; None when nothing moves.
        target: the key that the row is to have.
    """

    place: str
    at: Placement
    was: Placement | None = None
    target: str | None = None


def path_now(store: Store, info_hash: bytes, place: str) -> Path | None:
    """The file or root folder of a torrent that was moved or renamed; the caller waits. None when nothing is kept."""
    query = "SELECT at FROM placements WHERE info_hash = ? AND save_path = ? AND was IS NULL"
    try:
        row = store.transact_now(lambda connection: connection.execute(query, (info_hash, place)).fetchone())
        at = Placement.decode(row[0]) if row is not None else None
    except (StorageError, ValueError, TypeError):
        return None
    return at.folder / at.root if at is not None else None


async def load_move(store: Store, info_hash: bytes, place: str) -> Move | None:
    """What is kept for a torrent that was, or is to be, at `place`; None when nothing is, or nothing readable."""
    return await store.read(lambda connection: read_move(connection, info_hash, place), None)


def read_move(connection: sqlite3.Connection, info_hash: bytes, place: str) -> Move | None:
    """As `load_move`, for who has other things to read as well."""
    rows = connection.execute(
        "SELECT save_path, at, was, target FROM placements WHERE info_hash = ? AND (save_path = ? OR target = ?)"
        " ORDER BY was IS NULL",
        (info_hash, place, place),
    )
    for key, at, was, target in rows.fetchall():
        try:
            return Move(key, Placement.decode(at), Placement.decode(was) if was is not None else None, target)
        except (ValueError, TypeError):
            continue
    return None


async def begin_move(store: Store, info_hash: bytes, move: Move) -> None:
    """Keep that the files are on their way; it is on the disk when this returns.

    Raises:
        StorageError: it cannot be written.
    """
    assert move.was is not None
    values = (info_hash, move.place, move.at.encode(), move.was.encode(), move.target)
    await store.do_durably([("INSERT OR REPLACE INTO placements VALUES (?, ?, ?, ?, ?)", values)])


async def end_move(store: Store, info_hash: bytes, place: str, target: str, at: Placement) -> None:
    """Keep that the files are all `at`, under the key `target` instead of `place`.

    Raises:
        StorageError: it cannot be written.
    """
    both = (info_hash, place)
    statements: list[tuple[str, tuple[object, ...]]] = [
        ("DELETE FROM placements WHERE info_hash = ? AND save_path = ?", both)
    ]
    if place != target:
        statements += [
            ("DELETE FROM torrents WHERE info_hash = ? AND save_path = ?", (info_hash, target)),
            ("UPDATE torrents SET save_path = ? WHERE info_hash = ? AND save_path = ?", (target, *both)),
        ]
        # A session that keeps its torrents must not look for them at the old place, whenever it ends.
        content = "CASE WHEN content IS NULL THEN NULL ELSE ? END"
        followed = f"UPDATE members SET save_path = ?, content = {content} WHERE info_hash = ?"  # noqa: S608 - constants
        statements.append((followed, (str(at.folder), str(at.folder / at.root), info_hash)))
    kept = (info_hash, target, at.encode(), None, None)
    statements.append(("INSERT OR REPLACE INTO placements VALUES (?, ?, ?, ?, ?)", kept))
    await store.do_durably(statements)
