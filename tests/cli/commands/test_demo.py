import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bittern.cli.main import main


def test_the_demo_downloads_verifies_and_cleans_up(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    command = [sys.executable, "-m", "bittern", "demo", "--size", "2M"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    assert [line[:2] for line in lines[:4]] == ["1.", "2.", "3.", "4."]
    assert lines[4].startswith("Complete: ")
    assert lines[5].startswith("5. Read back and hashed again: all ")
    assert lines[6].startswith("Done in ")
    assert list(tmp_path.iterdir()) == []


def test_a_demo_without_space_for_its_files_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert main(["demo"]) == 3
    assert "none" in capsys.readouterr().err
