"""What each choice offers and takes."""

import pytest

from bittern.wire.mse.policy import Encryption, Method

BOTH = Method.RC4 | Method.PLAIN


@pytest.mark.parametrize(
    ("choice", "offered", "taken"),
    [
        (Encryption.OFF, BOTH, Method(0)),
        (Encryption.PREFER, BOTH, Method.RC4),
        (Encryption.PREFER, Method.PLAIN, Method.PLAIN),
        (Encryption.PREFER, Method(0xFFFFFFFC), Method(0)),
        (Encryption.REQUIRE, BOTH, Method.RC4),
        (Encryption.REQUIRE, Method.PLAIN, Method(0)),
    ],
)
def test_rc4_is_taken_before_nothing_and_nothing_only_where_that_is_allowed(
    choice: Encryption, offered: Method, taken: Method
) -> None:
    assert choice.choose(offered) == taken


def test_only_who_requires_encryption_allows_no_plain_connection() -> None:
    assert [choice.plain for choice in Encryption] == [True, True, False]
