"""Which files of a torrent a command is about, and how much each is wanted: numbers as `bittern files` shows them."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TextIO

from bittern.codec.metainfo import Info
from bittern.engine.download.priorities import HIGHEST, SKIP
from bittern.tools.show import numbered_files

from .failures import UsageError
from .output import format_size, note, printable

_MOST = 1_000_000
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class FileChoice:
    """Files by numbers from 0.

    Attributes:
        select: the files to fetch, ascending; None for all.
        priorities: 0 (not at all) to 7 (first) of single files, whatever `select` says.
    """

    select: list[int] | None
    priorities: Mapping[int, int]

    @classmethod
    def parse(cls, select: str | None, priorities: Sequence[str]) -> Self:
        """From `--select-file 1-3,5` and any number of `--priority 1-3,5=7`; the last word on a file counts.

        Raises:
            UsageError: one is not written so.
        """
        selected = _numbers("--select-file", select, select) if select is not None else None
        chosen: dict[int, int] = {}
        for text in priorities:
            numbers, _, level = text.partition("=")
            if len(level) != 1 or not level.isascii() or not level.isdigit() or not SKIP <= int(level) <= HIGHEST:
                raise UsageError(f"--priority {printable(text, 80)}: write files and 0 to 7, as in 1-3=7")
            chosen |= dict.fromkeys(_numbers("--priority", text, numbers), int(level))
        return cls(selected, chosen)

    def check(self, count: int) -> None:
        """Raise UsageError when it names a file that a torrent of `count` files has not."""
        for flag, numbers in (("--select-file", self.select or ()), ("--priority", self.priorities)):
            if numbers and max(numbers) >= count:
                raise UsageError(f"{flag}: there is no file {max(numbers) + 1}: the torrent has {count}")


def file_lines(info: Info) -> list[str]:
    """The files with their numbers, sizes and paths, for a terminal."""
    numbered = numbered_files(info)
    digits = len(str(len(numbered)))
    lines = []
    for number, file in numbered:
        target = "" if file.symlink is None else f" -> {printable('/'.join(file.symlink), 4096)}"
        path = printable("/".join(file.path), 4096)
        lines.append(f"{number:>{digits}}  {format_size(file.length):>10}  {path}{target}")
    return lines


def ask_for_files(info: Info, answers: TextIO) -> str | None:
    """Which files the user wants, in the words of `--select-file`; None for all. Asked again until it makes sense.

    Args:
        info: of the torrent.
        answers: the terminal, to read from.

    Raises:
        UsageError: the terminal was closed.
    """
    for line in file_lines(info):
        note(line)
    while True:
        sys.stderr.write("Files to download, as in 1-3,5 (Enter for all): ")
        sys.stderr.flush()
        line = answers.readline()
        if not line:
            raise UsageError("no files were chosen")
        text = line.strip() or None
        try:
            FileChoice.parse(text, ()).check(len(numbered_files(info)))
        except UsageError as error:
            note(str(error).removeprefix("--select-file").lstrip(": "))
        else:
            return text


def _numbers(flag: str, text: str, files: str) -> list[int]:
    numbers: set[int] = set()
    for part in files.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise UsageError(f"{flag} {printable(text, 80)}: write numbers of files, as in 1-3,5")
        low, high = int(found[1]), int(found[2] or found[1])
        if not 1 <= low <= high <= _MOST:
            raise UsageError(f"{flag} {printable(text, 80)}: files are numbered from 1, the lower number first")
        numbers.update(range(low - 1, high))
    return sorted(numbers)
