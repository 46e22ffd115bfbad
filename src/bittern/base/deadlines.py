"""Many things with a time each, and which comes first: setting one costs no more than looking at a few."""

from heapq import heapify, heappop, heappush

_SLACK = 64


class Deadlines:
    """At most one deadline for each key; keys are numbers, ties go to the smaller."""

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []  # outdated entries stay until they come up

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: int, due: float | None) -> None:
        """`key` is due at `due`, whatever was set before; None for never."""
        if due is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due:
            self._due[key] = due
            heappush(self._heap, (due, key))
            if len(self._heap) > 2 * len(self._due) + _SLACK:
                self._heap = [(at, number) for number, at in self._due.items()]
                heapify(self._heap)

    def next(self) -> float | None:
        """The earliest deadline, or None."""
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def take(self, now: float) -> list[int]:
        """The keys that are due at `now`, earliest first; they have no deadline any more."""
        taken = []
        while (due := self.next()) is not None and due <= now:
            key = heappop(self._heap)[1]
            del self._due[key]
            taken.append(key)
        return taken
