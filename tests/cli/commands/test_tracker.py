import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from bittern.cli.main import main
from tests.tracker.asking import HASH, query

LOCAL = ("--listen", "127.0.0.1", "--http-port", "0", "--udp-port", "0")


linux = pytest.mark.skipif(sys.platform != "linux", reason="workers need Linux")
SEVERAL = pytest.param(("--workers", "2"), id="workers", marks=linux)


@contextmanager
def running(*words: str | Path) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """The command, and the URLs that it says; it must end well."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    command = [sys.executable, "-m", "bittern", "tracker", "--json", *LOCAL, *map(str, words)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            assert said["event"] == "listening"
            yield process, said["announce"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


def until_both(holds: Callable[[], bool]) -> None:
    """Until it holds many times in a row, so whichever worker is asked."""
    row, end = 0, time.monotonic() + 20
    while row < 20:
        assert time.monotonic() < end
        row = row + 1 if holds() else 0


def ask(url: str) -> bytes:
    with urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
    return body


@pytest.mark.parametrize("workers", [(), SEVERAL])
def test_it_serves_until_it_is_stopped_and_finds_its_swarms_again(tmp_path: Path, workers: tuple[str, ...]) -> None:
    state = tmp_path / "swarms"
    with running("--state", state, "--interval", "600", *workers) as (_, urls):
        assert [url.partition(":")[0] for url in urls] == ["http", "udp"]
        assert b"8:intervali600e" in ask(f"{urls[0]}?{query(port=1)}")
    with running("--state", state) as (_, urls):
        assert b"5:peers6:\x7f\0\0\1\0\1" in ask(f"{urls[0]}?{query(port=2)}")


@linux
def test_workers_do_not_outlive_the_command() -> None:
    """Not even when it is killed: nobody could end them, and they would keep its ports."""
    command = [sys.executable, "-m", "bittern", "tracker", "--json", *LOCAL, "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2
        process.kill()
    end = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < end
        time.sleep(0.05)


@linux
def test_workers_that_do_not_stay_alive_end_it_with_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bittern", "tracker", *LOCAL, "--workers", "2", "--state", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 1
    assert "ended at once" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("workers", [(), SEVERAL])
def test_lists_are_read_again_on_a_hang_up(tmp_path: Path, workers: tuple[str, ...]) -> None:
    allow, keys = tmp_path / "allow", tmp_path / "keys"
    allow.write_text(HASH.hex())
    keys.write_text("old\n")
    with running("--allow", allow, "--passkeys", keys, *workers) as (process, urls):
        old, new = (urls[0].replace("/announce", f"/{key}/announce?{query()}") for key in ("old", "new"))
        assert b"interval" in ask(old)
        assert b"unknown passkey" in ask(new)
        assert process.stderr is not None
        keys.write_text("new\n")
        process.send_signal(signal.SIGHUP)
        assert process.stderr.readline() == "bittern: read the lists again\n"
        until_both(lambda: b"unknown passkey" in ask(old))
        assert b"interval" in ask(new)
        keys.write_text("not/a/key\n")
        process.send_signal(signal.SIGHUP)
        assert "no passkey: write letters" in process.stderr.readline()
        assert b"interval" in ask(new)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-http", "--no-udp"], "leave one of them out"),
        (["--http-port", "65536"], "from 0 to 65535"),
        (["--udp-port", "-1"], "from 0 to 65535"),
        (["--listen", "example.org"], "write an IP address"),
        (["--trust-proxy", "nginx"], "--trust-proxy: 'nginx' does not"),
        (["--ip-rate", "-1"], "not negative"),
        (["--interval", "0"], "at least 1"),
        (["--stats", "some"], "stats"),
        (["--workers", "0"], "at least 1"),
        pytest.param(["--workers", "65"], "from 1 to 64", marks=linux),
    ],
)
def test_senseless_flags_are_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tracker", *words]) == 2
    assert said in capsys.readouterr().err


def test_files_that_are_not_as_they_must_be_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tracker", "--allow", str(tmp_path / "none")]) == 3
    (tmp_path / "bad").write_text("xyz\n")
    assert main(["tracker", "--allow", str(tmp_path / "bad")]) == 2
    assert "line 1 is no info hash" in capsys.readouterr().err
