import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bittern.cli.main import main
from bittern.cli.reports import Waiting
from bittern.codec.magnet import Magnet
from tests.session.rig import PIECE, album, change_defaults, fill, seeding, write_torrent

LOCAL = ("--listen", "127.0.0.1", "--port", "0")
QUICK = ("--listen", "127.0.0.1")


class Swarm:
    """Content with a seed, and the .torrent file for it."""

    def __init__(self, folder: Path, size: int = 40 * PIECE, content: Path | None = None) -> None:
        self.source = content or fill(folder / "src" / "a.bin", size)
        self.torrent = folder / "a.torrent"
        self.metainfo = write_torrent(self.source, self.torrent)
        self.target = folder / "dst"
        self._state = folder / "seed"

    @contextmanager
    def seeded(self) -> Iterator[tuple[str, ...]]:
        """Run the seed; the flags to reach it."""
        with seeding(self.metainfo, self.source.parent, self._state) as peer:
            yield ("--peer", peer)

    def get(self, *flags: str) -> list[str]:
        """The command line that fetches it."""
        return ["get", str(self.torrent), "-d", str(self.target), *flags]

    def arrived(self) -> bool:
        """Whether the copy is right."""
        return (self.target / self.source.name).read_bytes() == self.source.read_bytes()


@pytest.fixture
def swarm(tmp_path: Path) -> Swarm:
    return Swarm(tmp_path)


def start(*words: str, prefix: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    """`bittern WORDS` in a process of its own."""
    command = [*prefix, sys.executable, "-m", "bittern", *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src"), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def events_of(text: str) -> list[dict[str, Any]]:
    """The events of `--json`."""
    return [json.loads(line) for line in text.splitlines()]


def test_it_downloads_verifies_and_says_so(swarm: Swarm, capsys: pytest.CaptureFixture[str]) -> None:
    with swarm.seeded() as seed:
        assert main(swarm.get(*LOCAL, *seed)) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"Complete: {swarm.target / 'a.bin'} (1.2 MiB, verified, ")
    assert err == ""
    assert swarm.arrived()


def test_a_second_run_verifies_what_is_there(swarm: Swarm, capsys: pytest.CaptureFixture[str]) -> None:
    with swarm.seeded() as seed:
        assert main(swarm.get(*LOCAL, *seed)) == 0
    capsys.readouterr()
    assert main(swarm.get(*LOCAL, "--json")) == 0
    events = events_of(capsys.readouterr().out)
    assert "checking" not in [event["event"] for event in events]
    assert main(swarm.get(*QUICK)) == 0
    assert capsys.readouterr().out == f"Complete: {swarm.target / 'a.bin'} (1.2 MiB, verified)\n"
    shutil.rmtree(os.environ["XDG_STATE_HOME"])
    assert main(swarm.get(*QUICK)) == 0
    assert capsys.readouterr().out == f"Complete: {swarm.target / 'a.bin'} (1.2 MiB, verified)\n"


def test_json_tells_the_whole_story(swarm: Swarm, capsys: pytest.CaptureFixture[str]) -> None:
    with swarm.seeded() as seed:
        link = swarm.metainfo.to_magnet().to_uri()
        assert main(["get", link, "-d", str(swarm.target), "--json", *LOCAL, *seed]) == 0
    out, err = capsys.readouterr()
    events = events_of(out)
    assert err == ""
    assert all(isinstance(event["time"], float) for event in events)
    by_name = {event["event"]: event for event in events}
    assert (by_name["metadata"]["name"], by_name["metadata"]["total_bytes"]) == ("a.bin", 40 * PIECE)
    progress = {"done_bytes", "total_bytes", "down_rate", "up_rate", "peers", "eta_seconds"}
    assert progress <= by_name["progress"].keys()
    last = events[-1]
    assert (last["event"], last["done_bytes"], last["path"]) == ("complete", 40 * PIECE, str(swarm.target / "a.bin"))
    assert swarm.arrived()


def test_quiet_is_silent(swarm: Swarm, capsys: pytest.CaptureFixture[str]) -> None:
    with swarm.seeded() as seed:
        assert main(swarm.get("-q", *LOCAL, *seed)) == 0
    assert capsys.readouterr() == ("", "")


def test_selected_files_are_fetched(tmp_path: Path) -> None:
    swarm = Swarm(tmp_path, content=album(tmp_path / "src" / "album"))
    with swarm.seeded() as seed:
        assert main(swarm.get("--select-file", "1", *LOCAL, *seed)) == 0
    copy = swarm.target / "album" / "one.bin"
    assert copy.read_bytes() == (swarm.source / "one.bin").read_bytes()


def test_links_are_made_when_the_configuration_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = album(tmp_path / "src" / "album")
    (root / "link").symlink_to("one.bin")
    (root / "taken").symlink_to("two")
    content, target = str(root), tmp_path / "src"
    assert main(["create", content, "--symlinks", "keep", "-o", str(tmp_path / "t.torrent"), "--private"]) == 0
    words = ("get", str(tmp_path / "t.torrent"), "-d", str(target), *QUICK)
    (root / "link").unlink()
    (root / "taken").unlink()
    (root / "taken").write_text("mine")
    assert main([*words]) == 0
    assert not (root / "link").exists()
    (tmp_path / "config.toml").write_text("[get]\nsymlinks = true\n")
    monkeypatch.setenv("BITTERN_CONFIG", str(tmp_path / "config.toml"))
    capsys.readouterr()
    with start(*words) as job:
        _, err = job.communicate(timeout=30)
    assert job.returncode == 0
    assert (root / "link").readlink() == Path("one.bin")
    assert "album/taken was not made: something else is in its place" in err
    assert len(err.splitlines()) == 1


def test_files_are_fetched_as_much_as_they_are_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swarm = Swarm(tmp_path, content=album(tmp_path / "src" / "album"))
    with swarm.seeded() as seed:
        assert main(swarm.get("--priority", "1=0", "--priority", "2-3=7", "--json", *LOCAL, *seed)) == 0
    last = events_of(capsys.readouterr().out)[-1]
    assert last["total_bytes"] == 71_707, "the pieces from the one on that the first file shares"
    assert not (swarm.target / "album" / "one.bin").exists()
    for name in ("b.bin", "c.bin"):
        copy = swarm.target / "album" / "two" / name
        assert copy.read_bytes() == (swarm.source / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--select-file", "0"), "--select-file 0: files are numbered from 1"),
        (("--select-file", "x-2"), "--select-file x-2: write numbers"),
        (("--select-file", "3-1"), "--select-file 3-1"),
        (("--select-file", "2"), "--select-file: there is no file 2: the torrent has 1"),
        (("--priority", "1=8"), "--priority 1=8: write files and 0 to 7, as in 1-3=7"),
        (("--priority", "1"), "--priority 1: write files and 0 to 7"),
        (("--priority", "0=4"), "--priority 0=4: files are numbered from 1"),
        (("--priority", "1=4", "--priority", "2=0"), "--priority: there is no file 2: the torrent has 1"),
        (("--proxy", "127.0.0.1:1080"), "--proxy: a proxy is written socks5://HOST:PORT"),
        (("--no-tcp", "--no-utp"), "--no-tcp --no-utp: nothing is left"),
        (("--listen", "localhost"), "--listen localhost: write an IP address"),
        (("--port", "70000"), "--port 70000"),
        (("--down-limit", "0"), "--down-limit 0"),
        (("--seed-ratio", "-1"), "--seed-ratio -1"),
        (("--max-peers", "0"), "--max-peers 0"),
    ],
)
def test_what_can_not_be_is_a_usage_error(
    swarm: Swarm, flags: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(swarm.get(*flags)) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_flags_of_what_does_not_exist_yet_do_no_harm(swarm: Swarm) -> None:
    off = ("--no-dht", "--no-pex", "--no-lsd", "--no-utp", "--no-nat", "--encryption", "prefer")
    with swarm.seeded() as seed:
        assert main(swarm.get(*off, *LOCAL, *seed)) == 0


def test_a_file_that_a_link_turns_out_not_to_have_is_a_usage_error(
    swarm: Swarm, capsys: pytest.CaptureFixture[str]
) -> None:
    link = swarm.metainfo.to_magnet().to_uri()
    with swarm.seeded() as seed:
        assert main(["get", link, "-q", "-d", str(swarm.target), "--priority", "2=7", *LOCAL, *seed]) == 2
    err = capsys.readouterr().err
    assert err == "bittern: --priority: there is no file 2: the torrent has 1\n"


def test_a_bad_peer_is_told(swarm: Swarm, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(swarm.get(*LOCAL, "--peer", "nonsense")) == 2
    assert "--peer nonsense: write HOST:PORT" in capsys.readouterr().err


def test_without_any_way_to_peers_it_ends(swarm: Swarm, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(swarm.get(*QUICK)) == 6
    assert "it names no tracker, and no peer is named; name a peer with --peer HOST:PORT" in capsys.readouterr().err
    write_torrent(swarm.source, swarm.torrent, "http://127.0.0.1:1/announce")
    assert main(swarm.get(*QUICK, "--no-trackers")) == 6
    assert "no tracker is asked, and no peer is named; name a peer" in capsys.readouterr().err
    write_torrent(swarm.source, swarm.torrent, "wss://127.0.0.1:1/announce")
    assert main(swarm.get(*QUICK)) == 6
    assert "speak neither HTTP nor UDP" in capsys.readouterr().err


def test_a_link_that_the_shell_cut_is_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "magnet:?xt=urn:btih:" + "ab" * 20, *QUICK]) == 6
    assert "if the link was longer, quote it: a shell cuts it at the first &" in capsys.readouterr().err


def test_a_peer_that_can_not_be_reached_is_told(
    swarm: Swarm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Waiting.__init__, "__defaults__", (1.0,))  # users wait for five seconds
    peer = refusing().removeprefix("http://").removesuffix("/announce")
    assert main(swarm.get(*LOCAL, "--peer", peer, "--timeout", "4")) == 6
    err = capsys.readouterr().err
    assert f"no peers, for 1 s; 1 address known; the last, {peer}: " in err


def test_a_file_with_other_content_is_left_alone(swarm: Swarm, capsys: pytest.CaptureFixture[str]) -> None:
    mine = fill(swarm.target / "a.bin", 40 * PIECE, seed=9)
    before = mine.read_bytes()
    with swarm.seeded() as seed:
        assert main(swarm.get(*LOCAL, *seed)) == 13
        err = capsys.readouterr().err
        assert err.startswith(f"bittern: {mine}: a file with other content is in its place")
        assert "--overwrite" in err
        assert mine.read_bytes() == before
        assert main(swarm.get(*LOCAL, *seed, "--overwrite")) == 0
    assert swarm.arrived()


def test_a_folder_or_a_longer_file_in_its_place_is_an_error(swarm: Swarm, capsys: pytest.CaptureFixture[str]) -> None:
    place = swarm.target / "a.bin"
    place.mkdir(parents=True)
    assert main(swarm.get(*QUICK)) == 13
    assert f"{place}: not a regular file" in capsys.readouterr().err
    place.rmdir()
    place.write_bytes(bytes(40 * PIECE + 1))
    assert main(swarm.get(*QUICK)) == 13
    assert f"{place}: a file with other content" in capsys.readouterr().err


def wait_for_bytes(process: "subprocess.Popen[str]", count: int) -> int:
    """Read `--json` events until so many bytes are done; how many are."""
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "progress" and event["done_bytes"] >= count:
            return int(event["done_bytes"])
    raise AssertionError(process.stderr and process.stderr.read())


def test_ctrl_c_saves_and_the_next_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swarm = Swarm(tmp_path, 100 * PIECE)
    with swarm.seeded() as seed:
        with start(*swarm.get("--json", "--down-limit", "1M", *LOCAL, *seed)) as process:
            wait_for_bytes(process, 10 * PIECE)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=10)
        assert process.returncode == 7
        stopped = events_of(out)[-1]
        assert stopped["event"] == "stopped"
        assert main(swarm.get("--json", *LOCAL, *seed)) == 0
    events = events_of(capsys.readouterr().out)
    checked = next(event for event in events if event["event"] == "checked")
    assert checked["done_bytes"] >= stopped["done_bytes"] > 0
    assert "checking" not in [event["event"] for event in events]
    assert events[-1]["downloaded"] <= 100 * PIECE + 1024 * 1024
    assert swarm.arrived()


def test_after_kill_nothing_wrong_is_trusted_and_little_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swarm = Swarm(tmp_path, 200 * PIECE)
    with swarm.seeded() as seed:
        with start(*swarm.get("--json", "--down-limit", "1M", *LOCAL, *seed)) as process:
            done = wait_for_bytes(process, 100 * PIECE)
            process.kill()
        copy = swarm.target / "a.bin"
        whole, source = bytearray(copy.read_bytes()), swarm.source.read_bytes()
        good = [at for at in range(0, len(source), PIECE) if whole[at : at + PIECE] == source[at : at + PIECE]]
        assert len(good) * PIECE >= done
        with copy.open("r+b") as file:  # a piece that was stored, and that power loss then took
            file.seek(good[0])
            file.write(bytes(PIECE))
        assert main(swarm.get("--json", *LOCAL, *seed)) == 0
    events = events_of(capsys.readouterr().out)
    checked = next(event for event in events if event["event"] == "checked")
    assert checked["done_bytes"] == (len(good) - 1) * PIECE
    assert swarm.arrived()


def test_sigterm_ends_it_too_and_a_second_signal_at_once(swarm: Swarm) -> None:
    """A tracker that hangs is given its time to hear the good-bye, unless the user has none."""
    with socket.create_server(("127.0.0.1", 0)) as tracker:
        tracker.settimeout(30)
        write_torrent(swarm.source, swarm.torrent, f"http://127.0.0.1:{tracker.getsockname()[1]}/announce")
        with start(*swarm.get(*LOCAL)) as process, tracker.accept()[0]:
            process.terminate()
            _, err = process.communicate(timeout=10)
        assert process.returncode == 7
        assert "stopping" in err
        tracker.accept()[0].close()  # the good-bye
        with start(*swarm.get(*LOCAL)) as process, tracker.accept()[0]:
            assert process.stderr is not None
            process.send_signal(signal.SIGINT)
            while "stopping" not in process.stderr.readline():
                assert process.poll() is None
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=10)
        assert process.returncode == 130
        assert time.monotonic() - began < 4.5  # five is what it has


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[str]:
    """A web server that gives everyone the same answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/announce"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def hanging() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/announce"


def refusing() -> str:
    """The address of nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}/announce"


def test_what_ails_a_tracker_is_told(swarm: Swarm, capsys: pytest.CaptureFixture[str]) -> None:
    """Each tracker that fails makes it ask the next; the last one knows the seed."""
    with (
        answering(200, b"<html>") as garbage,
        answering(404, b"") as missing,
        answering(200, b"d14:failure reason19:no such torrent \x1b[Ae") as refused,
        swarm.seeded() as seed,
        answering(200, knows(seed)) as good,
    ):
        ailing = {refusing(): "onnect", garbage: "not bencode", missing: "HTTP status 404", refused: "no such torrent"}
        write_torrent(swarm.source, swarm.torrent, *ailing, good)
        assert main(swarm.get(*LOCAL)) == 0
    said = capsys.readouterr().err
    for url, words in ailing.items():
        (line,) = (line for line in said.splitlines() if line.startswith(f"bittern: tracker {url}: "))
        assert words in line
    assert "\x1b" not in said


def test_a_tracker_that_never_answers_does_not_hold_up_the_end(
    swarm: Swarm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_defaults(monkeypatch, goodbye_seconds=0.5)  # who hangs would have ten times as much
    with hanging() as url:
        write_torrent(swarm.source, swarm.torrent, url)
        assert main(swarm.get(*LOCAL, "--timeout", "0.3", "-q")) == 6
        assert "nothing came for 0.3 s" in capsys.readouterr().err


def knows(seed: tuple[str, ...]) -> bytes:
    """What a tracker says that knows the seed alone (BEP 23)."""
    port = int(seed[1].rpartition(":")[2])
    return b"d8:intervali60e5:peers6:" + socket.inet_aton("127.0.0.1") + port.to_bytes(2) + b"e"


def test_a_tracker_may_redirect(swarm: Swarm) -> None:
    with (
        swarm.seeded() as seed,
        answering(200, knows(seed)) as there,
        answering(301, b"", Location=f"{there}?") as first,
    ):
        write_torrent(swarm.source, swarm.torrent, first)
        assert main(swarm.get(*LOCAL, "--timeout", "20")) == 0
    assert swarm.arrived()


def test_a_torrent_by_url_and_errors_of_sources(swarm: Swarm, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(200, swarm.torrent.read_bytes()) as url, swarm.seeded() as seed:
        assert main(["get", url, "-d", str(swarm.target), *LOCAL, *seed]) == 0
    assert swarm.arrived()
    capsys.readouterr()
    with answering(500, b"") as url:
        assert main(["get", url]) == 6
        assert f"{url}: the server answered with HTTP status 500" in capsys.readouterr().err
    assert main(["get", str(swarm.source)]) == 25
    assert main(["get", "magnet:?dn=x"]) == 27
    assert main(["get", "/no/such.torrent"]) == 3


def test_the_same_torrent_twice_in_one_place_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    swarm = Swarm(tmp_path, 100 * PIECE)
    with swarm.seeded() as seed, start(*swarm.get("--json", "--down-limit", "500k", *LOCAL, *seed)) as process:
        wait_for_bytes(process, PIECE)
        assert main(swarm.get(*LOCAL, *seed)) == 13
        assert "another bittern is at work on this torrent" in capsys.readouterr().err
        swarm.target = tmp_path / "elsewhere"
        assert main(swarm.get(*LOCAL, *seed)) == 0
        process.terminate()
        process.communicate(timeout=10)


def test_a_seed_goal_keeps_it_going_until_reached(swarm: Swarm) -> None:
    began = time.monotonic()
    with swarm.seeded() as seed:
        assert main(swarm.get(*LOCAL, *seed, "--seed-time", "0.01")) == 0
    assert time.monotonic() - began >= 0.6


needs_namespaces = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="mounting a small disk needs root and unshare",
)


def in_mount(tmp_path: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a shell script in a mount namespace of its own; $B is bittern, $D an empty folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[3] / "src"),
        "B": f"{sys.executable} -m bittern",
        "D": str(folder),
    }
    command = ["unshare", "-m", "sh", "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@needs_namespaces
def test_a_full_disk_ends_it_and_space_lets_it_go_on(tmp_path: Path) -> None:
    swarm = Swarm(tmp_path, 100 * PIECE)
    swarm.target = tmp_path / "disk"
    with swarm.seeded() as seed:
        words = " ".join(swarm.get(*LOCAL, *seed))
        done = in_mount(
            tmp_path,
            f'mount -t tmpfs -o size=1m tmpfs "$D" && $B {words}; echo $?; mount -o remount,size=100m "$D" && '
            f'$B {words} --json; echo $?; cmp "$D/a.bin" {swarm.source} && echo same',
        )
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-2:]) == ("9", ["0", "same"]), done
    assert f"{swarm.target / 'a.bin'}: no space left" in done.stderr
    checked = next(event for event in events_of("\n".join(lines[1:-2])) if event["event"] == "checked")
    assert checked["done_bytes"] > 0


@needs_namespaces
def test_a_place_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    swarm = Swarm(tmp_path)
    swarm.target = tmp_path / "disk"
    with swarm.seeded() as seed:
        done = in_mount(
            tmp_path, f'mount -t tmpfs -o ro tmpfs "$D" && $B {" ".join(swarm.get(*LOCAL, *seed))}; echo $?'
        )
    assert done.stdout == "1\n", done
    assert done.stderr == f"bittern: {swarm.target}: read-only file system; choose another folder\n"


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """A web server that knows no ranges; its URL."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def test_a_web_seed_alone_is_enough(swarm: Swarm, capfd: pytest.CaptureFixture[str]) -> None:
    """Without a port that others could connect to, too."""
    with web_server(swarm.source.parent) as url:
        assert main(swarm.get("--listen", "127.0.0.1", "--web-seed", url)) == 0
    assert capfd.readouterr().out.startswith("Complete: ")
    assert swarm.arrived()


def test_web_seeds_of_the_torrent_are_used_unless_that_is_forbidden(
    swarm: Swarm, capfd: pytest.CaptureFixture[str]
) -> None:
    with web_server(swarm.source.parent) as url:
        swarm.torrent.write_bytes(replace(swarm.metainfo, web_seeds=(url,)).to_bytes())
        assert main(swarm.get("--listen", "127.0.0.1", "--no-web-seeds")) == 6
        assert "names no tracker" in capfd.readouterr().err
        assert main(swarm.get("--listen", "127.0.0.1")) == 0
    assert swarm.arrived()


def test_a_web_seed_of_a_link_is_used_when_the_metadata_is_known(tmp_path: Path) -> None:
    """Also in another run, when nobody is there but the web server."""
    swarm = Swarm(tmp_path)
    with web_server(swarm.source.parent) as url:
        link = replace(swarm.metainfo, web_seeds=(url,)).to_magnet().to_uri()
        words = ["get", link, "-d", str(swarm.target), "--down-limit", "100k", *LOCAL]
        with swarm.seeded() as seed, start(*words, "--json", *seed) as first:
            assert first.stdout is not None
            for line in first.stdout:
                if json.loads(line)["event"] == "metadata":
                    first.send_signal(signal.SIGINT)
                    break
            first.communicate(timeout=30)
        assert main(["get", link, "-d", str(swarm.target), *LOCAL]) == 0
    assert swarm.arrived()


def test_a_web_seed_that_does_not_answer_is_told(swarm: Swarm, capfd: pytest.CaptureFixture[str]) -> None:
    ailing = "web seed http://127.0.0.1:1/: 127.0.0.1:1: the connection was refused; asking again in"
    with start(*swarm.get("--web-seed", "http://127.0.0.1:1/", *LOCAL)) as process:
        assert process.stderr is not None
        while ailing not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert main(swarm.get("--web-seed", "ftp://127.0.0.1/", *LOCAL)) == 2
    assert "http or https URL" in capfd.readouterr().err


def test_metadata_alone_becomes_a_torrent_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Which is enough to go on with; a URL of one is saved likewise."""
    swarm = Swarm(tmp_path)
    link = swarm.metainfo.to_magnet().to_uri()
    with swarm.seeded() as seed:
        assert main(["get", link, "-d", str(tmp_path / "kept"), "--metadata-only", *LOCAL, *seed]) == 0
        out = capfd.readouterr().out
        assert out == f"Saved: {tmp_path / 'kept' / 'a.bin.torrent'} (leads to 1.2 MiB)\n"
        assert [path.name for path in (tmp_path / "kept").iterdir()] == ["a.bin.torrent"]
        assert main(["get", str(tmp_path / "kept" / "a.bin.torrent"), "-d", str(swarm.target), *LOCAL, *seed]) == 0
    assert swarm.arrived()
    capfd.readouterr()
    with answering(200, swarm.torrent.read_bytes()) as url:
        assert main(["get", url, "-d", str(tmp_path / "url"), "--metadata-only", "--json", *LOCAL]) == 0
    (saved,) = events_of(capfd.readouterr().out)
    assert (saved["event"], saved["path"]) == ("saved", str(tmp_path / "url" / "a.bin.torrent"))
    (tmp_path / "url" / "a.bin.torrent").write_bytes(b"mine")
    with answering(200, swarm.torrent.read_bytes()) as url:
        assert main(["get", url, "-d", str(tmp_path / "url"), "--metadata-only", *LOCAL]) == 13


def test_metadata_that_does_not_come_is_not_saved(tmp_path: Path) -> None:
    with start("get", "ab" * 20, "-d", str(tmp_path / "kept"), "--metadata-only", "--no-dht", *LOCAL) as process:
        assert process.stderr is not None
        while "waiting for peers" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=10)
    assert (process.returncode, out) == (7, "Unfinished: the metadata has not come; nothing was saved\n")
    assert not (tmp_path / "kept").exists()


def test_a_link_with_a_torrent_file_and_a_web_seed_is_enough(swarm: Swarm, capfd: pytest.CaptureFixture[str]) -> None:
    with web_server(swarm.source.parent) as files, web_server(swarm.torrent.parent) as torrents:
        link = replace(swarm.metainfo.to_magnet(), web_seeds=(files,), exact_sources=(f"{torrents}a.torrent",))
        words = ["get", link.to_uri(), "-d", str(swarm.target), "--listen", "127.0.0.1", "--no-dht"]
        assert main([*words, "--no-web-seeds"]) == 6
        assert "names no tracker" in capfd.readouterr().err
        assert main(words) == 0
    assert swarm.arrived()


def test_a_link_with_a_web_seed_alone_can_not_begin(swarm: Swarm, capfd: pytest.CaptureFixture[str]) -> None:
    with web_server(swarm.source.parent) as url:
        link = replace(swarm.metainfo.to_magnet(), web_seeds=(url,)).to_uri()
        assert main(["get", link, "-d", str(swarm.target), "--listen", "127.0.0.1", "--no-dht"]) == 6
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "a.bin: web seeds do not tell what it is made of" in said


def test_a_torrent_file_that_is_not_there_is_told(
    swarm: Swarm, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The next place that the link names has it."""
    with answering(404, b"") as url, web_server(tmp_path) as here:
        places, web_seeds = (f"{url}.torrent", f"{here}a.torrent"), (f"{here}src/",)
        link = replace(swarm.metainfo.to_magnet(), web_seeds=web_seeds, exact_sources=places).to_uri()
        assert main(["get", link, "-d", str(swarm.target), *LOCAL]) == 0
    said = capfd.readouterr().err
    assert f"torrent file {url}.torrent: the server answered with HTTP status 404; asking again in 1:00" in said


def test_the_link_chooses_files_unless_the_user_does(tmp_path: Path) -> None:
    swarm = Swarm(tmp_path, content=album(tmp_path / "src" / "album"))
    link = f"{swarm.metainfo.to_magnet().to_uri()}&so=0"
    with swarm.seeded() as seed:
        assert main(["get", link, "-d", str(tmp_path / "link"), *LOCAL, *seed]) == 0
        assert main(["get", link, "-d", str(tmp_path / "user"), "--select-file", "3", *LOCAL, *seed]) == 0
    names = [sorted(path.name for path in (tmp_path / into).rglob("*.bin")) for into in ("link", "user")]
    assert names == [["one.bin"], ["c.bin"]]


def test_a_link_with_nothing_but_a_peer_is_enough(swarm: Swarm) -> None:
    with swarm.seeded() as seed:
        link = Magnet(swarm.metainfo.info.info_hash_v1, peers=(seed[1],)).to_uri()
        assert main(["get", link, "-d", str(swarm.target), "--listen", "127.0.0.1", "--no-dht", "--no-lsd"]) == 0
    assert swarm.arrived()


class Terminal(StringIO):
    """Standard input with somebody at it."""

    def isatty(self) -> bool:
        return True


def test_files_are_chosen_at_the_terminal_before_anything_comes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    swarm = Swarm(tmp_path, content=album(tmp_path / "src" / "album"))
    link = swarm.metainfo.to_magnet().to_uri()
    monkeypatch.setattr(sys, "stdin", Terminal("9\n3\n"))
    with swarm.seeded() as seed:
        assert main(["get", link, "--choose", "-d", str(swarm.target), *LOCAL, *seed]) == 0
    assert [path.name for path in swarm.target.rglob("*.bin")] == ["c.bin"]
    said = capfd.readouterr().err
    assert "3    68.4 KiB  two/c.bin\n" in said
    assert "there is no file 9: the torrent has 4" in said


def test_nobody_is_asked_without_a_terminal(swarm: Swarm, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(swarm.get("--choose", *LOCAL)) == 2
    assert "--choose asks on a terminal" in capfd.readouterr().err
