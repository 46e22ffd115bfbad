"""The info dictionary from peers of whom none can be trusted."""

import tracemalloc
from hashlib import sha1, sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bittern.base.errors import RemoteProtocolError
from bittern.base.ids import InfoHashV1
from bittern.engine.download.metadata import PATIENCE_SECONDS, PER_PEER, REQUEST_SECONDS, MetadataFetch
from bittern.wire.extended import MAX_METADATA
from bittern.wire.ut_metadata import METADATA_PIECE, MetadataData

RAW = bytes(range(256)) * 400  # seven pieces, the last one short
SIZE = len(RAW)
HASH = InfoHashV1(sha1(RAW).digest())
LATE = REQUEST_SECONDS + 1


def piece(number: int, raw: bytes = RAW) -> MetadataData:
    return MetadataData(number, len(raw), raw[number * METADATA_PIECE : (number + 1) * METADATA_PIECE])


def lie(number: int, size: int = SIZE) -> MetadataData:
    return piece(number, bytes(size))


class Fetch:
    """A fetch, peers that answer what they are asked, and what became of them."""

    def __init__(self, info_hash: InfoHashV1 = HASH) -> None:
        self.fetch = MetadataFetch(info_hash)
        self.raw: bytes | None = None
        self.liars: list[int] = []

    def answer(self, peer: int, data: MetadataData) -> None:
        self.raw = self.raw or self.fetch.received(peer, data)
        if self.raw is None:
            self.liars += self.fetch.take_liars()

    def turn(self, peer: int, now: float = 0.0, *, source: bytes = RAW) -> list[int]:
        """The peer is asked for what it may give, and gives it."""
        asked = self.fetch.wants_from(peer, len(source), now)
        for number in asked:
            if self.raw is None:
                self.answer(peer, piece(number, source))
        return asked


def test_one_peer_gives_all_of_it_a_few_pieces_at_a_time() -> None:
    fetch = Fetch()
    assert fetch.fetch.progress is None
    assert fetch.turn(1) == [0, 1, 2, 3]
    assert fetch.fetch.progress == (4, 7)
    assert fetch.turn(1) == [4, 5, 6]
    assert fetch.raw == RAW


def test_several_peers_are_asked_for_different_pieces() -> None:
    fetch = MetadataFetch(HASH)
    assert [fetch.wants_from(peer, SIZE, 0.0) for peer in (1, 2, 3)] == [[0, 1, 2, 3], [4, 5, 6], []]


def test_the_hash_of_version_2_counts_as_well() -> None:
    fetch = Fetch(InfoHashV1(sha256(RAW).digest()[:20]))
    fetch.turn(1)
    fetch.turn(1)
    assert fetch.raw == RAW


def test_a_peer_that_names_no_size_is_not_asked() -> None:
    assert MetadataFetch(HASH).wants_from(1, None, 0.0) == []


def test_who_rejects_is_not_asked_again_and_its_pieces_are_free() -> None:
    fetch = Fetch()
    assert len(fetch.fetch.wants_from(1, SIZE, 0.0)) == PER_PEER
    fetch.fetch.rejected(1)
    assert fetch.turn(1) == []
    assert fetch.turn(2) == [0, 1, 2, 3]


def test_what_a_peer_that_leaves_was_asked_is_asked_of_the_next() -> None:
    fetch = Fetch()
    assert len(fetch.fetch.wants_from(1, SIZE, 0.0)) == PER_PEER
    fetch.answer(1, piece(0))
    fetch.fetch.lost(1)
    assert fetch.turn(2) == [1, 2, 3, 4]
    assert fetch.turn(2) == [5, 6]
    assert fetch.raw == RAW


def test_a_liar_that_sent_everything_alone_is_found_out() -> None:
    fetch = Fetch()
    fetch.turn(1, source=bytes(SIZE))
    fetch.turn(1, source=bytes(SIZE))
    assert (fetch.raw, fetch.liars) == (None, [1])
    fetch.fetch.lost(1)
    for _ in range(2):
        fetch.turn(2)
    assert fetch.raw == RAW


def test_a_liar_among_several_is_found_out_by_trusting_one_at_a_time() -> None:
    fetch = Fetch()
    fetch.turn(1, source=bytes(SIZE))
    fetch.turn(2)
    assert (fetch.raw, fetch.liars) == (None, [])
    for _ in range(2):
        fetch.turn(1, source=bytes(SIZE))
        assert fetch.turn(2) == [] or fetch.liars
    assert fetch.liars == [1]
    fetch.fetch.lost(1)
    for _ in range(2):
        fetch.turn(2)
    assert fetch.raw == RAW


@pytest.mark.parametrize("pieces_first", [0, 1, 3])
def test_a_liar_about_the_size_that_falls_silent_does_not_hold_the_others_up(pieces_first: int) -> None:
    """It is asked first, gives some pieces or none, and then nothing; it stays connected."""
    fetch, size = Fetch(), 30 << 20
    asked = fetch.fetch.wants_from(1, size, 0.0)
    for number in asked[:pieces_first]:
        fetch.answer(1, lie(number, size))
    for second in range(40):
        fetch.fetch.wants_from(1, size, float(second))
        fetch.turn(2, float(second))
    assert fetch.raw == RAW


@pytest.mark.parametrize("gone", ["lost", "rejected"])
def test_a_liar_about_the_size_that_leaves_does_not_hold_the_others_up(gone: str) -> None:
    fetch, size = Fetch(), 30 << 20
    asked = fetch.fetch.wants_from(1, size, 0.0)
    fetch.answer(1, lie(asked[0], size))
    getattr(fetch.fetch, gone)(1)
    for second in range(3):
        fetch.turn(2, float(second))
    assert fetch.raw == RAW


def test_a_liar_about_the_size_that_drips_does_not_hold_the_others_up() -> None:
    """Every nine seconds a piece: all 1,920 would take five hours."""
    fetch, size = Fetch(), 30 << 20
    for second in range(120):
        now = float(second)
        asked = fetch.fetch.wants_from(1, size, now)
        if second % 9 == 0 and asked:
            fetch.answer(1, lie(asked[0], size))
        for honest in (2, 3):
            fetch.turn(honest, now)
    assert fetch.raw == RAW


def test_of_two_peers_with_different_sizes_each_has_its_time() -> None:
    """One drips, the other is honest: there is no majority, but a limit to patience."""
    fetch, size = Fetch(), 30 << 20
    for second in range(100):
        now = float(second)
        for number in fetch.fetch.wants_from(1, size, now)[:1] if second % 9 == 0 else ():
            fetch.answer(1, lie(number, size))
        fetch.turn(2, now)
    assert fetch.raw == RAW


def test_the_one_trusted_peer_that_drips_is_trusted_no_longer() -> None:
    fetch, raw = Fetch(), bytes(100 * METADATA_PIECE)
    whole = bytes(range(250)) * (len(raw) // 250) + bytes(len(raw) % 250)
    fetch.fetch = MetadataFetch(InfoHashV1(sha1(whole).digest()))
    while not fetch.fetch.failures:
        fetch.turn(1, source=raw)
        fetch.turn(2, source=whole)
    for second in range(200):
        now = float(second)
        for number in fetch.fetch.wants_from(1, len(raw), now)[:1] if second % 9 == 0 else ():
            fetch.answer(1, piece(number, raw))
        fetch.turn(2, now, source=whole)
    assert fetch.raw == whole


def test_the_one_trusted_peer_that_falls_silent_is_trusted_no_longer() -> None:
    fetch = Fetch()
    fetch.turn(1, source=bytes(SIZE))
    fetch.turn(2)  # together they fail: from now on one at a time
    assert fetch.fetch.failures == 1
    assert fetch.fetch.wants_from(1, SIZE, 1.0)
    for second in range(2, 30):
        fetch.fetch.wants_from(1, SIZE, float(second))
        fetch.turn(2, float(second))
    assert fetch.raw == RAW


def test_an_unanswered_request_is_made_to_another_peer_after_a_while() -> None:
    fetch = MetadataFetch(HASH)
    assert fetch.wants_from(1, SIZE, 0.0) == [0, 1, 2, 3]
    assert fetch.wants_from(2, SIZE, 1.0) == [4, 5, 6]
    assert fetch.wants_from(3, SIZE, REQUEST_SECONDS - 0.1) == []
    assert fetch.wants_from(3, SIZE, REQUEST_SECONDS) == [0, 1, 2, 3]


def test_an_answer_that_comes_late_is_no_offence() -> None:
    """A slow line is not a lie: the request was made, only not waited for any longer."""
    fetch = Fetch()
    fetch.fetch.wants_from(1, SIZE, 0.0)
    assert fetch.turn(2, LATE) == [0, 1, 2, 3]
    fetch.answer(1, piece(0))
    fetch.turn(2, LATE)
    assert fetch.raw == RAW


def test_answers_under_way_when_everything_starts_anew_are_no_offence() -> None:
    fetch = Fetch()
    fetch.fetch.wants_from(1, SIZE, 0.0)
    fetch.turn(2, source=bytes(SIZE))
    fetch.turn(2, LATE, source=bytes(SIZE))
    assert fetch.fetch.failures == 1
    fetch.answer(1, piece(0))
    assert fetch.raw is None


def test_data_from_a_peer_that_was_never_asked_is_an_offence() -> None:
    fetch = Fetch()
    fetch.fetch.wants_from(1, SIZE, 0.0)
    with pytest.raises(RemoteProtocolError, match="metadata"):
        fetch.answer(2, piece(0))


def test_a_peer_that_changes_the_size_is_an_offender() -> None:
    fetch = Fetch()
    asked = fetch.fetch.wants_from(1, SIZE, 0.0)
    with pytest.raises(RemoteProtocolError, match="metadata"):
        fetch.answer(1, lie(asked[0], SIZE + 1))


@pytest.mark.parametrize(("parts", "most"), [(0, 1 << 20), (4, 1 << 20), (1920, 2 * MAX_METADATA + (2 << 20))])
def test_memory_follows_what_came_and_not_what_was_claimed(parts: int, most: int) -> None:
    """At the end there are the parts and the whole, for the moment that it is hashed."""
    fetch, whole = MetadataFetch(HASH), memoryview(bytes(MAX_METADATA))
    tracemalloc.start()
    try:
        while parts and (asked := fetch.wants_from(1, MAX_METADATA, 0.0)):
            for number in asked[:parts]:
                span = slice(number * METADATA_PIECE, (number + 1) * METADATA_PIECE)
                assert fetch.received(1, MetadataData(number, MAX_METADATA, whole[span])) is None
            parts -= len(asked)
        assert fetch.wants_from(1, MAX_METADATA, 0.0) is not None
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


# --- crowds

KINDS = ("false", "one bad piece", "drip", "giant", "giant drip", "another size", "rejects", "silent", "true and slow")


class Teller:
    """A peer of a kind: what size it claims, and how it answers what it is asked."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.size = {"giant": MAX_METADATA, "giant drip": MAX_METADATA, "another size": SIZE + 5}.get(kind, SIZE)
        self.owed: list[int] = []
        self._said_at = -100.0

    def words(self, now: float) -> list[MetadataData]:
        """What it sends of what it was asked for."""
        slow = self.kind in ("drip", "giant drip", "true and slow")
        if self.kind in ("silent", "giant") or (slow and now - self._said_at < REQUEST_SECONDS - 1):
            return []
        self._said_at = now
        count = 1 if slow else len(self.owed)
        numbers, self.owed = self.owed[:count], self.owed[count:]
        honest = self.kind in ("true", "true and slow")
        return [
            piece(number) if honest or (self.kind == "one bad piece" and number) else lie(number, self.size)
            for number in numbers
        ]


@settings(max_examples=150)
@given(st.lists(st.sampled_from(KINDS), max_size=10), st.integers(0, 10), st.integers(0, 2**32))
def test_one_honest_peer_is_enough_however_many_lie_and_memory_grows_only_by_what_came(
    kinds: list[str], place: int, luck: int
) -> None:
    """Each has its time once at most before the honest one has."""
    rng = Random(luck)
    tellers = {number: Teller(kind) for number, kind in enumerate([*kinds[:place], "true", *kinds[place:]])}
    honest = next(number for number, teller in tellers.items() if teller.kind == "true")
    fetch, came = Fetch(), 0
    for second in range(int((len(tellers) + 1) * PATIENCE_SECONDS)):
        for number in rng.sample(sorted(tellers), len(tellers)):
            teller = tellers.get(number)
            if teller is None or fetch.raw is not None:
                continue
            teller.owed += fetch.fetch.wants_from(number, teller.size, float(second))
            if teller.kind == "rejects" and teller.owed:
                teller.owed.clear()
                fetch.fetch.rejected(number)
            for data in teller.words(float(second)):
                if number in tellers and not fetch.raw:
                    came += len(data.block)
                    fetch.answer(number, data)
                    for liar in fetch.liars:
                        if tellers.pop(liar, None) is not None:
                            fetch.fetch.lost(liar)
            assert sum(len(data) for _, data in fetch.fetch._pieces.values()) <= came
        if fetch.raw is not None:
            break
    assert fetch.raw == RAW, f"{second} s"
    assert honest not in fetch.liars
