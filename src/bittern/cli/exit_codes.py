"""What the process's exit status means."""

from enum import IntEnum, unique


@unique
class ExitCode(IntEnum):
    """Every exit status of `bittern`. Scripts rely on the numbers: they never change."""

    OK = 0
    """Everything that was asked for is done."""
    OTHER = 1
    """It failed in a way that has no number of its own; the line on stderr says how."""
    USAGE = 2
    """The command line, the environment or config.toml asks for what cannot be."""
    NOT_FOUND = 3
    """There is no such file, torrent, item or peer."""
    DAEMON_UNREACHABLE = 4
    """Set aside, and never given by this version: nobody answers where a daemon should be."""
    VERIFY_FAILED = 5
    """Files are not as their torrent says."""
    NETWORK = 6
    """Nobody could be reached, an address is taken, or what was reached did not answer as it should."""
    UNFINISHED = 7
    """It was interrupted, and everything is saved: the same command goes on."""
    DISK_FULL = 9
    """There is no room left; run it again when there is."""
    FILE_EXISTS = 13
    """Something of yours is in the place, or somebody else is at work there."""
    AUTH = 24
    """Set aside, and never given by this version: the name or the password is not right."""
    BAD_BENCODE = 25
    """What should be a torrent is damaged, or something else."""
    BAD_TORRENT = 26
    """It is bencode, and no valid torrent."""
    BAD_MAGNET = 27
    """The magnet link is incomplete or wrong."""
    INTERRUPTED = 130
    """It was interrupted twice, or before there was anything to save."""
