from io import StringIO

import pytest

from bittern.cli.failures import UsageError
from bittern.cli.selection import FileChoice, ask_for_files, file_lines
from bittern.codec.bencode import encode
from bittern.codec.info import Info


def test_numbers_count_from_one_and_the_last_word_on_a_file_counts() -> None:
    choice = FileChoice.parse("5, 1-2", ["1-3=7", "2,4=0"])
    assert choice.select == [0, 1, 4]
    assert choice.priorities == {0: 7, 1: 0, 2: 7, 3: 0}
    nothing = FileChoice.parse(None, [])
    assert (nothing.select, nothing.priorities) == (None, {})
    nothing.check(0)


@pytest.mark.parametrize(
    "text", ["", "1", "1=", "1=8", "1=-1", "1=77", "1=x", "1=³", "=4", "x=4", "0=4", "3-1=4", "1==4"]
)
def test_a_priority_that_is_none_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="--priority ") as error:
        FileChoice.parse(None, [text])
    assert "\n" not in str(error.value)


def test_a_number_of_thousands_of_digits_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"--select-file 9+.*: write numbers of files, as in 1-3,5$") as error:
        FileChoice.parse("9" * 5000, ())
    assert len(str(error.value)) < 200


def test_files_that_do_not_exist_are_refused_by_name_of_the_flag() -> None:
    FileChoice.parse("1-3", ["2=7"]).check(3)
    with pytest.raises(UsageError, match="--select-file: there is no file 3: the torrent has 2"):
        FileChoice.parse("1-3", []).check(2)
    with pytest.raises(UsageError, match="--priority: there is no file 9: the torrent has 2"):
        FileChoice.parse(None, ["1=4", "9=7", "2=1"]).check(2)


FILES = Info.parse(
    encode(
        {
            "name": "x",
            "piece length": 16384,
            "pieces": bytes(40),
            "files": [
                {"length": 16_000, "path": ["a\x1b[2J"]},
                {"length": 384, "path": [".pad", "384"], "attr": "p"},
                {"length": 2048, "path": ["b", "c"]},
            ],
        }
    )
)


def test_files_are_listed_with_their_numbers() -> None:
    assert file_lines(FILES) == ["1    15.6 KiB  a[2J", "2     2.0 KiB  b/c"]


@pytest.mark.parametrize(
    ("typed", "answer"), [("\n", None), (" 2 \n", "2"), ("x\n3\n0\n1-2\n", "1-2"), ("2-1\n\n", None)]
)
def test_the_user_is_asked_until_the_answer_makes_sense(
    typed: str, answer: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask_for_files(FILES, StringIO(typed)) == answer
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("Files to download") == typed.count("\n")
    if "3" in typed:
        assert "there is no file 3: the torrent has 2" in err


def test_a_terminal_that_is_closed_chooses_nothing() -> None:
    with pytest.raises(UsageError, match="no files were chosen"):
        ask_for_files(FILES, StringIO(""))
