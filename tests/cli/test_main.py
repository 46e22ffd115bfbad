import importlib
import inspect
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from cyclopts import App

from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import COMMANDS, Command, build_app, main
from bittern.codec.bencode import encode
from bittern.version import __version__

SRC = Path(__file__).parents[2] / "src"
PROGRAM = (sys.executable, "-m", "bittern")


def _environ() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(SRC)}


def _bittern(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, env=_environ(), check=False)


@pytest.fixture
def torrent(tmp_path: Path) -> Path:
    """A torrent of so many files that a pipe does not hold the list of them."""
    files = [{"length": 1, "path": [f"{number:05}"]} for number in range(8000)]
    info = {"name": "a", "piece length": 16384, "files": files, "pieces": bytes(20)}
    path = tmp_path / "a.torrent"
    path.write_bytes(encode({"info": info}))
    return path


def test_the_version_is_told() -> None:
    assert main(["--version"]) == ExitCode.OK
    found = _bittern("--version")
    assert (found.returncode, found.stdout, found.stderr) == (0, f"bittern {__version__}\n", "")


def test_help_lists_every_command_without_loading_any() -> None:
    script = (
        "import sys; from bittern.cli.main import main; main(['--help'])\n"
        "loaded = [name for name in sys.modules if name.startswith('bittern.cli.commands.')]\n"
        "assert not loaded, loaded"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=_environ(), check=False)
    assert found.returncode == 0, found.stderr
    for command in COMMANDS:
        assert re.search(rf"\b{command.name}\b +{re.escape(command.summary.split()[0])}", found.stdout)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_is_there_and_says_what_it_does(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    name, target = command.name, command.target
    module, _, attribute = target.partition(":")
    found = getattr(importlib.import_module(f"bittern.cli.commands.{module}"), attribute)
    assert found.help if isinstance(found, App) else inspect.getdoc(found)
    assert main([name, "--help"]) == ExitCode.OK
    assert f"bittern {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["bogus"],
        ["info"],
        ["info", "--bogus", "x"],
        ["info", "a", "b"],
        ["create", "x", "--piece-size", "big"],
        ["create", "x", "--symlinks", "sometimes"],
        ["--config"],
    ],
    ids=" ".join,
)
def test_usage_errors_are_one_line_and_exit_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("bittern: ")
    assert captured.err.count("\n") == 1


def test_an_error_is_one_line_and_with_debug_its_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").write_bytes(b"d3:foo")
    line = re.compile(r"bittern: .*/x: .* at byte 6; .*\n")
    assert main(["info", str(tmp_path / "x")]) == ExitCode.BAD_BENCODE
    assert line.fullmatch(capsys.readouterr().err)
    assert main(["info", "--debug", str(tmp_path / "x")]) == ExitCode.BAD_BENCODE
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert line.fullmatch(err.splitlines(keepends=True)[-1])
    monkeypatch.setenv("BITTERN_DEBUG", "1")
    main(["info", str(tmp_path / "x")])
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_words: Sequence[str], _options: object) -> int:
        raise ValueError("boo\nhoo")

    monkeypatch.setattr("bittern.cli.main._run", broken)
    assert main(["info"]) == ExitCode.OTHER
    assert capsys.readouterr().err == (
        "bittern: internal error, ValueError: boo hoo; this is a bug: run it again with --debug and report it\n"
    )


def test_words_after_two_dashes_are_operands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--", "--debug"]) == ExitCode.NOT_FOUND
    assert "bittern: --debug: no such file" in capsys.readouterr().err


def test_a_broken_config_file_is_refused_with_its_line_and_left_alone(
    tmp_path: Path, torrent: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    config = home / "bittern" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[info]\njson = maybe\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    assert main(["info", str(torrent)]) == ExitCode.USAGE
    assert f"bittern: {config}, line 2: " in capsys.readouterr().err
    assert config.read_text() == "[info]\njson = maybe\n"
    config.write_text("[info]\njson = true\n")
    assert main(["info", str(torrent)]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("{")


def test_a_config_file_that_is_named_must_be_there(
    tmp_path: Path, torrent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(torrent), "--config", str(tmp_path / "gone")]) == ExitCode.NOT_FOUND
    assert f"bittern: {tmp_path / 'gone'}: no such file" in capsys.readouterr().err


def test_a_reader_that_leaves_early_ends_it_quietly(torrent: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "files", torrent], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environ()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == ExitCode.OTHER


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_finds_no_space_is_an_error(torrent: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        found = subprocess.run(
            [*PROGRAM, "files", torrent], stdout=full, stderr=subprocess.PIPE, text=True, env=_environ(), check=False
        )
    assert found.returncode == ExitCode.DISK_FULL
    assert re.fullmatch(r"bittern: standard output: no space left on device; .*\n", found.stderr)


def test_an_interrupt_is_one_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(1 << 40)
    process = subprocess.Popen(
        [*PROGRAM, "create", tmp_path / "big", "-o", tmp_path / "out.torrent", "--piece-size", "128M"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environ(),
    )
    try:
        _wait_for_threads(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (ExitCode.INTERRUPTED, b"", b"bittern: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["big"]


def _wait_for_threads(pid: int) -> None:
    """Until the process hashes."""
    tasks = Path(f"/proc/{pid}/task")
    deadline = time.monotonic() + 30
    while len(list(tasks.iterdir())) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("command", ["info", "files"])
def test_no_hostile_name_moves_the_terminal(tmp_path: Path, command: str) -> None:
    """Under a real terminal no control byte but the line ends comes out, whatever the torrent says."""
    nasty = "".join(map(chr, [*range(1, 0x20), *range(0x7F, 0xA0)])) + "\u202e\u2066\u2028\u200f\x1b]0;owned\x07"
    files = [{"length": 1, "path": [nasty, f"{nasty}{number}"]} for number in range(3)]
    info = {"name": nasty, "piece length": 16384, "files": files, "pieces": bytes(20), "source": nasty}
    outside = {"comment": nasty, "created by": nasty, "announce": f"http://{nasty}/", "url-list": f"http://w/{nasty}"}
    path = tmp_path / "a.torrent"
    path.write_bytes(encode({"info": info, **outside}))
    for extra in ([], ["--json"]):
        text = _under_a_terminal([*PROGRAM, command, str(path), *extra])
        assert text.strip()
        assert not [c for c in text if (ord(c) < 0x20 and c not in "\r\n") or 0x7F <= ord(c) < 0xA0]
        assert not set(text) & set("\u202e\u2066\u2028\u200f")


def _under_a_terminal(words: Sequence[str]) -> str:
    parent, child = pty.openpty()
    process = subprocess.Popen(words, stdout=child, stderr=child, env=_environ())
    os.close(child)
    received = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if not part:
            break
        received += part
    os.close(parent)
    assert process.wait() == 0
    return received.decode()


def test_a_hostile_path_on_the_command_line_is_cleaned_too() -> None:
    found = _bittern("info", "no\x1b[2Jsuch\nfile")
    assert found.returncode == ExitCode.NOT_FOUND
    assert found.stderr == "bittern: no\ufffd[2Jsuch file: no such file or directory; check the path\n"


def test_a_terminal_without_unicode_gets_escapes_not_a_traceback(tmp_path: Path) -> None:
    info = {"name": "größe", "piece length": 16384, "length": 1, "pieces": bytes(20)}
    (tmp_path / "a").write_bytes(encode({"info": info}))
    found = subprocess.run(
        [*PROGRAM, "files", tmp_path / "a"],
        capture_output=True,
        env=_environ() | {"PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert found.returncode == 0
    assert rb"gr\xf6\xdfe" in found.stdout


def test_starting_up_loads_no_network_and_no_rich() -> None:
    """What makes a cold start slow is imports; seconds would measure the machine."""
    script = (
        "import sys; from bittern.cli.main import main\n"
        "assert main(['info', 'ab' * 20]) == 0\n"
        "print(sorted({'asyncio', 'aiohttp', 'rich', 'ssl', 'concurrent.futures', 'tomllib'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=_environ(), check=True)
    assert found.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_examples_of_a_help_page_are_what_the_command_takes(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    app = build_app(Path("nowhere.toml"))
    for example in command.examples:
        words = [command.name, *shlex.split(example)]
        app.parse_args(words, exit_on_error=False, print_error=False)
        app([command.name, "--help"])
        assert f"  bittern {command.name} {example}".rstrip() in capsys.readouterr().out


@pytest.mark.parametrize("name", ["dht", "lab"])
def test_a_command_with_commands_of_its_own_has_examples_and_they_have_not(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = build_app(Path("nowhere.toml"))
    assert main([name, "--help"]) == ExitCode.OK
    _, examples = capsys.readouterr().out.split("Examples:")
    found = [shlex.split(line) for line in examples.splitlines() if line]
    assert len(found) > 1
    for program, *words in found:
        assert (program, words[0]) == ("bittern", name)
        app.parse_args(words, exit_on_error=False, print_error=False)
        assert main([*words[:2], "--help"]) == ExitCode.OK
        assert "Example" not in capsys.readouterr().out


def test_flags_of_the_network_stand_in_a_box_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "--help"]) == ExitCode.OK
    said = capsys.readouterr().out
    own, _, rest = said.partition("─ Network ─")
    network, _, sharing = rest.partition("─ Sharing ─")
    assert "--dir -d DIR" in own
    assert "--peer HOST:PORT..." in network
    assert "--upload-slots N|auto" in sharing


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_pages_say_what_values_are_and_not_how_python_stores_them(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    own = [name for name in build_app(Path("nowhere.toml"))[command.name] if name[0].isalpha()]
    for words in [[command.name, name] for name in own] or [[command.name]]:
        assert main([*words, "--help"]) == ExitCode.OK
        said = capsys.readouterr().out
        assert f"bittern {' '.join(words)}" in said
        assert not re.findall(r"--[a-z-]+ (?:-[a-z] )?(?:STR|INT|FLOAT|TUPLE)\b", said)
