"""The order in which parts of files are asked for and land, pads between them."""

from random import Random

from bittern.base.bitfield import Bitfield
from bittern.base.geometry import BLOCK
from bittern.engine.download.download import Download
from bittern.engine.settings import EngineSettings
from bittern.engine.web.course import Course
from bittern.engine.web.cursor import Cursor
from bittern.wire.webseed import FileRange
from tests.engine.content import info_of

PIECE = 2 * BLOCK


def part(file: int, offset: int, length: int, *, pad: bool = False) -> FileRange:
    return FileRange(file, 0, length, offset, length, pad)


def case(slabs: int = 100) -> tuple[Course, Download, list[str]]:
    """Four pieces that are to come, and what was stirred."""
    info, _ = info_of(4 * PIECE, PIECE)
    settings = EngineSettings(buffer_bytes=slabs * PIECE)
    download = Download(1, info, Bitfield(4), Bitfield.full(4), settings, Random(1))
    cursor, stirred = Cursor(-1, download, memoryview(bytearray(100))), list[str]()
    cursor.begin(range(4), 0.0)
    return Course(cursor, lambda: stirred.append("stirred")), download, stirred


def test_parts_are_asked_for_in_order_and_come_in_order() -> None:
    course, _, _ = case()
    parts = [part(0, 0, 10), part(1, 10, 20), part(2, 30, 5)]
    course.add(parts)
    assert course.named() == parts[0]
    assert [course.ask(), course.ask()] == parts[:2]
    assert (course.answered, course.flying, course.first) == (parts[0], 2, parts[2])
    assert [course.came(), course.came()] == parts[:2]
    assert course.busy
    course.renew()
    assert not course.busy


def test_pads_are_asked_of_nobody_and_their_zeros_are_written() -> None:
    course, download, stirred = case()
    pads = [part(0, 0, PIECE, pad=True), part(1, PIECE, PIECE, pad=True)]
    course.add([*pads, part(2, 2 * PIECE, 10)])
    named = course.named()
    assert named is not None
    assert named.file == 2
    assert [(job.piece, bytes(job.data)) for job in download.take_jobs()] == [(0, bytes(PIECE)), (1, bytes(PIECE))]
    assert stirred == ["stirred", "stirred"]
    assert course.flying == 0


def test_a_pad_waits_for_what_was_asked_for_before_it() -> None:
    course, download, _ = case()
    course.add([part(0, 0, PIECE), part(1, PIECE, PIECE, pad=True)])
    assert course.named() is not None
    course.ask()
    assert course.named() is None
    assert download.take_jobs() == []
    assert course.flying == 2


def test_a_pad_without_memory_is_stuck_until_there_is_some() -> None:
    course, download, _ = case(slabs=2)
    course.add([part(0, 0, 4 * PIECE, pad=True)])
    assert course.named() is None
    assert course.stuck
    for job in download.take_jobs():
        download.extent_done(job)
        download.piece_checked(job.piece, good=True)
    assert course.fill_pads()
    assert not course.stuck
    assert not course.busy


def test_what_is_to_come_can_be_asked_for_anew() -> None:
    course, _, _ = case()
    course.add([part(0, 0, 10), part(1, 10, 20), part(2, 30, 5)])
    course.ask()
    course.ask()
    course.renew([part(1, 10, 20), part(2, 30, 5)])
    assert course.flying == 0
    assert [course.ask().file, course.ask().file] == [1, 2]


def test_the_end_can_be_cut_off_and_a_file_left_out() -> None:
    course, _, _ = case()
    course.add([part(0, 0, 100), part(1, 100, 50), part(2, 150, 50)])
    course.shorten(120, 300)
    course.drop_file(0)
    assert [course.ask()] == [part(1, 100, 50)._replace(length=20)]
    assert course.first is None
