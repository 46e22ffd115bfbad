"""What peers hear of us: what we have and speak when they join, and again when we want nothing more."""

from random import Random

import pytest

from bittern.base.bitfield import Bitfield
from bittern.engine.download.download import Download
from bittern.engine.download.metadata_exchange import MetadataExchange
from bittern.engine.introductions import Introductions
from bittern.engine.settings import EngineSettings
from bittern.engine.sources.pex import PeerExchange
from bittern.engine.swarm.holepunch import Holepunching
from bittern.engine.swarm.peer import Peer
from bittern.engine.upload.serving import Serving
from bittern.wire.extended import HANDSHAKE_EXT_ID, ExtendedHandshake
from bittern.wire.messages import BitfieldMessage, Extended, HaveAll, HaveNone, Message
from tests.engine.content import info_of
from tests.engine.hall import Hall, said
from tests.engine.peers import HASH


class Case:
    """A hall, and pieces of which some are stored."""

    def __init__(self, have: str | None) -> None:
        self.hall = Hall()
        settings = EngineSettings()
        metadata, self.serving = MetadataExchange(HASH), Serving(settings, HASH, Random(1))
        punching = Holepunching(self.hall.company, lambda *_: None, lambda _: False)
        self.pex = PeerExchange(self.hall.company, self.hall.book, settings, punching)
        peers = self.hall.company.peers
        self.introductions = Introductions(
            peers, settings, self.hall.shared.ourselves, metadata, self.serving, self.pex
        )
        if have is not None:
            info, _ = info_of(3 << 14, 1 << 14)
            stored = Bitfield(3, [piece for piece, bit in enumerate(have) if bit == "1"])
            self.download = Download(1, info, stored, Bitfield.full(3), settings, Random(1))
            metadata.known(info.raw)
            self.serving.ready(info.geometry, stored)
            self.introductions.ready(self.download)

    def comes(self) -> Peer:
        peer = self.hall.comes(f"10.0.0.{len(self.hall.company.peers) + 1}")
        peer.extended = True
        return peer


def split(messages: list[Message]) -> tuple[ExtendedHandshake, list[Message]]:
    """What was said of extensions, and the rest."""
    [first, *rest] = messages
    assert isinstance(first, Extended)
    assert first.ext_id == HANDSHAKE_EXT_ID
    return ExtendedHandshake.parse(first.payload), rest


@pytest.mark.parametrize(
    ("have", "expected"),
    [(None, HaveNone()), ("000", HaveNone()), ("010", BitfieldMessage(b"\x40")), ("111", HaveAll())],
)
def test_a_newcomer_hears_what_we_have_and_whether_we_want_anything(have: str | None, expected: Message) -> None:
    case = Case(have)
    peer = case.comes()
    case.introductions.greet(peer)
    hello, rest = split(said(peer))
    assert rest == [expected]
    assert hello.upload_only is (have == "111")
    assert (hello.metadata_size is None) is (have is None)


def test_who_shows_its_pieces_one_by_one_looks_like_one_that_has_none() -> None:
    case = Case("111")
    case.serving.hide({}, on=True)
    peer = case.comes()
    case.introductions.greet(peer)
    hello, rest = split(said(peer))
    assert (hello.upload_only, rest) == (False, [HaveNone()])


def test_a_change_is_told_to_everybody_who_understands_it() -> None:
    case = Case("000")
    ann, bob, mute = case.comes(), case.comes(), case.comes()
    mute.extended = False
    case.pex.on = False
    case.download.prioritize([0, 0, 0])
    case.introductions.repeat()
    for peer in (ann, bob):
        hello, rest = split(said(peer))
        assert (hello.upload_only, hello.extensions.get("ut_pex", 0), rest) == (True, 0, [])
    assert said(mute) == []
