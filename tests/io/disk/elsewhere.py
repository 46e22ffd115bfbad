"""Folders that seem to be on different file systems."""

import errno
import os

import pytest

_rename = os.rename


def refuse_to_cross(source: str, target: str) -> None:
    """Rename, but only inside a folder."""
    if os.path.dirname(source) != os.path.dirname(target):  # noqa: PTH120 - as the module that calls it has them
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source)
    _rename(source, target)


def part_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every folder be on a file system of its own."""
    monkeypatch.setattr(os, "rename", refuse_to_cross)
