from hashlib import sha1, sha256

import pytest

from bittern.base.errors import MetainfoError, NetworkError, Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.codec.bencode import encode
from bittern.tools.lab.link import MAGNET_PROFILE, TORRENT_PROFILE
from bittern.tools.lab.metadata import UT_METADATA, fetch_metadata, introduce
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.handshake import Handshake
from bittern.wire.messages import BitfieldMessage, Extended, Unchoke
from bittern.wire.ut_metadata import MetadataData, MetadataMessage, MetadataReject, MetadataRequest
from tests.tools.lab.conftest import Pair
from tests.tools.lab.fakes import BLOCK, Torrent

SMALL = Torrent(bytes(100))
LARGE = Torrent(bytes(100), extra=bytes(range(256)) * 300)
HELLO = Handshake(MAGNET_PROFILE, InfoHashV1(SMALL.info_hash), PeerId(bytes(20)))


def say(pair: Pair, message: MetadataMessage, number: int = UT_METADATA) -> None:
    pair.wire.send(Extended(number, message.encode()).encode())


def parts(raw: bytes) -> list[MetadataData]:
    return [MetadataData(at // BLOCK, len(raw), raw[at : at + BLOCK]) for at in range(0, len(raw), BLOCK)]


def test_we_introduce_ourselves_with_our_number_and_learn_theirs(pair: Pair) -> None:
    pair.wire.send(BitfieldMessage(b"\x80").encode() + Extended(7, b"early").encode())
    pair.wire.send(ExtendedHandshake({"ut_metadata": 173}).message().encode())
    assert introduce(pair.link, HELLO) == 173
    [(number, payload)] = pair.sent()
    assert (number, payload[0]) == (20, 0)
    assert ExtendedHandshake.parse(payload[1:]).extensions == {"ut_metadata": UT_METADATA}


@pytest.mark.parametrize("extensions", [{}, {"ut_metadata": 0}, {"ut_pex": 1}])
def test_a_peer_without_the_extension_is_of_no_use(pair: Pair, extensions: dict[str, int]) -> None:
    pair.wire.send(ExtendedHandshake(extensions).message().encode())
    with pytest.raises(NetworkError, match="does not hand out metadata"):
        introduce(pair.link, HELLO)


def test_a_peer_without_extensions_hears_nothing_of_them(pair: Pair) -> None:
    with pytest.raises(NetworkError, match="does not speak the extension protocol"):
        introduce(pair.link, Handshake(TORRENT_PROFILE, HELLO.info_hash, HELLO.peer_id))
    assert pair.sent() == []


def test_metadata_of_one_piece_takes_one_request(pair: Pair) -> None:
    say(pair, parts(SMALL.raw_info)[0])
    assert fetch_metadata(pair.link, 173, InfoHashV1(SMALL.info_hash)).raw == SMALL.raw_info
    assert pair.sent() == [(20, b"\xad" + MetadataRequest(0).encode())]


def test_metadata_of_several_pieces_may_come_in_any_order(pair: Pair) -> None:
    first, second, third, fourth, fifth = parts(LARGE.raw_info)
    for part in (first, third, second, fourth, fifth):
        say(pair, part)
    assert fetch_metadata(pair.link, 9, InfoHashV1(LARGE.info_hash)).raw == LARGE.raw_info
    assert pair.sent() == [(20, b"\x09" + MetadataRequest(piece).encode()) for piece in range(5)]


def test_other_messages_in_between_do_not_matter(pair: Pair) -> None:
    pair.wire.send(Unchoke().encode() + Extended(0, b"de").encode() + Extended(UT_METADATA + 1, b"x").encode())
    say(pair, MetadataRequest(0))
    pair.wire.send(Extended(UT_METADATA, encode({"msg_type": 99, "piece": 0})).encode())
    say(pair, parts(SMALL.raw_info)[0])
    assert fetch_metadata(pair.link, 9, InfoHashV1(SMALL.info_hash)).raw == SMALL.raw_info


def test_a_version_2_hash_fits_too(pair: Pair) -> None:
    """BEP 52: links carry the truncated SHA-256."""
    say(pair, parts(SMALL.raw_info)[0])
    assert fetch_metadata(pair.link, 9, InfoHashV1(sha256(SMALL.raw_info).digest()[:20])).raw == SMALL.raw_info


def test_metadata_that_fails_its_hash_is_an_offence(pair: Pair) -> None:
    say(pair, parts(SMALL.raw_info.replace(b"kept", b"bent"))[0])
    with pytest.raises(RemoteProtocolError) as caught:
        fetch_metadata(pair.link, 9, InfoHashV1(SMALL.info_hash))
    assert caught.value.offence is Offence.BAD_METADATA


@pytest.mark.parametrize(
    "answers",
    [
        [parts(LARGE.raw_info)[1]],
        [parts(LARGE.raw_info)[0], parts(LARGE.raw_info)[0]],
        [parts(LARGE.raw_info)[0], MetadataData(1, 2 * BLOCK, bytes(BLOCK))],
    ],
    ids=["another piece", "a piece twice", "another size"],
)
def test_metadata_that_was_not_asked_for_is_an_offence(pair: Pair, answers: list[MetadataData]) -> None:
    for answer in answers:
        say(pair, answer)
    with pytest.raises(RemoteProtocolError) as caught:
        fetch_metadata(pair.link, 9, InfoHashV1(LARGE.info_hash))
    assert caught.value.offence is Offence.BAD_EXTENSION


def test_a_refusal_is_no_offence(pair: Pair) -> None:
    say(pair, MetadataReject(0))
    with pytest.raises(NetworkError, match="refuses to send metadata"):
        fetch_metadata(pair.link, 9, InfoHashV1(SMALL.info_hash))


def test_a_valid_hash_of_an_invalid_torrent_is_told(pair: Pair) -> None:
    say(pair, MetadataData(0, 2, b"de"))
    with pytest.raises(MetainfoError):
        fetch_metadata(pair.link, 9, InfoHashV1(sha1(b"de").digest()))
