import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.cli.output import (
    colour_wanted,
    counted,
    format_duration,
    format_rate,
    format_size,
    parse_size,
    print_json,
    printable,
)

JOINERS = "\u200c\u200d"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name.iso", "plain name.iso"),
        ("Größe 大きさ \U0001f600", "Größe 大きさ \U0001f600"),
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("\x9b31mred", "\ufffd31mred"),
        ("one\ntwo\r\tthree", "one\ufffdtwo\ufffd\ufffdthree"),
        ("exe.\u202egpj", "exe.\ufffdgpj"),
        ("a\u2066b\u2069\u200e\u061c", "a\ufffdb\ufffd\ufffd\ufffd"),
        ("a\u2028b\u2029c\x85d", "a\ufffdb\ufffdc\ufffdd"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("wide\u3000and\xa0narrow", "wide and narrow"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("", ""),
    ],
)
def test_remote_text_is_shown_without_what_moves_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_long_text_ends_in_an_ellipsis() -> None:
    assert printable("x" * 300) == "x" * 254 + "\u2026"
    assert printable("abc", 3) == "abc"
    assert printable("abcd", 3) == "ab\u2026"


@given(st.text(alphabet=st.characters(), max_size=60))
def test_whatever_comes_nothing_but_printable_characters_leaves(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    for character in shown:
        assert character.isprintable() or character in JOINERS
        assert unicodedata.bidirectional(character) not in {
            "RLO",
            "LRO",
            "RLE",
            "LRE",
            "PDF",
            "RLI",
            "LRI",
            "FSI",
            "PDI",
        }
    shown.encode()
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**2, "1.0 MiB"),
        (int(4.2 * 1024**3), "4.2 GiB"),
        (1024**7, "1024.0 EiB"),
    ],
)
def test_sizes_read_in_powers_of_1024(count: int, shown: str) -> None:
    assert format_size(count) == shown


@pytest.mark.parametrize(("count", "shown"), [(0, "0 peers"), (1, "1 peer"), (2, "2 peers"), (1234, "1,234 peers")])
def test_what_is_counted_is_one_or_several(count: int, shown: str) -> None:
    assert counted(count, "peer") == shown


def test_rates_are_sizes_a_second() -> None:
    assert format_rate(1536.4) == "1.5 KiB/s"
    assert format_rate(-1) == "0 B/s"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59.4, "59 s"), (187, "3:07"), (7387, "2:03:07"), (5 * 86400 + 7200, "5 d 2 h"), (-5, "0 s")],
)
def test_durations_read_as_clocks_do(seconds: float, shown: str) -> None:
    assert format_duration(seconds) == shown


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("500k", 500 * 1024),
        ("1.5M", 3 * 512 * 1024),
        ("2g", 2 * 1024**3),
        ("2 GiB", 2 * 1024**3),
        ("1.5MiB/s", 3 * 512 * 1024),
        ("10B", 10),
        (" 7 ", 7),
        (".5k", 512),
    ],
)
def test_sizes_are_written_with_k_m_g(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "k", "-1", "1e3", "5x", "1,5M", "0x10", "inf", "nan", "1 2", "٣k", "1.k."])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no size"):
        parse_size(text)


def test_json_is_one_ascii_document_without_control_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"name": "".join(map(chr, range(0x100))) + "\u202e\ud800"}
    print_json(document)
    out = capsys.readouterr().out
    assert all(0x20 <= ord(character) < 0x7F or character == "\n" for character in out)
    assert json.loads(out) == document
    print_json(document, indent=None)
    assert capsys.readouterr().out.count("\n") == 1


def test_colour_needs_a_terminal_and_no_objection(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colour_wanted(Terminal())
    assert not colour_wanted(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour_wanted(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not colour_wanted(Terminal())
