import json
from pathlib import Path

from bittern.codec.magnet import Magnet
from bittern.tools.create import CreateOptions, Version, create
from bittern.tools.scan import Symlinks, scan
from bittern.tools.show import document, numbered_files

KEYS = [
    "name",
    "info_hash_v1",
    "info_hash_v2",
    "piece_length",
    "total_size",
    "private",
    "files",
    "trackers",
    "web_seeds",
    "nodes",
    "comment",
    "created_by",
    "creation_date",
    "source",
    "magnet",
    "peers",
    "exact_sources",
    "select_only",
]


def _content(root: Path) -> Path:
    (root / "c" / "sub").mkdir(parents=True)
    (root / "c" / "a").write_bytes(bytes(20_000))
    (root / "c" / "sub" / "b").write_bytes(b"x")
    (root / "c" / "sub" / "b").chmod(0o755)
    (root / "c" / "sub" / "l").symlink_to("b")
    return root / "c"


def test_a_torrent_is_described_with_exactly_the_promised_keys(tmp_path: Path) -> None:
    options = CreateOptions(
        trackers=(("http://t/x",),), private=True, source="S", comment="C", creation_date=1, created_by="me"
    )
    made = create(scan(_content(tmp_path), symlinks=Symlinks.KEEP), options).metainfo
    found = document(made)
    assert list(found) == KEYS
    assert found["info_hash_v1"] == str(made.info.info_hash_v1)
    assert found["info_hash_v2"] == str(made.info.info_hash_v2)
    assert (found["total_size"], found["piece_length"]) == (20_001, 16_384)
    assert found["trackers"] == [["http://t/x"]]
    assert Magnet.parse(found["magnet"]).info_hash_v2 == made.info.info_hash_v2
    pad = {"path": ".pad/12768", "size": 12_768, "pad": True}
    plain = {"executable": False, "hidden": False, "symlink": None}
    assert found["files"] == [
        {"path": "a", "size": 20_000, "pad": False, **plain},
        {**pad, **plain},
        {"path": "sub/b", "size": 1, "pad": False, **plain, "executable": True},
        {"path": "sub/l", "size": 0, "pad": False, **plain, "symlink": "sub/b"},
    ]
    assert json.loads(json.dumps(found)) == found


def test_gaps_between_v2_files_are_no_files(tmp_path: Path) -> None:
    made = create(scan(_content(tmp_path)), CreateOptions(version=Version.V2)).metainfo
    assert [file["path"] for file in document(made)["files"]] == ["a", "sub/b", "sub/l"]


def test_a_magnet_is_described_with_the_same_keys() -> None:
    uri = f"magnet:?xt=urn:btih:{'ab' * 20}&dn=N&xl=5&tr=http%3A%2F%2Ft%2Fx"
    found = document(Magnet.parse(uri))
    assert list(found) == KEYS
    assert (found["name"], found["total_size"], found["files"]) == ("N", 5, [])
    assert (found["info_hash_v1"], found["info_hash_v2"]) == ("ab" * 20, None)
    assert found["trackers"] == [["http://t/x"]]
    assert found["magnet"] == uri
    more = document(Magnet.parse(f"{uri}&xs=http://h/a.torrent&x.pe=h:1&so=0,2-3"))
    assert (more["peers"], more["exact_sources"]) == (["h:1"], ["http://h/a.torrent"])
    assert more["select_only"] == [0, 2, 3]


def test_users_number_files_from_one_and_do_not_see_pads(tmp_path: Path) -> None:
    made = create(scan(_content(tmp_path)), CreateOptions()).metainfo
    numbered = [(number, "/".join(file.path)) for number, file in numbered_files(made.info)]
    assert numbered == [(1, "a"), (2, "sub/b"), (3, "sub/l")]
