import os
import random
import shutil
import subprocess
from pathlib import Path
from threading import Event

import pytest

from bittern.codec.bencode import decode, decode_spans, encode
from bittern.codec.metainfo import Metainfo
from bittern.tools.create import Created, CreateError, CreateOptions, Version, auto_piece_size, create
from bittern.tools.scan import ContentError, Symlinks, scan

lt = pytest.importorskip("libtorrent")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # libtorrent 2.1 deprecates what 2.0 needs

PIECE = 32 * 1024
SIZES = {
    "a/first": 100_000,
    "a/z.empty": 0,
    "ab": 32 * 1024,
    "b": 64 * 1024,
    "c": 16_384,
    "d": 16_385,
    "e": 1,
    "last": 70_001,
}


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A folder with files of all interesting sizes."""
    rng = random.Random(5)
    root = tmp_path / "content"
    for name, size in SIZES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))
    return root


def _created(path: Path, version: Version, *, piece_size: int | None = PIECE) -> Created:
    return create(scan(path), CreateOptions(version=version, piece_size=piece_size, created_by=None))


def _libtorrent(path: Path, version: Version) -> bytes:
    flags = {
        Version.V1: lt.create_torrent.v1_only,
        Version.V2: lt.create_torrent.v2_only,
        Version.HYBRID: 0,
    }
    storage = lt.file_storage()
    lt.add_files(storage, str(path))
    torrent = lt.create_torrent(storage, PIECE, flags[version])
    lt.set_piece_hashes(torrent, str(path.parent))
    return bytes(lt.bencode(torrent.generate()))


def _info(data: bytes) -> bytes:
    return data[decode_spans(data)[1][b"info"]]


@pytest.mark.parametrize(
    ("version", "name"),
    # A v1 folder is listed by libtorrent as the file system has it, in no order: Transmission's is compared below.
    [(Version.V2, ""), *((version, name) for version in (Version.V1, Version.V2) for name in ("b", "e", "last"))],
)
def test_the_info_dictionary_is_the_one_that_libtorrent_makes(content: Path, version: Version, name: str) -> None:
    path = content / name if name else content
    made, theirs = _created(path, version).data, _libtorrent(path, version)
    assert decode(_info(made)) == decode(_info(theirs))
    layers = decode_spans(made)[0].get(b"piece layers")
    assert layers == decode_spans(theirs)[0].get(b"piece layers")


def test_a_hybrid_is_libtorrents_but_for_the_pad_after_the_last_file(content: Path) -> None:
    made = decode_spans(_created(content, Version.HYBRID).data)[0]
    theirs = decode_spans(_libtorrent(content, Version.HYBRID))[0]
    ours, other = made[b"info"], theirs[b"info"]
    assert isinstance(ours, dict)
    assert isinstance(other, dict)
    our_pieces, other_pieces, other_files = ours.pop(b"pieces"), other.pop(b"pieces"), other[b"files"]
    assert isinstance(our_pieces, bytes)
    assert isinstance(other_pieces, bytes)
    assert isinstance(other_files, list)
    tail = other_files.pop()
    assert isinstance(tail, dict)
    assert tail[b"attr"] == b"p"
    assert our_pieces[:-20] == other_pieces[:-20]
    assert ours == other
    assert made[b"piece layers"] == theirs[b"piece layers"]


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("name", ["", "b", "e", "last"])
def test_libtorrent_accepts_every_kind_and_agrees_on_hashes_and_files(
    content: Path, version: Version, name: str
) -> None:
    made = _created(content / name if name else content, version)
    theirs = lt.torrent_info(made.data)
    info, hashes = made.metainfo.info, theirs.info_hashes()
    assert hashes.has_v1() == version.has_v1
    assert hashes.has_v2() == version.has_v2
    assert info.info_hash_v1 is None or str(hashes.v1) == str(info.info_hash_v1)
    assert info.info_hash_v2 is None or str(hashes.v2) == str(info.info_hash_v2)
    files = theirs.files()
    listed = [
        (files.file_path(index).replace(os.sep, "/"), files.file_size(index))
        for index in range(files.num_files())
        if not files.file_flags(index) & files.flag_pad_file
    ]
    root = (info.name,) if info.multi_file else ()
    assert listed == [("/".join((*root, *file.path)), file.length) for file in info.files if not file.pad]


def test_files_are_ordered_by_component_as_the_tree_is(content: Path) -> None:
    """By whole paths `a.txt` would stand before `a/first`, and the two parts of a hybrid would disagree."""
    (content / "a.txt").write_text("x")
    made = _created(content, Version.HYBRID)
    assert [file.path for file in made.metainfo.info.files if not file.pad][:3] == [
        ("a", "first"),
        ("a", "z.empty"),
        ("a.txt",),
    ]
    assert str(lt.torrent_info(made.data).info_hashes().v1) == str(made.metainfo.info.info_hash_v1)


def test_a_torrent_without_a_byte_is_refused_as_other_clients_would(content: Path) -> None:
    with pytest.raises(ContentError, match="empty"):
        _created(content / "a/z.empty", Version.V1)


@pytest.mark.parametrize("version", list(Version))
def test_libtorrent_finds_the_files_complete(content: Path, version: Version) -> None:
    made = _created(content, version)
    session = lt.session(
        {
            "listen_interfaces": "",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
        }
    )
    parameters = lt.add_torrent_params()
    parameters.ti = lt.torrent_info(made.data)
    parameters.save_path = str(content.parent)
    handle = session.add_torrent(parameters)
    for _ in range(1000):
        if handle.status().is_seeding:
            break
        session.wait_for_alert(10)
        session.pop_alerts()
    assert handle.status().is_seeding


@pytest.mark.skipif(not shutil.which("transmission-create"), reason="transmission-create is not installed")
@pytest.mark.parametrize("name", ["", "last"])
def test_v1_is_what_transmission_makes(content: Path, tmp_path: Path, name: str) -> None:
    (content / "a/z.empty").unlink()  # Transmission leaves empty files out
    path = content / name if name else content
    out = tmp_path / "theirs.torrent"
    subprocess.run(["transmission-create", "-s", "32", "-o", out, path], check=True, capture_output=True)
    ours, theirs = decode(_info(_created(path, Version.V1).data)), decode(_info(out.read_bytes()))
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    theirs.pop(b"private", None)  # Transmission writes `private` 0
    assert ours == theirs


@pytest.mark.skipif(not shutil.which("transmission-show"), reason="transmission-show is not installed")
def test_transmission_reads_the_same_info_hash(content: Path, tmp_path: Path) -> None:
    made = _created(content, Version.V1)
    (tmp_path / "a.torrent").write_bytes(made.data)
    shown = subprocess.run(["transmission-show", tmp_path / "a.torrent"], check=True, capture_output=True, text=True)
    assert f"Hash: {made.metainfo.info.info_hash_v1}" in shown.stdout


@pytest.mark.skipif(not shutil.which("aria2c"), reason="aria2c is not installed")
def test_aria2_reads_the_same_info_hash(content: Path, tmp_path: Path) -> None:
    made = _created(content, Version.V1)
    (tmp_path / "a.torrent").write_bytes(made.data)
    shown = subprocess.run(["aria2c", "-S", tmp_path / "a.torrent"], check=True, capture_output=True, text=True)
    assert f"Info Hash: {made.metainfo.info.info_hash_v1}" in shown.stdout


def test_links_and_attributes_are_in_both_parts(content: Path) -> None:
    (content / "run").write_text("x")
    (content / "run").chmod(0o700)
    (content / ".hidden").write_text("x")
    (content / "link").symlink_to("a/first")
    made = create(scan(content, symlinks=Symlinks.KEEP), CreateOptions(piece_size=PIECE))
    found = {"/".join(file.path): file for file in made.metainfo.info.files}
    assert found["run"].executable
    assert found[".hidden"].hidden
    assert found["link"].symlink == ("a", "first")
    theirs = lt.torrent_info(made.data).files()
    (target,) = [theirs.symlink(i) for i in range(theirs.num_files()) if theirs.file_path(i) == "content/link"]
    assert Path(target).parts[-2:] == ("a", "first")


def test_what_stands_beside_the_info_is_what_was_asked_for(content: Path) -> None:
    options = CreateOptions(
        trackers=(("http://a/x", "http://b/x"), ("udp://c:1",)),
        web_seeds=("http://w/",),
        comment="für alle",
        created_by="me",
        creation_date=12,
        private=True,
        source="TRACKER",
        similar=(bytes(20),),
        collections=("films",),
    )
    found = create(scan(content), options).metainfo
    assert found.trackers == options.trackers
    assert found.web_seeds == ("http://w/",)
    assert (found.comment, found.created_by, found.creation_date) == ("für alle", "me", 12)
    assert (found.info.private, found.info.source) == (True, "TRACKER")
    assert (found.similar, found.collections) == ((bytes(20),), ("films",))


def test_nodes_are_named_but_not_by_a_private_torrent(content: Path) -> None:
    nodes = (("router.example.org", 6881), ("::1", 7))
    assert create(scan(content), CreateOptions(nodes=nodes)).metainfo.nodes == nodes
    with pytest.raises(CreateError, match="private"):
        CreateOptions(nodes=nodes, private=True)


def test_one_tracker_needs_no_tiers(content: Path) -> None:
    box, _ = decode_spans(create(scan(content), CreateOptions(trackers=(("http://a/x",),))).data)
    assert box[b"announce"] == b"http://a/x"
    assert b"announce-list" not in box


def test_the_same_files_make_the_same_bytes_whatever_the_threads(content: Path) -> None:
    made = {create(scan(content), CreateOptions(piece_size=PIECE), threads=threads).data for threads in (1, 2, 5)}
    assert len(made) == 1
    (data,) = made
    assert encode(decode(data)) == data


@pytest.mark.parametrize(
    ("total", "piece_size"),
    [(0, 1 << 14), (1, 1 << 14), (1 << 25, 1 << 14), ((1 << 25) + 1, 1 << 15), (1 << 32, 1 << 21), (1 << 45, 1 << 24)],
)
def test_pieces_grow_with_the_content_so_that_their_number_does_not(total: int, piece_size: int) -> None:
    assert auto_piece_size(total) == piece_size


@pytest.mark.parametrize("piece_size", [0, 8192, 16_385, 3 << 15, 1 << 28])
def test_piece_sizes_that_other_clients_refuse_are_refused(piece_size: int) -> None:
    with pytest.raises(CreateError, match="power of two"):
        CreateOptions(piece_size=piece_size)


def test_too_many_pieces_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 36)
    with pytest.raises(CreateError, match="take larger pieces"):
        create(scan(tmp_path), CreateOptions(piece_size=1 << 14))


@pytest.mark.parametrize("change", ["touch", "truncate", "grow", "remove", "replace"])
def test_a_file_that_changes_meanwhile_is_noticed(content: Path, change: str) -> None:
    scanned = scan(content)
    victim = content / "b"
    if change == "touch":
        os.utime(victim, ns=(5, 5))
    elif change == "truncate":
        os.truncate(victim, 10)
    elif change == "grow":
        with victim.open("ab") as file:
            file.write(b"more")
    else:
        victim.unlink()
        if change == "replace":
            victim.mkdir()
    with pytest.raises(ContentError, match=r"/b: "):
        create(scanned, CreateOptions())


def test_progress_counts_every_byte(content: Path) -> None:
    told: list[tuple[int, int]] = []
    create(scan(content), CreateOptions(version=Version.V1), progress=lambda done, total: told.append((done, total)))
    total = sum(SIZES.values())
    assert told == sorted(told)
    assert told[-1] == (total, total)


def test_it_can_be_stopped(content: Path) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(ContentError, match="stopped"):
        create(scan(content), CreateOptions(), stop=stop)


def test_names_that_other_systems_refuse_are_told(tmp_path: Path) -> None:
    for name in ("fine", "aux", "a:b"):
        (tmp_path / name).write_text(name)
    made = create(scan(tmp_path), CreateOptions())
    assert made.renamed == (("a:b", "a_b"), ("aux", "_aux"))


def test_empty_files_take_no_piece(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}").touch()
    (tmp_path / "last").write_bytes(b"x")
    made = create(scan(tmp_path), CreateOptions())
    assert len(made.metainfo.info.files) == 301
    assert Metainfo.from_bytes(made.data).info.geometry.piece_count == 1
