"""Messages taken apart: every byte is in one part, and stands beside what it means."""

import pytest

from bittern.base.address import Address
from bittern.base.ids import InfoHashV1, PeerId
from bittern.tools.lab.dissect import aligned, dissect, dissect_info, shorten
from bittern.wire.announce import AnnounceReply
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.handshake import Handshake
from bittern.wire.messages import (
    BitfieldMessage,
    Cancel,
    Choke,
    Extended,
    Have,
    KeepAlive,
    Message,
    NotInterested,
    Piece,
    Port,
    Request,
)
from bittern.wire.ut_metadata import MetadataData

MESSAGES: list[tuple[Message, list[str]]] = [
    (Choke(), ["length: 1 byte follows", "id 0: choke"]),
    (NotInterested(), ["length: 1 byte follows", "id 3: not interested"]),
    (Have(258), ["length: 5 bytes follow", "id 4: have", "piece 258"]),
    (Request(1, 2, 3), ["length: 13 bytes follow", "id 6: request", "piece 1", "begin 2", "length 3"]),
    (Cancel(1, 2, 3), ["length: 13 bytes follow", "id 8: cancel", "piece 1", "begin 2", "length 3"]),
    (
        BitfieldMessage(b"\xc0\x80"),
        [
            "length: 3 bytes follow",
            "id 5: bitfield",
            "a bit for each piece, the first piece highest: 11000000 10000000",
        ],
    ),
    (
        Piece(1, 0, b"data"),
        ["length: 13 bytes follow", "id 7: piece", "piece 1", "begin 0", "the block: all the rest is data"],
    ),
    (Port(6881), ["length: 3 bytes follow", "id 9: port", ""]),
]


@pytest.mark.parametrize(("message", "words"), MESSAGES)
def test_each_byte_of_a_message_has_its_words(message: Message, words: list[str]) -> None:
    parts = dissect(message.encode(), message)
    assert [said for _, said in parts] == words
    assert "".join(shown for shown, _ in parts) == message.encode().hex()


def test_a_handshake_is_five_parts_and_names_what_its_sender_speaks() -> None:
    hello = Handshake(bytes.fromhex("0000000000100004"), InfoHashV1(b"i" * 20), PeerId(b"-XX0001-\x1b[m123456789"))
    parts = dissect(hello.encode(), hello)
    assert "".join(shown for shown, _ in parts) == hello.encode().hex()
    assert [said for _, said in parts] == [
        "19: the length of the name that follows",
        '"BitTorrent protocol"',
        "reserved bits: extension protocol (BEP 10), fast extension (BEP 6)",
        "info hash: which torrent this is about",
        r"peer id: -XX0001-\x1b[m123456789",
    ]


def test_a_question_is_taken_apart_by_its_parameters() -> None:
    request = "GET /announce?info_hash=%00x&left=3&more=1"
    assert dissect(b"", request) == [
        (
            "info_hash=%00x",
            "the torrent: 20 bytes, each that is no letter, digit or one of .-_~ as % and two hex digits",
        ),
        ("left=3", "bytes still to come; a seed has 0"),
        ("more=1", ""),
    ]


def test_an_answer_is_taken_apart_by_its_keys() -> None:
    reply = AnnounceReply(60, peers=(Address("127.0.0.1", 51413),))
    assert dissect(b"d8:intervali60e5:peers6:\x7f\0\0\x01\xc8\xd53:new1:xe", reply) == [
        ("d", "a dictionary begins"),
        ("8:intervali60e", "seconds until we should ask again"),
        (r"5:peers6:\x7f\x00\x00\x01\xc8\xd5", "6 bytes each: 4 of the IP address, 2 of the port: 127.0.0.1:51413"),
        ("3:new1:x", ""),
        ("e", "and ends"),
    ]


def test_extended_messages_are_taken_apart_to_their_ends() -> None:
    hello = ExtendedHandshake({"ut_metadata": 3}).message()
    assert [said for _, said in dissect(hello.encode(), hello)][1:4] == [
        "id 20: extended",
        "extension 0: the handshake",
        "a dictionary begins",
    ]
    data = Extended(3, MetadataData(0, 4, b"raw!").encode())
    parts = dissect(data.encode(), data)
    assert parts[2] == ("03", "extension 3: the number that its receiver chose")
    assert parts[-1] == (b"raw!".hex(), "the piece: all behind the dictionary is data")
    junk = Extended(3, b"junk")
    assert dissect(junk.encode(), junk)[-1] == (b"junk".hex(), "")


def test_what_has_no_parts_has_none() -> None:
    assert dissect(KeepAlive().encode(), KeepAlive()) == []
    assert dissect(b"noise", object()) == []
    assert dissect_info(b"junk") == []


def test_words_stand_in_a_column_and_long_parts_push_only_their_own() -> None:
    lines = list(aligned([("ab", "one"), ("abcdef", "two"), ("x" * 50, "three"), ("e", "")]))
    assert lines == [
        "     ab" + " " * 40 + "one",
        "     abcdef" + " " * 36 + "two",
        "     " + "x" * 50 + "  three",
        "     e",
    ]
    assert shorten(bytes(33)) == "00" * 32 + "... (33 bytes)"
