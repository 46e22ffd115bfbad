import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.bitfield import Bitfield
from bittern.base.errors import StorageError
from bittern.codec.metainfo import Info
from bittern.codec.resume import Resume
from bittern.io.disk.handles import Handles
from bittern.session.checking import Hashed, Pace, Plan, hash_suspects, plan, read_resume, refuse_foreign
from bittern.session.content import Content
from bittern.session.store import FILE, Record, Store
from tests.session.rig import PIECE, album, fill, torrent


class Case:
    """An album on the disk, and what is saved of it."""

    def __init__(self, folder: Path) -> None:
        self.root = album(folder / "album")
        self.info: Info = torrent(self.root).info
        self.content = Content(self.info, folder, Handles(), None, None)
        self.count = self.info.geometry.piece_count

    def saved(self, *missing: int) -> Resume:
        pieces = Bitfield.full(self.count)
        for piece in missing:
            pieces.discard(piece)
        return Resume(self.info.wire_hash, self.count, bytes(pieces), tuple(self.content.look()))

    def plan(self, resume: Resume | None, *, trust: bool = False) -> Plan:
        return plan(self.info, self.content.look(), resume, trust=trust)

    def hash(self, found: Plan) -> list[int]:
        return hash_suspects(self.content, found.suspects, Pace(), lambda _: None).good


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_files_that_look_as_they_did_are_believed(case: Case) -> None:
    found = case.plan(case.saved(2, 3))
    assert found.suspects == []
    assert list(found.have) == [piece for piece in range(case.count) if piece not in (2, 3)]


def test_a_file_that_changed_is_hashed_with_the_pieces_it_shares(case: Case) -> None:
    saved = case.saved(0)
    os.utime(case.root / "two" / "b.bin", ns=(1, 1))
    found = case.plan(saved)
    shared = 100_000 // PIECE
    assert found.suspects == [shared]
    assert found.to_hash_bytes == PIECE
    assert list(found.have) == [piece for piece in range(case.count) if piece not in (0, shared)]
    assert case.hash(found) == [shared]


def test_without_saved_progress_all_that_is_there_is_hashed(case: Case) -> None:
    (case.root / "two" / "c.bin").unlink()
    found = case.plan(None)
    assert len(found.have) == 0
    assert found.suspects == [0, 1, 2]  # the fourth piece ends in the file that is not there
    assert case.hash(found) == [0, 1, 2]


def test_a_short_file_is_hashed_as_far_as_it_goes(case: Case) -> None:
    os.truncate(case.root / "one.bin", PIECE + 5)
    found = case.plan(None)
    assert found.suspects == [0, *range(4, case.count)]
    assert case.hash(found) == list(found.suspects)


def test_nothing_there_means_nothing_to_hash(case: Case, tmp_path: Path) -> None:
    case.root.rename(tmp_path / "away")
    found = case.plan(None)
    assert (found.suspects, len(found.have), found.to_hash_bytes) == ([], 0, 0)


def test_a_missing_file_is_not_believed_in(case: Case) -> None:
    saved = case.saved()
    (case.root / "one.bin").unlink()
    found = case.plan(saved)
    assert found.suspects == []
    assert list(found.have) == list(range(4, case.count))


def test_nothing_beyond_the_end_of_a_file_is_believed_whatever_was_saved(case: Case) -> None:
    os.truncate(case.root / "one.bin", PIECE + 1)
    found = case.plan(case.saved())
    assert found.suspects == []
    assert list(found.have) == [0, *range(-(-100_000 // PIECE), case.count)]


def test_trust_believes_in_sizes_only(case: Case) -> None:
    (case.root / "one.bin").write_bytes(bytes(100_000))
    os.truncate(case.root / "two" / "c.bin", 70_000)
    found = case.plan(None, trust=True)
    assert list(found.have) == [0, 1, 2]
    assert 100_000 // PIECE in found.suspects


def test_bytes_that_changed_are_found_by_hashing(case: Case) -> None:
    with (case.root / "one.bin").open("r+b") as file:
        file.seek(PIECE)
        file.write(b"\0\0\0\0")
    assert case.hash(case.plan(None)) == [0, *range(2, case.count)]


def test_hashing_ends_when_it_is_stopped(case: Case) -> None:
    pace = Pace()
    pace.cancel()
    assert hash_suspects(case.content, range(case.count), pace, lambda _: None) == Hashed([], range(case.count))


def test_a_check_that_is_paused_again_and_again_goes_on_where_it_was(case: Case) -> None:
    pace = Pace()
    left: Sequence[int] = range(case.count)
    good: list[int] = []
    rounds = 0
    while left:
        pace.resume()
        found = hash_suspects(case.content, left, pace, lambda _: pace.pause())  # after the first piece of each
        assert found.left == left[1:]
        good, left, rounds = good + found.good, found.left, rounds + 1
    assert (good, rounds) == (list(range(case.count)), case.count)


def test_a_check_ends_after_its_time_and_says_what_is_left(case: Case) -> None:
    assert hash_suspects(case.content, range(case.count), Pace(), lambda _: None, 0.0) == Hashed(
        [0], range(1, case.count)
    )


def test_what_a_check_had_yet_to_read_is_read_by_the_next(case: Case) -> None:
    """Also what the interrupted one found wrong is not read again."""
    count = case.count
    noted = replace(case.saved(*range(2, count)), unchecked=bytes(Bitfield(count, range(3, count))), ours=False)
    again = read_resume(noted.encode(), case.info)
    assert again == noted
    found = case.plan(again)
    assert (set(found.have), list(found.suspects)) == ({0, 1}, list(range(3, count)))
    assert not case.plan(again, trust=True).suspects


def test_a_check_may_be_slowed_down(case: Case) -> None:
    began = time.monotonic()
    assert hash_suspects(case.content, range(case.count), Pace(1_000_000), lambda _: None).good == list(
        range(case.count)
    )
    assert 0.09 < time.monotonic() - began < 20  # 170,011 bytes


def test_progress_reaches_its_end(case: Case) -> None:
    told: list[int] = []
    hash_suspects(case.content, range(case.count), Pace(), told.append)
    assert told == sorted(told)
    assert told
    assert told[-1] <= 170_011


@pytest.mark.parametrize("blob", [None, b"", b"garbage", b"bittern resume 1\n" + bytes(40)])
def test_progress_that_can_not_be_read_is_as_none(case: Case, blob: bytes | None) -> None:
    assert read_resume(blob, case.info) is None


def test_progress_of_another_torrent_is_as_none(case: Case, tmp_path: Path) -> None:
    other = torrent(fill(tmp_path / "other.bin", 1000)).info
    assert read_resume(case.saved().encode(), case.info) == case.saved()
    assert read_resume(case.saved().encode(), other) is None


def protect(case: Case) -> None:
    found = case.plan(None)
    have = found.have
    for piece in case.hash(found):
        have.add(piece)
    refuse_foreign(case.content, case.content.look(), found.suspects, have)


def test_a_file_with_any_right_piece_is_ours(case: Case) -> None:
    path = case.root / "one.bin"
    path.write_bytes(path.read_bytes()[:PIECE] + bytes(1000))
    protect(case)


def test_a_file_without_a_right_piece_is_somebody_elses(case: Case) -> None:
    fill(case.root / "one.bin", 90_000, 99)
    with pytest.raises(StorageError) as caught:
        protect(case)
    assert (caught.value.kind, caught.value.path) == (StorageError.Kind.EXISTS, str(case.root / "one.bin"))


def test_under_way_a_file_is_somebody_elses_when_it_lost_all_of_several_pieces(case: Case) -> None:
    """Of one that had a single piece, or none, what is there may be ours, and bad."""
    fill(case.root / "one.bin", 100_000, 99)
    found = case.plan(None)
    have = Bitfield(case.count, case.hash(found))
    looks = case.content.look()
    for had in ((), (1,)):
        refuse_foreign(case.content, looks, found.suspects, have, Bitfield(case.count, had))
    with pytest.raises(StorageError) as caught:
        refuse_foreign(case.content, looks, found.suspects, have, Bitfield(case.count, (0, 2)))
    assert caught.value.path == str(case.root / "one.bin")


def test_of_several_files_without_a_right_piece_the_largest_is_named(case: Case) -> None:
    """The small one between is as it was: it only shares its piece with those that are not."""
    fill(case.root / "two" / "c.bin", 70_001, 99)
    fill(case.root / "one.bin", 100_000, 99)
    with pytest.raises(StorageError) as caught:
        protect(case)
    assert caught.value.path == str(case.root / "one.bin")


def test_a_small_file_that_can_not_be_checked_counts_by_its_size(case: Case) -> None:
    (case.root / "one.bin").unlink()
    (case.root / "two" / "c.bin").unlink()
    protect(case)
    (case.root / "two" / "b.bin").write_bytes(b"short")
    with pytest.raises(StorageError) as caught:
        protect(case)
    assert (caught.value.kind, caught.value.path) == (StorageError.Kind.EXISTS, str(case.root / "two" / "b.bin"))


def test_an_empty_file_and_a_hole_are_nobodys(case: Case) -> None:
    (case.root / "one.bin").write_bytes(b"")
    with (case.root / "two" / "c.bin").open("wb") as file:
        file.truncate(70_001)
    (case.root / "two" / "b.bin").unlink()
    protect(case)


def _damage(path: Path, kind: str, at: float) -> None:
    """What a crash, a disk or a user may do to a file."""
    if not path.exists():
        return
    size = path.stat().st_size
    if kind == "truncate":
        os.truncate(path, int(size * at))
    elif kind == "flip" and size:
        with path.open("r+b") as file:
            file.seek(min(int(size * at), size - 1))
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 0x55]))
    elif kind == "remove":
        path.unlink()
    elif kind == "touch":
        os.utime(path, ns=(7, int(at * 10**9)))


_DAMAGES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["truncate", "flip", "remove", "touch"]), st.floats(0, 1)), max_size=4
)


@settings(max_examples=30, deadline=None)
@given(
    to_content=_DAMAGES,
    to_state=st.lists(st.tuples(st.sampled_from(["truncate", "flip", "remove"]), st.floats(0, 1)), max_size=3),
    stored_pieces=st.sets(st.integers(0, 5)),
)
def test_whatever_happens_to_files_and_state_no_piece_is_believed_that_does_not_hash(
    tmp_path_factory: pytest.TempPathFactory,
    to_content: list[tuple[int, str, float]],
    to_state: list[tuple[str, float]],
    stored_pieces: set[int],
) -> None:
    folder = tmp_path_factory.mktemp("law")
    case = Case(folder)
    paths = [Path(path) for path in case.content.storage.paths]
    for path in paths:
        os.utime(path, ns=(1, 1))  # so that what changes a file later shows, however coarse the clock is
    saved = case.saved(*set(range(case.count)) - stored_pieces)
    record = Record(case.info.wire_hash, str(folder), case.info.raw, (), saved.encode())

    async def keep() -> None:
        store = Store(folder / "state")
        await store.open()
        await store.put(record)
        await store.close()

    async def read() -> Record | None:
        store = Store(folder / "state")
        await store.open()
        try:
            return await store.load(record.info_hash, record.save_path)
        finally:
            await store.close()

    asyncio.run(keep())
    for number, kind, at in to_content:
        _damage(paths[number], kind, at)
    for kind, at in to_state:
        _damage(folder / "state" / FILE, kind, at)
    found = asyncio.run(read())
    planned = case.plan(read_resume(found.resume, case.info) if found is not None else None)
    have = {*planned.have, *case.hash(planned)}
    right = set(hash_suspects(case.content, range(case.count), Pace(), lambda _: None).good)
    assert have <= right
    if not to_content:
        assert have == (stored_pieces if found is not None and found.resume == record.resume else right)
