"""The pages of the site, collected from the repository and written to one folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from .commands import filled
from .links import ROOT, TEXTS, DeadLinkError, place, relinked
from .modules import with_modules
from .names import Names

PICTURES = {".svg", ".png", ".css", ".js"}
FIRST = ("docs", "README.md", "ARCHITECTURE.md", "CHANGELOG.md")
"""Where the pages come from; what they link to comes after them."""

_WITHOUT_SEARCH = "---\nsearch:\n  exclude: true\n---\n\n"


def stage(folder: Path, *, fill: Callable[[str], str] = filled) -> list[PurePosixPath]:
    """Write every page to `folder`, which keeps nothing else; pages that are as they were are not touched.

    Args:
        folder: is made.
        fill: puts what the program says of itself into a page.

    Returns:
        the pages, relative to `folder`.

    Raises:
        DeadLinkError: links that lead nowhere, one page a line.
        UnknownNameError: a page speaks of what the library does not have.
    """
    names = Names.of_the_library()
    waiting = [path for first in FIRST for path in _pages(PurePosixPath(first))]
    staged: dict[PurePosixPath, bytes] = {}
    dead: list[str] = []
    while waiting:
        path = waiting.pop()
        where = place(path)
        if where in staged:
            continue
        if path.suffix in PICTURES:
            staged[where] = (ROOT / path).read_bytes()
            continue
        try:
            source = path / "README.md" if (ROOT / path).is_dir() else path
            text, found = relinked(_page(path, fill), source, names.linked if path.parts[0] == "docs" else str)
        except DeadLinkError as error:
            dead.append(str(error))
            continue
        staged[where] = text.encode()
        waiting += sorted(found)
    if dead:
        raise DeadLinkError("\n".join(sorted(dead)))
    _write(folder, staged)
    return sorted(where for where in staged if where.suffix == ".md")


def sources() -> list[Path]:
    """The files that pages are written in."""
    return [ROOT / path for first in FIRST for path in _pages(PurePosixPath(first))]


def _pages(path: PurePosixPath) -> list[PurePosixPath]:
    if not (ROOT / path).is_dir():
        return [path]
    found = (ROOT / path).rglob("*")
    kinds = {".md", ".ipynb", *PICTURES}
    return sorted(PurePosixPath(each.relative_to(ROOT).as_posix()) for each in found if each.suffix in kinds)


def _page(path: PurePosixPath, fill: Callable[[str], str]) -> str:
    """A page for a file or folder of the repository."""
    file = ROOT / path
    if file.is_dir():
        readme = file / "README.md"
        return readme.read_text("utf-8") if readme.exists() else _listing(path)
    text = file.read_text("utf-8")
    if path.suffix == ".md":
        return with_modules(fill(text))
    if path.suffix == ".ipynb":
        return _notebook(text)
    return f"{_WITHOUT_SEARCH}# {path}\n\n````{TEXTS[path.suffix]}\n{text.rstrip()}\n````\n"


def _listing(path: PurePosixPath) -> str:
    shown = sorted(each.name for each in (ROOT / path).iterdir() if each.suffix in {".md", ".py"})
    return f"{_WITHOUT_SEARCH}# {path}\n\n" + "".join(f"- [{name}]({name})\n" for name in shown)


def _notebook(text: str) -> str:
    parts = []
    for cell in json.loads(text)["cells"]:
        said = "".join(cell["source"]).rstrip()
        parts.append(said if cell["cell_type"] == "markdown" else f"```python\n{said}\n```")
    return "\n\n".join(parts) + "\n"


def _write(folder: Path, staged: dict[PurePosixPath, bytes]) -> None:
    if folder.exists():
        for old in sorted(folder.rglob("*"), reverse=True):
            if old.is_file() and PurePosixPath(old.relative_to(folder).as_posix()) not in staged:
                old.unlink()
            elif old.is_dir() and not any(old.iterdir()):
                shutil.rmtree(old)
    for where, content in staged.items():
        target = folder / where
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != content:
            target.write_bytes(content)
