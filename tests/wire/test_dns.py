import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.dns import Addresses, DnsError, parse, question

ASKED = question("Tracker.example", 0x1234, ipv6=False)
NAMES = st.lists(st.text("abc-0", min_size=1, max_size=63), min_size=1, max_size=3).map(".".join)
NAMED = b"\xc0\x0c"  # as in the question


def record(kind: int, body: bytes, owner: bytes = NAMED) -> bytes:
    return owner + struct.pack("!HHIH", kind, 1, 60, len(body)) + body


def answer(*records: bytes, flags: int = 0x8180, asked: bytes = ASKED) -> bytes:
    return asked[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + asked[12:] + b"".join(records)


def label(name: str) -> bytes:
    return b"".join(bytes((len(part),)) + part.encode() for part in name.split(".")) + b"\0"


def test_a_question_has_the_form_of_rfc_1035() -> None:
    assert bytes.fromhex("1234 0100 0001 0000 0000 0000") + label("Tracker.example") + b"\0\x01\0\x01" == ASKED
    assert question("b\u00fccher.example.", 1, ipv6=True)[12:] == label("xn--bcher-kva.example") + b"\0\x1c\0\x01"


@pytest.mark.parametrize("name", ["", ".", "a..b", "a" * 64, ".".join(["abc"] * 80)])
def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    with pytest.raises(DnsError):
        question(name, 1, ipv6=False)


def test_addresses_are_found_by_whatever_the_name_stands_for() -> None:
    assert parse(answer(record(1, b"\1\2\3\4"), record(1, b"\1\2\3\4"), record(1, b"\5\6\7\x08")), ASKED) == Addresses(
        ("1.2.3.4", "5.6.7.8")
    )
    other = label("other.example")
    chain = answer(
        record(5, other), record(1, b"\1\2\3\4", other), record(1, b"\x09\x09\x09\x09", label("evil.example"))
    )
    assert parse(chain, ASKED).hosts == ("1.2.3.4",)
    asked = question("a.example", 7, ipv6=True)
    assert parse(answer(record(28, bytes(15) + b"\1"), record(1, bytes(4)), asked=asked), asked).hosts == ("::1",)


def test_who_knows_no_such_name_and_who_will_not_say_are_told_apart() -> None:
    assert parse(answer(flags=0x8183), ASKED) == Addresses(exists=False)
    assert parse(answer(flags=0x8182), ASKED) == Addresses(refused=True)
    assert parse(answer(flags=0x8380), ASKED) == Addresses(truncated=True)
    assert parse(answer(), ASKED) == Addresses()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ASKED,
        answer()[:14],
        b"\0\0" + answer()[2:],
        answer().replace(b"racker", b"ricker"),
        answer(record(1, b"\1\2\3\4"))[:-1],
        answer(record(1, b"\1\2\3\4", b"\xc0\xff")),
        answer(record(5, b"\xc0\x0c")).replace(b"Tracker", b"Tracker", 1)[:-2] + b"\xc0\x40",
        answer(record(1, b"\1\2\3\4", b"\x80a")),
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(DnsError):
        parse(data, ASKED)


def test_names_that_lead_round_in_circles_end() -> None:
    circle = ASKED[:12] + b"\x01a\xc0\x0c" + ASKED[-4:]
    head = ASKED[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0)
    with pytest.raises(DnsError):
        parse(head + circle[12:] + record(1, b"\1\2\3\4"), circle)
    around = answer(record(5, label("b.example")), record(5, NAMED, label("b.example")))
    assert parse(around, ASKED).hosts == ()


@given(st.binary(max_size=80) | st.lists(st.binary(max_size=30), max_size=3).map(lambda records: answer(*records)))
def test_junk_is_refused_or_read(data: bytes) -> None:
    try:
        parse(data, ASKED)
    except DnsError:
        return


@given(NAMES, st.integers(0, 65535), st.sampled_from([4, 6]))
def test_an_empty_answer_is_one_to_its_own_question_only(name: str, number: int, version: int) -> None:
    ipv6 = version == 6
    asked = question(name, number, ipv6=ipv6)
    assert parse(answer(asked=asked), asked) == Addresses()
    with pytest.raises(DnsError):
        parse(answer(asked=asked), question(name + ".x", number, ipv6=ipv6))
