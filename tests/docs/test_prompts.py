from pathlib import Path

import pytest

from .prompts import alike, parsed, shown


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        ("", ""),
        ("one\n", "one\n"),
        ("one  \ntwo\n", "one\ntwo  \n"),
        ("port ..., pid ...\n", "port 6881, pid 12\n"),
        ("first\n...\nlast\n", "first\n1\n2\nlast\n"),
        ("first\n...\nlast\n", "first\nlast\n"),
        ("first\n...\n", "first\n2\n3\n"),
        ("(a+b)*\n", "(a+b)*\n"),
    ],
)
def test_what_a_page_shows_is_what_is_printed(expected: str, printed: str) -> None:
    assert alike(expected, printed)


@pytest.mark.parametrize(
    ("expected", "printed"),
    [
        ("", "one\n"),
        ("one\n", ""),
        ("one\n", "one\ntwo\n"),
        ("...\nlast\n", "1\n2\n"),
        ("a.c\n", "abc\n"),
        ("a ... b\n", "a\nb\n"),
    ],
)
def test_anything_else_is_not(expected: str, printed: str) -> None:
    assert not alike(expected, printed)


def test_a_session_is_commands_and_what_they_print() -> None:
    text = "$ echo one\none\n$ cat \\\n> file\n1\n2\n$ true\n"
    assert parsed(text) == [("echo one", "one\n"), ("cat \\\nfile", "1\n2\n"), ("true", "")]


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_session_is_run(tmp_path: Path) -> None:
    assert shown("$ echo 3 > file\n$ cat file\n3\n$ (exit 5)\n$ echo $?\n5\n$ bittern --version\nbittern ...\n") == []
    assert (tmp_path / "file").read_text() == "3\n"


def test_the_program_runs_with_what_the_shell_makes_of_its_words() -> None:
    assert shown("$ bittern info \"no & such 'file\"\nbittern: no & such 'file: no such file ...\n$ echo $?\n3\n") == []


def test_what_differs_is_told() -> None:
    (wrong,) = shown("$ echo one\ntwo\n$ echo three\nthree\n")
    assert "one" in wrong
    assert "two" in wrong


def test_a_command_that_fails_unnoticed_is_told() -> None:
    assert shown("$ false\n$ echo and so on\nand so on\n")
    assert shown("$ bittern info nothing\n...\n")
