import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import BencodeError, MetainfoError
from bittern.codec.bencode import decode_spans, encode
from bittern.codec.metainfo import Metainfo
from bittern.tools.edit import Changes, edit

# The dictionary is not canonical on purpose: whoever re-encodes it makes another torrent.
RAW_INFO = b"d4:name1:a6:lengthi1e12:piece lengthi16384e6:pieces20:" + bytes(20) + b"5:extrai007ee"
OUTSIDE = {
    "announce": "http://a/x",
    "announce-list": [["http://a/x", "http://b/x"], ["udp://c:1"]],
    "comment": "old",
    "created by": "someone",
    "creation date": 5,
    "url-list": "http://w/",
    "zz unknown": {"kept": [1, 2]},
}


def _torrent(**outside: object) -> bytes:
    parts = {key.encode(): encode(value) for key, value in (OUTSIDE | outside).items()} | {b"info": RAW_INFO}
    return b"d" + b"".join(encode(key) + parts[key] for key in sorted(parts)) + b"e"


def _raw_info(data: bytes) -> bytes:
    return data[decode_spans(data, strict=False)[1][b"info"]]


def test_no_change_changes_no_byte() -> None:
    assert edit(_torrent(), Changes()) == _torrent()


def test_the_info_dictionary_keeps_its_bytes_and_unknown_keys_stay() -> None:
    edited = edit(_torrent(), Changes(comment="new", trackers=(("http://z/x",),), web_seeds=()))
    assert _raw_info(edited) == RAW_INFO
    assert decode_spans(edited, strict=False)[0][b"zz unknown"] == {b"kept": [1, 2]}


def test_new_trackers_replace_the_old() -> None:
    box, _ = decode_spans(edit(_torrent(), Changes(trackers=(("http://z/x",),))), strict=False)
    assert box[b"announce"] == b"http://z/x"
    assert b"announce-list" not in box


def test_no_trackers_leave_no_key() -> None:
    box, _ = decode_spans(edit(_torrent(), Changes(trackers=())), strict=False)
    assert box.keys().isdisjoint({b"announce", b"announce-list"})


def test_trackers_are_added_removed_and_replaced_in() -> None:
    changes = Changes(
        add_trackers=(("http://n/x", "http://b/x"),),
        remove_trackers=("http://a/x",),
        replace_in_trackers=(("udp://c", "udp://d"),),
    )
    found = Metainfo.from_bytes(edit(_torrent(), changes))
    assert found.trackers == (("http://b/x",), ("udp://d:1",), ("http://n/x",))


def test_web_seeds_are_set_added_and_removed() -> None:
    assert Metainfo.from_bytes(edit(_torrent(), Changes(add_web_seeds=("http://v/",)))).web_seeds == (
        "http://w/",
        "http://v/",
    )
    assert Metainfo.from_bytes(edit(_torrent(), Changes(web_seeds=("http://v/",)))).web_seeds == ("http://v/",)
    gone, _ = decode_spans(edit(_torrent(), Changes(remove_web_seeds=("http://w/",))), strict=False)
    assert b"url-list" not in gone


def test_nodes_are_set_and_taken_out() -> None:
    named = edit(_torrent(), Changes(nodes=(("router.example.org", 6881), ("::1", 7))))
    assert Metainfo.from_bytes(named).nodes == (("router.example.org", 6881), ("::1", 7))
    assert edit(named, Changes(nodes=())) == _torrent()


def test_texts_and_the_date_are_set_or_taken_out() -> None:
    found = Metainfo.from_bytes(edit(_torrent(), Changes(comment="für", created_by="", creation_date=7)))
    assert (found.comment, found.created_by, found.creation_date) == ("für", None, 7)
    assert Metainfo.from_bytes(edit(_torrent(), Changes(creation_date=0))).creation_date == 0
    assert Metainfo.from_bytes(edit(_torrent(), Changes(creation_date=-1))).creation_date is None


def test_a_comment_in_an_older_spelling_does_not_outlive_the_new_one() -> None:
    data = _torrent(**{"comment.utf-8": "older"})
    assert Metainfo.from_bytes(data).comment == "older"
    assert Metainfo.from_bytes(edit(data, Changes(comment="new"))).comment == "new"


def test_what_is_no_torrent_is_not_edited() -> None:
    with pytest.raises(BencodeError):
        edit(b"<html>", Changes(comment="x"))
    with pytest.raises(MetainfoError):
        edit(b"de", Changes(comment="x"))


@given(
    comment=st.none() | st.text(),
    trackers=st.none() | st.lists(st.lists(st.sampled_from(["http://a/", "udp://b:1", "http://c/"]), max_size=3)),
    date=st.none() | st.integers(-1, 2**40),
)
def test_whatever_is_changed_the_info_hash_is_not(
    comment: str | None, trackers: list[list[str]] | None, date: int | None
) -> None:
    edited = edit(_torrent(), Changes(comment=comment, trackers=trackers, creation_date=date))
    assert _raw_info(edited) == RAW_INFO
    assert edit(edited, Changes(comment=comment, trackers=trackers, creation_date=date)) == edited
