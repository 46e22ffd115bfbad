from contextlib import suppress
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.bitfield import Bitfield
from bittern.base.errors import ResumeError
from bittern.base.ids import InfoHashV1
from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.codec.resume import MAGIC, MOST_PEERS, FileStamp, Resume

SAMPLE = Resume(
    info_hash=InfoHashV1(bytes(20)),
    piece_count=10,
    pieces=bytes(Bitfield(10, [0, 3, 9])),
    files=(FileStamp(5, 123), None, FileStamp(0, -1)),
    uploaded=1,
    downloaded=2,
    added_at=3,
    completed_at=4,
    peers=(Address("2001:db8::1", 6881), Address("192.0.2.1", 51413)),
)

addresses = st.builds(lambda ip, port: Address.of(str(ip), port), st.ip_addresses(), st.integers(0, 65535))
stamps = st.none() | st.builds(FileStamp, st.integers(0, 2**63 - 1), st.integers(-(2**63), 2**63 - 1))


@st.composite
def resumes(draw: st.DrawFn) -> Resume:
    count = draw(st.integers(0, 70))
    have = Bitfield(count, draw(st.sets(st.integers(0, count - 1))) if count else ())
    unchecked = (
        bytes(Bitfield(count, draw(st.sets(st.integers(0, count - 1))))) if count and draw(st.booleans()) else b""
    )
    return Resume(
        info_hash=InfoHashV1(draw(st.binary(min_size=20, max_size=20))),
        piece_count=count,
        pieces=bytes(have),
        files=tuple(draw(st.lists(stamps, max_size=4))),
        uploaded=draw(st.integers(0, 2**63 - 1)),
        downloaded=draw(st.integers(0, 2**63 - 1)),
        added_at=draw(st.integers(0, 2**40)),
        completed_at=draw(st.none() | st.integers(0, 2**40)),
        unchecked=unchecked,
        ours=not unchecked or draw(st.booleans()),
        peers=(peers := tuple(draw(st.lists(addresses, max_size=4)))),
        ways=draw(st.sampled_from([b"", bytes(range(1, len(peers) + 1))])),
        liars=tuple(draw(st.lists(st.text(), max_size=3))),
    )


@given(resumes())
def test_decode_is_the_inverse_of_encode(resume: Resume) -> None:
    assert Resume.decode(resume.encode()) == resume


def test_the_pieces_come_back_as_a_set() -> None:
    assert list(Resume.decode(SAMPLE.encode()).have()) == [0, 3, 9]


def test_any_truncation_is_refused() -> None:
    whole = SAMPLE.encode()
    for size in range(len(whole)):
        with pytest.raises(ResumeError):
            Resume.decode(whole[:size])


def test_any_flipped_byte_is_refused() -> None:
    whole = SAMPLE.encode()
    for at in range(len(whole)):
        with pytest.raises(ResumeError):
            Resume.decode(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])


def sealed(body: bytes) -> bytes:
    return MAGIC + sha256(body).digest() + body


GOOD: dict[str, object] = {
    "added at": 0,
    "downloaded": 0,
    "files": [1, 2],
    "info hash": bytes(20),
    "piece count": 1,
    "pieces": b"\x80",
    "uploaded": 0,
}


@pytest.mark.parametrize(
    "change",
    [
        {"info hash": bytes(19)},
        {"info hash": 1},
        {"pieces": b"\xc0"},
        {"pieces": b""},
        {"pieces": b"\x80\x00"},
        {"pieces": 1},
        {"piece count": -1},
        {"piece count": 2**40},
        {"piece count": b"1"},
        {"files": [1]},
        {"files": [-2, 0]},
        {"files": [b"1", 2]},
        {"files": b"12"},
        {"uploaded": -1},
        {"downloaded": b""},
        {"added at": []},
        {"completed at": b""},
        {"unchecked": b"\x80\x00\x00"},
        {"unchecked": 1},
        {"unchecked": b"\x80", "ours": 2},
        {"peers": bytes(6)},
        {"peers": [1]},
        {"peers": [bytes(6), bytes(7)]},
        {"peers": [bytes(6)] * (MOST_PEERS + 1)},
    ],
)
def test_a_good_checksum_over_bad_fields_is_refused(change: dict[str, object]) -> None:
    Resume.decode(sealed(encode(GOOD)))
    with pytest.raises(ResumeError):
        Resume.decode(sealed(encode(GOOD | change)))


@pytest.mark.parametrize("key", GOOD)
def test_a_missing_field_is_refused(key: str) -> None:
    with pytest.raises(ResumeError):
        Resume.decode(sealed(encode({name: value for name, value in GOOD.items() if name != key})))


@given(st.binary(max_size=60))
def test_no_sealed_body_raises_another_error(body: bytes) -> None:
    with suppress(ResumeError):
        Resume.decode(sealed(body))


@pytest.mark.parametrize("body", [b"le", b"i1e", b"l" * 50 + b"e" * 50, b"", encode(GOOD) + b"x"])
def test_a_body_that_is_no_dictionary_is_refused(body: bytes) -> None:
    with pytest.raises(ResumeError):
        Resume.decode(sealed(body))


def test_progress_of_another_torrent_is_refused() -> None:
    info = Info.parse(encode({"name": "n", "piece length": 16384, "length": 20000, "pieces": bytes(40)}))
    mine = Resume(info.wire_hash, 2, bytes(Bitfield(2)), (None,))
    mine.check(info)
    for other in (
        replace(mine, info_hash=InfoHashV1(bytes(20))),
        replace(mine, piece_count=3),
        replace(mine, files=()),
    ):
        with pytest.raises(ResumeError):
            other.check(info)
