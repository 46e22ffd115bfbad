"""Errors as one line (what, where, what to do) and an exit code."""

import errno
from dataclasses import dataclass
from pathlib import Path

from bittern.base.errors import (
    AlreadyAddedError,
    BencodeError,
    BitternError,
    IpListError,
    LocalProtocolError,
    MagnetError,
    MetainfoError,
    NetworkError,
    NoSuchTorrentError,
    NotATorrentError,
    ProtocolError,
    ResumeError,
    StorageError,
    ThreadLimitError,
    TrackerError,
)

from .exit_codes import ExitCode
from .output import printable

_LINE = 600


class UsageError(BitternError):
    """The command line asks for what cannot be; the message says what to write instead."""


class MissingFileError(BitternError):
    """A file that the command line names is not there; the message says what may be meant."""


class TypedBencodeError(BencodeError):
    """What was typed is not bencode."""


class NoPeersError(NetworkError):
    """Nobody is there to download from; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a command failed.

    Attributes:
        code: the exit status.
        line: for stderr, safe to print; "" when there is nothing to say.
    """

    code: ExitCode
    line: str


_BY_CLASS: tuple[tuple[type[BaseException], ExitCode, str], ...] = (
    # The first class that fits counts: subclasses stand before their base.
    (UsageError, ExitCode.USAGE, ""),
    (MissingFileError, ExitCode.NOT_FOUND, ""),
    (NotATorrentError, ExitCode.BAD_BENCODE, "name the .torrent file itself, or get it again"),
    (TypedBencodeError, ExitCode.BAD_BENCODE, "write a value such as 5:hello, i52e, li1ei2ee or d3:fooi52ee"),
    (BencodeError, ExitCode.BAD_BENCODE, "it is damaged or no torrent: get it again"),
    (MetainfoError, ExitCode.BAD_TORRENT, "the torrent is invalid: get it again, or tell who made it"),
    (MagnetError, ExitCode.BAD_MAGNET, "check that the link is complete, and quote it in the shell"),
    (NoSuchTorrentError, ExitCode.NOT_FOUND, ""),
    (AlreadyAddedError, ExitCode.FILE_EXISTS, ""),
    (NoPeersError, ExitCode.NETWORK, ""),
    (TrackerError, ExitCode.NETWORK, "try again later, or another tracker"),
    (NetworkError, ExitCode.NETWORK, "check the address and the connection, then try again"),
    (LocalProtocolError, ExitCode.OTHER, "this is a bug: run it again with --debug and report it"),
    (ProtocolError, ExitCode.NETWORK, "try another peer"),
    (IpListError, ExitCode.OTHER, "name a list in the form of P2P, DAT or CIDR"),
    (ResumeError, ExitCode.OTHER, "run `bittern verify` to see what is there"),
    (ThreadLimitError, ExitCode.OTHER, "allow more (ulimit -u, or pids.max of its cgroup), and run it again"),
    (BitternError, ExitCode.OTHER, ""),
    (BrokenPipeError, ExitCode.OTHER, ""),
    (FileNotFoundError, ExitCode.NOT_FOUND, "check the path"),
    (FileExistsError, ExitCode.FILE_EXISTS, "choose another name, or pass --force"),
    (IsADirectoryError, ExitCode.OTHER, "name a file, not a folder"),
    (NotADirectoryError, ExitCode.NOT_FOUND, "check the path"),
    (PermissionError, ExitCode.OTHER, "change its permissions, or choose another place"),
    (ConnectionError, ExitCode.NETWORK, "check the address and the connection, then try again"),
    (TimeoutError, ExitCode.NETWORK, "try again later"),
)
_STORAGE = {
    StorageError.Kind.DISK_FULL: (ExitCode.DISK_FULL, "free some space and run it again: it goes on where it was"),
    StorageError.Kind.MISSING: (ExitCode.NOT_FOUND, "check the path"),
    StorageError.Kind.GONE: (ExitCode.NOT_FOUND, "put it back, or pass --recheck to fetch it again"),
    StorageError.Kind.EXISTS: (ExitCode.FILE_EXISTS, "move it away, choose another folder, or pass --overwrite"),
    StorageError.Kind.NOT_A_FILE: (ExitCode.FILE_EXISTS, "move it away, or choose another folder"),
    StorageError.Kind.PERMISSION: (ExitCode.OTHER, "change its permissions, or choose another place"),
    StorageError.Kind.TOO_MANY_OPEN: (ExitCode.OTHER, "let it open more (ulimit -n), and run it again"),
}
_FULL = {errno.ENOSPC, errno.EDQUOT}


def failure(error: BaseException) -> Failure:
    """The exit code and the line for `error`.

    Notes added to the error (`add_note`) say where, and come first: usually a file or an address.
    """
    if isinstance(error, KeyboardInterrupt):
        return Failure(ExitCode.INTERRUPTED, "bittern: interrupted")
    if ThreadLimitError.means(error):
        error = ThreadLimitError()  # of a part that knows no word for it
    code, advice = _verdict(error)
    if isinstance(error, BrokenPipeError):
        return Failure(code, "")  # the reader left: it wants no more, not even a message
    where = "".join(f"{text}: " for text in getattr(error, "__notes__", ()))
    line = f"{where}{_what(error)}" + (f"; {advice}" if advice else "")
    return Failure(code, "bittern: " + printable(" ".join(line.split()), _LINE))


def _verdict(error: BaseException) -> tuple[ExitCode, str]:
    if isinstance(error, StorageError):
        return _STORAGE.get(error.kind, (ExitCode.OTHER, ""))
    if isinstance(error, OSError) and error.errno in _FULL:
        return ExitCode.DISK_FULL, "free some space and run it again"
    if isinstance(error, NetworkError) and getattr(error.__cause__, "errno", None) == errno.EADDRINUSE:
        return ExitCode.NETWORK, "another program has it: take another port"
    for kind, code, advice in _BY_CLASS:
        if isinstance(error, kind):
            return code, advice
    if isinstance(error, OSError):
        return ExitCode.OTHER, ""
    return ExitCode.OTHER, "this is a bug: run it again with --debug and report it"


def _what(error: BaseException) -> str:
    if isinstance(error, StorageError) and error.kind is StorageError.Kind.NOT_A_FILE:
        above = next((folder for folder in Path(error.path).parents if folder.is_file()), None)
        return f"{above}: a file is where a folder has to be" if above else str(error)
    if isinstance(error, BitternError):
        return str(error)
    if isinstance(error, OSError):
        reason = (error.strerror or str(error) or type(error).__name__).lower()
        return f"{error.filename}: {reason}" if error.filename else reason
    return f"internal error, {type(error).__name__}: {error}"
