from pathlib import Path

from bittern.session.options import AddOptions


def test_the_content_itself_is_the_place_where_it_is_given() -> None:
    assert AddOptions(save_path=Path("/down")).place == "/down"
    assert AddOptions(save_path=Path("/down"), content=Path("/else/film")).place == "/else/film"
