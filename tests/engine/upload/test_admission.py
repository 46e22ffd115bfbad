import pytest

from bittern.base.geometry import BLOCK, Geometry
from bittern.engine.upload.admission import is_honest

GEOMETRY = Geometry(3 * 40_000 + 5, 40_000)  # three blocks a piece, the last of them short; a last piece of 5 bytes


@pytest.mark.parametrize(
    ("piece", "begin", "length", "count"),
    [
        (0, 0, BLOCK, 1),
        (0, 0, 40_000, 3),
        (2, BLOCK, 40_000 - BLOCK, 2),
        (0, 39_999, 1, 1),
        (0, 7, 100, 1),
        (3, 0, 5, 1),
        (0, 40_000 - BLOCK, BLOCK, 1),
    ],
)
def test_requests_inside_the_torrent_may_be_meant(piece: int, begin: int, length: int, count: int) -> None:
    assert is_honest(GEOMETRY, piece, begin, length, count)


@pytest.mark.parametrize(
    ("piece", "begin", "length", "count"),
    [
        (0, 0, BLOCK + 1, 1),  # BEP 3: close on who asks for more
        (0, 0, 1 << 17, 1),
        (0, 0, 0, 1),
        (0, 40_000, 1, 1),
        (0, 39_999, 2, 1),
        (0, 2 * BLOCK, BLOCK, 1),  # beyond the piece, though not beyond the torrent
        (3, 0, 6, 1),
        (3, 5, 1, 1),
        (4, 0, 1, 1),
        (2**32 - 1, 2**32 - 1, 2**32 - 1, 1),
        (0, 0, 3 * BLOCK, 3),
    ],
)
def test_no_honest_client_asks_for(piece: int, begin: int, length: int, count: int) -> None:
    assert not is_honest(GEOMETRY, piece, begin, length, count)
