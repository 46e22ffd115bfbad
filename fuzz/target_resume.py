# Invariant: only ResumeError escapes, also under a good checksum; what is accepted encodes to the same bytes, and its
# set of pieces is consistent.
"""Fuzz target: resume data."""

from contextlib import suppress
from hashlib import sha256

from bittern.base.bitfield import Bitfield
from bittern.base.errors import ResumeError
from bittern.base.ids import InfoHashV1
from bittern.codec.resume import MAGIC, FileStamp, Resume
from fuzz.driver import Target
from fuzz.trees import tree_edit


def check(data: bytes) -> bool:
    """Read `data` as it is, and as a body under a good checksum."""
    with suppress(ResumeError):
        assert Resume.decode(data).encode() == data
    try:
        resume = Resume.decode(MAGIC + sha256(data).digest() + data)
    except ResumeError:
        return False
    resume.have().check_invariants()
    assert Resume.decode(resume.encode()) == resume
    return True


_SAMPLE = Resume(
    info_hash=InfoHashV1(bytes(20)),
    piece_count=10,
    pieces=bytes(Bitfield(10, [0, 3, 9])),
    files=(FileStamp(5, 123), None, FileStamp(0, -1)),
    uploaded=1,
    completed_at=4,
).encode()

_KEYS = b"files|pieces|piece count|uploaded|downloaded|completed at|added at|info hash".split(b"|")

TARGET = Target(
    "resume",
    corpus=(_SAMPLE, _SAMPLE[len(MAGIC) + 32 :]),
    words=(
        b"i0e",
        b"i-1e",
        b"i-2e",
        b"i9223372036854775807e",
        b"le",
        b"de",
        b"e",
        b"5:files",
        b"6:pieces",
        b"11:piece count",
    ),
    check=check,
    edits=(tree_edit(_KEYS),),
)
