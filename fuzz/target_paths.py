# Invariant: nothing escapes but MetainfoError for too many collisions; every path stays below its root on POSIX and on
# Windows, names no device, fits a file system, is a fixed point of the cleaning, and no two are the same file.
"""Fuzz target: names from outside (paths are separated by newlines, their parts by `|`)."""

from pathlib import PurePosixPath, PureWindowsPath

from bittern.base.errors import MetainfoError
from bittern.codec.paths import MAX_NAME_BYTES, distinct_paths, safe_name, safe_path
from fuzz.driver import Target


def check(data: bytes) -> bool:
    """Make a torrent's worth of paths safe."""
    paths = [safe_path(line.split(b"|"), "gbk") for line in data.split(b"\n")]
    try:
        distinct = distinct_paths(paths)
    except MetainfoError:
        return False
    assert [path[:-1] for path in distinct] == [path[:-1] for path in paths]
    for path in distinct:
        for name in path:
            assert name == safe_name(name) != ""
            assert len(name.encode()) <= MAX_NAME_BYTES
            assert not PureWindowsPath(name).is_reserved()
        for root in (PurePosixPath("/root"), PureWindowsPath("C:\\root")):
            assert root.joinpath(*path).relative_to(root).parts == path
    keys = [tuple(name.casefold() for name in path) for path in distinct]
    assert len(set(keys)) == len(keys)
    assert not {key[:depth] for key in keys for depth in range(1, len(key))} & set(keys)
    return True


TARGET = Target(
    "paths",
    corpus=(
        b"a|b.txt\na|B.txt\na\nA|c",
        b"..|..|etc|passwd\n.|x\n|y\nC:\\x|z",
        "日本|語.txt\ncafé\ncafe\u0301\nstraße\nSTRASSE".encode(),
        b"con\nnul.txt\ncom1|lpt9 .x\naux. . \n" + b"n" * 300 + b".mkv",
    ),
    words=(
        *(b"|", b"\n", b".", b"..", b" ", b":", b"/", b"\\", b"\x00", b"con", b"NUL", b"a", b"A", b"a.1", b"x" * 255),
        *(
            b"\xe2\x80\xae",
            b"\xcc\x81",
            b"e",
            b"\xef\xbb\xbf",
            b"\xc2\x85",
            b"\xff",
            b"\xed\xa0\x80",
            b"\xc5\xbf",
            b"\xcd\x85",
        ),
    ),
    check=check,
)
