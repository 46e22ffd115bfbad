"""The v2 hash of every piece of a torrent: what its piece layers say, as far as they are known (BEP 52).

A file not longer than a piece has its root as the only hash. Of longer ones the layer stands in the .torrent file, or
comes from peers in portions of 512 hashes.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping

from bittern.base.bitfield import Bitfield

from .info import Info
from .layout import File
from .merkle import HASH_BYTES, check_layer, climb, pad_hash, piece_level, subtree_root, tree_height, tree_width

PORTION_LEVELS = 9
PORTION = 1 << PORTION_LEVELS
"""Hashes of a layer that become known together."""


def proved(info: Info, rows: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Those of `rows`, by root, that are whole piece layers of files of the torrent."""
    files = {file.pieces_root: file for file in info.files if file.pieces_root is not None}
    size = info.piece_size
    return {
        root: row for root, row in rows.items() if root in files and check_layer(root, row, files[root].length, size)
    }


class Layers:
    """What is known of the piece layers of one torrent.

    Args:
        info: of the torrent; must have a v2 part.
        known: whole layers by root, checked against it (`Metainfo.piece_layers`).

    Attributes:
        level: of the piece layer above the leaves.
    """

    def __init__(self, info: Info, known: Mapping[bytes, bytes]) -> None:
        self._piece_size = info.piece_size
        self.level = piece_level(info.piece_size)
        self._files = [file for file in info.files if file.pieces_root is not None]
        self._firsts = [file.offset // info.piece_size for file in self._files]
        self._roots: dict[bytes, list[int]] = {}
        self._rows: dict[bytes, bytes | bytearray] = {}
        self._missing: dict[tuple[bytes, int], None] = {}
        self._incomplete: dict[bytes, int] = {}  # portions that are missing of a layer
        self._tops: dict[bytes, bytes] = {}  # of whole layers, the roots of their portions
        self._proofs: dict[bytes, dict[tuple[int, int], bytes]] = {}  # of others, what is known above portions
        self.portions = 0
        """Of all layers, known or not."""
        for number, file in enumerate(self._files):
            root = file.pieces_root or b""
            self._roots.setdefault(root, []).append(number)
            count = self._count(file)
            if count > 1 and root not in self._rows:
                row: bytes | bytearray = known.get(root, b"")
                portions = -(-count // PORTION)
                self.portions += portions
                if len(row) != count * HASH_BYTES:
                    row = bytearray(count * HASH_BYTES)
                    self._missing.update(((root, portion), None) for portion in range(portions))
                    self._incomplete[root] = portions
                self._rows[root] = row

    @property
    def complete(self) -> bool:
        """Whether every hash is known."""
        return not self._missing

    def rows(self) -> dict[bytes, bytes]:
        """The layers that are known from end to end, by root."""
        return {root: bytes(row) for root, row in self._rows.items() if root not in self._incomplete}

    def hash_of(self, piece: int) -> bytes | None:
        """The hash of `piece`, 32 bytes; None while it is not known, or where no file has it."""
        file, at = self.place_of(piece)
        root = file.pieces_root or b""
        if file.length <= self._piece_size:
            return root
        if (root, at // PORTION) in self._missing:
            return None
        return bytes(self._rows[root][at * HASH_BYTES : (at + 1) * HASH_BYTES])

    def width_of(self, piece: int) -> int:
        """Leaves under the hash of `piece`, a power of two."""
        return tree_width(self.place_of(piece)[0].length, self._piece_size)

    def data_length(self, piece: int) -> int:
        """Bytes of its file in `piece`: pads are in no tree."""
        file, at = self.place_of(piece)
        return min(self._piece_size, file.length - at * self._piece_size)

    def place_of(self, piece: int) -> tuple[File, int]:
        """The file that `piece` is in, and its number among the pieces of that file."""
        number = bisect_right(self._firsts, piece) - 1
        return self._files[number], piece - self._firsts[number]

    def height_of(self, root: bytes) -> int | None:
        """Levels of a file's tree above its leaves; None when no file has that root."""
        numbers = self._roots.get(root)
        return tree_height(self._files[numbers[0]].length) if numbers else None

    def first_of(self, root: bytes) -> int | None:
        """The first piece of a file with that root; None when there is none."""
        numbers = self._roots.get(root)
        return self._firsts[numbers[0]] if numbers else None

    def nodes(self, root: bytes, above: int, first: int, count: int) -> bytes | None:
        """Hashes of the tree of a file, `above` levels over its piece layer, filled up beyond the layer's end.

        None when the file has no piece layer, or they do not follow from what is known of it.

        Args:
            root: of the tree.
            above: levels.
            first: number of the first hash in its level, a multiple of `count`.
            count: hashes, a power of two.
        """
        row = self._rows.get(root)
        if row is None:
            return None
        if root in self._incomplete and above >= PORTION_LEVELS:
            proofs = self._proofs.get(root, {})
            found = [proofs.get((above, index), b"") for index in range(first, first + count)]
            return b"".join(found) if all(found) else None
        if root in self._incomplete and not self._is_known(root, first << above):
            return None
        level = self.level
        if above >= PORTION_LEVELS:  # what is over whole portions is made once: of a long layer it is much work
            if root not in self._tops:
                self._tops[root] = _over(bytes(row), level, PORTION_LEVELS)
            row, level, above = self._tops[root], level + PORTION_LEVELS, above - PORTION_LEVELS
        begin, end = (first << above) * HASH_BYTES, ((first + count) << above) * HASH_BYTES
        nodes = _over(bytes(row[begin:end]), level, above)
        return nodes + pad_hash(level + above) * (count - len(nodes) // HASH_BYTES)

    def missing(self) -> Collection[tuple[bytes, int]]:
        """Root and number of each portion that is not known, in the order of the files."""
        return self._missing.keys()

    def portion_width(self, root: bytes) -> int:
        """Hashes of a portion of a file's layer, those beyond its end counted; a power of two."""
        return min(PORTION, 1 << (len(self._rows[root]) // HASH_BYTES - 1).bit_length())

    def pieces_of(self, root: bytes, portion: int) -> list[int]:
        """The pieces whose hashes are in a portion of a layer: of every file with that root."""
        found: list[int] = []
        for number in self._roots[root]:
            begin = self._firsts[number] + portion * PORTION
            end = min(begin + PORTION, self._firsts[number] + self._count(self._files[number]))
            found.extend(range(begin, end))
        return found

    def learn(self, root: bytes, portion: int, row: bytes, uncles: bytes = b"") -> list[int]:
        """A portion was proved to be `row`, by `uncles` (see `climb`); its pieces."""
        whole = self._rows[root]
        assert isinstance(whole, bytearray)
        begin = portion * PORTION * HASH_BYTES
        whole[begin : begin + PORTION * HASH_BYTES] = row[: min(PORTION * HASH_BYTES, len(whole) - begin)]
        del self._missing[root, portion]
        self._incomplete[root] -= 1
        if self._incomplete[root]:
            self._keep_proof(root, portion, row, uncles)
        else:
            del self._incomplete[root]
            self._proofs.pop(root, None)
        return self.pieces_of(root, portion)

    def unknown(self, pieces: Bitfield) -> list[int]:
        """Those of `pieces` whose hash is not known."""
        return [piece for root, portion in self.missing() for piece in self.pieces_of(root, portion) if piece in pieces]

    def _is_known(self, root: bytes, first: int) -> bool:
        """Whether the portion is known that has hash number `first` of a layer."""
        return first < len(self._rows[root]) // HASH_BYTES and (root, first // PORTION) not in self._missing

    def _keep_proof(self, root: bytes, portion: int, row: bytes, uncles: bytes) -> None:
        """While others are missing, a portion can be given to others only with what proved it."""
        proofs = self._proofs.setdefault(root, {})
        node = subtree_root(row[: PORTION * HASH_BYTES], self.level, PORTION)
        for step, at in enumerate(range(0, len(uncles), HASH_BYTES)):
            above, index = PORTION_LEVELS + step, portion >> step
            uncle = uncles[at : at + HASH_BYTES]
            proofs[above, index], proofs[above, index ^ 1] = node, uncle
            node = climb(node, index, uncle)

    def _count(self, file: File) -> int:
        return -(-file.length // self._piece_size)


def _over(row: bytes, level: int, above: int) -> bytes:
    """The hashes `above` levels over `row`, which is of `level` and begins at the left edge of a subtree."""
    step = HASH_BYTES << above
    return b"".join([subtree_root(row[at : at + step], level, 1 << above) for at in range(0, len(row), step)])
