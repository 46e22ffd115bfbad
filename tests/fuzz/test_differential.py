"""Our verdicts on torrents beside libtorrent's, over a fixed sample."""

from pathlib import Path

import pytest

pytest.importorskip("libtorrent")

from fuzz.differential import compare, torrents
from fuzz.verdicts import EXPLAINED, table

PAGE = Path(__file__).parents[2] / "docs" / "torrent-verdicts.md"
SAMPLE = 2500


def test_every_difference_is_explained_and_what_both_take_is_the_same_torrent() -> None:
    found = compare(torrents(SAMPLE, 0))
    assert found.contradictions == []
    assert {kind: found.examples[kind] for kind in found.unexplained} == {}
    assert found.taken > SAMPLE // 10
    assert len(found.kinds) > len(EXPLAINED) // 3, "the sample shows next to nothing"


def test_the_page_has_every_explanation() -> None:
    assert table() in PAGE.read_text()
