import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import LocalProtocolError, Offence, RemoteProtocolError
from bittern.base.ids import InfoHashV1, PeerId
from bittern.wire.handshake import HANDSHAKE_SIZE, PROTOCOL, Handshake, Reserved, check_start

HASH = InfoHashV1(b"h" * 20)
OTHER = InfoHashV1(b"hh" + b"o" * 18)
PEER = PeerId(b"-XX0000-abcdefghijkl")
PLAIN = Handshake(bytes(8), HASH, PEER)

HANDSHAKES = st.builds(
    Handshake,
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=20, max_size=20).map(InfoHashV1),
    st.binary(min_size=20, max_size=20).map(PeerId),
)


def test_the_bytes_are_those_of_bep_3() -> None:
    assert PLAIN.encode() == b"\x13BitTorrent protocol" + bytes(8) + HASH + PEER
    assert len(PLAIN.encode()) == HANDSHAKE_SIZE


@given(HANDSHAKES, st.binary(max_size=5))
def test_what_is_encoded_is_parsed_again_whatever_follows(handshake: Handshake, more: bytes) -> None:
    assert Handshake.parse(memoryview(handshake.encode() + more)) == handshake


@given(HANDSHAKES, st.integers(0, HANDSHAKE_SIZE - 1))
def test_every_truncation_is_short_and_no_other_fault(handshake: Handshake, keep: int) -> None:
    data = handshake.encode()[:keep]
    check_start(data, [handshake.info_hash])
    with pytest.raises(RemoteProtocolError) as caught:
        Handshake.parse(data, [handshake.info_hash])
    assert caught.value.offence is Offence.SHORT_HANDSHAKE
    assert f"{keep} bytes came" in str(caught.value)


@given(st.integers(0, 19), st.integers(1, 255))
def test_a_wrong_protocol_is_refused_at_its_first_wrong_byte(at: int, flip: int) -> None:
    wrong = bytearray(PLAIN.encode())
    wrong[at] ^= flip
    check_start(wrong[:at])
    for end in (at + 1, HANDSHAKE_SIZE):
        with pytest.raises(RemoteProtocolError) as caught:
            check_start(wrong[:end])
        assert caught.value.offence is Offence.BAD_PROTOCOL


def test_another_info_hash_is_refused_at_its_first_wrong_byte() -> None:
    data = PLAIN.encode()
    check_start(data[:30], [OTHER])
    with pytest.raises(RemoteProtocolError) as caught:
        check_start(data[:31], [OTHER])
    assert caught.value.offence is Offence.WRONG_INFO_HASH


def test_any_of_several_info_hashes_may_be_answered() -> None:
    """BEP 52: a hybrid torrent has two."""
    assert Handshake.parse(PLAIN.encode(), [OTHER, HASH]).info_hash == HASH


@given(st.binary(max_size=100))
def test_junk_raises_only_our_error(data: bytes) -> None:
    try:
        handshake = Handshake.parse(data)
    except RemoteProtocolError:
        return
    assert data.startswith(handshake.encode())


@pytest.mark.parametrize(
    ("bits", "reserved"),
    [
        (Reserved.DHT, "0000000000000001"),
        (Reserved.FAST, "0000000000000004"),
        (Reserved.V2, "0000000000000010"),
        (Reserved.LTEP, "0000000000100000"),
    ],
)
def test_reserved_bits_stand_where_their_beps_say(bits: Reserved, reserved: str) -> None:
    handshake = Handshake(bits.to_bytes(8), HASH, PEER)
    assert handshake.reserved.hex() == reserved
    assert handshake.supports(bits)
    assert [one for one in Reserved if handshake.supports(one)] == [bits]


def test_unknown_reserved_bits_do_no_harm() -> None:
    assert Handshake.parse(PROTOCOL + b"\xff" * 8 + HASH + PEER).supports(Reserved.LTEP | Reserved.FAST)


def test_reserved_bytes_of_another_size_are_our_own_fault() -> None:
    with pytest.raises(LocalProtocolError):
        Handshake(b"", HASH, PEER)
