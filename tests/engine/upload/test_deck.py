"""Pieces are drawn in random order, each once."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.upload.deck import Deck


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_each_piece_is_drawn_once_and_again_at_once_when_it_was_put_back(seed: int, pieces: int) -> None:
    deck = Deck(Random(seed))
    deck.fill(pieces)
    drawn = []
    for left in range(pieces, 0, -1):
        assert len(deck) == left
        drawn.append(deck.draw())
        if drawn[-1] % 3 == 0:
            deck.put_back(drawn[-1])
            assert deck.draw() == drawn[-1]
    assert sorted(drawn) == list(range(pieces))


def test_every_order_is_as_likely_as_any_other() -> None:
    counts: dict[tuple[int, ...], int] = {}
    rng = Random(0)
    for _ in range(6000):
        deck = Deck(rng)
        deck.fill(3)
        order = (deck.draw(), deck.draw(), deck.draw())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert all(900 < count < 1100 for count in counts.values())
