"""`bittern get LINK` among peers that lie about what the torrent is made of (BEP 9): one honest seed is enough."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.rigs import program, wire
from tests.faults.rigs.hostile import HostilePeer, Proxy
from tests.faults.rigs.program import Program
from tests.faults.rigs.teller import PART, Teller
from tests.faults.rigs.torrent import MIB, NAME, PIECE, Torrent, bencode, make
from tests.faults.rigs.wire import Wire
from tests.interop.rigs.place import LOOPBACK

MOST = 30 * MIB
DONE_WITHIN = 40


Deed = Callable[[Wire, bytes], None]


def tells_lies(peer: Wire, raw: bytes) -> None:
    teller = Teller(peer, raw)
    while True:
        part = teller.asked()
        teller.tell(part, bytes(len(raw[part * PART : (part + 1) * PART])))


def lies_once(peer: Wire, raw: bytes) -> None:
    teller = Teller(peer, raw)
    while True:
        part = teller.asked()
        teller.tell(part, bytes(PART) if part == 0 else None)


def refuses(peer: Wire, raw: bytes) -> None:
    teller = Teller(peer, raw)
    while True:
        teller.refuse(teller.asked())


def leaves_midway(peer: Wire, raw: bytes) -> None:
    teller = Teller(peer, raw)
    teller.tell(teller.asked())
    teller.asked()
    teller.leave()


def falls_silent(peer: Wire, raw: bytes) -> None:
    teller = Teller(peer, raw)
    while True:
        teller.asked()


def is_a_giant_and_silent(peer: Wire, raw: bytes) -> None:
    teller = Teller(peer, raw, MOST)
    while True:
        teller.asked()


def is_a_giant_of_zeros(peer: Wire, raw: bytes) -> None:
    teller = Teller(peer, raw, MOST)
    while True:
        teller.tell(teller.asked(), bytes(PART))


def says_no_size_that_makes_sense(peer: Wire, raw: bytes) -> None:
    Teller(peer, raw, 0)
    peer.say(wire.EXTENDED, b"\0d13:metadata_sizei-1ee")
    peer.say(wire.EXTENDED, b"\0d13:metadata_sizei%dee" % (MOST + 1))
    peer.say(wire.EXTENDED, b"\0d13:metadata_sizei%dee" % 2**63)
    peer.is_hung_up_on(30)


def changes_the_size(peer: Wire, raw: bytes) -> None:
    teller = Teller(peer, raw)
    part = teller.asked()
    teller.tell(part, bytes(PART), len(raw) + PART)
    assert peer.is_hung_up_on(10)


def tells_a_part_too_short(peer: Wire, raw: bytes) -> None:
    teller = Teller(peer, raw)
    teller.tell(teller.asked(), b"short")
    assert peer.is_hung_up_on(10)


def tells_what_nobody_asked(peer: Wire, raw: bytes) -> None:
    teller = Teller(peer, raw, 0)
    teller.tell(0, bytes(PART), len(raw))
    assert peer.is_hung_up_on(10)


def repeats_itself(peer: Wire, raw: bytes) -> None:
    teller = Teller(peer, raw)
    part = teller.asked()
    for _ in range(2000):
        teller.tell(part)


DEEDS: tuple[Deed, ...] = (
    tells_lies,
    lies_once,
    refuses,
    leaves_midway,
    falls_silent,
    is_a_giant_and_silent,
    is_a_giant_of_zeros,
    says_no_size_that_makes_sense,
    changes_the_size,
    tells_a_part_too_short,
    tells_what_nobody_asked,
    repeats_itself,
)


@pytest.fixture(scope="module")
def raw(torrent: Torrent) -> bytes:
    """Metadata of four parts, the last one short: most of it is a field that nobody knows."""
    data = torrent.data
    digests = b"".join(hashlib.sha1(data[at : at + PIECE]).digest() for at in range(0, len(data), PIECE))
    fields = {
        "length": len(data),
        "name": NAME,
        "piece length": PIECE,
        "pieces": digests,
        "zzz": bytes(range(250)) * 200,
    }
    return bencode(dict(fields))


@pytest.fixture(scope="module")
def seed(raw: bytes, torrent: Torrent, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an honest seed."""
    folder, port = tmp_path_factory.mktemp("wide"), LOOPBACK.free_port()
    (folder / "wide.torrent").write_bytes(b"d4:info" + raw + b"e")
    words = ["seed", str(folder / "wide.torrent"), str(torrent.folder), "--port", str(port)]
    with Program(words, folder) as running:
        running.seeds()
        yield port


@pytest.mark.parametrize("deed", DEEDS, ids=[deed.__name__ for deed in DEEDS])
def test_who_lies_about_the_metadata_is_outlived(
    raw: bytes, torrent: Torrent, seed: int, into: Path, tmp_path: Path, deed: Deed
) -> None:
    """It is met first; memory does not follow what it claims."""
    digest = hashlib.sha1(raw).digest()
    with HostilePeer(digest, lambda peer: deed(peer, raw)) as hostile, Proxy(seed, shut=True) as honest:
        peers = (hostile.address, honest.address)
        with program.get(digest.hex(), into, tmp_path / "get", peers=peers) as job:
            job.saw("progress")
            before = job.memory()
            hostile.done.wait(2)
            honest.open()
            job.saw("metadata", seconds=DONE_WITHIN)
            growth = job.peak_memory() - before
            assert growth < (3 * MOST if deed is is_a_giant_of_zeros else 10 * MIB), f"{growth >> 10} KiB"
            assert job.ends(DONE_WITHIN) == 0
    assert (into / NAME).read_bytes() == torrent.data


def test_liars_of_many_kinds_at_once_are_outlived(
    raw: bytes, torrent: Torrent, seed: int, into: Path, tmp_path: Path
) -> None:
    """Those that answer at once; for the silent ones see the law of tests/engine/download/test_metadata.py."""
    digest = hashlib.sha1(raw).digest()
    deeds = (tells_lies, lies_once, refuses, leaves_midway, changes_the_size, tells_what_nobody_asked, repeats_itself)
    hostile = [
        HostilePeer(digest, lambda peer, deed=deed: deed(peer, raw), f"127.0.0.{number}")  # type: ignore[misc]
        for number, deed in enumerate(deeds, 2)
    ]
    with Proxy(seed, shut=True) as honest:
        for peer in hostile:
            peer.__enter__()
        try:
            peers = [peer.address for peer in (*hostile, honest)]
            with program.get(digest.hex(), into, tmp_path / "get", peers=peers) as job:
                job.saw("progress")
                honest.open()
                assert job.ends(3 * DONE_WITHIN) == 0
        finally:
            for peer in hostile:
                peer.__exit__(None, None, None)
    assert (into / NAME).read_bytes() == torrent.data


def test_metadata_of_30_mib_comes_and_one_byte_more_is_never_asked_for(tmp_path: Path) -> None:
    made = make(tmp_path / "src", MIB)
    digests = b"".join(hashlib.sha1(made.data[at : at + PIECE]).digest() for at in range(0, MIB, PIECE))
    fields = {"length": MIB, "name": NAME, "piece length": PIECE, "pieces": digests}
    head = bencode(dict(fields))
    for size in (MOST, MOST + 1):
        filling = size - len(head) - len(b"3:zzz") - len(b"31456000:")
        raw = head[:-1] + b"3:zzz%d:" % filling + bytes(filling) + b"e"
        assert len(raw) == size
        digest, into, asked = hashlib.sha1(raw).digest(), tmp_path / str(size), list[int]()

        def script(peer: Wire, raw: bytes = raw, asked: list[int] = asked) -> None:
            teller = Teller(peer, raw)
            while True:
                asked.append(teller.asked())
                teller.tell(asked[-1])

        more = () if size == MOST else ("--timeout", "4")
        with (
            HostilePeer(digest, script) as teller,
            program.get(digest.hex(), into, tmp_path / f"get{size}", peers=(teller.address,), more=more) as job,
        ):
            if size == MOST:
                job.saw("metadata", seconds=DONE_WITHIN)
                assert sorted(asked) == list(range(MOST // PART))
            else:
                assert job.ends(DONE_WITHIN) == 6
                assert asked == []
