"""What the system's errors mean for the user."""

import errno

from bittern.base.errors import StorageError

_KINDS = {
    errno.ENOSPC: StorageError.Kind.DISK_FULL,
    errno.EDQUOT: StorageError.Kind.DISK_FULL,
    errno.EACCES: StorageError.Kind.PERMISSION,
    errno.EPERM: StorageError.Kind.PERMISSION,
    errno.ENOENT: StorageError.Kind.MISSING,
    errno.ESTALE: StorageError.Kind.REPLACED,
    errno.EISDIR: StorageError.Kind.NOT_A_FILE,
    errno.ENOTDIR: StorageError.Kind.NOT_A_FILE,
    errno.ELOOP: StorageError.Kind.NOT_A_FILE,
    errno.EEXIST: StorageError.Kind.NOT_A_FILE,
    errno.EROFS: StorageError.Kind.READ_ONLY,
    errno.EFBIG: StorageError.Kind.TOO_LARGE,
    errno.EMFILE: StorageError.Kind.TOO_MANY_OPEN,
    errno.ENFILE: StorageError.Kind.TOO_MANY_OPEN,
}


def storage_error(error: OSError, path: str) -> StorageError:
    """What an OSError means for the user."""
    kind = _KINDS.get(error.errno or 0, StorageError.Kind.IO)
    says_more = kind is StorageError.Kind.IO and error.errno != errno.EIO  # which is what that kind is called
    return StorageError(kind, path, error.strerror or "" if says_more else "")
