import os
from pathlib import Path

import pytest

from bittern.base.bitfield import Bitfield
from bittern.base.errors import SessionError, StorageError
from bittern.codec.layers import Layers
from bittern.codec.metainfo import Info
from bittern.codec.resume import FileStamp
from bittern.io.disk.handles import Handles
from bittern.session.content import Content
from bittern.tools.create import Version
from tests.session.rig import PIECE, album, fill, torrent


def content_of(info: Info, folder: Path, **options: object) -> Content:
    return Content(info, folder, Handles(), options.get("select"), options.get("content"))  # type: ignore[arg-type]  # as given


def test_bytes_count_without_pads_and_without_what_is_not_wanted(tmp_path: Path) -> None:
    info = torrent(album(tmp_path / "album"), version=Version.HYBRID).info
    assert info.total_length > info.total_size
    content = content_of(info, tmp_path)
    everything = Bitfield.full(info.geometry.piece_count)
    assert content.total_bytes == content.bytes_in(everything) == 170_011
    assert sum(content.bytes_of(piece) for piece in everything) == 170_011
    only_first = content_of(info, tmp_path, select=[0])
    assert only_first.total_bytes == 100_000
    assert only_first.bytes_in(everything) == 100_000
    assert only_first.bytes_of(info.geometry.piece_count - 1) == 0


def test_without_pads_wanted_pieces_hold_bytes_of_other_files(tmp_path: Path) -> None:
    info = torrent(album(tmp_path / "album")).info
    content = content_of(info, tmp_path, select=[1])
    assert list(content.wanted) == [100_000 // PIECE]
    assert content.total_bytes == PIECE


def test_a_file_that_is_not_there_can_not_be_selected(tmp_path: Path) -> None:
    info = torrent(album(tmp_path / "album")).info
    with pytest.raises(SessionError, match="no file 5: the torrent has 4"):
        content_of(info, tmp_path, select=[4])


def test_a_torrent_of_version_2_alone_counts_no_gaps(tmp_path: Path) -> None:
    meta = torrent(album(tmp_path / "album"), version=Version.V2)
    content = Content(meta.info, tmp_path, Handles(), None, None, meta.piece_layers)
    pieces = range(meta.info.geometry.piece_count)
    assert content.total_bytes == meta.info.total_size == sum(map(content.bytes_of, pieces))
    assert [content.expected(piece)[0] for piece in pieces] == [
        Layers(meta.info, meta.piece_layers).hash_of(piece) for piece in pieces
    ]


def test_files_are_stamped_and_missing_ones_are_not(tmp_path: Path) -> None:
    root = album(tmp_path / "album")
    info = torrent(root).info
    content = content_of(info, tmp_path)
    (root / "two" / "b.bin").unlink()
    status = (root / "one.bin").stat()
    stamps = content.look()
    names = ["/".join(file.path) for file in info.files]
    assert stamps[names.index("one.bin")] == FileStamp(100_000, status.st_mtime_ns)
    assert stamps[names.index("two/b.bin")] is None
    assert stamps[names.index("two/empty.txt")] is not None


def test_only_files_that_we_wrote_to_are_stamped_again(tmp_path: Path) -> None:
    """What somebody else did to a file must show at the next start."""
    root = album(tmp_path / "album")
    info = torrent(root).info
    content = content_of(info, tmp_path)
    stamps = content.look()
    one, other = (
        next(n for n, file in enumerate(info.files) if file.path[-1] == name) for name in ("one.bin", "c.bin")
    )
    content.storage.write(info.files[one].offset, memoryview(b"ours"))
    content.storage.close()
    for path in (root / "one.bin", root / "two" / "c.bin"):
        os.utime(path, ns=(1, 1))
    again = content.look_again()
    assert again[one] == FileStamp(100_000, 1)
    assert again[other] == stamps[other] != FileStamp(70_001, 1)
    os.utime(root / "one.bin", ns=(2, 2))
    assert content.look_again() == again


def test_what_stands_in_the_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    root = album(tmp_path / "album")
    content = content_of(torrent(root).info, tmp_path)
    one = root / "one.bin"
    one.rename(tmp_path / "kept")
    for make, kind in (
        (one.mkdir, StorageError.Kind.NOT_A_FILE),
        (lambda: one.symlink_to(tmp_path / "kept"), StorageError.Kind.NOT_A_FILE),
        (lambda: os.mkfifo(one), StorageError.Kind.NOT_A_FILE),
        (lambda: one.write_bytes(bytes(100_001)), StorageError.Kind.EXISTS),
    ):
        make()
        with pytest.raises(StorageError) as caught:
            content.look()
        assert (caught.value.kind, caught.value.path) == (kind, str(one))
        one.rmdir() if one.is_dir() and not one.is_symlink() else one.unlink()


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    root = album(tmp_path / "album")
    info = torrent(root).info
    fill(tmp_path / "down" / "album", 10)
    with pytest.raises(StorageError) as caught:
        content_of(info, tmp_path / "down").look()
    assert caught.value.kind is StorageError.Kind.NOT_A_FILE


def test_given_content_may_have_another_name_and_be_made_of_links(tmp_path: Path) -> None:
    info = torrent(album(tmp_path / "album")).info
    (tmp_path / "album").rename(tmp_path / "renamed")
    (tmp_path / "renamed" / "one.bin").rename(tmp_path / "elsewhere.bin")
    (tmp_path / "renamed" / "one.bin").symlink_to(tmp_path / "elsewhere.bin")
    content = content_of(info, tmp_path, content=tmp_path / "renamed")
    assert all(content.look())
    assert content.path == tmp_path / "renamed"


def test_a_hole_is_no_data(tmp_path: Path) -> None:
    path = fill(tmp_path / "a.bin", 200_000)
    info = torrent(path).info
    content = content_of(info, tmp_path)
    assert content.holds_data(0)
    path.unlink()
    with path.open("wb") as file:
        file.truncate(200_000)
    assert not content.holds_data(0)


def test_syncing_pieces_of_a_file_that_is_gone_names_it(tmp_path: Path) -> None:
    path = fill(tmp_path / "a.bin", 200_000)
    content = content_of(torrent(path).info, tmp_path)
    content.sync([0, 1])
    path.unlink()
    with pytest.raises(StorageError, match=r"a\.bin"):
        content.sync([0])


def test_files_may_become_wanted_while_it_is_looked_at_how_files_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A selection and a save are on different threads."""
    info = torrent(album(tmp_path / "album")).info
    content = content_of(info, tmp_path / "nothing", select=[])
    content.storage.want([])
    parked = content.storage.parked
    assert len(parked) == 3

    def lifted(number: int) -> bool:
        parked.discard(number)
        return False

    monkeypatch.setattr(content.storage.parts, "holds", lifted)
    assert content.look_again() == [None] * len(info.files)
    assert not parked
