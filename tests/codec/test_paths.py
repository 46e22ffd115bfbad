import re
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import MetainfoError
from bittern.codec.paths import MAX_NAME_BYTES, MAX_RENAMED, distinct_paths, safe_name, safe_path

NUMBERED = [f"{device}{digit}" for device in ("COM", "LPT") for digit in "123456789¹²³"]
DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *NUMBERED}
HOSTILE = st.text(st.sampled_from("./\\: \x00\x1b\x85\u202e\u2028\ufeff\ud800aAbcConNULm1é\u0301Åß日😀")) | st.text(
    st.characters(codec="utf-8")
)
names = HOSTILE | st.binary(max_size=400) | st.sampled_from(["..", ".", "", "CON", "a" * 300 + ".txt", "日" * 200])


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("movie.mkv", "movie.mkv"),
        ("What? A *Film* <1>.mkv", "What? A *Film* <1>.mkv"),
        (".hidden", ".hidden"),
        ("日本語.txt", "日本語.txt"),
        ("..", "_"),
        (".", "_"),
        (". .", "_"),
        ("..\x00", "_"),
        ("../../etc/passwd", "....etcpasswd"),
        ("..\\..\\x", "....x"),
        ("/etc/passwd", "etcpasswd"),
        ("C:\\x", "C_x"),
        ("file.txt:stream", "file.txt_stream"),
        ("a\x00b\nc\x1b[31m\x7f\x9b", "abc[31m"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\u2066b\u200fc\u2028d\ufeffe", "abcde"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("com1", "_com1"),
        ("LPT¹.doc", "_LPT¹.doc"),
        ("aux .x", "_aux .x"),
        ("conx", "conx"),
        ("name. . ", "name"),
        ("\ud800a", "a"),
        ("", ""),
        ("\x00", ""),
        ("   ", ""),
        ("a" * 300, "a" * 255),
        ("a" * 300 + ".mkv", "a" * 251 + ".mkv"),
        ("é" * 200 + ".mkv", "é" * 125 + ".mkv"),
        ("a." + "b" * 300, "a." + "b" * 253),
        ("." * 260 + "b" * 40, "_"),
    ],
)
def test_names_are_made_safe(raw: str, name: str) -> None:
    assert safe_name(raw) == name


@given(names)
def test_a_name_stays_in_its_folder_and_means_no_device(raw: bytes | str) -> None:
    name = safe_name(raw)
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert name not in {".", ".."}
    assert not re.search(r"[/\\:\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", name)
    assert name == name.rstrip(". ")
    assert name.partition(".")[0].rstrip(" ").upper() not in DEVICES
    assert safe_name(name) == name


@given(st.lists(names, max_size=5))
def test_any_path_resolves_below_its_root(parts: list[bytes | str]) -> None:
    path = safe_path(parts)
    assert path
    assert all(path)
    for flavour in (PurePosixPath, PureWindowsPath):
        root = flavour("/root")
        joined = root.joinpath(*path)
        assert joined.relative_to(root).parts == path


def test_empty_parts_are_left_out_and_hollow_parts_kept() -> None:
    assert safe_path([b"", b"a", b"", b"b"]) == ("a", "b")
    assert safe_path([b"a", b"\x00", b"b"]) == ("a", "_", "b")
    assert safe_path([]) == safe_path([b""]) == ("_",)


def test_names_in_legacy_encodings_are_read() -> None:
    assert safe_path(["电影".encode("gbk"), "电影.mkv".encode("gbk")], "GBK") == ("电影", "电影.mkv")


@pytest.mark.parametrize(
    ("paths", "result"),
    [
        (["a", "b"], ["a", "b"]),
        (["a.txt", "a.txt", "a.txt"], ["a.txt", "a.1.txt", "a.2.txt"]),
        (["a.txt", "A.TXT"], ["a.txt", "A.1.TXT"]),
        (["straße", "STRASSE"], ["straße", "STRASSE.1"]),
        (["\xe9", "e\u0301"], ["\xe9", "e\u0301.1"]),
        (["a", "a/b"], ["a.1", "a/b"]),
        (["a/b", "A"], ["a/b", "A.1"]),
        (["d/x", "D/x", "D/y"], ["d/x", "D/x.1", "D/y"]),
        (["a", "a", "a.1"], ["a", "a.2", "a.1"]),
        (["a.1", "a", "a"], ["a.1", "a", "a.2"]),
        (["a/b/c", "a/b", "a"], ["a/b/c", "a/b.1", "a.1"]),
        (["x" * 251 + ".mkv"] * 2, ["x" * 251 + ".mkv", "x" * 249 + ".1.mkv"]),
    ],
)
def test_collisions_are_resolved_in_order(paths: list[str], result: list[str]) -> None:
    assert ["/".join(path) for path in distinct_paths([tuple(path.split("/")) for path in paths])] == result


@given(st.lists(st.lists(st.sampled_from(["a", "A", "a.1", "b.x", "é", "e\u0301"]), min_size=1, max_size=3)))
def test_no_two_results_share_a_name_and_no_file_is_a_folder(parts: list[list[str]]) -> None:
    paths = [tuple(part) for part in parts]
    result = distinct_paths(paths)
    assert [path[:-1] for path in result] == [path[:-1] for path in paths]
    keys = [tuple(safe.casefold().replace("e\u0301", "é") for safe in path) for path in result]
    assert len(set(keys)) == len(keys)
    assert not {key[:depth] for key in keys for depth in range(1, len(key))} & set(keys)


def test_a_torrent_of_colliding_names_is_refused() -> None:
    assert len(set(distinct_paths([("a",)] * (MAX_RENAMED + 1)))) == MAX_RENAMED + 1
    with pytest.raises(MetainfoError):
        distinct_paths([("a",)] * (MAX_RENAMED + 2))


def test_many_colliding_names_cost_no_quadratic_time() -> None:
    paths = [(f"a.{number}",) for number in range(50_000)] + [("a",)] * 500
    assert len(set(distinct_paths(paths))) == len(paths)
