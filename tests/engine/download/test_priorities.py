import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import LocalProtocolError
from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.engine.download.priorities import piece_priorities

PIECE = 16384


def info_of_files(lengths: list[int], pads: list[bool]) -> Info:
    files = [
        {"length": length, "path": [f"{number}"], **({"attr": "p"} if pad else {})}
        for number, (length, pad) in enumerate(zip(lengths, pads, strict=True))
    ]
    count = -(-sum(lengths) // PIECE)
    return Info.parse(encode({"files": files, "name": "t", "piece length": PIECE, "pieces": bytes(20 * count)}))


@given(st.lists(st.tuples(st.integers(0, 3 * PIECE), st.booleans(), st.integers(0, 7)), min_size=1, max_size=8))
def test_a_piece_is_wanted_as_much_as_the_most_wanted_file_in_it(files: list[tuple[int, bool, int]]) -> None:
    info = info_of_files([length for length, _, _ in files], [pad for _, pad, _ in files])
    priorities = [priority for _, _, priority in files]
    model = [0] * info.geometry.piece_count
    for file, priority in zip(info.files, priorities, strict=True):
        if not file.pad:
            for piece in info.geometry.pieces_of(file.offset, file.length):
                model[piece] = max(model[piece], priority)
    assert list(piece_priorities(info, priorities)) == model


@pytest.mark.parametrize("files", [[4], [4, 8], [4, -1], [4, 4, 4]])
def test_what_are_no_priorities_is_refused(files: list[int]) -> None:
    with pytest.raises(LocalProtocolError):
        piece_priorities(info_of_files([10, 10], [False, False]), files)
