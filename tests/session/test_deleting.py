from pathlib import Path

from bittern.io.disk.handles import Handles
from bittern.session.content import Content
from bittern.session.deleting import delete_content
from tests.session.rig import album, fill, torrent


def test_listed_files_and_emptied_folders_go(tmp_path: Path) -> None:
    content = Content(torrent(album(tmp_path / "d" / "album")).info, tmp_path / "d", Handles(), None, None)
    delete_content(content)
    assert list((tmp_path / "d").iterdir()) == []
    delete_content(content)


def test_what_is_not_listed_stays(tmp_path: Path) -> None:
    root = album(tmp_path / "album")
    content = Content(torrent(root).info, tmp_path, Handles(), None, None)
    fill(root / "two" / "mine.txt", 5)
    (root / "empty folder of mine").mkdir()
    delete_content(content)
    assert sorted(p.name for p in root.rglob("*")) == ["empty folder of mine", "mine.txt", "two"]


def test_no_link_is_followed(tmp_path: Path) -> None:
    root = album(tmp_path / "album")
    content = Content(torrent(root).info, tmp_path, Handles(), None, None)
    (root / "two").rename(tmp_path / "elsewhere")
    (root / "two").symlink_to(tmp_path / "elsewhere")
    kept = fill(tmp_path / "kept", 5)
    (root / "one.bin").unlink()
    (root / "one.bin").symlink_to(kept)
    delete_content(content)
    assert sorted(p.name for p in (tmp_path / "elsewhere").iterdir()) == ["b.bin", "c.bin", "empty.txt"]
    assert kept.exists()
    assert (root / "one.bin").is_symlink()


def test_a_single_file_leaves_its_folder(tmp_path: Path) -> None:
    path = fill(tmp_path / "d" / "a.bin", 1000)
    delete_content(Content(torrent(path).info, tmp_path / "d", Handles(), None, None))
    assert list((tmp_path / "d").iterdir()) == []
