import errno

import pytest

from bittern.base import errors
from bittern.base.errors import (
    AlreadyAddedError,
    BencodeError,
    BitternError,
    CheckCancelledError,
    GatewayError,
    IpListError,
    KrpcError,
    LocalProtocolError,
    MagnetError,
    MetainfoError,
    MoveCancelledError,
    NetworkError,
    NoSuchTorrentError,
    NotATorrentError,
    Offence,
    PackedError,
    ProxyError,
    RemoteProtocolError,
    ResumeError,
    SessionError,
    StorageError,
    ThreadLimitError,
    TrackerError,
)
from bittern.cli.failures import MissingFileError, TypedBencodeError, UsageError, failure

CASES: list[tuple[BaseException, int]] = [
    (UsageError("x"), 2),
    (BencodeError("x", 3), 25),
    (NotATorrentError("a web page"), 25),
    (TypedBencodeError("x", 3), 25),
    (MissingFileError("x"), 3),
    (MetainfoError("info.name", "missing"), 26),
    (MagnetError("x"), 27),
    (ThreadLimitError(), 1),
    (TrackerError("x"), 6),
    (KrpcError(203, "x"), 6),
    (NetworkError("x"), 6),
    (RemoteProtocolError(Offence.SHORT_HANDSHAKE), 6),
    (LocalProtocolError("x"), 1),
    (NoSuchTorrentError("x"), 3),
    (AlreadyAddedError("x"), 13),
    (CheckCancelledError("x"), 1),
    (MoveCancelledError("x"), 1),
    (ResumeError("x"), 1),
    (IpListError("x"), 1),
    (GatewayError("x"), 1),
    (ProxyError("x"), 6),
    (PackedError("x"), 1),
    (SessionError("x"), 1),
    (BitternError("x"), 1),
    (StorageError(StorageError.Kind.DISK_FULL, "/a"), 9),
    (StorageError(StorageError.Kind.MISSING, "/a"), 3),
    (StorageError(StorageError.Kind.GONE, "/a"), 3),
    (StorageError(StorageError.Kind.PERMISSION, "/a"), 1),
    (StorageError(StorageError.Kind.IO, "/a"), 1),
    (FileNotFoundError(errno.ENOENT, "No such file or directory", "/a"), 3),
    (FileExistsError(errno.EEXIST, "File exists", "/a"), 13),
    (IsADirectoryError(errno.EISDIR, "Is a directory", "/a"), 1),
    (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/a"), 3),
    (PermissionError(errno.EACCES, "Permission denied", "/a"), 1),
    (OSError(errno.ENOSPC, "No space left on device", "/a"), 9),
    (OSError(errno.EDQUOT, "Disk quota exceeded", "/a"), 9),
    (OSError(errno.EIO, "Input/output error", "/a"), 1),
    (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), 6),
    (TimeoutError(), 6),
    (ValueError("a bug"), 1),
    (KeyboardInterrupt(), 130),
]


@pytest.mark.parametrize(("error", "code"), CASES, ids=lambda case: type(case).__name__)
def test_every_error_is_one_line_and_a_code(error: BaseException, code: int) -> None:
    found = failure(error)
    assert found.code == code
    assert found.line.startswith("bittern: ")
    assert "\n" not in found.line


def test_every_class_of_error_that_there_is_has_been_thought_of() -> None:
    classes = {item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, BitternError)}
    covered = {kind for error, _ in CASES for kind in type(error).__mro__}
    assert classes <= covered


def test_notes_say_where_and_come_first() -> None:
    error = BencodeError("bytes after the value", 7)
    error.add_note("/a/b.torrent")
    line = failure(error).line
    assert line.startswith("bittern: /a/b.torrent: bytes after the value at byte 7; ")


def test_the_system_names_the_file() -> None:
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", "a.torrent")
    assert failure(error).line == "bittern: a.torrent: no such file or directory; check the path"


def test_a_thread_that_the_system_refused_is_said_wherever_it_was_wanted() -> None:
    """Python's own words for it are those of a bug."""
    assert failure(RuntimeError("can't start new thread")) == failure(ThreadLimitError())


def test_hostile_text_in_an_error_does_not_reach_the_terminal() -> None:
    line = failure(TrackerError("denied\x1b[2J\nroot# \u202e" + "x" * 10_000)).line
    assert all(character.isprintable() for character in line)
    assert len(line) < 700


def test_a_reader_that_left_is_told_nothing() -> None:
    assert failure(BrokenPipeError()).line == ""
