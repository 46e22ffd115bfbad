from bittern.base.address import Address
from bittern.tools.lab.dissect import shorten
from bittern.tools.lab.trace import SILENT, Trace, describe
from bittern.wire.announce import AnnounceReply
from bittern.wire.extended import ExtendedHandshake
from bittern.wire.messages import Extended, Have, Piece
from bittern.wire.ut_metadata import MetadataRequest


def test_a_line_has_direction_place_hex_and_fields_and_the_first_of_a_kind_is_taken_apart() -> None:
    lines: list[str] = []
    trace = Trace(lines.append)
    trace.sent("1.2.3.4:5", Have(7).encode(), Have(7))
    trace.sent("1.2.3.4:5", Have(8).encode(), Have(8))
    trace.received("1.2.3.4:5", b"\x00\x00\x00\x00", "keep-alive")
    assert lines == [
        "-> 1.2.3.4:5  000000050400000007  Have(piece=7)",
        "     00000005  length: 5 bytes follow",
        "     04        id 4: have",
        "     00000007  piece 7",
        "-> 1.2.3.4:5  000000050400000008  Have(piece=8)",
        "<- 1.2.3.4:5  00000000  'keep-alive'",
    ]


def test_a_silent_trace_describes_nothing() -> None:
    class Loud:
        def __repr__(self) -> str:
            raise AssertionError("nobody asked")

    SILENT.sent("", b"", Loud())
    SILENT.received("", b"", Loud())


def test_long_data_is_shortened() -> None:
    assert shorten(bytes(32)) == "00" * 32
    assert shorten(bytes(33)) == "00" * 32 + "... (33 bytes)"
    assert describe(Piece(1, 2, memoryview(bytes(16384)))).endswith("block=" + "00" * 32 + "... (16384 bytes))")


def test_extended_messages_show_what_they_carry() -> None:
    hello = ExtendedHandshake({"ut_metadata": 3}, client="evil\x1b[m\u202e")
    assert describe(hello.message()) == (
        "Extended(ext_id=0, ExtendedHandshake(extensions={'ut_metadata': 3}, client='evil\\ufffd[m\\ufffd'))"
    )
    assert describe(Extended(9, MetadataRequest(0).encode())) == "Extended(ext_id=9, MetadataRequest(piece=0))"
    assert describe(Extended(9, b"junk")) == "Extended(ext_id=9, payload=6a756e6b)"


def test_a_long_list_of_peers_is_cut() -> None:
    peers = tuple(Address("10.0.0.1", port) for port in range(1, 21))
    said = describe(AnnounceReply(60, peers=peers))
    assert said == (
        "AnnounceReply(interval=60, peers=["
        + "".join(f"10.0.0.1:{port}, " for port in range(1, 9))
        + "... (20 in all)])"
    )
