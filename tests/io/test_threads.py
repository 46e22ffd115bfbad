"""Where the system allows too few threads that is one error of ours, and no thread is left behind."""

import threading
from collections.abc import Iterator

import pytest

from bittern.base.errors import ThreadLimitError
from bittern.io.threads import pool, starting


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[threading.Thread]]:
    """Two more threads may be started; those that were."""
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    yield started
    for thread in started:
        thread.join(60)
        assert not thread.is_alive()


def test_the_threads_of_a_pool_all_run_before_there_is_work(room: list[threading.Thread]) -> None:
    with pool(2, "bittern-test") as threads:
        assert [thread.name for thread in room] == ["bittern-test_0", "bittern-test_1"]
        assert list(threads.map(abs, range(-9, 0))) == list(range(9, 0, -1))


def test_a_pool_that_can_not_be_whole_is_none(room: list[threading.Thread]) -> None:
    with pytest.raises(ThreadLimitError, match="no more threads"):
        pool(3, "bittern-test")
    assert len(room) == 2


def test_other_errors_stay_what_they_are() -> None:
    thread = threading.Thread(target=str)
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError, match="only be started once"), starting():
        thread.start()
