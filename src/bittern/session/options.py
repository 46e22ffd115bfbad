"""How one torrent is to be treated, as `Session.add` was told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bittern.base.address import Address
from bittern.base.errors import SessionError
from bittern.codec.metainfo import Info
from bittern.engine.download.priorities import HIGHEST, NORMAL, SKIP

from .limits import Limits


@dataclass(slots=True, kw_only=True)
class AddOptions:
    """Options of one torrent.

    Attributes:
        save_path: absolute folder that its file, or its root folder, goes to.
        content: the file or root folder itself, where it has another name or place; or None.
        root: name of the single file or root folder, where it is not the torrent's; or None.
        names: by number among all files, paths below the root of those that were renamed.
        addresses: of peers that the user named.
        heard: of peers that a tracker named.
        select: numbers of wanted files among those without pads, from 0; None for all.
        priorities: how much single files are wanted, by such numbers: 0 to 7, over what `select` says.
        trackers: tiers to ask beside those of the torrent.
        paused: whether it stays out of its swarm until resumed.
        metadata_only: whether it gets its metadata all the same, and touches no file before it is resumed.
        trust: believe that files of the right size are right.
        limits: how fast it may be.
        super_seed: show pieces to peers one by one while nobody else has everything (BEP 16).
        overwrite: whether files without any piece of the torrent may be overwritten.
        recheck: hash what is there at the start, whatever was saved.
    """

    save_path: Path
    content: Path | None = None
    root: str | None = None
    names: dict[int, str] = field(default_factory=dict)
    addresses: tuple[Address, ...] = ()
    heard: tuple[Address, ...] = ()
    select: Sequence[int] | None = None
    priorities: dict[int, int] = field(default_factory=dict)
    trackers: tuple[tuple[str, ...], ...] = ()
    paused: bool = False
    metadata_only: bool = False
    trust: bool = False
    overwrite: bool = False
    limits: Limits = field(default_factory=Limits)
    recheck: bool = False
    super_seed: bool = False

    @property
    def place(self) -> str:
        """What tells the same torrent in two places apart."""
        return str(self.content or self.save_path)

    def path(self, name: str) -> Path:
        """The file, or the root folder, of a torrent that has a name of its own."""
        return self.content if self.content is not None else self.save_path / (self.root or name)

    def file_priorities(self, info: Info) -> list[int]:
        """How much each file of the torrent is wanted, pads included, as the engine takes it."""
        wanted, number = list[int](), 0
        chosen = None if self.select is None else frozenset(self.select)
        for file in info.files:
            selected = NORMAL if chosen is None or number in chosen else SKIP
            wanted.append(SKIP if file.pad else self.priorities.get(number, selected))
            number += not file.pad
        return wanted

    def wanted_files(self, info: Info) -> list[int]:
        """Numbers, among all files, of those that are wanted at all."""
        return [number for number, priority in enumerate(self.file_priorities(info)) if priority != SKIP]


def check_selection(info: Info, select: Iterable[int]) -> None:
    """Raise SessionError when there is no file of one of these numbers among those without pads."""
    count = _file_count(info)
    for number in select:
        if not 0 <= number < count:
            raise SessionError(f"there is no file {number + 1}: the torrent has {count}")


def check_priorities(info: Info, priorities: Mapping[int, int]) -> None:
    """Raise SessionError when one is not 0 to 7, or there is no such file among those without pads."""
    count = _file_count(info)
    for number, priority in priorities.items():
        if not 0 <= number < count or not SKIP <= priority <= HIGHEST:
            raise SessionError(
                f"priority {priority} of file {number + 1}: there are {count} files, and priorities from 0 to 7"
            )


def _file_count(info: Info) -> int:
    return sum(not file.pad for file in info.files)
