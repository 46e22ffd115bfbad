"""The files of a tracker's private mode: which torrents are served, and with which passkeys."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bittern.tracker.policy import Policy, parse_info_hashes, parse_passkeys

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lists:
    """Where they are.

    Attributes:
        allow: info hashes, one a line; None for all torrents.
        passkeys: one a line; None for no need of any.
    """

    allow: Path | None = None
    passkeys: Path | None = None

    def read_into(self, policy: Policy) -> None:
        """Let `policy` be as the files say.

        Raises:
            OSError: a file cannot be read.
            ValueError: a line of it makes no sense; the message names file and line, and the policy is as it was.
        """
        hashes = None if self.allow is None else _read(self.allow, parse_info_hashes)
        keys = None if self.passkeys is None else _read(self.passkeys, parse_passkeys)
        policy.allow(hashes, keys)


def _read(path: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
