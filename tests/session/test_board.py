import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.session import board as module
from bittern.session.board import Board

steps = st.lists(st.tuples(st.sampled_from(["touch", "drop", "read"]), st.integers(0, 5)), max_size=80)


@given(steps, st.integers(0, 3))
def test_readers_who_follow_know_what_is_there_and_see_every_change(
    steps: list[tuple[str, int]], remembered: int
) -> None:
    board: Board[int] = Board()
    values: dict[int, int] = {}
    readers: list[tuple[int, dict[int, int]]] = [(0, {})] * 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_GONE", remembered)
        for at, (step, key) in enumerate(steps):
            if step == "touch":
                values[key] = at
                board.touch(key)
            elif step == "drop":
                values.pop(key, None)
                board.drop(key)
            else:
                revision, known = readers[key % 3]
                changes = board.since(revision)
                known = {} if changes.whole else dict(known)
                known |= {changed: values[changed] for changed in changes.changed}
                for gone in changes.gone:
                    known.pop(gone, None)
                assert known == values
                readers[key % 3] = (changes.revision, known)


def test_nothing_new_is_nothing_told() -> None:
    board: Board[str] = Board()
    board.touch("a")
    revision = board.since(0).revision
    assert (board.since(revision).changed, board.since(revision).whole) == ((), False)
    board.touch("b")
    assert board.since(revision).changed == ("b",)


def test_what_changed_often_is_told_once() -> None:
    board: Board[str] = Board()
    for _ in range(3):
        board.touch("a")
        board.touch("b")
    assert board.since(1).changed == ("b", "a")
    assert len(board) == 2


def test_a_revision_of_another_run_is_told_everything() -> None:
    board: Board[str] = Board()
    board.touch("a")
    assert board.since(77).whole
