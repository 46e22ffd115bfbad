import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.errors import Offence, RemoteProtocolError
from bittern.codec.bencode import encode
from bittern.wire.extended import MAX_METADATA, ExtendedHandshake
from bittern.wire.messages import Extended

HANDSHAKES = st.builds(
    ExtendedHandshake,
    extensions=st.dictionaries(st.text("abc_", min_size=1, max_size=20), st.integers(0, 255), max_size=5),
    client=st.none() | st.text(max_size=64).filter(str.isprintable),
    port=st.none() | st.integers(1, 65535),
    request_queue=st.none() | st.integers(1, 2**31 - 1),
    your_ip=st.none() | st.ip_addresses().map(lambda ip: Address.of(str(ip), 0).host),
    ipv4=st.none() | st.ip_addresses(v=4).map(str),
    ipv6=st.none() | st.ip_addresses(v=6).map(str).filter(lambda host: not host.startswith("::ffff:")),
    metadata_size=st.none() | st.integers(1, MAX_METADATA),
    upload_only=st.none() | st.booleans(),
    prefers_encryption=st.none() | st.booleans(),
)
BENCODABLE = st.recursive(
    st.binary(max_size=30) | st.integers(-(2**63), 2**63 - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = st.sampled_from([b"m", b"v", b"p", b"reqq", b"yourip", b"ipv4", b"ipv6", b"metadata_size", b"upload_only", b"e"])


def test_the_handshake_has_the_form_of_bep_10() -> None:
    handshake = ExtendedHandshake(
        extensions={"ut_metadata": 3, "ut_pex": 1},
        client="bittern/0.1.0",
        port=6881,
        request_queue=500,
        your_ip="10.0.0.1",
        metadata_size=31235,
    )
    expected = (
        b"d1:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei31235e1:pi6881e4:reqqi500e"
        b"1:v13:bittern/0.1.06:yourip4:\x0a\x00\x00\x01e"
    )
    assert handshake.encode() == expected
    assert handshake.message() == Extended(0, expected)


@given(HANDSHAKES)
def test_what_is_encoded_is_parsed_again(handshake: ExtendedHandshake) -> None:
    assert ExtendedHandshake.parse(memoryview(handshake.encode())) == handshake


@given(HANDSHAKES, st.data())
def test_every_truncation_is_refused(handshake: ExtendedHandshake, data: st.DataObject) -> None:
    payload = handshake.encode()
    keep = data.draw(st.integers(0, len(payload) - 1))
    with pytest.raises(RemoteProtocolError) as caught:
        ExtendedHandshake.parse(payload[:keep])
    assert caught.value.offence is Offence.BAD_EXTENSION


@given(st.dictionaries(KEYS, BENCODABLE))
def test_fields_of_any_type_give_clean_values(said: dict[bytes, object]) -> None:
    handshake = ExtendedHandshake.parse(encode(said))
    assert all(0 <= number <= 255 for number in handshake.extensions.values())
    assert handshake.port is None or 1 <= handshake.port <= 65535
    assert handshake.metadata_size is None or 1 <= handshake.metadata_size <= MAX_METADATA
    assert ExtendedHandshake.parse(handshake.encode()) == handshake


@given(st.binary(max_size=100))
def test_junk_raises_only_our_error(payload: bytes) -> None:
    try:
        ExtendedHandshake.parse(payload)
    except RemoteProtocolError as error:
        assert error.offence is Offence.BAD_EXTENSION  # noqa: PT017 - some junk is valid


@pytest.mark.parametrize(
    "said",
    [
        {"p": 0},
        {"p": 65536},
        {"p": "6881"},
        {"reqq": 0},
        {"reqq": -5},
        {"metadata_size": 0},
        {"metadata_size": MAX_METADATA + 1},
        {"yourip": b"abc"},
        {"ipv4": bytes(16)},
        {"ipv6": bytes(4)},
        {"m": {"ut_pex": 256, "x": -1, "y": "1", "n" * 65: 1}},
        {"m": [1]},
        {"v": 1},
        {"upload_only": "yes"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_senseless_field_counts_as_absent(said: dict[str, object]) -> None:
    assert ExtendedHandshake.parse(encode(said)) == ExtendedHandshake()


def test_names_are_bounded() -> None:
    said = {"m": {f"x{number}": 1 for number in range(500)}, "v": "v" * 5000}
    handshake = ExtendedHandshake.parse(encode(said))
    assert len(handshake.extensions) == 100
    assert handshake.client == "v" * 64


@given(st.binary(max_size=300))
def test_whatever_a_client_calls_itself_is_64_printable_characters_at_most(name: bytes) -> None:
    client = ExtendedHandshake.parse(encode({"v": name})).client
    assert client is not None
    assert len(client) <= 64
    assert client.isprintable()
    text = name.decode(errors="replace")[:64]
    assert all(shown in (said, "\ufffd") for shown, said in zip(client, text, strict=True))


def test_a_client_that_would_steer_a_terminal_or_turn_text_around_is_made_harmless() -> None:
    said = {"v": "evil\x1b[2J\r\n\u202e\u2066\x9b1m\x7f 1.0"}
    assert ExtendedHandshake.parse(encode(said)).client == "evil\ufffd[2J" + "\ufffd" * 5 + "1m\ufffd 1.0"


def test_however_many_handshakes_come_the_extensions_are_bounded() -> None:
    said = ExtendedHandshake({"ut_metadata": 3})
    for number in range(50):
        said = said.updated(ExtendedHandshake({f"x{number}.{at}": 1 for at in range(90)}))
    assert len(said.extensions) == 100
    assert said.updated(ExtendedHandshake({"ut_metadata": 5})).extensions["ut_metadata"] == 5


def test_unsorted_keys_and_bytes_after_the_dictionary_pass() -> None:
    assert ExtendedHandshake.parse(b"d1:pi7e1:md2:abi1eeejunk") == ExtendedHandshake({"ab": 1}, port=7)


def test_a_deep_bomb_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="nested"):
        ExtendedHandshake.parse(b"d1:m" + b"l" * 60_000)


def test_a_later_handshake_changes_only_what_it_names() -> None:
    first = ExtendedHandshake({"ut_metadata": 3, "ut_pex": 1}, client="a", request_queue=200, metadata_size=5)
    later = ExtendedHandshake({"ut_pex": 0}, request_queue=100, upload_only=True)
    assert first.updated(later) == ExtendedHandshake(
        {"ut_metadata": 3, "ut_pex": 0}, client="a", request_queue=100, metadata_size=5, upload_only=True
    )


def test_what_was_said_of_uploading_only_can_be_taken_back() -> None:
    first = ExtendedHandshake.parse(encode({"upload_only": 1}))
    assert first.upload_only
    assert first.updated(ExtendedHandshake.parse(encode({}))).upload_only
    assert first.updated(ExtendedHandshake.parse(encode({"upload_only": 0}))).upload_only is False
