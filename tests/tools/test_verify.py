import os
import random
from pathlib import Path
from threading import Event

import pytest

from bittern.base.errors import MetainfoError
from bittern.codec.metainfo import Metainfo
from bittern.tools.create import CreateOptions, Version, create
from bittern.tools.scan import Symlinks, scan
from bittern.tools.verify import FileState, VerifyReport, locate, verify
from tests.codec.torn import torn

PIECE = 16 * 1024
SIZES = {"a": 3 * PIECE + 5, "b": 100, "c/empty": 0, "c/d": 2 * PIECE, "e": PIECE - 1}


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A folder `content` with files of several sizes."""
    rng = random.Random(3)
    for name, size in SIZES.items():
        path = tmp_path / "content" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))
    return tmp_path / "content"


@pytest.fixture(params=list(Version))
def torrent(request: pytest.FixtureRequest, content: Path) -> Metainfo:
    """The torrent of the content, of each version."""
    return create(scan(content), CreateOptions(version=request.param, piece_size=PIECE)).metainfo


def _verify(torrent: Metainfo, path: Path) -> VerifyReport:
    return verify(torrent, locate(torrent.info, path))


def _states(report: VerifyReport) -> dict[str, str]:
    """State of each file that is not good, by its name."""
    return {
        Path(verdict.path).name: verdict.state.value for verdict in report.files if verdict.state is not FileState.GOOD
    }


def _damage(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def test_what_was_made_is_good(torrent: Metainfo, content: Path) -> None:
    report = _verify(torrent, content)
    assert report.good
    assert report.bad_pieces == ()
    assert report.good_bytes == sum(SIZES.values())
    assert report.piece_count == torrent.info.geometry.piece_count
    assert len(report.files) == len(SIZES)


def test_one_wrong_bit_is_one_bad_piece_and_its_file(torrent: Metainfo, content: Path) -> None:
    _damage(content / "a", PIECE + 7)
    report = _verify(torrent, content)
    assert not report.good
    assert report.bad_pieces == (1,)
    assert _states(report) == {"a": "damaged"}
    assert report.good_bytes == sum(SIZES.values()) - PIECE


def test_a_missing_file_is_named(torrent: Metainfo, content: Path) -> None:
    (content / "c/d").unlink()
    states = _states(_verify(torrent, content))
    assert states.pop("d") == "missing"
    # In v1 its neighbours share pieces with it.
    assert states == ({} if torrent.info.info_hash_v2 else {"a": "uncertain", "b": "uncertain", "e": "uncertain"})


def test_a_missing_file_of_the_longest_name_is_missing(tmp_path: Path) -> None:
    """With the suffix of an unfinished file its name is longer than a system allows."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("b", "x" * 255):
        (folder / name).write_bytes(b"content")
    made = create(scan(folder), CreateOptions(version=Version.V1)).metainfo
    (folder / ("x" * 255)).unlink()
    assert _states(_verify(made, folder))["x" * 255] == FileState.MISSING.value


def test_a_missing_empty_file_is_named(torrent: Metainfo, content: Path) -> None:
    (content / "c/empty").unlink()
    report = _verify(torrent, content)
    assert _states(report) == {"empty": "missing"}
    assert report.bad_pieces == ()
    assert not report.good


def test_a_short_file_is_bad_from_where_it_ends(torrent: Metainfo, content: Path) -> None:
    os.truncate(content / "a", PIECE + 1)
    report = _verify(torrent, content)
    assert _states(report)["a"] == "short"
    assert report.bad_pieces[:2] == (1, 2)
    assert 0 not in report.bad_pieces


def test_a_file_with_bytes_too_many_is_not_good(torrent: Metainfo, content: Path) -> None:
    with (content / "a").open("ab") as file:
        file.write(b"x")
    report = _verify(torrent, content)
    assert _states(report) == {"a": "long"}
    assert report.bad_pieces == ()
    assert not report.good


def test_a_folder_in_the_place_of_a_file_is_unreadable(torrent: Metainfo, content: Path) -> None:
    (content / "b").unlink()
    (content / "b").mkdir()
    assert _states(_verify(torrent, content))["b"] == "unreadable"


def test_the_folder_that_holds_the_content_will_do(torrent: Metainfo, content: Path) -> None:
    assert _verify(torrent, content.parent).good


def test_the_content_may_have_another_name(torrent: Metainfo, content: Path) -> None:
    other = content.rename(content.with_name("renamed"))
    assert _verify(torrent, other).good


def test_a_root_that_holds_a_folder_of_its_own_name_is_read_as_the_fuller(torrent: Metainfo, content: Path) -> None:
    (content / "content").mkdir()
    assert _verify(torrent, content).good
    assert _verify(torrent, content.parent).good


@pytest.mark.parametrize("version", list(Version))
def test_a_single_file_is_itself_or_in_its_folder(content: Path, version: Version) -> None:
    torrent = create(scan(content / "a"), CreateOptions(version=version, piece_size=PIECE)).metainfo
    assert _verify(torrent, content / "a").good
    assert _verify(torrent, content).good
    moved = (content / "a").rename(content / "elsewhere.bin")
    assert _verify(torrent, moved).good
    assert _states(_verify(torrent, content)) == {"a": "missing"}


def test_a_magnets_hybrid_without_layers_is_checked_by_its_v1_part(content: Path) -> None:
    hybrid = create(scan(content), CreateOptions(piece_size=PIECE)).metainfo
    bare = Metainfo.from_info(hybrid.info)
    assert _verify(bare, content).good
    _damage(content / "a", 0)
    assert _verify(bare, content).bad_pieces == (0,)


@pytest.mark.parametrize("wrong", [1, 2])
def test_a_hybrid_with_two_hashes_that_no_data_has_is_called_wrong_itself(content: Path, wrong: int) -> None:
    hybrid = create(scan(content), CreateOptions(piece_size=PIECE)).metainfo
    long = next(file for file in hybrid.info.files if file.length > PIECE)
    piece = long.offset // PIECE
    with pytest.raises(MetainfoError, match=f"piece {piece} has one of its two hashes"):
        _verify(torn(hybrid, piece, wrong=wrong), content)
    _damage(content.joinpath(*long.path), 0)
    assert _verify(torn(hybrid, piece, wrong=wrong), content).bad_pieces == (piece,)


def test_v2_without_layers_can_not_be_checked(content: Path) -> None:
    made = create(scan(content), CreateOptions(version=Version.V2, piece_size=PIECE)).metainfo
    with pytest.raises(MetainfoError, match="piece layers"):
        _verify(Metainfo.from_info(made.info), content)


def test_what_was_not_checked_before_a_stop_is_not_called_good(torrent: Metainfo, content: Path) -> None:
    stop = Event()
    stop.set()
    report = verify(torrent, locate(torrent.info, content), stop=stop)
    assert not report.good
    assert len(report.bad_pieces) == report.piece_count


def test_progress_ends_at_the_whole(torrent: Metainfo, content: Path) -> None:
    told: list[tuple[int, int]] = []
    verify(torrent, locate(torrent.info, content), progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1] == (torrent.info.total_length, torrent.info.total_length)


def test_links_are_not_looked_for(content: Path) -> None:
    (content / "link").symlink_to("a")
    torrent = create(scan(content, symlinks=Symlinks.KEEP), CreateOptions(piece_size=PIECE)).metainfo
    (content / "link").unlink()
    assert _verify(torrent, content).good


def test_an_unfinished_file_is_found_under_its_name_with_the_suffix(torrent: Metainfo, content: Path) -> None:
    path = content / "c/d"
    path.rename(path.with_name("d.part"))
    assert _verify(torrent, content).good
