"""What the engine wants done: imperative values, executed by the driver through the ports; and their results."""

from dataclasses import dataclass
from typing import Self

from bittern.base.address import Address
from bittern.base.errors import StorageError
from bittern.base.transport import Transport
from bittern.codec.hybrid import BOTH_BYTES, HybridHasher, contradicts
from bittern.codec.merkle import PieceHasher
from bittern.wire.lsd import LocalAnnounce


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection to `address` for a torrent; answer with the same `ticket`.

    Attributes:
        torrent: for which torrent.
        address: of the peer.
        transport: what carries the connection.
        encrypted: whether message stream encryption is tried on it; the world has nothing to do with that.
    """

    ticket: int
    torrent: int
    address: Address
    transport: Transport = Transport.TCP
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The connection of the `Connect` with this ticket is not wanted any more; nothing answers, not even to that."""

    ticket: int


@dataclass(frozen=True, slots=True)
class HttpGet:
    """GET `url`; answer with the same `ticket`.

    Attributes:
        torrent: for which torrent.
        url: where, complete.
        tracker: the tracker's own URL, for people.
        max_bytes: a longer answer is a failure.
        timeout_seconds: time for everything, from look-up to the last byte.
        ipv6: by which family to reach the server; None for any.
        local: whether the server may be on this machine or in its network (see sources.guard).
        filtered: whether the IP filter is for it.
        after: tickets of fetches that it must not overtake: it waits for them, for a while.
    """

    ticket: int
    torrent: int
    url: str
    tracker: str
    max_bytes: int
    timeout_seconds: float
    ipv6: bool | None = None
    local: bool = True
    filtered: bool = True
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Resolve:
    """Look up the numeric addresses of `host`, of one family; answer with the same `ticket`.

    Attributes:
        host: a name in ASCII, or a numeric address, which is its own answer where it is of the family.
        ipv6: whether IPv6 addresses are wanted, else IPv4 ones.
    """

    ticket: int
    host: str
    ipv6: bool


@dataclass(frozen=True, slots=True)
class SendDatagram:
    """Send `data` to `address` over UDP, from the one socket of its family. Nothing answers, and it may be lost."""

    address: Address
    data: bytes


@dataclass(frozen=True, slots=True)
class ConnectWeb:
    """Open a connection to a web server for a torrent; answer with the same `ticket`.

    Attributes:
        torrent: for which torrent.
        host: a name, or a numeric address.
        port: of the server.
        secure: whether to speak TLS; the server's certificate must be good for `host`.
        local: whether an address of the local network, or of this machine, may be used.
        filtered: whether the IP filter is for it.
    """

    ticket: int
    torrent: int
    host: str
    port: int
    secure: bool
    local: bool
    filtered: bool = True


@dataclass(frozen=True, slots=True)
class AnnounceLocally:
    """Send `announce` to everybody in each local network (BEP 14). Nothing answers."""

    announce: LocalAnnounce


@dataclass(frozen=True, slots=True)
class WorkOut:
    """Work out a shared secret (see mse.keys) beside the loop; answer with the same `ticket`.

    Attributes:
        secret: ours.
        theirs: the other side's public key.
    """

    ticket: int
    secret: bytes
    theirs: bytes


MOST_TOLD = 64 << 20
"""Bytes of the longest bad piece that is read again to tell which blocks came from whom."""


@dataclass(frozen=True, slots=True)
class StoreExtent:
    """Write `data` at `begin` of `piece`; with the piece's last extent, hash the piece against `expected`.

    Extents of a piece come in any order, each once, and cover it. A piece of one extent is hashed before it is
    written, and not written when it fails. Each extent is answered by `ExtentStored`, the last also by
    `PieceChecked`; a failure by `DiskFailed`.

    Attributes:
        torrent: number of the torrent in this core.
        piece: piece number.
        begin: byte offset in the piece.
        data: the bytes; they belong to the disk until answered.
        piece_offset: byte offset of the piece in the torrent.
        piece_length: bytes of the piece.
        expected: SHA-1 of the piece, or the root of its hash tree, or both of a hybrid (codec.hybrid).
        extent: what the engine wants back with the answer.
        leaves: 16 KiB leaves under the root, a power of two (BEP 52); 0 for SHA-1 alone.
        data_length: of a hybrid, the bytes that are in the tree: the rest is a pad.
    """

    torrent: int
    piece: int
    begin: int
    data: memoryview
    piece_offset: int
    piece_length: int
    expected: bytes
    extent: object
    leaves: int = 0
    data_length: int = 0

    @property
    def tellable(self) -> bool:
        """Whether of a bad piece without a tree the hashes of its blocks are worth reading it again."""
        return self.piece_length <= MOST_TOLD and self.data_length in (0, self.piece_length)

    def hasher(self) -> PieceHasher:
        """Hashes the piece to what `expected` is of, where there is a tree."""
        if len(self.expected) == BOTH_BYTES:
            return HybridHasher(self.leaves, self.data_length)
        return PieceHasher(self.leaves)


@dataclass(frozen=True, slots=True)
class ReadRun:
    """Fill `into` from `offset` of the torrent, off the loop. Answered by `RunRead` or `DiskFailed`."""

    torrent: int
    ticket: int
    offset: int
    into: memoryview


@dataclass(frozen=True, slots=True)
class HashLeaves:
    """Hash the blocks of a piece: `length` bytes at `offset` of the torrent; off the loop (BEP 52).

    Answered by `LeavesHashed` or `DiskFailed`.
    """

    torrent: int
    piece: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class ForgetPiece:
    """Drop what is remembered of a piece whose extents will not all come: it is asked for anew."""

    torrent: int
    piece: int


DiskJob = StoreExtent | ReadRun | HashLeaves | ForgetPiece
Effect = (
    Connect
    | GiveUp
    | ConnectWeb
    | HttpGet
    | Resolve
    | SendDatagram
    | AnnounceLocally
    | WorkOut
    | StoreExtent
    | ReadRun
    | HashLeaves
    | ForgetPiece
)


@dataclass(frozen=True, slots=True)
class ExtentStored:
    """The disk is done with the buffer of `job` (also when its piece failed the hash)."""

    job: StoreExtent


@dataclass(frozen=True, slots=True)
class PieceChecked:
    """All extents of the piece are there.

    Attributes:
        torrent: number of the torrent in this core.
        piece: piece number.
        good: its hash is right and all its bytes are in the files.
        leaves: of a bad piece that came in several extents, or has a hash tree, the SHA-256 of its blocks as they came,
            the pad of a hybrid left out; it may be missing.
        contradictory: one of a hybrid's two hashes is right and the other is not: it is the torrent that is wrong.
    """

    torrent: int
    piece: int
    good: bool
    leaves: bytes = b""
    contradictory: bool = False

    @classmethod
    def of(cls, job: StoreExtent, expected: bytes, hasher: PieceHasher) -> Self:
        """What the hash tree of a piece says, and of a hybrid its SHA-1.

        Args:
            job: with the piece's last extent.
            expected: as it was when the piece began.
            hasher: has seen all of it.
        """
        digest = hasher.digest()
        good = digest == expected
        torn = not good and contradicts(digest, expected)
        return cls(job.torrent, job.piece, good, b"" if good else hasher.leaves, torn)


@dataclass(frozen=True, slots=True)
class RunRead:
    """The bytes of a `ReadRun` are in its buffer."""

    job: ReadRun


@dataclass(frozen=True, slots=True)
class LeavesHashed:
    """The SHA-256 of each block of a `HashLeaves`, 32 bytes each."""

    job: HashLeaves
    leaves: bytes


@dataclass(frozen=True, slots=True)
class DiskFailed:
    """A job could not be done."""

    job: StoreExtent | ReadRun | HashLeaves
    error: StorageError


Completion = ExtentStored | PieceChecked | RunRead | LeavesHashed | DiskFailed
