"""How one torrent is to be treated, as `Session.add` was told."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bittern.base.address import Address


@dataclass(slots=True, kw_only=True)
class AddOptions:
    """Options of one torrent.

    Attributes:
        save_path: absolute folder that its file, or its root folder, goes to.
        content: the file or root folder itself, where it has another name or place; or None.
        addresses: of peers that the user named.
        select: numbers of wanted files among those without pads, from 0; None for all.
        trackers: tiers to ask beside those of the torrent.
        paused: whether it stays out of its swarm until resumed.
        trust: believe that files of the right size are right.
        overwrite: whether files without any piece of the torrent may be overwritten.
    """

    save_path: Path
    content: Path | None = None
    addresses: tuple[Address, ...] = ()
    select: Sequence[int] | None = None
    trackers: tuple[tuple[str, ...], ...] = ()
    paused: bool = False
    trust: bool = False
    overwrite: bool = False

    @property
    def place(self) -> str:
        """What tells the same torrent in two places apart."""
        return str(self.content or self.save_path)
