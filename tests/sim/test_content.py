from hashlib import sha1
from random import Random

from bittern.codec.bencode import decode, encode
from bittern.codec.metainfo import Metainfo
from bittern.sim.content import make_content, make_content_files, make_content_v2
from bittern.sim.world import World


def test_content_matches_its_hashes_and_names_its_trackers() -> None:
    content = make_content(World(Random), size=150_000, piece_size=65536, trackers=["http://a.sim/announce"])
    info = content.info
    assert info.total_size == len(content.data) == 150_000
    assert info.piece_hash(2) == sha1(content.data[131072:]).digest()
    assert content.metainfo.trackers == (("http://a.sim/announce",),)


def test_content_follows_from_seed_and_name() -> None:
    def hashed(seed: int, name: str) -> object:
        return make_content(World(Random, seed), name, size=1000).info.wire_hash

    assert hashed(1, "a") == hashed(1, "a")
    assert len({hashed(1, "a"), hashed(2, "a"), hashed(1, "b")}) == 3


def test_content_of_version_2_matches_its_layers() -> None:
    for hybrid in (False, True):
        content = make_content_v2(World(Random, 3), sizes=(100_000, 5, 40_000), piece_size=32768, hybrid=hybrid)
        again = Metainfo.from_bytes(
            encode({"info": decode(content.info.raw), "piece layers": content.metainfo.piece_layers})
        )
        assert again.piece_layers == content.metainfo.piece_layers
        assert again.info == content.info
        assert content.info.total_length == len(content.data)
        assert (content.info.info_hash_v1 is not None) is hybrid


def test_files_of_version_1_begin_at_pieces_behind_pads() -> None:
    content = make_content_files(World(Random), "content", (20_000, 5), 16384)
    files = content.info.files
    assert [(file.length, file.offset, file.pad) for file in files] == [
        (20_000, 0, False),
        (12_768, 20_000, True),
        (5, 32_768, False),
    ]
    assert content.data[20_000:32_768] == bytes(12_768)
