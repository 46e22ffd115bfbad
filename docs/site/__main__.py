"""Builds the site, or serves it while pages are written."""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from .links import ROOT, DeadLinkError
from .modules import UnknownRoomError
from .names import UnknownNameError
from .navigation import LostPageError, as_toml, navigation
from .staging import sources, stage

BUILD = ROOT / "build"
FAULTS = (DeadLinkError, LostPageError, UnknownNameError, UnknownRoomError)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FOREIGN = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>""")


def prepare(folder: Path) -> Path:
    """Write the pages, and the generator's settings, to a folder; where these are."""
    pages = stage(folder / "docs")
    settings = Path(__file__).with_name("zensical.toml").read_text("utf-8")
    content = settings.replace("{SOURCE}", str(ROOT / "src")) + "\n" + as_toml(navigation(folder / "docs", pages))
    target = folder / "zensical.toml"
    if not target.exists() or target.read_text("utf-8") != content:
        target.write_text(content, "utf-8")
    return target


def build(folder: Path) -> int:
    """Build strictly: whatever the generator, or the reader of docstrings, complains of is an error."""
    words = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(prepare(folder))]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    said = _COLOUR.sub("", done.stdout).partition("Traceback (most recent call last)")[0]
    site = folder / "site"
    pages = sorted(site.rglob("*.html"))
    faults = [f"{page.relative_to(site)}: loads {link}" for page in pages for link in foreign(page)]
    faults += [f"{page}: could not be made" for page in _lost(folder / "docs", site)]
    if done.returncode or faults or "griffe:" in said:
        print(said, *faults, sep="\n", file=sys.stderr)
        return 1
    print(f"{len(pages)} pages, from {site / 'index.html'} on")
    return 0


def _lost(docs: Path, site: Path) -> list[Path]:
    """Pages that the generator left out: it does so, without a word, where an extension of it fails."""
    pages = [page.relative_to(docs) for page in sorted(docs.rglob("*.md"))]
    targets = [
        page.with_name("index.html") if page.name == "README.md" else page.with_suffix(".html") for page in pages
    ]
    return [page for page, target in zip(pages, targets, strict=True) if not (site / target).exists()]


def foreign(page: Path) -> list[str]:
    """What a page would load from elsewhere."""
    return _FOREIGN.findall(page.read_text("utf-8"))


def serve(folder: Path, address: str) -> int:
    """Serve until Ctrl-C; pages are written anew when their sources change."""
    words = [sys.executable, "-m", "zensical", "serve", "-f", str(prepare(folder)), "-a", address]
    with subprocess.Popen(words) as server:
        seen = _times()
        try:
            while server.poll() is None:
                time.sleep(0.5)
                if (times := _times()) != seen:
                    seen = times
                    try:
                        prepare(folder)
                    except FAULTS as error:
                        print(error, file=sys.stderr)
        except KeyboardInterrupt:
            server.terminate()
    return 0


def _times() -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in sources()}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description="Build the documentation.")
    parser.add_argument("--serve", metavar="HOST:PORT", nargs="?", const="127.0.0.1:8000", help="serve it instead")
    parser.add_argument("--into", metavar="FOLDER", type=Path, default=BUILD, help="where to work; build unless given")
    arguments = parser.parse_args()
    folder = arguments.into.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return serve(folder, arguments.serve) if arguments.serve else build(folder)
    except FAULTS as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
