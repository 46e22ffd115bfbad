"""Our verdict on torrents beside libtorrent's: `python -m fuzz.differential --inputs N --seed S`.

Torrents of every kind are mutated; each is read by both. Where the two do not say the same, the difference belongs to a
class that is named by who refuses and why. `EXPLAINED` says of each class why it is right; the same text stands in
`docs/torrent-verdicts.md`. Where both accept a torrent, its info hashes, sizes and pieces are the same, always.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bittern.base.errors import BencodeError, MetainfoError
from bittern.codec.metainfo import Metainfo
from bittern.sim.content import make_content, make_content_files, make_content_v2
from bittern.sim.world import World
from fuzz.plays import nudged
from fuzz.target_metainfo import TARGET
from fuzz.verdicts import BOTH, EXPLAINED, OURS, THEIRS, TRAITS, Kind


@dataclass(frozen=True, slots=True)
class Reading:
    """What one of the two made of a torrent.

    Attributes:
        refusal: what of it makes it none: a field (ours), or a sentence (theirs); None where it is one.
        words: all that is said of that.
        facts: what must be the same where both take it: info hashes, piece length, pieces, sizes of files.
        traits: whether it is private, and has a folder of its own.
    """

    refusal: str | None
    words: str
    facts: tuple[object, ...] = ()
    traits: tuple[bool, ...] = ()


@dataclass(slots=True)
class Comparison:
    """What came of many torrents.

    Attributes:
        taken, refused: by both.
        kinds: differences, and how many torrents showed each.
        examples: the shortest torrent of each.
        contradictions: torrents that both take for something else.
    """

    taken: int = 0
    refused: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    examples: dict[Kind, bytes] = field(default_factory=dict)
    contradictions: list[tuple[bytes, Reading, Reading]] = field(default_factory=list)

    def note(self, kind: Kind, data: bytes) -> None:
        """A torrent shows a difference."""
        self.kinds[kind] += 1
        if len(data) < len(self.examples.get(kind, bytes(1 << 20))):
            self.examples[kind] = data

    @property
    def unexplained(self) -> list[Kind]:
        """Differences that nobody has explained."""
        return sorted(kind for kind in self.kinds if kind not in EXPLAINED)


def ours(data: bytes) -> Reading:
    """How bittern reads it."""
    try:
        meta = Metainfo.from_bytes(data)
    except BencodeError as error:
        return Reading("bencode", str(error))
    except MetainfoError as error:
        return Reading(error.field, str(error))
    info = meta.info
    hashes = (str(info.info_hash_v1 or ""), str(info.info_hash_v2 or ""))
    sizes = tuple(file.length for file in info.files if not file.pad)
    facts = (*hashes, info.piece_size, info.geometry.piece_count, sizes)
    return Reading(None, "", facts, (info.private, info.multi_file))


def theirs(data: bytes) -> Reading:
    """How libtorrent reads it."""
    import libtorrent  # noqa: PLC0415 - only where it is compared with

    try:
        info: Any = libtorrent.load_torrent_buffer(data).ti
    except RuntimeError as error:
        return Reading(re.sub(r" \[libtorrent:\d+]$", "", str(error)), str(error))
    hashes, layout = info.info_hashes(), info.layout()
    pad = libtorrent.file_flags_t.flag_pad_file
    numbers = range(layout.num_files())
    real = [number for number in numbers if not layout.file_flags(number) & pad]
    sizes = tuple(layout.file_size(number) for number in real)
    named = (str(hashes.v1) if hashes.has_v1() else "", str(hashes.v2) if hashes.has_v2() else "")
    facts = (*named, info.piece_length(), info.num_pieces(), sizes)
    in_folder = any("/" in layout.file_path(number) for number in real)
    return Reading(None, "", facts, (info.priv(), in_folder))


def compare(torrents: Iterable[bytes]) -> Comparison:
    """Let both read all of them."""
    found = Comparison()
    for data in torrents:
        mine, other = ours(data), theirs(data)
        if mine.refusal is not None and other.refusal is not None:
            found.refused += 1
        elif mine.refusal is not None:
            found.note((OURS, mine.refusal), data)
        elif other.refusal is not None:
            found.note((THEIRS, other.refusal), data)
        else:
            found.taken += 1
            if mine.facts != other.facts:
                found.contradictions.append((data, mine, other))
            for trait, one, two in zip(TRAITS, mine.traits, other.traits, strict=True):
                if one != two:
                    found.note((BOTH, trait), data)
    return found


def torrents(count: int, seed: int) -> Iterator[bytes]:
    """The torrents that mutation begins with, then so many that it leads to; most differ in one or two places."""
    rng = Random(f"differential {seed}")
    known = [*TARGET.corpus, *_more()]
    yield from known
    for _ in range(count):
        data = rng.choice(known)
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
            data = nudged(data, rng) if not rng.randrange(8) else rng.choice(TARGET.edits)(data, rng)
        yield data


def _more() -> Iterator[bytes]:
    """Torrents of all versions as our own tool makes them, of one file and of several."""
    world = World(Random, 1)
    for sizes in ((70_000,), (70_000, 16384, 5)):
        for hybrid in (False, True):
            content = make_content_v2(world, "made", sizes, 16384, ("http://a/", "udp://b:1"), hybrid=hybrid)
            yield content.metainfo.to_bytes()
    yield make_content(world, "made", 70_000, 16384, ("http://a/",)).metainfo.to_bytes()
    yield make_content_files(world, "made", (5, 70_000, 1), 16384).metainfo.to_bytes()


def main(argv: list[str] | None = None) -> int:
    """Compare, and say what differs; exit code 1 where that is not explained."""
    parser = argparse.ArgumentParser(prog="fuzz.differential", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    found = compare(torrents(options.inputs, options.seed))
    print(f"seed {options.seed}: both take {found.taken}, both refuse {found.refused}")
    for (who, why), count in found.kinds.most_common():
        known = "" if (who, why) in EXPLAINED else f"  NOT EXPLAINED, as {found.examples[who, why].hex()}"
        print(f"{count:6} {who}: {why}{known}")
    for data, mine, other in found.contradictions[:20]:
        print(f"CONTRADICTION: {mine.facts} and {other.facts}: {data.hex()}")
    return int(bool(found.unexplained or found.contradictions))


if __name__ == "__main__":
    sys.exit(main())
