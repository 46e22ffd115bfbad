"""What the system's errors are called."""

import errno
import os

import pytest

from bittern.base.errors import StorageError
from bittern.io.disk.failures import storage_error

Kind = StorageError.Kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, Kind.DISK_FULL),
        (errno.EDQUOT, Kind.DISK_FULL),
        (errno.EACCES, Kind.PERMISSION),
        (errno.EPERM, Kind.PERMISSION),
        (errno.ENOENT, Kind.MISSING),
        (errno.EISDIR, Kind.NOT_A_FILE),
        (errno.ENOTDIR, Kind.NOT_A_FILE),
        (errno.ELOOP, Kind.NOT_A_FILE),
        (errno.EROFS, Kind.READ_ONLY),
        (errno.EFBIG, Kind.TOO_LARGE),
        (errno.EIO, Kind.IO),
        (errno.ENAMETOOLONG, Kind.IO),
        (errno.EMFILE, Kind.TOO_MANY_OPEN),
        (errno.ENFILE, Kind.TOO_MANY_OPEN),
    ],
)
def test_every_error_of_the_system_has_a_kind(code: int, kind: Kind) -> None:
    error = storage_error(OSError(code, os.strerror(code)), "/x")
    assert (error.kind, error.path) == (kind, "/x")
    assert (os.strerror(code) in str(error)) == (kind is Kind.IO and code != errno.EIO)  # whose name says it all
