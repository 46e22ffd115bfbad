"""What people get wrong, command by command: one line says what to do, and the exit status is the one we promise."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bittern.cli.main import main
from tests.session.rig import album, write_torrent

HASH = "ab" * 20
SILENT = "127.0.0.1:1"

MISTAKES: list[tuple[str, int, str]] = [
    ("gte album.torrent", 2, 'Unknown command "gte". Did you mean "get"?'),
    ("download album.torrent", 2, "download: there is no such command; did you mean `bittern get`?"),
    ("mktorrent album", 2, "mktorrent: there is no such command; did you mean `bittern create`?"),
    ("album.torrent", 2, "name a command first, as in `bittern get album.torrent`"),
    (f"magnet:?xt=urn:btih:{HASH}", 2, "name a command first, as in `bittern get 'magnet:?xt=urn:btih:"),
    ("album", 2, "name a command first; `bittern create album` makes a torrent of it"),
    ("--port 51413 get album.torrent", 2, "--port: flags stand behind the command"),
    ("get", 2, "SOURCE requires an argument: A .torrent file, a magnet link, the http(s) URL of a .torrent file, or"),
    ("get album.torent", 3, "album.torent: no such file; did you mean album.torrent?"),
    ("get ALBUM.TORRENT", 3, "ALBUM.TORRENT: no such file; did you mean album.torrent?"),
    ("get film.torrent", 3, "film.torrent: no such file or directory; check the path"),
    ("get there/album.torrent", 3, "there/album.torrent: no such file or directory; check the path"),
    ("get album", 2, "album is a folder: name a .torrent file; `bittern create` makes one of a folder"),
    ("get note.txt", 25, "note.txt: this is not a torrent; name the .torrent file itself, or get it again"),
    ("get page.torrent", 25, "page.torrent: this is a web page, not a torrent; name the .torrent file itself"),
    ("get empty.torrent", 25, "empty.torrent: this is an empty file, not a torrent"),
    ("info cut.torrent", 25, "cut.torrent: ends too early, within a string at byte "),
    ("info odd.torrent", 26, "odd.torrent: info.pieces: missing; the torrent is invalid: get it again"),
    ("get file:///tmp/an%20album.torrent", 2, "name the file by its path: /tmp/an album.torrent"),
    ("get ftp://example.org/album.torrent", 2, "only http and https URLs are fetched; save the .torrent file"),
    ("get example.org/album.torrent", 2, "no such file; a URL begins with https://"),
    (f"get magent:?xt=urn:btih:{HASH}", 2, "a magnet link begins with magnet:?xt=urn:btih: or magnet:?xt=urn:btmh:"),
    (f"get urn:btih:{HASH}", 2, "a magnet link begins with magnet:?xt=urn:btih: or magnet:?xt=urn:btmh:"),
    (f"get magnet:?xt=urn:btih:{HASH[1:]}", 27, "40 hexadecimal or 32 base32 digits, this has 39; check that the link"),
    ("get magnet:?dn=album", 27, "names no BitTorrent info hash"),
    (f"get {HASH[:39]}", 2, "an info hash has 40 or 64 hexadecimal digits, this has 39"),
    (f"get {HASH}c", 2, "an info hash has 40 or 64 hexadecimal digits, this has 41"),
    ("get http://127.0.0.1:1/album.torrent", 6, "127.0.0.1:1: the connection was refused"),
    ("get album.torrent -o here", 2, "Unknown option: -o. See `bittern get --help`"),
    (
        "get album.torrent here",
        2,
        "Not expected here: here (a name with spaces needs quotes). See `bittern get --help`",
    ),
    ("get album.torrent -d note.txt/here", 2, "--dir note.txt/here: note.txt is a file; name a folder"),
    ("get album.torrent --down-limit fast", 2, "write a number and k, M or G, as in 500k or 1.5M. See `bittern get"),
    ("get album.torrent --down-limit 1Q", 2, "'1Q' is no size: write a number and k, M or G"),
    ("get album.torrent --donw-limit 1M", 2, "Unknown option: --donw-limit. Did you mean --down-limit?"),
    ("get album.torrent --max-peers many", 2, 'unable to convert "many" into int'),
    ("get album.torrent -d", 2, "-d requires an argument: Folder to download to; the current one unless given. See"),
    ("get album.torrent --peer 127.0.0.1", 2, "--peer 127.0.0.1: write HOST:PORT"),
    ("get album.torrent --dht-router 127.0.0.1:0", 2, "--dht-router 127.0.0.1:0: write HOST:PORT"),
    ("get album.torrent --timeout -1", 2, "for --timeout. Must be more than 0. See `bittern get"),
    ("get album.torrent --port 99999", 2, "--port 99999: write a number from 0 to 65535"),
    ("get album.torrent --select-file 9", 2, "--select-file: there is no file 9: the torrent has 4"),
    ("get album.torrent --port TAKEN", 6, "Address already in use; another program has it: take another port"),
    ("seed album.torrent", 2, "PATH requires an argument: The content itself (the file, or the torrent's root folder)"),
    ("seed album album.torrent", 2, "album is a folder: name a .torrent file"),
    ("seed album.torrent elsewhere", 3, "elsewhere: no such file or directory"),
    ("seed album.torrent album.torrent", 2, "album.torrent is a file: name the folder album that holds the torrent's"),
    ("seed album.torrent empty", 5, "are as the torrent says; `bittern verify` tells which are not"),
    (f"seed magnet:?xt=urn:btih:{HASH} album", 2, "name a .torrent file"),
    ("create", 2, "PATH requires an argument"),
    ("create elsewhere", 3, "elsewhere: no such file or directory"),
    ("create empty -o new.torrent", 1, "there is no file in this folder"),
    ("create album", 13, "album.torrent: there is a file of this name; choose another name, or pass --force"),
    ("create album -o empty", 2, "-o empty: this is a folder; name the file to write in it, such as empty/new.torrent"),
    ("create album -o there/new.torrent", 3, "there: no such folder"),
    ("create album -o new.torrent --piece-size 1000", 2, "take a power of two from 16k to 128M"),
    ("create album -o new.torrent --tracker tracker.example", 2, "tracker.example: not a URL"),
    ("verify album.torrent", 2, "PATH requires an argument"),
    (
        "verify album.torrent album.torrent",
        2,
        "album.torrent is a file: name the folder album that holds the torrent's",
    ),
    ("verify album album.torrent", 2, "album is a folder: name a .torrent file"),
    ("verify album.torrent elsewhere", 3, "elsewhere: no such file or directory"),
    (f"verify magnet:?xt=urn:btih:{HASH} album", 2, "name the .torrent file"),
    ("tracker --http-port 99999", 2, "--http-port 99999: write a number from 0 to 65535"),
    ("tracker --listen tracker.example", 2, "write an IP address"),
    ("tracker --listen 127.0.0.1 --no-udp --http-port TAKEN", 6, "another program has it: take another port"),
    ("tracker --listen 127.0.0.1 --http-port 0 --udp-port 0 --state there/swarms", 3, "there: no such folder"),
    ("tracker --allow note.txt", 2, "line 1 is no info hash: write 40 or 64 hexadecimal digits"),
    ("dht lookup", 2, "INFO_HASH requires an argument: 40 hexadecimal digits, or the 64 of a v2 info hash. See"),
    ("dht lookup album", 2, "album: write 40 or 64 hexadecimal digits"),
    (f"dht lookup {HASH} --dht-router router.example", 2, "--dht-router router.example: write HOST:PORT"),
    ("dht node --port 99999", 2, 'Invalid value "99999" for --port. Must be from 0 to 65535. See `bittern dht node'),
    ("scrape", 2, "Name .torrent files, magnet links or info hashes"),
    ("scrape album.torrent", 2, "no tracker is named: name one with --tracker URL"),
    ("scrape album.torrent --tracker tracker.example", 2, "tracker.example: not a URL"),
    ("lab inof album.torrent", 2, 'Unknown command "inof". Did you mean "info"?'),
    ("lab decode hello", 25, "not a value at byte 0; write a value such as 5:hello, i52e, li1ei2ee or d3:fooi52ee"),
    ("lab info album", 2, "album is a folder: name a .torrent file"),
    ("lab peers album.torrent", 6, "names no http, https or udp tracker; try again later, or another tracker"),
    ("lab handshake album.torrent 127.0.0.1", 2, "write the address as 192.0.2.1:51413"),
    (f"lab handshake album.torrent {SILENT}", 6, "cannot connect: Connection refused"),
    ("lab download_piece -o piece album.torrent 999", 2, "there is no piece 999"),
]


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A folder with the usual things in it, and a port that somebody else listens on."""
    write_torrent(album(tmp_path / "album"), tmp_path / "album.torrent")
    (tmp_path / "note.txt").write_text("no torrent\n")
    (tmp_path / "page.torrent").write_text("<!DOCTYPE html><title>404</title>")
    (tmp_path / "cut.torrent").write_bytes((tmp_path / "album.torrent").read_bytes()[:-100])
    (tmp_path / "odd.torrent").write_bytes(b"d4:infod6:lengthi1e4:name1:a12:piece lengthi16384eee")
    (tmp_path / "empty.torrent").touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BITTERN_LISTEN", "127.0.0.1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize(("line", "code", "said"), MISTAKES, ids=[line for line, *_ in MISTAKES])
def test_a_mistake_is_one_line_that_says_what_to_do(
    line: str, code: int, said: str, taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = main(line.replace("TAKEN", str(taken)).split())
    out, err = capsys.readouterr()
    assert said in err
    assert (found, out) == (code, "")
    assert err.startswith("bittern: ")
    assert err.count("\n") == 1


@pytest.mark.usefixtures("taken")
def test_a_mistake_in_a_name_of_the_environment_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BITTERN_PEICE_SIZE", "32k")
    assert main(["create", "album", "-o", "new.torrent"]) == 0
    meant = "BITTERN_PEICE_SIZE in the environment sets nothing; did you mean BITTERN_PIECE_SIZE?"
    assert capsys.readouterr().err == f"bittern: warning: {meant}\n"


def program(line: str, place: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    """The real program, as a shell starts it in `place`."""
    command = f"{before} {sys.executable} -m bittern {line}"
    return subprocess.run(["sh", "-c", command], cwd=place, capture_output=True, text=True, timeout=60, check=False)


def test_a_link_without_quotes_is_recognised_for_what_the_shell_left_of_it(taken: int, tmp_path: Path) -> None:
    del taken
    said = program(f"get magnet:?xt=urn:btih:{HASH}&dn=album&tr=http://127.0.0.1:1/announce; wait", tmp_path).stderr
    assert "if the link was longer, quote it: a shell cuts it at the first &" in said


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs a user who may not write everywhere")
def test_a_folder_that_can_not_be_written_is_told_before_anything_comes(taken: int, tmp_path: Path) -> None:
    """Not where something is already: what is complete is checked, and may be on a read-only disk."""
    del taken
    (tmp_path / "closed").mkdir(0o555)
    powerless = "setpriv --inh-caps=-all --bounding-set=-all" if os.getuid() == 0 else ""
    for folder in ("closed", "closed/new"):
        done = program(f"get album.torrent -d {folder}", tmp_path, powerless)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"bittern: {folder}: nothing can be written there; change its permissions, or choose another place\n"
        )
    (tmp_path / "state").mkdir(exist_ok=True)
    tmp_path.chmod(0o555)
    done = program("get album.torrent -d .", tmp_path, powerless)
    tmp_path.chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Complete: {tmp_path / 'album'} (")


def test_an_old_python_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.version_info = (3, 10, 4); sys.argv = ['bittern']; import runpy; runpy.run_module('bittern')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "bittern needs Python 3.11 or newer, this is 3.10: start it with another\n"


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize("line", ['down-limit = "fast"', 'port = "some"'])
def test_a_mistake_in_the_configuration_names_the_file(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.toml").write_text(f"[get]\n{line}\n")
    assert main(["--config", "own.toml", "get", "album.torrent"]) == 2
    err = capsys.readouterr().err
    assert "own.toml" in err
    assert "Invalid value for " in err
    assert err.count("\n") == 1
