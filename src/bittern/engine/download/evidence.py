"""What came of pieces that failed: a digest and a sender for each block, until a good copy shows which of them lied.

A piece that fails says only that somebody lied. When it has come again and is good, each block of the bad copy is
held against that of the good one: who sent one that differs is a liar, and its address is banned, also when it has
left; who sent none that differs is honest. Memory is bounded: of too many failures the oldest are forgotten.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from bittern.codec.merkle import HASH_BYTES

from .open_pieces import Extent

_DIGEST_BYTES = 12
MOST_BLOCKS = 16384
"""Blocks that are remembered: of 256 MiB of bad pieces, in some 2 MiB."""


class _Sent(NamedTuple):
    digest: bytes
    sender: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a good copy shows.

    Attributes:
        liars: addresses of those who sent bad blocks, in the order of the blocks.
        cleared: numbers of those who sent blocks of the bad copy, all of them right, beside a liar that is known.
    """

    liars: tuple[str, ...]
    cleared: tuple[int, ...]


class Evidence:
    """The failed pieces of one torrent, by number."""

    def __init__(self) -> None:
        self.copies: dict[int, list[dict[int, _Sent]]] = {}
        """The bad copies of each piece."""
        self._fresh: dict[int, dict[int, _Sent]] = {}  # those that are not checked yet
        self._hosts: dict[int, dict[int, str]] = {}
        self._blocks = 0

    def __contains__(self, piece: int) -> bool:
        return piece in self.copies

    def note(self, extent: Extent) -> None:
        """All of an extent came; its piece is not checked yet, and failed before or has just failed."""
        fresh = self._fresh.setdefault(extent.piece, {})
        for at, (body, sender) in enumerate(zip(extent.bodies, extent.authors, strict=True)):
            fresh[extent.first + at] = _Sent(sha256(body).digest()[:_DIGEST_BYTES], sender)

    def note_hashes(self, piece: int, authors: Mapping[int, Sequence[int]], hashes: bytes) -> None:
        """What blocks of a piece that has just failed hash to, as far as `note` was not told of them.

        Args:
            piece: its number.
            authors: who sent them, by the first block of each run.
            hashes: SHA-256 of each, from the piece's first block on; of the rest only the senders are remembered.
        """
        fresh = self._fresh.setdefault(piece, {})
        for first, senders in authors.items():
            for block, sender in enumerate(senders, first):
                begin = block * HASH_BYTES
                fresh.setdefault(block, _Sent(hashes[begin : min(begin + _DIGEST_BYTES, len(hashes))], sender))

    def failed(self, piece: int, hosts: Mapping[int, str]) -> None:
        """The copy of `piece` that was noted is bad.

        Args:
            piece: its number.
            hosts: addresses of its senders, as far as they are there.
        """
        copy = self._fresh.pop(piece, {})
        self.copies.setdefault(piece, []).append(copy)
        self._hosts.setdefault(piece, {}).update(hosts)
        self._blocks += len(copy)
        while self._blocks > MOST_BLOCKS:
            self._forget(next(iter(self.copies)))

    def senders_of(self, piece: int, blocks: Collection[int]) -> tuple[str, ...]:
        """The addresses of those who sent `blocks` of the last bad copy of `piece`, as far as it is remembered."""
        hosts, copies = self._hosts.get(piece, {}), self.copies.get(piece)
        sent = copies[-1] if copies else {}
        senders = dict.fromkeys(sent[block].sender for block in blocks if block in sent)
        return tuple(dict.fromkeys(hosts[number] for number in senders if number in hosts))

    def proven(self, piece: int) -> Verdict:
        """The copy of `piece` that was noted is good: it is known now who lied."""
        good = self._fresh.pop(piece, {})
        hosts = self._hosts.get(piece, {})
        liars: dict[int, None] = {}
        senders: dict[int, None] = {}
        for copy in self.copies.get(piece, ()):
            wrong = [
                sent.sender
                for block, sent in copy.items()
                if sent.digest and block in good and good[block].digest not in (b"", sent.digest)
            ]
            liars |= dict.fromkeys(wrong)
            if wrong:
                senders |= dict.fromkeys(sent.sender for sent in copy.values())
        self._forget(piece)
        return Verdict(
            tuple(dict.fromkeys(hosts[number] for number in liars if number in hosts)),
            tuple(number for number in senders if number not in liars),
        )

    def _forget(self, piece: int) -> None:
        self._blocks -= sum(map(len, self.copies.pop(piece, ())))
        self._fresh.pop(piece, None)
        self._hosts.pop(piece, None)
