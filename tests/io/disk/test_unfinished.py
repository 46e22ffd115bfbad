"""Which name an unfinished file has, and when it is complete: by what is seen alone."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.io.disk.unfinished import Look, Unfinished, conclude, drop_suffix, has_suffix
from tests.io.disk.torrents import several

LENGTH = 100
OURS, THEIRS = Look(LENGTH, 1, (1, 1)), Look(50, 2, (1, 2))


@pytest.mark.parametrize(
    ("own", "other", "known", "wanted", "answer"),
    [
        (None, None, None, True, True),
        (None, None, None, False, False),
        (OURS, None, None, True, False),  # what has its name keeps it
        (None, THEIRS, None, False, True),  # what was begun with the suffix goes on with it
        (OURS, Look(LENGTH, 1, (1, 1)), None, True, False),  # two names of one file: a crash came between
        (THEIRS, OURS, (LENGTH, 1), False, True),
        (OURS, THEIRS, (LENGTH, 1), True, False),
        (OURS, THEIRS, None, True, False),  # as long as it is to be
        (THEIRS, OURS, None, True, None),
        (OURS, THEIRS, (LENGTH, 9), True, None),
        (OURS, Look(LENGTH, 1, (1, 3)), (LENGTH, 1), True, None),
    ],
)
def test_which_name_a_file_has(
    own: Look | None,
    other: Look | None,
    known: tuple[int, int] | None,
    wanted: bool,  # noqa: FBT001 - a case
    answer: bool | None,  # noqa: FBT001 - a case
) -> None:
    assert has_suffix(own, other, length=LENGTH, known=known, wanted=wanted) is answer


_LOOKS = st.none() | st.builds(Look, st.integers(0, 3), st.integers(0, 2), st.tuples(st.just(1), st.integers(0, 2)))


@given(_LOOKS, _LOOKS, st.none() | st.tuples(st.integers(0, 3), st.integers(0, 2)), st.booleans())
def test_no_file_is_chosen_beside_one_that_may_be_ours(
    own: Look | None,
    other: Look | None,
    known: tuple[int, int] | None,
    wanted: bool,  # noqa: FBT001 - a case
) -> None:
    answer = has_suffix(own, other, length=3, known=known, wanted=wanted)
    if own is None or other is None or own.identity == other.identity:
        assert answer is not None
    elif answer is not None:
        chosen, refused = (other, own) if answer else (own, other)
        assert chosen[:2] == known != refused[:2] or (known is None and chosen == own and own.size == 3)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_a_file_is_complete_when_all_its_pieces_are_stored(lengths: list[int], data: st.DataObject) -> None:
    info, _ = several(lengths, 16)
    count = info.geometry.piece_count
    order = data.draw(st.permutations(range(count)))
    first = data.draw(st.integers(0, count))
    have = set(order[:first])
    unfinished = Unfinished(info, Bitfield(count, have), range(len(lengths)))

    def complete() -> list[int]:
        spans = [info.geometry.pieces_of(file.offset, file.length) for file in info.files]
        return [number for number, pieces in enumerate(spans) if have >= set(pieces)]

    assert unfinished.complete() == complete()
    for piece in [*order[first:], *order[:2]]:  # some are stored twice
        have.add(piece)
        files = [n for n, file in enumerate(info.files) if piece in info.geometry.pieces_of(file.offset, file.length)]
        unfinished.stored(piece, files)
        assert unfinished.complete() == complete()


@pytest.mark.parametrize("links", [True, False])
def test_a_file_gets_its_own_name_beside_the_other_and_over_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    links: bool,  # noqa: FBT001 - a parameter
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "f.part"
    path.write_bytes(b"ours")
    own = conclude(str(path), (str(tmp_path),))
    assert (own, Path(own).read_bytes()) == (str(tmp_path / "f"), b"ours")
    assert path.exists() is links  # until the suffix is dropped, where there are two names
    drop_suffix(own)
    assert not path.exists()
    path.write_bytes(b"another")
    with pytest.raises(FileExistsError):
        conclude(str(path), (str(tmp_path),))
    assert Path(own).read_bytes() == b"ours"
