"""The steps of a download, from a torrent or a magnet link to the file, each of which can be done alone."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bittern.base.address import Address
from bittern.base.errors import BitternError, MetainfoError, NetworkError, RemoteProtocolError, TrackerError
from bittern.base.ids import InfoHashV1
from bittern.codec.info import Info
from bittern.codec.magnet import Magnet
from bittern.codec.metainfo import Metainfo
from bittern.wire.handshake import Handshake

from .client import Client
from .link import MAGNET_PROFILE, TORRENT_PROFILE, Link
from .metadata import fetch_metadata, introduce
from .pieces import Keep, Transfer
from .save import saving_file, saving_torrent
from .trackers import announce

LEFT_UNKNOWN = 1
"""What we say is left while we do not know the size: trackers name no seeds to whoever has nothing left."""

Begin = Callable[[Info], tuple[dict[int, None], Keep]]
"""Once the metadata is known: which pieces are missing, and who takes them."""


class NoSuchPieceError(BitternError):
    """The torrent has fewer pieces."""


@dataclass(frozen=True, slots=True)
class Target:
    """A torrent as far as it is known at the start.

    Attributes:
        info_hash: what peers and trackers call it.
        trackers: URLs, the best first.
        info: its metadata; None for a magnet link.
        peers: addresses that are known without asking a tracker.
    """

    info_hash: InfoHashV1
    trackers: tuple[str, ...]
    info: Info | None = None
    peers: tuple[Address, ...] = ()

    @classmethod
    def of_torrent(cls, metainfo: Metainfo) -> Self:
        """The torrent of a .torrent file."""
        trackers = tuple(tracker for tier in metainfo.trackers for tracker in tier)
        return cls(metainfo.info.wire_hash, trackers, metainfo.info)

    @classmethod
    def of_magnet(cls, magnet: Magnet) -> Self:
        """The torrent of a magnet link; of its peers only those named by their IP address."""
        peers: list[Address] = []
        for peer in magnet.peers:
            try:
                peers.append(Address.parse(peer))
            except ValueError:
                continue
        return cls(magnet.wire_hash, magnet.trackers, peers=tuple(peers))

    @property
    def reserved(self) -> bytes:
        """The reserved bytes of our handshake."""
        return MAGNET_PROFILE if self.info is None else TORRENT_PROFILE


def info_lines(info: Info, tracker: str) -> list[str]:
    """What the torrent is made of, as lines of text; `tracker` stands in the first."""
    hashes = [info.piece_hash(piece).hex() for piece in range(len(info.piece_hashes) // 20)]
    return [
        f"Tracker URL: {tracker}",
        f"Length: {info.total_size}",
        f"Info Hash: {info.wire_hash}",
        f"Piece Length: {info.piece_size}",
        "Piece Hashes:",
        *hashes,
    ]


def find_peers(client: Client, target: Target) -> tuple[Address, ...]:
    """The peers that the trackers name, then those of the magnet link.

    Raises:
        TrackerError: no tracker answered, and no other peer is known.
    """
    left = max(1, target.info.total_size) if target.info else LEFT_UNKNOWN
    try:
        named = announce(client, target.trackers, target.info_hash, left).peers
    except TrackerError:
        if not target.peers:
            raise
        named = ()
    return tuple(dict.fromkeys((*named, *target.peers)))


def handshake(client: Client, target: Target, address: Address) -> Handshake:
    """The handshake of the peer at `address`.

    Raises:
        NetworkError: it could not be reached, or did not answer in time.
        RemoteProtocolError: what it answered is no handshake, too short, or for another torrent.
    """
    with Link.open(client, address) as link:
        return link.shake_hands(target.info_hash, target.reserved)


def magnet_handshake(client: Client, target: Target) -> tuple[Handshake, int]:
    """The handshake of the first peer that answers properly, and its number for `ut_metadata`.

    Raises:
        TrackerError: no tracker answered.
        NetworkError: no peer was of use.
        RemoteProtocolError: the only peer sent something impossible.
    """
    answers: list[tuple[Handshake, int]] = []

    def attempt(link: Link) -> bool:
        hello = link.shake_hands(target.info_hash, target.reserved)
        answers.append((hello, introduce(link, hello)))
        return True

    _visit(client, find_peers(client, target), attempt)
    return answers[0]


def magnet_info(client: Client, target: Target) -> Info:
    """The metadata, from the first peer that hands it out.

    Raises:
        TrackerError: no tracker answered.
        NetworkError: no peer was of use.
        RemoteProtocolError: the only peer sent something impossible.
        BencodeError: the metadata has the right hash but is no bencode.
        MetainfoError: the metadata has the right hash but is no valid torrent.
    """
    found: list[Info] = []

    def attempt(link: Link) -> bool:
        hello = link.shake_hands(target.info_hash, target.reserved)
        found.append(fetch_metadata(link, introduce(link, hello), target.info_hash))
        return True

    _visit(client, find_peers(client, target), attempt)
    return found[0]


def download_piece(client: Client, target: Target, piece: int, out: Path) -> None:
    """Download one piece into the file `out`.

    Raises:
        NoSuchPieceError: there is no such piece.
        OSError: `out` cannot be written.
        BitternError: as for `download`.
    """
    with ExitStack() as stack:

        def begin(info: Info) -> tuple[dict[int, None], Keep]:
            count = info.geometry.piece_count
            if not 0 <= piece < count:
                raise NoSuchPieceError(f"there is no piece {piece}: the torrent has {count}, counted from 0")
            file = stack.enter_context(saving_file(out))
            return {piece: None}, lambda _, data: file.write(data)

        _fetch(client, target, begin)


def download(client: Client, target: Target, out: Path) -> None:
    """Download everything, so that `out` becomes the torrent's file, or its folder when it has several.

    Raises:
        TrackerError: no tracker answered.
        NetworkError: no peer was of use, or not all pieces could be had.
        RemoteProtocolError: the only peer sent something impossible.
        BencodeError: the metadata from a peer has the right hash but is no bencode.
        MetainfoError: the torrent is invalid, or of version 2 only.
        OSError: `out` cannot be written.
    """
    with ExitStack() as stack:

        def begin(info: Info) -> tuple[dict[int, None], Keep]:
            keep = stack.enter_context(saving_torrent(out, info))
            return dict.fromkeys(range(info.geometry.piece_count)), keep

        _fetch(client, target, begin)


class _Fetch:
    """Missing pieces, and the peers that are visited one after the other until nothing is missing."""

    def __init__(self, target: Target, begin: Begin) -> None:
        self._target = target
        self._begin = begin
        self._info: Info | None = None
        self._keep: Keep
        self.missing: dict[int, None]
        if target.info is not None:
            self._start(target.info)

    def _start(self, info: Info) -> Info:
        if info.geometry.piece_count and not info.piece_hashes:
            raise MetainfoError("info.pieces", "missing: these tools do not download torrents of version 2 only")
        self.missing, self._keep = self._begin(info)
        self._info = info
        return info

    def attempt(self, link: Link) -> bool:
        """Take from this peer what it has; whether nothing is missing any more."""
        target, info = self._target, self._info
        hello = link.shake_hands(target.info_hash, target.reserved)
        if target.info is None:
            number = introduce(link, hello)
            info = info or self._start(fetch_metadata(link, number, target.info_hash))
        assert info is not None
        link.expect_pieces(info.geometry.piece_count)
        Transfer(link, info, self.missing, self._keep).run()
        return not self.missing


def _fetch(client: Client, target: Target, begin: Begin) -> None:
    fetch = _Fetch(target, begin)
    if target.info is None or fetch.missing:
        _visit(client, find_peers(client, target), fetch.attempt)


def _visit(client: Client, peers: Sequence[Address], attempt: Callable[[Link], bool]) -> None:
    """Connect to one peer at a time until `attempt` says that it was enough."""
    failures: list[BitternError] = []
    for peer in peers:
        try:
            with Link.open(client, peer) as link:
                if attempt(link):
                    return
                raise NetworkError("has nothing more of what is missing")  # noqa: TRY301 - gets the address there
        except (NetworkError, RemoteProtocolError) as error:
            failures.append(error)
    if not failures:
        raise NetworkError("the trackers know no peer that has this torrent")
    last = failures[-1]
    if len(failures) == 1:
        raise last
    where = "".join(f"{note}: " for note in last.__notes__)
    raise NetworkError(f"none of {len(failures)} peers was of use; the last one, {where}{last}") from last
