"""How one peer fares in being served and waiting: what the choker needs to be fair. Counted in rounds."""

from dataclasses import dataclass

STINT_PIECES = 20
"""A stint is over when so many pieces went out to the peer..."""
STINT_ROUNDS = 6
"""... or so many rounds: who takes nothing does not keep the others waiting."""


@dataclass(slots=True)
class Stint:
    """The stint of one peer.

    Attributes:
        rounds: that it is being served already.
        waited: that it wanted to be served and was not, since it was last served.
        sent_before: bytes it had got when the stint began.
        optimistic_until: it is served by chance until then.
        interrupted: it was choked in the middle of its stint only to say no to what it asked, and is next.
    """

    rounds: int = 0
    waited: int = 0
    sent_before: int = 0
    optimistic_until: float = 0.0
    interrupted: bool = False

    def begin(self, sent: int) -> None:
        """The peer is unchoked; it got `sent` bytes until now."""
        if not self.interrupted:
            self.rounds = self.waited = 0
            self.sent_before = sent
        self.interrupted = False

    def next_round(self, *, served: bool, interested: bool) -> None:
        """A round is over."""
        if served or self.interrupted:
            self.rounds += 1
        elif interested:
            self.waited += 1

    def used(self, sent: int, piece_size: int) -> float:
        """The part of the stint that is used up, for a peer that got `sent` bytes until now; 1 and more: over."""
        return max((sent - self.sent_before) / (STINT_PIECES * piece_size), self.rounds / STINT_ROUNDS)
