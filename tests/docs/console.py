"""The tutorial's pages, acted out: every command and program in them is run, and what they print is put in its place.

`python -m tests.docs.console` writes what is printed now into docs/how-it-works. All of it runs in a network namespace
of its own, so that the ports are those that the pages name.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from threading import Thread
from typing import IO, Self

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "how-it-works").glob("[0-9]*.md"))
SECONDS = 120
NAMESPACE = ("unshare", "--map-root-user", "--net")

_BLOCK = re.compile(r"^```(console|python|text)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_VARIES = (
    (re.compile(r"(2d425a303130302d)[0-9a-f]{24}"), r"\1" + "*" * 24),
    (re.compile(r"peer id: -BZ0100-.*"), "peer id: *"),
    (re.compile(r"(peer_id=-BZ0100-)[0-9a-f]{12}"), r"\1*"),
)
"""What no two runs have in common: the random part of peer ids, in hex and as text."""


def masked(text: str) -> str:
    """A page, or what was printed, without what differs from run to run."""
    for pattern, instead in _VARIES:
        text = pattern.sub(instead, text)
    return text


def acted_out() -> dict[str, str]:
    """Every page as it would be with what is printed now, by its file's name; in a namespace of its own."""
    with TemporaryDirectory() as folder:
        words = [*NAMESPACE, sys.executable, "-m", "tests.docs.console", folder]
        done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, timeout=2 * SECONDS, check=True)
    pages = json.loads(done.stdout)
    assert isinstance(pages, dict)
    return pages


class Stage:
    """A folder with a shell in it; what was started in the background ends with the block.

    Args:
        folder: where it all happens; is the home, too.
    """

    def __init__(self, folder: Path) -> None:
        self._place = folder / "place"
        self._place.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        command = programs / "bittern"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m bittern "$@"\n')
        command.chmod(0o755)
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("BITTERN_", "XDG_"))}
        path = f"{programs}:{kept.get('PATH', os.defpath)}"
        self._environment = {
            **kept,
            "HOME": str(folder),
            "PATH": path,
            "PYTHONPATH": str(ROOT / "src"),
            "COLUMNS": "80",
        }
        self._background = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._background.close()

    def page(self, text: str) -> str:
        """A page with what its blocks print now."""
        out, at, printed = [], 0, None
        for block in _BLOCK.finditer(text):
            between = text[at : block.start()]
            at = block.end()
            kind, body = block[1], block[2]
            if kind == "console":
                body, printed = "".join(self._commands(body)), None
            elif kind == "python":
                printed = self._run([sys.executable, "-c", body])
            elif printed is not None and not between.strip():
                body, printed = printed, None
            out.append(f"{between}```{kind}\n{body}```\n")
        return "".join(out) + text[at:]

    def _commands(self, block: str) -> Iterator[str]:
        for part in re.split(r"^(?=\$ )", block, flags=re.MULTILINE):
            line, _, expected = part.partition("\n")
            if not line:
                continue
            command = line.removeprefix("$ ")
            if command.endswith(" &"):
                yield f"{line}\n{self._begin(command.removesuffix(' &'), expected.count(chr(10)))}"
            else:
                yield f"{line}\n{self._run(['sh', '-c', command])}"

    def _run(self, words: list[str]) -> str:
        done = subprocess.run(
            words,
            cwd=self._place,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return done.stdout

    def _begin(self, command: str, count: int) -> str:
        """Start it, and wait for its first `count` lines."""
        job = subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            cwd=self._place,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._background.callback(_end, job)
        lines: Queue[str] = Queue()
        assert job.stdout is not None
        Thread(target=_read, args=(job.stdout, lines), daemon=True).start()
        return "".join(lines.get(timeout=SECONDS) for _ in range(count))


def _read(output: IO[str], lines: "Queue[str]") -> None:
    for line in output:
        lines.put(line)


def _end(job: "subprocess.Popen[str]") -> None:
    job.kill()
    job.wait()


def main(words: list[str]) -> None:
    """Act the pages out in a folder and print them as JSON; without one, write them where they are."""
    if words:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        with Stage(Path(words[0])) as stage:
            print(json.dumps({page.name: stage.page(page.read_text()) for page in PAGES}))  # noqa: T201 - its answer
        return
    for name, text in acted_out().items():
        page = ROOT / "docs" / "how-it-works" / name
        if masked(text) != masked(page.read_text()):
            page.write_text(text)


def missing_programs() -> list[str]:
    """Those that acting out needs and this machine lacks."""
    return [name for name in ("unshare", "ip") if shutil.which(name) is None]


if __name__ == "__main__":
    main(sys.argv[1:])
