"""Whether a router forgot what it had promised: its count of seconds says so (RFC 6886 3.6, RFC 6887 8.5)."""


class Epoch:
    """What one router said of its age."""

    def __init__(self) -> None:
        self._said: int | None = None
        self._at = 0.0

    def heard(self, epoch: int, now: float) -> bool:
        """The router says that it is `epoch` seconds old; False where it cannot be the one that it was."""
        before, at = self._said, self._at
        self._said, self._at = epoch, now
        if before is None:
            return True
        if epoch < before - 1:
            return False
        theirs, ours = epoch - before, now - at
        # RFC 6887 8.5: two seconds, and a sixteenth for clocks that differ.
        return not (ours + 2 < theirs - theirs / 16 or theirs + 2 < ours - ours / 16)
