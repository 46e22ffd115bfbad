"""Where the stream of a key begins."""

from bittern.wire.mse.cipher import DISCARDED, processed, ready
from tests.wire.mse.plain_rc4 import PlainRc4


def test_the_first_kibibyte_of_a_keys_stream_is_not_used() -> None:
    key = b"k" * 20
    whole = processed(PlainRc4(key), bytes(DISCARDED + 32))
    assert processed(ready(PlainRc4, key), bytes(32)) == whole[DISCARDED:]


def test_a_copy_is_processed_and_what_was_given_stays() -> None:
    data = bytearray(b"plain")
    assert processed(PlainRc4(b"Key"), data) != data
    assert data == b"plain"
