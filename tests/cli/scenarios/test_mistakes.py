"""What people get wrong, command by command: one line says what to do, and the exit status is the one we promise."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bittern.cli.main import main
from tests.session.rig import album, write_torrent

HASH = "ab" * 20
SILENT = "127.0.0.1:1"

MISTAKES: list[tuple[str, int, str]] = [
    ("gte album.torrent", 2, 'Unknown command "gte". Did you mean "get"?'),
    ("get", 2, "SOURCE requires an argument"),
    ("get album.torent", 3, "album.torent: no such file or directory; check the path"),
    ("get album", 2, "album is a folder: name a .torrent file; `bittern create` makes one of a folder"),
    ("get note.txt", 25, "note.txt: not a dictionary at byte 0; it is damaged or no torrent"),
    ("get magnet:?dn=album", 27, "names no BitTorrent info hash"),
    (f"get {HASH[:39]}", 2, "an info hash has 40 or 64 hexadecimal digits, this has 39"),
    (f"get {HASH}c", 2, "an info hash has 40 or 64 hexadecimal digits, this has 41"),
    ("get http://127.0.0.1:1/album.torrent", 6, "127.0.0.1:1: the connection was refused"),
    ("get album.torrent -o here", 2, "Unknown option: -o. See `bittern get --help`"),
    ("get album.torrent here", 2, "Not expected here: here. See `bittern get --help`"),
    ("get album.torrent -d note.txt/here", 2, "--dir note.txt/here: note.txt is a file; name a folder"),
    ("get album.torrent --down-limit fast", 2, "write a number and k, M or G, as in 500k or 1.5M. See `bittern get"),
    ("get album.torrent --peer 127.0.0.1", 2, "--peer 127.0.0.1: write HOST:PORT"),
    ("get album.torrent --dht-router 127.0.0.1:0", 2, "--dht-router 127.0.0.1:0: write HOST:PORT"),
    ("get album.torrent --port 99999", 2, "--port 99999: write a number from 0 to 65535"),
    ("get album.torrent --select-file 9", 2, "--select-file: there is no file 9: the torrent has 4"),
    ("get album.torrent --port TAKEN", 6, "Address already in use; another program has it: take another port"),
    ("seed album.torrent", 2, "PATH requires an argument"),
    ("seed album album.torrent", 2, "album is a folder: name a .torrent file"),
    ("seed album.torrent elsewhere", 3, "elsewhere: no such file or directory"),
    ("seed album.torrent empty", 5, "are as the torrent says; `bittern verify` tells which are not"),
    (f"seed magnet:?xt=urn:btih:{HASH} album", 2, "name a .torrent file"),
    ("create", 2, "PATH requires an argument"),
    ("create elsewhere", 3, "elsewhere: no such file or directory"),
    ("create empty -o new.torrent", 1, "there is no file in this folder"),
    ("create album", 13, "album.torrent: there is a file of this name; choose another name, or pass --force"),
    ("create album -o there/new.torrent", 3, "there: no such folder"),
    ("create album -o new.torrent --piece-size 1000", 2, "take a power of two from 16k to 128M"),
    ("create album -o new.torrent --tracker tracker.example", 2, "tracker.example: not a URL"),
    ("verify album.torrent", 2, "PATH requires an argument"),
    ("verify album album.torrent", 2, "album is a folder: name a .torrent file"),
    ("verify album.torrent elsewhere", 3, "elsewhere: no such file or directory"),
    (f"verify magnet:?xt=urn:btih:{HASH} album", 2, "name the .torrent file"),
    ("tracker --http-port 99999", 2, "--http-port 99999: write a number from 0 to 65535"),
    ("tracker --listen tracker.example", 2, "write an IP address"),
    ("tracker --listen 127.0.0.1 --no-udp --http-port TAKEN", 6, "another program has it: take another port"),
    ("tracker --listen 127.0.0.1 --http-port 0 --udp-port 0 --state there/swarms", 3, "there: no such folder"),
    ("tracker --allow note.txt", 2, "line 1 is no info hash: write 40 or 64 hexadecimal digits"),
    ("dht lookup", 2, "INFO_HASH requires an argument"),
    ("dht lookup album", 2, "album: write 40 or 64 hexadecimal digits"),
    (f"dht lookup {HASH} --dht-router router.example", 2, "--dht-router router.example: write HOST:PORT"),
    ("dht node --port 99999", 2, 'Invalid value "99999" for --port. Must be from 0 to 65535. See `bittern dht node'),
    ("scrape", 2, "Name .torrent files, magnet links or info hashes"),
    ("scrape album.torrent", 2, "no tracker is named: name one with --tracker URL"),
    ("scrape album.torrent --tracker tracker.example", 2, "tracker.example: not a URL"),
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
