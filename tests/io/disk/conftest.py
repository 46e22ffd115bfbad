"""Storages of a test are closed at its end."""

from collections.abc import Iterator

import pytest

from tests.io.disk.torrents import MADE


@pytest.fixture(autouse=True)
def _closes_files() -> Iterator[None]:
    yield
    while MADE:
        MADE.pop().close()
