"""Where files are, while some move."""

from pathlib import Path
from threading import Thread

from bittern.io.disk.whereabouts import Whereabouts
from tests.io.disk.torrents import several

INFO, _ = several([10, 20], 16)


def test_a_file_that_is_not_complete_will_have_the_name_without_the_suffix() -> None:
    where = Whereabouts(INFO, Path("/r"), ["/r/a.part", "/r/b.part"], ("/r",), {0})
    assert [where.own(number) for number in range(2)] == ["/r/a", "/r/b.part"]  # the other is called so


def test_whether_a_file_moved_is_known_when_the_move_is_over() -> None:
    where = Whereabouts(INFO, Path("/r"), ["/r/a", "/r/b"], ("/r",))
    found: list[bool] = []
    with where.lock:
        asking = Thread(target=lambda: found.append(where.moved(0, "/r/a")))
        asking.start()
        where.paths[0] = "/elsewhere/a"
    asking.join()
    assert found == [True]
    assert not where.moved(1, "/r/b")
