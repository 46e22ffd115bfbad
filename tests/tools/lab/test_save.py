import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from bittern.codec.bencode import encode
from bittern.codec.info import Info
from bittern.tools.lab.save import saving_file, saving_torrent

SIZES = {"a": 10, "empty": 0, "sub/b": 30, "sub/deep/c": 7}
PIECE = 16


def multi_file(pad: int = 0) -> Info:
    files: list[dict[str, object]] = []
    for path, size in SIZES.items():
        files.append({"length": size, "path": path.split("/")})
        if pad and path == "a":
            files.append({"length": pad, "path": [".pad", str(pad)], "attr": "p"})
    total = sum(SIZES.values()) + pad
    pieces = bytes(20 * -(-total // PIECE))
    return Info.parse(encode({"files": files, "name": "root", "piece length": PIECE, "pieces": pieces}))


def single_file(length: int) -> Info:
    pieces = bytes(20 * -(-length // PIECE))
    return Info.parse(encode({"length": length, "name": "f", "piece length": PIECE, "pieces": pieces}))


def pieces_of(content: bytes) -> Iterator[tuple[int, bytes]]:
    """In an order that is not that of the file."""
    numbered = list(enumerate(content[at : at + PIECE] for at in range(0, len(content), PIECE)))
    yield from reversed(numbered)


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_file_appears_whole_and_takes_the_place_of_another(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"old and longer than the new one")
    content = bytes(range(40))
    with saving_torrent(out, single_file(40)) as keep:
        for piece, data in pieces_of(content):
            keep(piece, data)
        assert out.read_bytes() == b"old and longer than the new one"
    assert out.read_bytes() == content
    assert everything_below(tmp_path) == ["out"]


@pytest.mark.parametrize("pad", [0, 6])
def test_a_folder_appears_whole_without_pads(tmp_path: Path, pad: int) -> None:
    parts = {path: bytes([number]) * size for number, (path, size) in enumerate(SIZES.items(), 65)}
    content = parts["a"] + bytes(pad) + b"".join(list(parts.values())[1:])
    out = tmp_path / "out"
    with saving_torrent(out, multi_file(pad)) as keep:
        for piece, data in pieces_of(content):
            keep(piece, data)
        assert not out.exists()
    assert {path: (out / path).read_bytes() for path in SIZES} == parts
    assert everything_below(tmp_path) == [
        "out",
        "out/a",
        "out/empty",
        "out/sub",
        "out/sub/b",
        "out/sub/deep",
        "out/sub/deep/c",
    ]


@pytest.mark.parametrize("info", [single_file(40), multi_file()])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_a_failure_nothing_is_left_and_what_was_there_stays(
    tmp_path: Path, info: Info, error: type[BaseException]
) -> None:
    out = tmp_path / "out"
    if not info.multi_file:
        out.write_bytes(b"precious")
    before = everything_below(tmp_path)

    def fail() -> None:
        with saving_torrent(out, info) as keep:
            keep(0, bytes(PIECE))
            raise error

    with pytest.raises(error):
        fail()
    assert everything_below(tmp_path) == before
    assert info.multi_file or out.read_bytes() == b"precious"


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    for out in (tmp_path, Path("/dev/null")):
        with pytest.raises(FileExistsError), saving_file(out) as file:
            file.write(b"x")
    assert Path("/dev/null").is_char_device()


def test_a_folder_never_takes_the_place_of_anything(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(b"precious")
    with pytest.raises(FileExistsError) as caught, saving_torrent(out, multi_file()):
        pass
    assert caught.value.errno == errno.EEXIST
    assert out.read_bytes() == b"precious"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), saving_file(tmp_path / "none" / "out"):
        pass


def test_an_empty_torrent_makes_an_empty_file(tmp_path: Path) -> None:
    with saving_torrent(tmp_path / "out", single_file(0)):
        pass
    assert (tmp_path / "out").read_bytes() == b""
