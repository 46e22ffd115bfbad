from pathlib import Path

from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.session.options import AddOptions


def test_the_content_itself_is_the_place_where_it_is_given() -> None:
    assert AddOptions(save_path=Path("/down")).place == "/down"
    assert AddOptions(save_path=Path("/down"), content=Path("/else/film")).place == "/else/film"


class Ordered(list[int]):
    """Numbers that can be gone through, and not searched."""

    def __contains__(self, number: object) -> bool:
        raise AssertionError(f"all numbers were searched for {number}")


def test_a_long_selection_is_gone_through_once() -> None:
    """Half of a hundred thousand files would cost minutes if each were looked for among the others."""
    files = [{"length": 3, "path": [name]} for name in ("a", "b", "c")]
    info = Info.parse(encode({"files": files, "name": "t", "piece length": 16384, "pieces": bytes(20)}))
    options = AddOptions(save_path=Path("/down"), select=Ordered([0, 2]))
    assert options.file_priorities(info) == [4, 0, 4]
    assert options.wanted_files(info) == [0, 2]


def test_single_priorities_go_over_what_was_selected_and_pads_are_not_counted() -> None:
    files = [{"length": 3, "path": [name], "attr": "p" if name == "pad" else ""} for name in ("a", "pad", "b", "c")]
    info = Info.parse(encode({"files": files, "name": "t", "piece length": 16384, "pieces": bytes(20)}))
    options = AddOptions(save_path=Path("/down"))
    assert options.file_priorities(info) == [4, 0, 4, 4]
    options.select = [1]
    options.priorities = {2: 7}
    assert options.file_priorities(info) == [0, 0, 4, 7]
