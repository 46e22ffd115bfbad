"""The commands of docs/guide/dht.md run as they stand, one after the other, in a table of a few nodes."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.table import nodes
from tests.docs import prompts

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guide" / "dht.md").read_text()
SECONDS = 60


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.search(r"^```\n(bittern dht .*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert block is not None
    lines = block[1].splitlines()
    assert len(lines) > 8
    monkeypatch.chdir(tmp_path)
    said, words = "", {"INFO_HASH": "ab" * 20, "PORT": "7000"}
    with nodes() as router:
        for name, value in {"DHT_ROUTER": router, "LISTEN": "127.0.0.1"}.items():
            monkeypatch.setenv(f"BITTERN_{name}", value)
        for line in lines:
            stored = re.search(r"^[0-9a-f]{40,64}$", said, re.MULTILINE)  # beside what is said on stderr
            words |= dict.fromkeys(("TARGET", "PUBLIC_KEY"), stored[0] if stored else "")
            asked = [words.get(word, word) for word in shlex.split(line, comments=True)[1:]]
            if "node" in asked:
                be_a_node(asked[:-1])
                continue
            status, said = prompts.run(shlex.join(["bittern", *asked]))
            nobody_yet = line.startswith("bittern dht lookup")
            assert status == (3 if nobody_yet else 0), line
            assert said, line


def be_a_node(words: list[str]) -> None:
    """Until Ctrl-C, at any free port."""
    command = [sys.executable, "-m", "bittern", *words, "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as job:
        assert job.stdout is not None
        assert job.stdout.readline().startswith("IPv4 node on UDP port ")
        job.send_signal(signal.SIGINT)
        job.communicate(timeout=SECONDS)
    assert job.returncode == 0
