"""The tutorial tells what happens: its commands and programs print what its pages show."""

import os
import re
from pathlib import Path

import pytest

from tests.docs.console import PAGES, ROOT, acted_out, masked, missing_programs


@pytest.fixture(scope="module")
def acted() -> dict[str, str]:
    """Every page with what its commands and programs print now."""
    missing = missing_programs()
    if missing and not os.environ.get("BITTERN_CI"):
        pytest.skip(f"needs {missing}")
    return acted_out()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_a_page_shows_what_is_printed(name: str, acted: dict[str, str]) -> None:
    """`python -m tests.docs.console` brings the pages up to date."""
    page = next(page for page in PAGES if page.name == name)
    assert masked(page.read_text()).splitlines() == masked(acted[name]).splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_to_read_on_in_is_there(page: Path) -> None:
    named = re.findall(r"`((?:src/bittern|engine|wire|codec)/[\w/]+(?:\.py|/))`", page.read_text())
    assert named
    places = [ROOT / name if name.startswith("src/") else ROOT / "src" / "bittern" / name for name in named]
    assert [place for place in places if not place.exists()] == []


def test_only_what_varies_is_masked() -> None:
    text = "Peer ID: 2d425a303130302d3ba4f2a492841862d431ff33, info hash 368e3aee92c5836f68c6773bdc531d4adc0ad630"
    assert masked(text) == text.replace("3ba4f2a492841862d431ff33", "*" * 24)
    assert masked("peer_id=-BZ0100-b0259f179401&port=50413") == "peer_id=-BZ0100-*&port=50413"
