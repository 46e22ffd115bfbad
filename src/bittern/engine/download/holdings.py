"""What each peer has, as far as it said: kept for the peer, counted by the picker, answered by our interest.

What a peer says before the metadata is known is remembered as it came, and taken at its word once there are bounds
to hold it to.
"""

from bittern.base.bitfield import Bitfield, members
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.codec.info import MAX_PIECES
from bittern.engine.swarm.peer import Early, Peer

from .asking import update_interest
from .download import Download


def heard_have(peer: Peer, download: Download | None, piece: int) -> None:
    """A peer has one piece more (BEP 3).

    Raises:
        RemoteProtocolError: there is no such piece, in no torrent if nothing is known of this one.
    """
    peer.heard_pieces = True
    if download is None or peer.pieces is None:
        if piece >= MAX_PIECES:
            raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, f"have {piece}")
        if peer.early.haves is None:
            peer.early.haves = Bitfield(MAX_PIECES)  # a bit for each, however many it tells of
        peer.early.haves.add(piece)
        return
    if piece >= peer.pieces.size:
        raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, f"have {piece} of {peer.pieces.size}")
    if not peer.pieces.add(piece):
        return
    if not peer.counted_as_seed:
        download.picker.peer_gained(piece)
    if not peer.am_interested and piece in download.wanted and piece not in download.have:
        update_interest(peer, download)


def heard_lost(peer: Peer, download: Download | None, piece: int) -> None:
    """A peer has a piece no more (BEP 54): what was asked of it is refused by the peer, or comes all the same.

    Raises:
        RemoteProtocolError: there is no such piece.
    """
    if download is None or peer.pieces is None:
        if peer.early.haves is not None and piece < MAX_PIECES:
            peer.early.haves.discard(piece)
        return
    if piece >= peer.pieces.size:
        raise RemoteProtocolError(Offence.OUT_OF_BOUNDS, f"lost {piece} of {peer.pieces.size}")
    if not peer.pieces.discard(piece):
        return
    if peer.pipeline is not None:
        peer.pipeline.share_out()  # it may have begun that piece
    if peer.counted_as_seed:
        peer.counted_as_seed = False
        download.picker.peer_joined(peer.pieces)
    else:
        download.picker.peer_lost(piece)
    update_interest(peer, download)


def heard_bitfield(peer: Peer, download: Download | None, payload: bytes) -> None:
    """The first word of a peer about its pieces (BEP 3); aria2 sends later ones in place of many haves.

    Raises:
        RemoteProtocolError: it has the wrong length, or came late from a peer whose pieces are not known yet.
    """
    if peer.heard_pieces and download is not None and peer.pieces is not None:
        # As numbers: to look at each piece that is known already would cost far more than to send the bitfield.
        fresh = Bitfield.from_bytes(payload, download.have.size).as_int() & ~peer.pieces.as_int()
        for piece in members(fresh, download.have.size):
            heard_have(peer, download, piece)
        return
    _first_word(peer)
    if download is None:
        peer.early.bitfield = payload
    else:
        _take(peer, download, Bitfield.from_bytes(payload, download.have.size))


def heard_all(peer: Peer, download: Download | None) -> None:
    """A peer has everything (BEP 6).

    Raises:
        RemoteProtocolError: it was not the peer's first word about its pieces.
    """
    _first_word(peer)
    if download is None:
        peer.early.have_all = True
    else:
        _take(peer, download, Bitfield.full(download.have.size))


def heard_none(peer: Peer) -> None:
    """A peer has nothing (BEP 6).

    Raises:
        RemoteProtocolError: it was not the peer's first word about its pieces.
    """
    _first_word(peer)


def take_early(peer: Peer, download: Download) -> None:
    """The metadata is known: hold what the peer said before against it, and remember it no longer.

    Raises:
        RemoteProtocolError: it cannot be.
    """
    size, early, peer.early = download.have.size, peer.early, Early()
    if early.have_all:
        _take(peer, download, Bitfield.full(size))
    elif early.bitfield is not None:
        _take(peer, download, Bitfield.from_bytes(early.bitfield, size))
    if early.haves is not None:
        for piece in members(early.haves.as_int(), early.haves.size):
            heard_have(peer, download, piece)


def early_pieces(peer: Peer, size: int) -> Bitfield:
    """What a peer says that it has, before that counts; nothing where it makes no sense: `take_early` is to judge."""
    early = peer.early
    if early.have_all:
        return Bitfield.full(size)
    try:
        pieces = Bitfield(size) if early.bitfield is None else Bitfield.from_bytes(early.bitfield, size)
    except RemoteProtocolError:
        return Bitfield(size)
    told = members(early.haves.as_int(), early.haves.size) if early.haves is not None else ()
    for piece in told:
        if piece < size:
            pieces.add(piece)
    return pieces


def gone(peer: Peer, download: Download) -> None:
    """A peer is lost, and its copies with it."""
    if peer.pieces is not None and not peer.counted_as_seed:
        download.picker.peer_left(peer.pieces)


def _first_word(peer: Peer) -> None:
    if peer.heard_pieces:
        raise RemoteProtocolError(Offence.LATE_BITFIELD)
    peer.heard_pieces = True


def _take(peer: Peer, download: Download, pieces: Bitfield) -> None:
    peer.pieces = pieces
    peer.counted_as_seed = pieces.complete
    if not pieces.complete:
        download.picker.peer_joined(pieces)
    update_interest(peer, download)
