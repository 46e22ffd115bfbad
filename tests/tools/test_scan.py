import os
import socket
from pathlib import Path

import pytest

from bittern.tools.scan import MAX_DEPTH, ContentError, Symlinks, scan


def _tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def test_files_come_in_the_order_of_their_path_components(tmp_path: Path) -> None:
    """BEP 52 sorts the keys of each folder, so that `a/z` stands before `a.txt` although `.` < `/`."""
    _tree(tmp_path, "b", "a.txt", "a/z", "a/B", "é", "Z", "\U0001f600", "\uffee")
    found = [file.shown for file in scan(tmp_path).files]
    assert found == ["Z", "a/B", "a/z", "a.txt", "b", "é", "\uffee", "\U0001f600"]


def test_a_single_file_is_its_own_root(tmp_path: Path) -> None:
    _tree(tmp_path, "film.mkv")
    content = scan(tmp_path / "film.mkv")
    assert (content.name, content.multi_file) == ("film.mkv", False)
    assert [(file.parts, file.size) for file in content.files] == [(("film.mkv",), 8)]


def test_attributes_are_those_of_the_file_system(tmp_path: Path) -> None:
    _tree(tmp_path, "run", ".hidden", ".folder/plain")
    (tmp_path / "run").chmod(0o755)
    found = {file.shown: (file.executable, file.hidden) for file in scan(tmp_path).files}
    assert found == {"run": (True, False), ".hidden": (False, True), ".folder/plain": (False, False)}


def test_links_are_followed_kept_or_skipped(tmp_path: Path) -> None:
    root = _tree(tmp_path / "root", "folder/file")
    (root / "link").symlink_to("folder/file")
    (root / "alias").symlink_to("folder")
    assert [file.shown for file in scan(root).files] == ["alias/file", "folder/file", "link"]
    kept = {file.shown: file.symlink for file in scan(root, symlinks=Symlinks.KEEP).files}
    assert kept == {"alias": ("folder",), "folder/file": None, "link": ("folder", "file")}
    assert [file.shown for file in scan(root, symlinks=Symlinks.SKIP).files] == ["folder/file"]


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "nowhere", "."])
def test_a_link_that_leads_out_is_not_kept(tmp_path: Path, target: str) -> None:
    root = _tree(tmp_path / "root", "file")
    _tree(tmp_path, "outside")
    (root / "link").symlink_to(target)
    with pytest.raises(ContentError, match="link leads out"):
        scan(root, symlinks=Symlinks.KEEP)


def test_a_link_that_leads_nowhere_is_refused_with_its_path(tmp_path: Path) -> None:
    _tree(tmp_path, "file")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ContentError, match="link: the link leads nowhere"):
        scan(tmp_path)


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    _tree(tmp_path, "folder/file")
    (tmp_path / "folder" / "up").symlink_to("..")
    with pytest.raises(ContentError, match="leads back"):
        scan(tmp_path)


def test_the_same_folder_twice_is_no_loop(tmp_path: Path) -> None:
    _tree(tmp_path, "a/file")
    (tmp_path / "b").symlink_to("a")
    assert [file.shown for file in scan(tmp_path).files] == ["a/file", "b/file"]


def test_excluded_folders_are_not_entered(tmp_path: Path) -> None:
    _tree(tmp_path, "keep", "cache/x", "cache/y")
    asked: list[str] = []

    def excluded(name: str) -> bool:
        asked.append(name)
        return name == "cache"

    assert [file.shown for file in scan(tmp_path, excluded=excluded).files] == ["keep"]
    assert sorted(asked) == ["cache", "keep"]


def test_a_folder_without_files_makes_no_torrent(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ContentError, match="no file"):
        scan(tmp_path)


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).write_text("x")
    with pytest.raises(ContentError, match="not UTF-8"):
        scan(tmp_path)


def test_sockets_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("talk")
        with pytest.raises(ContentError, match="talk: not a regular file"):
            scan(tmp_path)
        with pytest.raises(ContentError, match="talk: neither a file nor a folder"):
            scan(tmp_path / "talk")


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        scan(tmp_path / "gone")


def test_folders_too_deep_for_a_file_tree_are_refused(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * (MAX_DEPTH + 1))
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    with pytest.raises(ContentError, match="folders deep"):
        scan(tmp_path)


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    _tree(tmp_path, "file")
    (file,) = scan(tmp_path).files
    assert file.unchanged()
    os.utime(tmp_path / "file", ns=(1, 1))
    assert not file.unchanged()
    (tmp_path / "file").unlink()
    assert not file.unchanged()
