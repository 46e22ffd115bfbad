"""The examples in docs/ run as they stand, page by page, from top to bottom, and print what the pages say."""

import ast
import asyncio
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import isawaitable
from pathlib import Path
from types import FunctionType
from typing import Any
from unittest.mock import ANY

import pytest

import bittern
from tests.docs import prompts
from tests.interop.rigs.process import wait_until
from tests.interop.rigs.tracker import Tracker
from tests.session.nodes import routers
from tests.session.rig import album, change_defaults, seeding, settings, tracking, write_torrent

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(page for folder in (".", "guide", "reference") for page in (DOCS / folder).glob("*.md"))
SECONDS = 60
LASTING = ("bittern seed", "--seed-ratio", "--seed-time")  # until Ctrl-C
LINK = re.compile(r"\]\(([^)#]+)(#[^)]*)?\)")


def blocks(page: Path, kind: str) -> list[str]:
    """The fenced blocks of one kind."""
    return [text for found, text in fenced(page) if found == kind]


def fenced(page: Path) -> list[tuple[str, str]]:
    """All fenced blocks, each with its kind."""
    return re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def named(page: Path) -> str:
    """A page, as tests are called by it."""
    return str(page.relative_to(ROOT).with_suffix("")).removeprefix("docs/")


@contextmanager
def swarm(folder: Path) -> Iterator[tuple[Tracker, str]]:
    """`album.torrent` in the current folder, which a tracker and a seed know; the seed's address."""
    content = album(folder / "elsewhere" / "album")
    with tracking() as tracker:
        meta = write_torrent(content, folder / "album.torrent", tracker.url)
        with seeding(meta, content.parent, folder / "seed-state") as seed:
            tracker.wait_for(lambda announce: announce.left == 0)
            yield tracker, seed


def ports(tracker: Tracker) -> set[int]:
    """Of all who announced themselves."""
    return {announce.port for announce in tracker.announces}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of an example, with its own state; nothing listens beyond this machine."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"BITTERN_LISTEN": "127.0.0.1", "BITTERN_PORT": "0", "PYTHONPATH": str(ROOT / "src")}.items():
        monkeypatch.setenv(name, value)
    change_defaults(monkeypatch, listen=("127.0.0.1",), port=0)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path


async def run(code: str, names: dict[str, Any], page: Path) -> None:
    """One example; it may await at its top."""
    compiled = compile(code, page.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    done = FunctionType(compiled, names)()
    if isawaitable(done):
        await asyncio.wait_for(done, SECONDS)


async def run_all(examples: list[str], source: Path, place: Path) -> None:
    """One after the other. They find an open `session`, a `torrent` that it downloads, and nodes of a table."""
    assert examples
    with swarm(place):
        async with bittern.Session(settings(place / "state")) as session, routers() as tables:
            torrent = await session.add("album.torrent", "downloads")
            await torrent.completed()
            names = {"bittern": bittern, "asyncio": asyncio, "Path": Path, "session": session, "torrent": torrent}
            for code in examples:
                await run(code.replace("127.0.0.1:6881", f"127.0.0.1:{tables[0].ports[False]}"), names, source)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=named)
async def test_python_examples_run(page: Path, place: Path) -> None:
    await run_all(blocks(page, "python"), page, place)


async def test_examples_in_docstrings_run(place: Path) -> None:
    """Each with a folder of its own to download to."""
    sources = sorted((ROOT / "src").rglob("*.py"))
    fence = re.compile(r"^ *```python\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
    found = [text for path in sources for text in fence.findall(path.read_text())]
    examples = [
        textwrap.dedent(text).replace('"downloads"', f'"downloads {number}"') for number, text in enumerate(found)
    ]
    assert len(examples) > 5
    await run_all(examples, ROOT / "docstrings", place)


def run_tracker(words: list[str]) -> None:
    """Serves until Ctrl-C."""
    environment = {**os.environ, "BITTERN_HTTP_PORT": "0", "BITTERN_UDP_PORT": "0"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as job:
        assert job.stdout is not None
        assert job.stdout.readline().startswith("Announce to http://127.0.0.1:")
        job.send_signal(signal.SIGINT)
        assert job.wait(SECONDS) == 0


def run_lasting(words: list[str], tracker: Tracker) -> None:
    """Shares until Ctrl-C, which comes when it has announced itself."""
    known = ports(tracker)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as job:
        assert wait_until(lambda: ports(tracker) > known, SECONDS)
        job.send_signal(signal.SIGINT)
        said, _ = job.communicate(timeout=SECONDS)
    assert job.returncode == 0, said.decode()


def run_commands(lines: list[str], tracker: Tracker) -> None:
    """Each must succeed. Those that share go on until Ctrl-C."""
    assert lines
    for line in lines:
        words = [sys.executable, "-m", "bittern", *shlex.split(line, comments=True)[1:]]
        if line.startswith("bittern tracker"):
            run_tracker(words)
        elif any(word in line for word in LASTING):
            run_lasting(words, tracker)
        else:
            assert prompts.run(line) == (0, ANY), line


@pytest.mark.parametrize("page", [page for page in PAGES if {"sh", "console"} & dict(fenced(page)).keys()], ids=named)
def test_commands_run(page: Path, place: Path) -> None:
    """Those of `sh` blocks succeed; those of `console` blocks print what the page shows below them."""
    with swarm(place) as (tracker, seed):
        for kind, text in fenced(page):
            said = text.replace("127.0.0.1:51413", seed)
            lines = [line for line in said.splitlines() if line.startswith(("bittern ", "echo "))]
            if kind == "console":
                assert prompts.shown(said) == []
            elif kind == "sh" and lines:
                run_commands(lines, tracker)


def test_what_the_readme_says_runs(place: Path) -> None:
    """Its commands, and its program as a file of its own."""
    readme = ROOT / "README.md"
    lines = [line for line in readme.read_text().splitlines() if line.startswith(".venv/bin/bittern ")]
    album(place / "folder")
    with swarm(place) as (tracker, seed):
        (place / "album.torrent").rename(place / "some.torrent")
        run_commands([line.removeprefix(".venv/bin/").replace("127.0.0.1:51413", seed) for line in lines], tracker)
        (program,) = blocks(readme, "python")
        program = program.replace('"downloads"', '"by program"')
        words = [sys.executable, "-c", program]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS)
        assert done.stdout == "album is complete and verified\n"
        one_line = "import bittern; bittern.download('some.torrent', into='by one line')"
        assert 'bittern.download("some.torrent", into="downloads")' in readme.read_text()
        subprocess.run([sys.executable, "-c", one_line], check=True, timeout=SECONDS)
    for into in ("downloads", "by program", "by one line"):
        assert (place / into / "album" / "one.bin").read_bytes() == (place / "folder" / "one.bin").read_bytes()


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *DOCS.rglob("*.md")], ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target, _ in LINK.findall(page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *DOCS.rglob("*.md")], ids=named)
def test_files_that_are_named_are_there(page: Path) -> None:
    places = re.findall(r"`((?:tests|bench|fuzz|drill|examples|docs|src)/[\w./-]+?)(?:::\w+)?`", page.read_text())
    gone = [place for place in places if not (ROOT / place).exists()]
    assert gone == [] or page.name == "CHANGELOG.md"


def test_the_changelog_says_nothing_twice() -> None:
    """Merges are good at bringing back what was moved."""
    lines = [line[:60] for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("- ")]
    assert sorted(set(lines)) == sorted(lines)


def test_every_package_is_named_in_the_architecture() -> None:
    """A stranger finds the room for a change there."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    base = ROOT / "src" / "bittern"
    rooms = [str(path.parent.relative_to(base)) for path in base.rglob("__init__.py")][1:]
    assert len(rooms) > 10
    assert [room for room in sorted(rooms) if f"`{room}/`" not in text] == []
