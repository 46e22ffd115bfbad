"""Every error that bittern raises, and whose fault it was.

A peer's misbehaviour is expected: inside the engine it is the data of a `Drop`, never a traceback.
These classes are for the edges: parsers, the library API, the command line.
"""

from enum import Enum, unique


@unique
class Offence(Enum):
    """What a remote did wrong. The value is the sentence shown to users and written to traces."""

    BAD_PROTOCOL = "does not speak the BitTorrent protocol"
    BAD_ENCRYPTION = "does not encrypt as it should"
    SHORT_HANDSHAKE = "closed before its handshake was complete"
    WRONG_INFO_HASH = "answered with another info hash"
    UNKNOWN_INFO_HASH = "asked for a torrent that we do not have"
    SELF_CONNECTION = "is ourselves"
    DUPLICATE_PEER = "is connected already"
    OVERSIZED_MESSAGE = "announced a message longer than allowed"
    BAD_MESSAGE_LENGTH = "sent a message of the wrong length"
    BAD_BITFIELD = "sent a bitfield of the wrong size or with spare bits set"
    LATE_BITFIELD = "sent a bitfield after other messages"
    OUT_OF_BOUNDS = "named a piece or block outside the torrent"
    UNASKED_BLOCK = "sent a block that was not asked for"
    WRONG_BLOCK_LENGTH = "sent a block of another length than asked"
    CORRUPT_DATA = "sent data that fails its hash"
    REQUEST_FLOOD = "asked for more than any client may"
    BAD_EXTENSION = "sent an invalid extension message"
    PEX_FLOOD = "told of peers more often than anybody may"
    BAD_ANNOUNCE = "sent an invalid announce to the local network"
    BAD_METADATA = "sent metadata that fails its hash"
    BAD_HASH_REQUEST = "named a row of hashes that no tree can have"
    UNASKED_HASHES = "sent or refused hashes that were not asked for"
    BAD_HASHES = "sent hashes that do not lead to their root"
    TIMED_OUT = "was silent for too long"
    BAD_HTTP = "does not speak HTTP as it should"
    WRONG_RANGE = "sent other bytes than it was asked for"


class BitternError(Exception):
    """Base of all errors raised on purpose by this package."""


class ProtocolError(BitternError):
    """A rule of a network protocol was broken."""


class LocalProtocolError(ProtocolError):
    """Our side tried to do what the protocol forbids: a bug of the caller."""


class RemoteProtocolError(ProtocolError):
    """The other side broke the protocol.

    Attributes:
        offence: what it did, for statistics and bans.
    """

    def __init__(self, offence: Offence, detail: str = "") -> None:
        super().__init__(f"{offence.value}: {detail}" if detail else offence.value)
        self.offence = offence


class KrpcError(ProtocolError):
    """A datagram is no message of the DHT (BEP 5).

    Attributes:
        code: what it is to be answered with.
        transaction: of the query to answer, or None where nothing is to be answered.
    """

    def __init__(self, code: int, reason: str, transaction: bytes | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.transaction = transaction


class BencodeError(BitternError):
    """Bytes are not bencode (BEP 3), or exceed the limits given.

    Attributes:
        reason: what is wrong, in words.
        offset: byte position of the fault in the input.
    """

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} at byte {offset}")
        self.reason = reason
        self.offset = offset


class NotATorrentError(BencodeError):
    """A file is no .torrent file, nor a damaged one: from its first byte on it is something else.

    Args:
        what: what it seems to be, with its article; None when it could be anything.
    """

    def __init__(self, what: str | None) -> None:
        super().__init__("not a dictionary", 0)
        self.args = (f"this is {what}, not a torrent" if what else "this is not a torrent",)


class MetainfoError(BitternError):
    """A .torrent file or info dictionary is invalid.

    Attributes:
        field: the key at fault, dotted (`info.piece length`).
        reason: what is wrong with it, in words.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class MagnetError(BitternError):
    """A magnet link is invalid."""


class ResumeError(BitternError):
    """Saved state is damaged or belongs to another torrent; the cure is a recheck."""


class PackedError(BitternError):
    """A compressed file is damaged, or unpacks to more than it may."""


class IpListError(BitternError):
    """There is no address in what should be a list of addresses, or it cannot be read to its end."""


class TrackerError(BitternError):
    """A tracker could not be used or refused.

    Attributes:
        retry_in: seconds after which the tracker asked to be tried again (BEP 31), or None.
    """

    def __init__(self, reason: str, retry_in: float | None = None) -> None:
        super().__init__(reason)
        self.retry_in = retry_in


class GatewayError(BitternError):
    """A router could not be asked to let others in, refused, or said what makes no sense.

    Attributes:
        code: the number of its refusal in the protocol it was asked by; 0 where it gave none.
    """

    def __init__(self, reason: str, code: int = 0) -> None:
        super().__init__(reason)
        self.code = code


class StorageError(BitternError):
    """A file could not be read or written.

    Attributes:
        kind: what is in the way.
        path: the file, as text for people.
    """

    @unique
    class Kind(Enum):
        """Classes of storage faults, by what the user can do about them."""

        DISK_FULL = "no space left"
        """The disk, or the user's part of it, is full."""
        PERMISSION = "permission denied"
        """The file or its folder is not ours to use."""
        MISSING = "no such file"
        """What was named is not there."""
        GONE = "was there when progress was saved, and is not there now"
        """A file with stored pieces is not there any more."""
        REPLACED = "another file, or none, took its place"
        """The file that was open is not the one at its path any more."""
        NOT_A_FILE = "not a regular file"
        """A folder, a device or a link is where a file should be."""
        EXISTS = "a file with other content is in its place"
        """Nothing in the file is the torrent's, so it is left alone."""
        READ_ONLY = "read-only file system"
        """The file system cannot be written to."""
        TOO_LARGE = "larger than the file system allows"
        """The file system, or a limit of the process, ends files before that."""
        TOO_MANY_OPEN = "too many open files"
        """The process, or the system, has no open file left for it."""
        IO = "input/output error"
        """The system could not read or write, and says no more."""

    def __init__(self, kind: Kind, path: str, detail: str = "") -> None:
        super().__init__(f"{path}: {kind.value}" + (f" ({detail})" if detail else ""))
        self.kind = kind
        self.path = path


class NetworkError(BitternError):
    """A connection could not be made or was lost while it was needed."""


class ProxyError(NetworkError):
    """A proxy cannot be used, or did not do what it was asked for.

    Attributes:
        errno: where it was asked for a connection and tells of the other end: what the system would have said of it;
            None where the fault is the proxy's.
    """

    def __init__(self, reason: str, errno: int | None = None) -> None:
        super().__init__(reason)
        self.errno = errno


class ThreadLimitError(BitternError):
    """The system lets the process start no more threads."""

    def __init__(self) -> None:
        super().__init__("the system lets bittern start no more threads")

    @staticmethod
    def means(error: BaseException) -> bool:
        """Whether Python says this with `error`, for which it has no class of its own."""
        return isinstance(error, RuntimeError) and str(error) == "can't start new thread"


class SessionError(BitternError):
    """A request to the session cannot be met."""


class NoSuchTorrentError(SessionError):
    """The torrent is not in this session."""


class CheckCancelledError(SessionError):
    """A check of files was cancelled before it was known what is there."""


class MoveCancelledError(SessionError):
    """A move of files was cancelled; all of them are where they were."""


class AlreadyAddedError(SessionError):
    """The torrent is in this session already."""
