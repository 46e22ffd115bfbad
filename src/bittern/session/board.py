"""What changed since a reader looked last: revisions of keys, without the values.

Reading costs as much as there are changes, not torrents; keeping it costs one entry in a dictionary for each key.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

MOST_GONE = 10_000
"""Keys that are gone and remembered; a reader who looked before that is told everything anew."""


@dataclass(frozen=True, slots=True)
class Changes(Generic[K]):
    """What changed.

    Attributes:
        revision: to ask with the next time.
        whole: `changed` is everything there is: what the reader knew before is to be forgotten.
        changed: keys that are new or have another value, those that changed last first.
        gone: keys that are not there any more.
    """

    revision: int
    whole: bool
    changed: tuple[K, ...]
    gone: tuple[K, ...]


class Board(Generic[K]):
    """Which keys changed, by revision."""

    def __init__(self) -> None:
        self.revision = 0
        """Of the last change; 0 before the first."""
        self._changed: dict[K, int] = {}  # in the order of their revisions
        self._gone: dict[K, int] = {}
        self._gone_before = 0  # up to here keys may be gone that are not remembered

    def __len__(self) -> int:
        return len(self._changed)

    def touch(self, key: K) -> None:
        """`key` is new, or has another value."""
        self.revision += 1
        self._gone.pop(key, None)
        self._changed.pop(key, None)
        self._changed[key] = self.revision

    def drop(self, key: K) -> None:
        """`key` is gone."""
        if self._changed.pop(key, None) is None:
            return
        self.revision += 1
        self._gone[key] = self.revision
        if len(self._gone) > MOST_GONE:
            oldest = next(iter(self._gone))
            self._gone_before = self._gone.pop(oldest)

    def since(self, revision: int) -> Changes[K]:
        """What changed after `revision`; all there is for 0 and for a revision that is not known (any more)."""
        if not self._gone_before <= revision <= self.revision or revision == 0:
            return Changes(self.revision, whole=True, changed=tuple(reversed(self._changed)), gone=())
        return Changes(
            self.revision,
            whole=False,
            changed=_after(self._changed, revision),
            gone=_after(self._gone, revision),
        )


def _after(revisions: dict[K, int], revision: int) -> tuple[K, ...]:
    found = []
    for key, changed in reversed(revisions.items()):
        if changed <= revision:
            break
        found.append(key)
    return tuple(found)
