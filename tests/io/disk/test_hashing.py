import os
import random
import threading
from collections.abc import Iterator
from hashlib import sha1
from io import FileIO
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.codec.merkle import leaf_hashes, piece_hash, subtree_root
from bittern.io.disk import hashing, spans
from bittern.io.disk.hashing import HashJob, hash_pieces
from bittern.io.disk.spans import CHUNK, Span, SpanFault, Trouble, open_regular


@pytest.fixture(params=["preadv", "readinto"])
def _capability(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with positioned reads and, as on systems without them, with seek and readinto."""
    if request.param == "readinto":
        monkeypatch.setattr(spans, "_preadv", None)


def _write(path: Path, size: int, seed: int = 1) -> bytes:
    data = random.Random(seed).randbytes(size)
    path.write_bytes(data)
    return data


def _pieces(spans: list[Span], piece_size: int) -> Iterator[HashJob]:
    """Cut the concatenation of `spans` into pieces, the naive way."""
    places = [(span.path, span.offset + at) for span in spans for at in range(span.length)]
    for piece, begin in enumerate(range(0, len(places), piece_size)):
        runs: list[Span] = []
        for path, offset in places[begin : begin + piece_size]:
            if runs and runs[-1].path == path and runs[-1].offset + runs[-1].length == offset:
                runs[-1] = Span(path, runs[-1].offset, runs[-1].length + 1)
            else:
                runs.append(Span(path, offset, 1))
        yield HashJob(piece, runs)


@pytest.mark.usefixtures("_capability")
def test_pieces_over_many_files_hash_as_their_concatenation(tmp_path: Path) -> None:
    data = b""
    spans = []
    for number, size in enumerate([0, 1, 5000, 33, 20_000, 7]):
        data += _write(tmp_path / str(number), size, number)
        spans.append(Span(str(tmp_path / str(number)), 0, size))
    results = list(hash_pieces(_pieces(spans, 1000), threads=3))
    expected = [sha1(data[at : at + 1000]).digest() for at in range(0, len(data), 1000)]
    assert [result.sha1 for result in results] == expected
    assert [result.piece for result in results] == list(range(len(expected)))
    assert all(result.good for result in results)


@pytest.mark.usefixtures("_capability")
def test_a_piece_longer_than_the_buffer_is_hashed_in_parts(tmp_path: Path) -> None:
    first = _write(tmp_path / "a", CHUNK + 12_345, 1)
    second = _write(tmp_path / "b", 2 * CHUNK - 1, 2)
    spans = [Span(str(tmp_path / "a"), 345, CHUNK + 12_000), Span(str(tmp_path / "b"), 0, len(second))]
    spans.append(Span(None, 0, CHUNK + 5))
    (result,) = hash_pieces([HashJob(7, spans)])
    data = first[345:] + second + bytes(CHUNK + 5)
    assert (result.piece, result.length, result.sha1) == (7, len(data), sha1(data).digest())


@pytest.mark.usefixtures("_capability")
@pytest.mark.parametrize("size", [1, 16_384, 16_385, 100_000, CHUNK, 2 * CHUNK - 1, 2 * CHUNK])
def test_merkle_roots_are_those_of_the_codec(tmp_path: Path, size: int) -> None:
    data = _write(tmp_path / "a", size)
    spans = [Span(str(tmp_path / "a"), 0, size), Span(None, 0, 2 * CHUNK - size)]
    both, merkle_only = hash_pieces(
        [HashJob(0, spans, leaves=128), HashJob(1, spans[:1], sha1=False, leaves=128)], threads=1
    )
    root = subtree_root(leaf_hashes(data), width=128)
    assert root == piece_hash(leaf_hashes(data), 4 * CHUNK, 2 * CHUNK)
    assert (both.root, both.sha1) == (root, sha1(data + bytes(2 * CHUNK - size)).digest())
    assert (merkle_only.root, merkle_only.sha1) == (root, None)


def test_the_verdict_is_on_the_hash_that_was_expected(tmp_path: Path) -> None:
    data = _write(tmp_path / "a", 1000)
    spans = [Span(str(tmp_path / "a"), 0, 1000)]
    root = subtree_root(leaf_hashes(data))
    jobs = [
        HashJob(0, spans, expected=sha1(data).digest()),
        HashJob(1, spans, expected=bytes(20)),
        HashJob(2, spans, sha1=False, leaves=1, expected=root),
        HashJob(3, spans, leaves=1, expected=bytes(32)),
    ]
    assert [result.good for result in hash_pieces(jobs)] == [True, False, True, False]


@pytest.mark.usefixtures("_capability")
@pytest.mark.parametrize("size", [1000, 2 * CHUNK + 7])
def test_of_two_hashes_both_must_be_right_and_one_alone_is_the_torrents_fault(tmp_path: Path, size: int) -> None:
    """A hybrid's SHA-1 is over the pad behind the file, too."""
    data = _write(tmp_path / "a", size)
    spans = [Span(str(tmp_path / "a"), 0, size), Span(None, 0, 24)]
    one, two = sha1(data + bytes(24)).digest(), subtree_root(leaf_hashes(data), width=256)
    expected = [one + two, one + bytes(32), bytes(20) + two, bytes(52)]
    results = list(hash_pieces(HashJob(at, spans, leaves=256, expected=both) for at, both in enumerate(expected)))
    assert [result.good for result in results] == [True, False, False, False]
    assert [result.contradictory for result in results] == [False, True, True, False]
    gone = [Span(str(tmp_path / "gone"), 0, size), Span(None, 0, 24)]
    (lost,) = hash_pieces([HashJob(0, gone, leaves=256, expected=one + two)])
    assert (lost.good, lost.contradictory) == (False, False)


def test_troubles_are_data_and_spoil_only_their_own_piece(tmp_path: Path) -> None:
    _write(tmp_path / "good", 100)
    _write(tmp_path / "short", 60)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    names = ["good", "gone", "short", "folder", "fifo", "good/below", "good"]
    jobs = [HashJob(piece, [Span(str(tmp_path / name), 0, 100)]) for piece, name in enumerate(names)]
    results = list(hash_pieces(jobs))
    assert [result.good for result in results] == [True, *[False] * 5, True]
    assert [fault.trouble for result in results for fault in result.faults] == [
        Trouble.MISSING,
        Trouble.SHORT,
        Trouble.NOT_A_FILE,
        Trouble.NOT_A_FILE,
        Trouble.MISSING,
    ]
    assert results[1].faults == (SpanFault(str(tmp_path / "gone"), Trouble.MISSING),)
    assert results[1].sha1 is None


@pytest.mark.usefixtures("_capability")
def test_only_the_pieces_beyond_the_end_of_a_short_file_fail(tmp_path: Path) -> None:
    data = _write(tmp_path / "a", 250)
    jobs = [HashJob(piece, [Span(str(tmp_path / "a"), piece * 100, 100)]) for piece in range(4)]
    results = list(hash_pieces(jobs))
    assert [result.sha1 for result in results] == [
        sha1(data[:100]).digest(),
        sha1(data[100:200]).digest(),
        None,
        None,
    ]


def test_an_error_of_the_system_is_told_in_its_words(tmp_path: Path) -> None:
    def refuse(path: str) -> FileIO:
        raise PermissionError(13, "Permission denied", path)

    (result,) = hash_pieces([HashJob(0, [Span(str(tmp_path / "a"), 0, 1)])], open_file=refuse)
    assert result.faults == (SpanFault(str(tmp_path / "a"), Trouble.UNREADABLE, "Permission denied"),)


def test_a_file_that_fails_in_several_parts_of_a_piece_is_reported_once(tmp_path: Path) -> None:
    (result,) = hash_pieces([HashJob(0, [Span(str(tmp_path / "gone"), 0, 3 * CHUNK)])])
    assert result.faults == (SpanFault(str(tmp_path / "gone"), Trouble.MISSING),)


def test_jobs_are_taken_as_results_are_so_that_memory_is_bounded(tmp_path: Path) -> None:
    _write(tmp_path / "a", CHUNK)
    taken = 0

    def jobs() -> Iterator[HashJob]:
        nonlocal taken
        for piece in range(1000):
            taken += 1
            yield HashJob(piece, [Span(str(tmp_path / "a"), 0, CHUNK)])

    results = hash_pieces(jobs(), threads=2)
    next(results)
    assert taken * CHUNK <= 8 * 2 * hashing.BATCH
    results.close()  # type: ignore[attr-defined]  # a generator, typed as what callers need


def test_setting_stop_ends_the_work_early(tmp_path: Path) -> None:
    _write(tmp_path / "a", CHUNK)
    stop = Event()
    seen = []
    jobs = (HashJob(piece, [Span(str(tmp_path / "a"), 0, CHUNK)]) for piece in range(1000))
    for result in hash_pieces(jobs, stop=stop):
        seen.append(result.piece)
        stop.set()
    assert seen == list(range(len(seen)))
    assert len(seen) < 100


def test_closing_the_iterator_ends_its_threads_and_closes_its_files(tmp_path: Path) -> None:
    _write(tmp_path / "a", CHUNK)
    opened: list[FileIO] = []

    def open_file(path: str) -> FileIO:
        opened.append(open_regular(path))
        return opened[-1]

    before = threading.active_count()
    jobs = (HashJob(piece, [Span(str(tmp_path / "a"), 0, CHUNK)]) for piece in range(100))
    results = hash_pieces(jobs, threads=4, open_file=open_file)
    next(results)
    results.close()  # type: ignore[attr-defined]  # as above
    assert threading.active_count() == before
    assert opened
    assert all(file.closed for file in opened)


def test_an_error_in_the_jobs_reaches_the_caller() -> None:
    def jobs() -> Iterator[HashJob]:
        yield HashJob(0, [Span(None, 0, 10)])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(hash_pieces(jobs()))


def test_few_files_are_open_at_once(tmp_path: Path) -> None:
    jobs = []
    for number in range(100):
        _write(tmp_path / str(number), 10, number)
        jobs.append(HashJob(number, [Span(str(tmp_path / str(number)), 0, 10)]))
    opened: list[FileIO] = []
    most = 0

    def open_file(path: str) -> FileIO:
        nonlocal most
        opened.append(open_regular(path))
        most = max(most, sum(not file.closed for file in opened))
        return opened[-1]

    assert all(result.good for result in hash_pieces(jobs, threads=1, open_file=open_file))
    assert most <= 20


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 300), min_size=1, max_size=8),
    piece_size=st.integers(1, 400),
    threads=st.integers(1, 3),
)
def test_any_layout_hashes_as_the_naive_concatenation(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], piece_size: int, threads: int
) -> None:
    folder = tmp_path_factory.mktemp("layout")
    data = b""
    spans = []
    for number, size in enumerate(sizes):
        if number % 3 == 2:
            data += bytes(size)
            spans.append(Span(None, 0, size))
        else:
            data += _write(folder / str(number), size, number)
            spans.append(Span(str(folder / str(number)), 0, size))
    found = [result.sha1 for result in hash_pieces(_pieces(spans, piece_size), threads=threads)]
    assert found == [sha1(data[at : at + piece_size]).digest() for at in range(0, len(data), piece_size)]
