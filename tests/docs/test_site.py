"""The documentation as a site: what is put into its pages on the way, and that it builds without a complaint."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import pytest

from docs.site.__main__ import foreign
from docs.site.commands import PARTS, filled
from docs.site.links import DeadLinkError, place, relinked
from docs.site.modules import PACKAGE, UnknownRoomError, with_modules
from docs.site.names import PUBLIC, Names, UnknownNameError
from docs.site.navigation import Entry, LostPageError, as_toml, navigation
from docs.site.staging import stage

ROOT = Path(__file__).parents[2]
PAGE = PurePosixPath("docs/guide/dht.md")
SECONDS = 300


def links(text: str, source: PurePosixPath = PAGE, code: Callable[[str], str] = str) -> str:
    return relinked(text, source, code)[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site."""
    missing = [name for name in ("zensical", "mkdocstrings_handlers") if find_spec(name) is None]
    if missing and os.environ.get("BITTERN_CI"):
        pytest.fail(f"{missing} not installed, and BITTERN_CI is set")
    if missing:
        pytest.skip(f"{missing} not installed: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("build")
    words = [sys.executable, "-m", "docs.site", "--into", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.mark.timeout(SECONDS)
def test_the_reference_has_every_public_name(site: Path) -> None:
    text = "".join(page.read_text() for page in (site / "reference").glob("*.html"))
    places = set(re.findall(r'id="?(bittern[\w.]*)', text))
    names = [f"{module}.{name}" for module in PUBLIC for name in import_module(module).__all__ if name[0] != "_"]
    assert [name for name in names if name not in places] == []


@pytest.mark.timeout(SECONDS)
def test_pages_that_are_opened_from_the_disk_have_what_their_search_needs(site: Path) -> None:
    """Browsers read no JSON from there, and make no worker of a file."""
    assert (site / "search.js").exists()
    page = site / "guide" / "downloading.html"
    [found] = re.findall(r'<script src="?([^"> ]*iframe-worker[^"> ]*)', page.read_text())
    assert (page.parent / found).exists()


@pytest.mark.timeout(SECONDS)
def test_names_in_guides_lead_to_the_reference(site: Path) -> None:
    page = (site / "guide" / "downloading.html").read_text()
    assert re.search(r'href="?\.\./reference/settings\.html#bittern\.Settings\.sequential"?', page)


@pytest.mark.parametrize(
    ("link", "there"),
    [
        ("[a](limits.md)", "[a](limits.md)"),
        ("[a](limits.md#bans)", "[a](limits.md#bans)"),
        ("[a](../adr/0051-rc4-in-one-slab.md)", "[a](../adr/0051-rc4-in-one-slab.md)"),
        ("[a](../adr)", "[a](../adr/README.md)"),
        ("[a](notebook.ipynb)", "[a](notebook.md)"),
        ("[a](../../bench/dht.py)", "[a](../project/bench/dht.py.md)"),
        ("[a](../../bench/results)", "[a](../project/bench/results/README.md)"),
        ("[a](../../README.md#works-with)", "[a](../project/README.md#works-with)"),
        ("![a](../img/get.svg)", "![a](../img/get.svg)"),
        ("[a](https://example.org/x.md)", "[a](https://example.org/x.md)"),
        ("[a](#ports)", "[a](#ports)"),
        ("`[a](nothing.md)`", "`[a](nothing.md)`"),
        ("```\n[a](nothing.md)\n```\n", "```\n[a](nothing.md)\n```\n"),
    ],
)
def test_a_link_of_the_repository_is_one_of_the_site(link: str, there: str) -> None:
    assert links(link) == there


def test_pages_that_are_moved_take_their_links_along() -> None:
    assert links("![a](docs/img/get.svg)", PurePosixPath("README.md")) == "![a](../img/get.svg)"
    assert links("[a](docs/guide/dht.md#ports)", PurePosixPath("CHANGELOG.md")) == "[a](../guide/dht.md#ports)"


@pytest.mark.parametrize("target", ["nothing.md", "../dht.md", "../../../../etc/passwd", "../../"])
def test_a_link_to_nothing_is_an_error_that_names_page_and_link(target: str) -> None:
    with pytest.raises(DeadLinkError, match="leads"):
        links(f"[a]({target})")


def test_names_of_the_library_lead_to_the_reference() -> None:
    names = Names.of_the_library()
    assert names.linked("`Session.add`") == "[`Session.add`][bittern.Session.add]"
    assert names.linked("`Torrent.completed()`") == "[`Torrent.completed()`][bittern.Torrent.completed]"
    assert names.linked("`Settings.sequential`") == "[`Settings.sequential`][bittern.Settings.sequential]"
    assert names.linked("`bittern.dht.ROUTERS`") == "`bittern.dht.ROUTERS`"
    assert names.linked("`Status.peers`") == "[`Status.peers`][bittern.Status]"
    assert names.linked("`session.add`") == "`session.add`"
    with pytest.raises(UnknownNameError, match=r"Session\.ad:"):
        names.linked("`Session.ad`")


def test_names_in_headings_and_links_stay_as_they_are() -> None:
    linked = Names.of_the_library().linked
    for text in ("## `Session.add`\n", "[`Session.add`](limits.md)\n"):
        assert links(text, code=linked) == text


def test_the_index_is_the_order_of_the_pages(tmp_path: Path) -> None:
    pages = {
        "README.md": "# x\n\n- [a](a.md): first\n\n## Two\n\n- [b](b/README.md)\n- [a](https://example.org/y.md)\n"
        "- [e](e.md)\n"
        "\n## Three\n\n- [f](f/README.md)\n\n## Four\n\nNothing.\n",
        "a.md": "# A\n",
        "e.md": "",
        "f/README.md": "",
        "b/README.md": "# Many\n\n1. [c](c.md)\n\n| | page |\n|--|--|\n| 1 | [d](d.md) |\n",
        "b/c.md": "",
        "b/d.md": "",
    }
    for name, text in pages.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    known = [PurePosixPath(name) for name in pages]
    found = navigation(tmp_path, [*known, PurePosixPath("project/README.md")])
    many: Entry = {"Many": ["b/README.md", "b/c.md", "b/d.md"]}
    assert found == ["README.md", "a.md", {"Two": [many, "e.md"]}, {"Three": ["f/README.md"]}]
    assert as_toml(found[2:3]) == (
        '[[project.nav]]\n"Two" = [{ "Many" = ["b/README.md", "b/c.md", "b/d.md"] }, "e.md"]\n'
    )
    with pytest.raises(LostPageError, match=r"lost\.md"):
        navigation(tmp_path, [*known, PurePosixPath("lost.md")])


def test_pages_that_did_not_change_are_left_alone_and_lost_ones_go(tmp_path: Path) -> None:
    pages = stage(tmp_path)
    assert navigation(tmp_path, pages)
    before = {page: (tmp_path / page).stat().st_mtime_ns for page in pages}
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "page.md").write_text("gone")
    assert stage(tmp_path) == pages
    assert {page: (tmp_path / page).stat().st_mtime_ns for page in pages} == before
    assert not (tmp_path / "old").exists()


def test_a_room_is_a_table_of_what_its_modules_are_for() -> None:
    text = with_modules("# Base\n\n<!-- the modules: base, wire/utp -->\n")
    assert "| `geometry.py` | The only place with piece arithmetic:" in text
    assert "\n**`wire/utp/`** uTP, the transport over UDP" in text
    with pytest.raises(UnknownRoomError, match="cellar"):
        with_modules("<!-- the modules: cellar -->")


def test_every_room_is_on_a_design_page() -> None:
    named = "".join(page.read_text() for page in (ROOT / "docs" / "design").glob("*.md"))
    listed = {room.strip() for rooms in re.findall(r"<!-- the modules: (.*) -->", named) for room in rooms.split(",")}
    rooms = {str(path.parent.relative_to(PACKAGE)) for path in PACKAGE.rglob("__init__.py")}
    assert rooms - listed == {"."}


def test_the_program_says_what_it_does() -> None:
    text = filled("# Commands\n\n<!-- the program: exit_codes -->\n\n<!-- the program: commands -->\n")
    assert "| 7 | It was interrupted, and everything is saved:" in text
    for heading in ("## bittern get", "## bittern tracker", "### bittern dht put"):
        assert f"\n{heading}\n" in text, heading
    assert "--down-limit" in text
    assert "| `--down-limit` | `BITTERN_DOWN_LIMIT` | `down-limit` | get, seed, files |" in PARTS["settings"]()


def test_what_a_page_would_load_from_elsewhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<script src="//cdn.example/x.js"></script><link rel=icon href="../x"><a href="https://b.example">')
    assert foreign(page) == ['<script src="//cdn.example/x.js">']


def test_no_two_files_share_a_place_on_the_site() -> None:
    files = [PurePosixPath(path.relative_to(ROOT).as_posix()) for path in (ROOT / "docs").rglob("*.*")]
    assert len({place(path) for path in files}) == len(files)
