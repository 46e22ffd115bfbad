"""The library in a real notebook kernel: `bittern.sync`, and `await` at the top of a cell."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
NEEDED = ("ipykernel", "nbclient")

RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""

LEFT = """
import threading
[thread.name for thread in threading.enumerate() if thread.name.startswith("bittern")]
"""


@pytest.fixture(autouse=True)
def _installed() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing and os.environ.get("BITTERN_CI"):
        pytest.fail(f"{missing} not installed, and BITTERN_CI is set")
    if missing:
        pytest.skip(f"{missing} not installed: pip install -e '.[notebook]'")


def cell(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": "more", "execution_count": None, "metadata": {}, "outputs": [], "source": source}


def executed(folder: Path, *more: str) -> list[str]:
    """What the cells of the notebook in docs/, and `more`, show when a kernel runs them."""
    notebook = json.loads((ROOT / "docs" / "guide" / "notebook.ipynb").read_text())
    notebook["cells"] += map(cell, more)
    (folder / "in.ipynb").write_text(json.dumps(notebook))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(folder), "JUPYTER_PLATFORM_DIRS": "1"}
    words = [sys.executable, "-c", RUN, str(folder / "in.ipynb"), str(folder / "out.ipynb")]
    done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return [shown(each) for each in json.loads((folder / "out.ipynb").read_text())["cells"] if "outputs" in each]


def shown(cell: dict[str, Any]) -> str:
    parts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"]]
    return "".join("".join(part) for part in parts)


def test_every_cell_of_the_notebook_works_in_a_kernel_and_leaves_no_thread(tmp_path: Path) -> None:
    assert executed(tmp_path, LEFT) == [
        "",
        "<State.SEEDING: 'seeding'>",
        "Completed()\n1024000",
        "",
        "True",
        "",
        "[]",
    ]
