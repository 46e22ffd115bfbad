"""What the process's exit status means."""

from enum import IntEnum, unique


@unique
class ExitCode(IntEnum):
    """Every exit status of `bittern`. Scripts rely on the numbers: they never change."""

    OK = 0
    OTHER = 1
    USAGE = 2
    NOT_FOUND = 3
    DAEMON_UNREACHABLE = 4
    VERIFY_FAILED = 5
    NETWORK = 6
    UNFINISHED = 7
    DISK_FULL = 9
    FILE_EXISTS = 13
    AUTH = 24
    BAD_BENCODE = 25
    BAD_TORRENT = 26
    BAD_MAGNET = 27
    INTERRUPTED = 130
