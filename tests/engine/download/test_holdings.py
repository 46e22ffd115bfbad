"""What peers say they have, before and after the metadata is known."""

from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.base.geometry import BLOCK
from bittern.engine.download import holdings
from bittern.engine.download.download import Download
from bittern.engine.settings import EngineSettings
from bittern.engine.swarm.peer import Peer
from tests.engine.content import info_of
from tests.engine.peers import make_peer

PIECES = 9


def make() -> tuple[Download, Peer]:
    info, _ = info_of(PIECES * BLOCK, BLOCK)
    download = Download(1, info, Bitfield(PIECES), Bitfield.full(PIECES), EngineSettings(), Random(1))
    peer = make_peer()
    peer.pieces, peer.pipeline = Bitfield(PIECES), download.pipeline(1)
    return download, peer


def counts(download: Download) -> list[int]:
    return [download.picker.availability(piece) for piece in range(PIECES)]


def test_what_a_peer_has_is_counted_once_and_no_more_when_it_is_gone() -> None:
    download, peer = make()
    holdings.heard_bitfield(peer, download, bytes(Bitfield(PIECES, [1, 8])))
    for piece in (2, 2, 8):
        holdings.heard_have(peer, download, piece)
    assert counts(download) == [0, 1, 1, 0, 0, 0, 0, 0, 1]
    assert peer.am_interested
    holdings.gone(peer, download)
    assert counts(download) == [0] * PIECES


def test_a_seed_is_not_counted() -> None:
    download, peer = make()
    holdings.heard_all(peer, download)
    assert (peer.is_seed, counts(download)) == (True, [0] * PIECES)
    holdings.gone(peer, download)
    assert counts(download) == [0] * PIECES


def test_a_later_bitfield_stands_for_haves() -> None:
    download, peer = make()
    holdings.heard_none(peer)
    holdings.heard_bitfield(peer, download, bytes(Bitfield(PIECES, [3, 4])))
    assert list(peer.pieces or ()) == [3, 4]
    assert counts(download)[3:5] == [1, 1]


def test_what_was_said_before_the_metadata_is_taken_at_its_word_then() -> None:
    download, peer = make()
    peer.pieces = None
    holdings.heard_bitfield(peer, None, bytes(Bitfield(PIECES, [0])))
    holdings.heard_have(peer, None, 5)
    peer.pieces = Bitfield(PIECES)
    holdings.take_early(peer, download)
    assert counts(download) == [1, 0, 0, 0, 0, 1, 0, 0, 0]


def test_pieces_that_do_not_exist_and_second_first_words_are_offences() -> None:
    download, peer = make()
    with pytest.raises(RemoteProtocolError) as caught:
        holdings.heard_have(peer, download, PIECES)
    assert caught.value.offence is Offence.OUT_OF_BOUNDS
    with pytest.raises(RemoteProtocolError) as caught:
        holdings.heard_all(peer, download)
    assert caught.value.offence is Offence.LATE_BITFIELD


def test_a_piece_that_a_peer_lost_is_not_counted_any_more() -> None:
    download, peer = make()
    holdings.heard_bitfield(peer, download, bytes(Bitfield(PIECES, [1, 8])))
    for piece in (1, 1, 5):
        holdings.heard_lost(peer, download, piece)
    assert counts(download) == [0] * 8 + [1]
    holdings.heard_lost(peer, download, 8)
    assert not peer.am_interested
    with pytest.raises(RemoteProtocolError) as caught:
        holdings.heard_lost(peer, download, PIECES)
    assert caught.value.offence is Offence.OUT_OF_BOUNDS


def test_a_seed_that_loses_a_piece_is_a_peer_like_others() -> None:
    download, peer = make()
    holdings.heard_all(peer, download)
    holdings.heard_lost(peer, download, 3)
    assert counts(download) == [1, 1, 1, 0, 1, 1, 1, 1, 1]
    holdings.heard_have(peer, download, 3)
    holdings.gone(peer, download)
    assert counts(download) == [0] * PIECES


def test_what_a_peer_said_can_be_looked_at_before_it_counts() -> None:
    peer = make_peer()
    assert not holdings.early_pieces(peer, 3).count
    holdings.heard_have(peer, None, 2)
    holdings.heard_have(peer, None, 3)
    assert list(holdings.early_pieces(peer, 3)) == [2]
    peer.early.bitfield = b"\x80"
    assert list(holdings.early_pieces(peer, 3)) == [0, 2]
    peer.early.bitfield = b"\x80\0"
    assert not holdings.early_pieces(peer, 3).count
    peer.early.have_all = True
    assert holdings.early_pieces(peer, 3).complete
