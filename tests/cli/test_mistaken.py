from pathlib import Path

import pytest

from bittern.cli.main import COMMANDS
from bittern.cli.mistaken import _MEANT, is_there, meant_by, understood


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("help", "--help"),
        ("help get", "get --help"),
        ("help lab info", "lab info --help"),
        ("version", "--version"),
        ("-V", "--version"),
        ("get help", "get help"),
        ("-V get", "-V get"),
        ("", ""),
    ],
)
def test_other_ways_to_ask_for_help_are_understood(words: str, meaning: str) -> None:
    assert understood(words.split()) == meaning.split()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("a.torrent", "name a command first, as in `bittern get a.torrent`."),
        ("magnet:?xt=urn:btih:x&dn=y", "name a command first, as in `bittern get 'magnet:?xt=urn:btih:x&dn=y'`."),
        ("https://h/a", "name a command first, as in `bittern get https://h/a`."),
        ("ab" * 20, f"name a command first, as in `bittern get {'ab' * 20}`."),
        ("film", "name a command first; `bittern create film` makes a torrent of it."),
        ("--port 1 get a", "flags stand behind the command, as in `bittern get SOURCE --port`."),
        ("download a", "there is no such command; did you mean `bittern get`?"),
        ("Share a", "there is no such command; did you mean `bittern seed`?"),
    ],
)
def test_a_line_without_a_command_is_answered_with_the_command(
    words: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film").touch()
    assert meant_by(words.split()) == f"{words.split(maxsplit=1)[0]}: {says}"


def test_what_tells_nothing_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert meant_by(["xyzzy"]) is None


def test_a_word_that_is_too_long_for_a_name_tells_nothing() -> None:
    assert meant_by(["x" * 5000]) is None
    assert not is_there("x" * 5000)


def test_only_commands_are_suggested_and_never_for_themselves() -> None:
    names = {command.name for command in COMMANDS}
    assert set(_MEANT) <= names
    assert not names & set().union(*_MEANT.values())
