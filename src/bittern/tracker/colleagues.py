"""Several processes are one tracker: each is home to a share of the swarms, and asks the others about theirs.

The swarm's info hash says where it is at home. Questions and replies travel as datagrams of frames, so that what one
turn of a busy worker has to say to another costs one system call. What they mean is no matter here (see `questions`).
"""

# HOT: bench/tracker.py
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

MAX_DATAGRAM: Final = 60_000
"""Bytes of a datagram at most; no question and no reply is longer."""
MAX_UNSENT: Final = 1 << 20
"""Bytes that wait for one worker; what is asked beyond is not answered."""
PATIENCE_SECONDS: Final = 3.0
"""A question without a reply is given up after so long, or up to as long again."""

_QUESTION, _REPLY = 1, 2
_FRAME = Struct(">BIH")  # what it is, its number, bytes that follow


def home_of(info_hash: bytes, workers: int) -> int:
    """The worker that is home to a swarm: its first four bytes as a number, modulo the workers.

    So the kernel can tell, too: see `io.tracker.listening`.
    """
    return int.from_bytes(info_hash[:4]) % workers


class Errand(Generic[T]):
    """An answer for which others have to be asked first; they are when it is called, with who takes the answer."""

    __slots__ = ("_colleagues", "_finish", "_missing", "_otherwise", "_questions", "_replies", "_then")

    def __init__(
        self,
        colleagues: "Colleagues",
        questions: Sequence[tuple[int, bytes]],
        finish: Callable[[Sequence[bytes]], T],
        otherwise: T,
    ) -> None:
        self._colleagues = colleagues
        self._questions = questions
        self._finish = finish
        self._otherwise = otherwise
        self._replies: list[bytes] = [b""] * len(questions)
        self._missing = len(questions)
        self._then: Callable[[T], None] | None = None

    def __call__(self, then: Callable[[T], None]) -> None:
        """Ask, and call `then` once: with the answer, or with what there is instead when a reply does not come."""
        self._then = then
        for place, (worker, question) in enumerate(self._questions):
            if not self._colleagues.ask(worker, question, self, place):
                self.give_up()
                return

    def replied(self, place: int, reply: bytes) -> None:
        """One of the replies is there."""
        self._replies[place] = reply
        self._missing -= 1
        if self._missing == 0 and self._then is not None:
            then, self._then = self._then, None
            then(self._finish(self._replies))

    def give_up(self) -> None:
        """One of the replies will not come."""
        if self._then is not None:
            then, self._then = self._then, None
            then(self._otherwise)


class Colleagues:
    """The others, as one worker sees them.

    Args:
        index: this worker's number, from 0.
        count: workers, this one among them; at least 2.
        answer: from the question of another to the reply.
        wake: called when `take_unsent` has something to take again.
        number: of the first question, 32 bits: not one of those that this worker's predecessor has asked lately.
    """

    def __init__(
        self, index: int, count: int, answer: Callable[[bytes], bytes], wake: Callable[[], None], number: int = 0
    ) -> None:
        self.index = index
        self.count = count
        self._answer = answer
        self._wake = wake
        self._number = number & 0xFFFFFFFF
        self._head = bytes((index,))
        self._unsent: dict[int, list[bytearray]] = {}
        self._waiting: dict[int, tuple[Errand[Any], int]] = {}
        self._overdue: dict[int, tuple[Errand[Any], int]] = {}  # asked before the latest look at the clock
        self._look_at: float | None = None

    @property
    def others(self) -> list[int]:
        """Their numbers."""
        return [each for each in range(self.count) if each != self.index]

    def errand(
        self, questions: Sequence[tuple[int, bytes]], finish: Callable[[Sequence[bytes]], T], otherwise: T
    ) -> Errand[T]:
        """An answer that needs others.

        Args:
            questions: of at least one: which worker, and what it is asked.
            finish: from the replies, in the order of the questions, to the answer.
            otherwise: the answer when a reply does not come.
        """
        return Errand(self, questions, finish, otherwise)

    def ask(self, worker: int, question: bytes, errand: Errand[T], place: int) -> bool:
        """Put a question into the post; False when there is too much in it already."""
        boxes = self._unsent.get(worker)
        if boxes is not None and len(boxes) * MAX_DATAGRAM > MAX_UNSENT:
            return False
        self._number = number = (self._number + 1) & 0xFFFFFFFF
        self._waiting[number] = errand, place
        self._post(worker, _QUESTION, number, question)
        return True

    def received(self, datagram: bytes) -> None:
        """A datagram of another worker has come: answer its questions, hand out its replies."""
        worker, at, size = datagram[0], 1, len(datagram)
        while at < size:
            kind, number, length = _FRAME.unpack_from(datagram, at)
            at += _FRAME.size + length
            body = datagram[at - length : at]
            if kind == _QUESTION:
                self._post(worker, _REPLY, number, self._answer(body))
                continue
            waited = self._waiting.pop(number, None) or self._overdue.pop(number, None)
            if waited is not None:
                waited[0].replied(waited[1], body)

    def take_unsent(self) -> dict[int, list[bytearray]]:
        """The datagrams to send, by worker."""
        unsent, self._unsent = self._unsent, {}
        return unsent

    def put_back(self, worker: int, datagrams: list[bytearray]) -> None:
        """These could not be sent yet; they go before what has come since."""
        if len(datagrams) * MAX_DATAGRAM <= MAX_UNSENT:
            self._unsent[worker] = datagrams + self._unsent.get(worker, [])

    def advance(self, now: float) -> None:
        """It is `now`, monotonic seconds: give up what nobody replies to."""
        if self._look_at is None:
            self._look_at = now + PATIENCE_SECONDS
        if now < self._look_at:
            return
        self._look_at = now + PATIENCE_SECONDS
        late, self._overdue, self._waiting = self._overdue, self._waiting, {}
        for errand, _ in late.values():
            errand.give_up()

    def _post(self, worker: int, kind: int, number: int, body: bytes) -> None:
        if not self._unsent:
            self._wake()
        boxes = self._unsent.get(worker)
        if boxes is None:
            boxes = self._unsent[worker] = [bytearray(self._head)]
        box = boxes[-1]
        if len(box) + _FRAME.size + len(body) > MAX_DATAGRAM:
            box = bytearray(self._head)
            boxes.append(box)
        box += _FRAME.pack(kind, number, len(body))
        box += body
