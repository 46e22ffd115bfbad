"""Both roles of the handshake: who agrees on what, however the bytes come, and who is refused where."""

from collections.abc import Callable
from hashlib import sha1
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.wire.handshake import PROTOCOL, Handshake
from bittern.wire.mse.cipher import processed, ready
from bittern.wire.mse.exchange import MAX_PAD, VC, Exchange, Initiator, Responder
from bittern.wire.mse.keys import KEY_SIZE, PRIME, name_mark, public_key, shared_secret, stream_keys, sync_mark
from bittern.wire.mse.policy import Encryption, Method
from tests.wire.mse import recorded
from tests.wire.mse.plain_rc4 import PlainRc4
from tests.wire.mse.shaking import NAME, WORDS, answer, initiator, move, responder, shake

OFF, PREFER, REQUIRE = Encryption


def hear(side: Exchange, data: bytes) -> None:
    """Say something to a side, bit by bit."""
    for at in range(0, len(data), 64):
        side.receive(data[at : at + 64])
        answer(side)


def refused(side: Exchange, data: bytes) -> RemoteProtocolError:
    """What a side says of these bytes, which it must not take."""
    with pytest.raises(RemoteProtocolError) as caught:
        hear(side, data)
    assert side.agreed is None
    return caught.value


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 700), st.integers(0, 1 << 32), st.sampled_from([PREFER, REQUIRE]))
def test_any_cut_of_what_is_said_leads_to_the_same_agreement(cut: int, seed: int, policy: Encryption) -> None:
    here, there = shake(initiator(seed=seed), responder(policy, seed=seed), cut)
    assert here.method is there.method is Method.RC4
    assert here.initial == 0
    assert there.initial == len(WORDS)
    for mine, yours in ((here.encipher, there.decipher), (there.encipher, here.decipher)):
        if mine is here.encipher:
            assert processed(yours, there.rest) == WORDS[: len(there.rest)]
            processed(yours, bytes(len(WORDS) - len(there.rest)))
        assert processed(yours, processed(mine, b"what follows")) == b"what follows"


@pytest.mark.parametrize(
    ("dialing", "answering", "method"),
    [
        (PREFER, PREFER, Method.RC4),
        (PREFER, REQUIRE, Method.RC4),
        (REQUIRE, PREFER, Method.RC4),
        (REQUIRE, REQUIRE, Method.RC4),
    ],
)
def test_two_of_us_encrypt_everything(dialing: Encryption, answering: Encryption, method: Method) -> None:
    here, there = shake(initiator(dialing), responder(answering))
    assert (here.method, there.method) == (method, method)


class OnlyPlain(Initiator):
    """One that offers to encrypt nothing but the handshake."""

    def __init__(self) -> None:
        super().__init__(Random("a").randbytes, PlainRc4, NAME, PREFER, WORDS)
        self._offered = Method.PLAIN


def test_who_prefers_encryption_goes_on_in_the_clear_with_who_offers_nothing_else() -> None:
    here, there = shake(OnlyPlain(), responder(PREFER))
    assert (here.method, there.method) == (Method.PLAIN, Method.PLAIN)
    assert processed(there.decipher, there.rest) == WORDS


def test_who_requires_encryption_does_not() -> None:
    one, other = OnlyPlain(), responder(REQUIRE)
    with pytest.raises(RemoteProtocolError, match="we may use none"):
        shake(one, other)


def test_of_many_torrents_the_one_that_is_named_is_found() -> None:
    names = [sha1(b"%d" % number, usedforsecurity=False).digest() for number in range(3000)]
    here, there = shake(initiator(name=names[1234]), responder(PREFER, *names))
    assert here.method is there.method is Method.RC4


def test_a_torrent_that_nobody_knows_is_answered_by_nothing() -> None:
    one, other = initiator(name=b"x" * 20), responder()
    with pytest.raises(RemoteProtocolError) as caught:
        shake(one, other)
    assert caught.value.offence is Offence.UNKNOWN_INFO_HASH
    assert not other.out


def test_neither_key_nor_words_can_be_read_on_the_wire() -> None:
    one, other, heard = initiator(), responder(), bytearray()
    while one.agreed is None or other.agreed is None:
        heard += one.out + other.out
        move(one, other, 1 << 16)
        move(other, one, 1 << 16)
    assert not any(secret in heard for secret in (NAME, WORDS, VC, b"req", one.secret, other.secret))


@pytest.mark.parametrize("key", [0, 1, PRIME - 1, PRIME, PRIME + 1, (1 << 768) - 1])
@pytest.mark.parametrize("role", [initiator, responder])
def test_a_key_that_leaves_no_secret_ends_it(role: type[Exchange], key: int) -> None:
    side = role()  # type: ignore[call-arg]  # a function that makes one
    said = bytes(side.out)
    assert refused(side, key.to_bytes(KEY_SIZE)).offence is Offence.BAD_ENCRYPTION
    assert (side.wanted, bytes(side.out)) == (None, said)  # nothing was worked out, nothing answered


@pytest.mark.parametrize("pad", [0, 1, 511, 512])
def test_a_responder_finds_the_end_of_any_padding_that_may_be(pad: int) -> None:
    one, other = initiator(), responder()
    del one.out[KEY_SIZE:]
    one.out += bytes(pad)
    assert shake(one, other, 100)[1].method is Method.RC4


@pytest.mark.parametrize("pad", [513, 600])
def test_a_responder_looks_no_further(pad: int) -> None:
    one, other = initiator(), responder()
    del one.out[KEY_SIZE:]
    one.out += bytes(pad)
    with pytest.raises(RemoteProtocolError, match="no sync in 532 bytes"):
        shake(one, other, 100)


def test_garbage_ends_it_after_628_bytes() -> None:
    """BAD_ENCRYPTION comes with the byte that makes a sync mark impossible, not earlier and not later."""
    side, noise = responder(), Random(1).randbytes(627)
    for at in range(627):
        side.receive(noise[at : at + 1])
        answer(side)
    assert refused(side, b"!").offence is Offence.BAD_ENCRYPTION


def test_garbage_in_answer_ends_it_after_616_bytes() -> None:
    side, noise = initiator(), Random(1).randbytes(615)
    for at in range(615):
        side.receive(noise[at : at + 1])
        answer(side)
    assert refused(side, b"!").offence is Offence.BAD_ENCRYPTION


def test_who_says_no_more_than_a_key_makes_us_work_out_nothing() -> None:
    side = responder()
    side.receive(public_key(b"s" * 20) + b"19 bytes of padding")
    assert side.wanted is None
    assert len(side.out) >= KEY_SIZE  # but is answered: it waits for that
    side.receive(b"!")
    assert side.wanted == public_key(b"s" * 20)


class Forged:
    """A responder of the test's own, that says what it likes after the keys."""

    def __init__(self, side: Initiator) -> None:
        secret = b"f" * 20
        self.shared = shared_secret(secret, bytes(side.out[:KEY_SIZE]))
        side.receive(public_key(secret))
        answer(side)
        ours = stream_keys(self.shared, NAME)[1]
        self.cipher = ready(PlainRc4, ours)


@pytest.mark.parametrize(
    "choice",
    [
        b"\0\0\0\0\0\0",  # no method
        b"\0\0\0\3\0\0",  # both
        b"\0\0\0\4\0\0",  # one that there is not
        b"\0\0\0\1\0\0",  # one that was not offered
        b"\0\0\0\2\2\1",  # 513 bytes of padding
    ],
)
def test_an_answer_that_may_not_be_is_refused(choice: bytes) -> None:
    side = initiator(REQUIRE)
    forged = Forged(side)
    assert refused(side, processed(forged.cipher, VC + choice)).offence is Offence.BAD_ENCRYPTION


@pytest.mark.parametrize(
    "offer",
    [
        b"\0\0\0\0\0\0\0\1" + b"\0\0\0\2" + b"\0\0",  # no eight zeros
        VC + b"\0\0\0\0" + b"\0\0",  # no method
        VC + b"\0\0\0\4" + b"\0\0",  # none that we know
        VC + b"\0\0\0\2" + b"\2\1",  # 513 bytes of padding
    ],
)
def test_an_offer_that_may_not_be_is_refused(offer: bytes) -> None:
    one, other = initiator(), responder()
    move(one, other, 1 << 16)
    shared = shared_secret(one.secret, bytes(other.out[:KEY_SIZE]))
    one.receive(bytes(other.out))
    answer(one)
    cipher = ready(PlainRc4, stream_keys(shared, NAME)[0])
    start = bytes(one.out[:40])
    assert start[:20] == sync_mark(shared)
    assert refused(other, start + processed(cipher, offer)).offence is Offence.BAD_ENCRYPTION
    assert len(other.out) <= KEY_SIZE + MAX_PAD  # nothing was added


def test_methods_of_the_future_are_passed_over() -> None:
    one = initiator()
    one._offered = Method(0xF2)
    assert shake(one, responder())[1].method is Method.RC4


def nothing_but(secret: bytes) -> Callable[[int], bytes]:
    """Chance as it was when the vectors were recorded: one private key, and no padding."""
    return lambda count: secret if count == len(secret) else bytes(count)


def heard(side: Exchange, data: bytes, cut: int) -> tuple[Method, bytes]:
    """What a side agrees on that is told these bytes, so many at a time, and the plain words behind."""
    at = 0
    while side.agreed is None:
        side.receive(data[at : at + cut])
        answer(side)
        at += cut
    agreed = side.agreed
    hidden = agreed.rest + data[at:]
    hidden_words = len(hidden) if agreed.method is Method.RC4 else agreed.initial
    return agreed.method, processed(agreed.decipher, hidden[:hidden_words]) + hidden[hidden_words:]


@pytest.mark.parametrize("cut", [1, 100, 1 << 16])
def test_what_libtorrent_said_is_understood(cut: int) -> None:
    entropy, names = nothing_but(recorded.SECRET), {name_mark(recorded.NAME): recorded.NAME}
    hello = PROTOCOL + bytes(48)
    method, words = heard(Responder(entropy, PlainRc4, names.get, PREFER), recorded.DIALS, cut)
    assert method is Method.RC4
    assert Handshake.parse(words).info_hash == recorded.NAME
    side = Initiator(entropy, PlainRc4, recorded.NAME, REQUIRE, hello)
    method, words = heard(side, recorded.ANSWERS_RC4, cut)
    assert method is Method.RC4
    assert Handshake.parse(words).info_hash == recorded.NAME
    side = Initiator(entropy, PlainRc4, recorded.NAME, PREFER, hello)
    assert heard(side, recorded.ANSWERS_PLAIN, cut)[0] is Method.PLAIN
