"""What examples show, a strict type checker takes from whoever copies them."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.docs.test_pages import PAGES, ROOT, blocks, named

FRAME = """
import asyncio
from pathlib import Path

import bittern


async def example(session: bittern.Session, torrent: bittern.Torrent) -> None:
"""
"""What examples find round them; those that begin with `import asyncio` are whole programs."""


def test_a_type_checker_takes_the_examples_of_the_library(tmp_path: Path) -> None:
    pages = [ROOT / "README.md", *(page for page in PAGES if page.parent.name in ("guide", "reference"))]
    found = [(f"{named(page).replace('/', '_').replace('-', '_')}_{number}", code)
             for page in pages for number, code in enumerate(blocks(page, "python"))]  # fmt: skip
    found += [(path.stem, path.read_text()) for path in sorted((ROOT / "examples").glob("*.py"))]
    assert len(found) > 30
    for name, code in found:
        whole = "\nimport " in f"\n{code}"
        text = code if whole else FRAME + textwrap.indent(code, "    ")
        (tmp_path / f"{name.lower()}.py").write_text(text)
    checker = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--cache-dir",
        str(ROOT / ".mypy_cache/examples"),
    ]
    done = subprocess.run(
        [*checker, *map(str, sorted(tmp_path.glob("*.py")))],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("Success"), done.stdout + done.stderr
