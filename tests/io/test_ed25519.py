import secrets
import sys
from functools import partial

import pytest

from bittern.base.errors import SessionError
from bittern.engine.dht.items import signed_bytes
from bittern.io.ed25519 import public_key, sign, verify

# BEP 44, test vectors
KEY = bytes.fromhex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548")
VALUE = b"12:Hello World!"
PLAIN = bytes.fromhex(
    "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff"
    "1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01"
)
SALTED = bytes.fromhex(
    "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d"
    "df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08"
)


def test_the_signatures_of_bep_44_are_good_for_what_they_sign_alone() -> None:
    assert verify(KEY, PLAIN, signed_bytes(VALUE, 1))
    assert verify(KEY, SALTED, signed_bytes(VALUE, 1, b"foobar"))
    assert not verify(KEY, PLAIN, signed_bytes(VALUE, 2))
    assert not verify(KEY, SALTED, signed_bytes(VALUE, 1))
    assert not verify(bytes(32), PLAIN, signed_bytes(VALUE, 1))


def test_what_we_sign_is_good() -> None:
    seed = secrets.token_bytes(32)
    assert verify(public_key(seed), sign(seed, b"words"), b"words")
    assert not verify(public_key(seed), sign(seed, b"words"), b"other words")


def test_without_the_package_nothing_is_believed_and_it_is_said_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("cryptography.exceptions", "cryptography.hazmat.primitives.asymmetric.ed25519"):
        monkeypatch.setitem(sys.modules, name, None)
    assert not verify(KEY, PLAIN, signed_bytes(VALUE, 1))
    for call in (partial(public_key, bytes(32)), partial(sign, bytes(32), b"")):
        with pytest.raises(SessionError, match="cryptography"):
            call()
