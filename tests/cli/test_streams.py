import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PREPARED = "import os, sys\nfrom bittern.cli.streams import prepare\nprepare()\n"
CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">&- 2>&-"]
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


def under_a_shell(words: Sequence[str], streams: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run Python on `words` with the standard streams that the shell gives it."""
    command = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=folder)


@pytest.mark.parametrize("streams", CLOSED)
def test_no_file_that_is_opened_takes_the_number_of_a_closed_stream(tmp_path: Path, streams: str) -> None:
    """What the interpreter or a library then writes there would land in it."""
    script = PREPARED + (
        "with open('content', 'wb') as file:\n"
        "    assert file.fileno() > 2, file.fileno()\n"
        "    print('result'); print('message', file=sys.stderr); sys.stdin.read()\n"
        "    os.write(2, b'the last words of a library')\n"
    )
    done = under_a_shell(["-c", script], streams + ("" if "<" in streams else " </dev/null"), tmp_path)
    assert (done.returncode, (tmp_path / "content").read_bytes()) == (0, b"")
    assert done.stdout == ("" if ">&-" in streams.split() else "result\n")


@pytest.mark.parametrize("streams", CLOSED)
def test_commands_do_their_work_without_streams(tmp_path: Path, streams: str) -> None:
    (tmp_path / "content").write_bytes(b"x" * 40000)
    done = under_a_shell(["-m", "bittern", "create", "content", "-o", "a.torrent"], streams, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a.torrent").stat().st_size > 50


@needs_full
def test_messages_that_can_not_be_written_are_lost_and_results_are_an_error(tmp_path: Path) -> None:
    talk = PREPARED + "for _ in range(2000): print('x' * 100, file=sys.stderr)\nprint('result')\n"
    done = under_a_shell(["-c", talk], "2>/dev/full", tmp_path)
    assert (done.returncode, done.stdout) == (0, "result\n")
    (tmp_path / "content").write_bytes(b"x")
    under_a_shell(["-m", "bittern", "create", "content", "-o", "a.torrent"], "", tmp_path)
    done = under_a_shell(["-m", "bittern", "info", "a.torrent"], ">/dev/full", tmp_path)
    assert done.returncode == 9
    assert done.stderr == "bittern: standard output: no space left on device; free some space and run it again\n"


def test_what_an_encoding_lacks_is_shown_escaped() -> None:
    script = PREPARED + "print('\\u2026'); print('\\u2026', file=sys.stderr)\n"
    command = ["env", "PYTHONIOENCODING=ascii", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("\\u2026\n", "\\u2026\n")
