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
        own = {"BITTERN_DHT_ROUTER": router, "BITTERN_LISTEN": "127.0.0.1", "PYTHONPATH": str(ROOT / "src")}
        for line in lines:
            words |= dict.fromkeys(("TARGET", "PUBLIC_KEY"), said.strip())
            asked = [words.get(word, word) for word in shlex.split(line, comments=True)[1:]]
            command = [sys.executable, "-m", "bittern", *asked]
            if "node" in asked:
                command[-1] = "0"  # the port
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | own) as job:
                assert job.stdout is not None
                if "node" in asked:
                    assert job.stdout.readline().startswith("IPv4 node on UDP port ")
                    job.send_signal(signal.SIGINT)
                said, _ = job.communicate(timeout=SECONDS)
            nobody_yet = line.startswith("bittern dht lookup")
            assert job.returncode == (3 if nobody_yet else 0), line
            assert said or nobody_yet or "node" in asked, line
