"""A handshake against a proxy whose whole answer is known beforehand."""

from bittern.base.errors import ProxyError
from bittern.wire.proxy.handshake import Endpoint, Handshake


class EndedError(Exception):
    """The proxy said no more."""


def walk(handshake: Handshake, answer: bytes) -> tuple[bytes, Endpoint, bytes]:
    """What was said, the result, and what of `answer` was not read.

    Raises:
        ProxyError: as the handshake does.
        EndedError: `answer` was not enough.
    """
    step, said = next(handshake), b""
    while True:
        said += step.data
        assert step.need > 0
        if len(answer) < step.need:
            raise EndedError
        came, answer = answer[: step.need], answer[step.need :]
        try:
            step = handshake.send(came)
        except StopIteration as end:
            return said, end.value, answer


def refused(handshake: Handshake, answer: bytes) -> ProxyError:
    """Why the handshake fails."""
    try:
        walk(handshake, answer)
    except ProxyError as error:
        return error
    raise AssertionError("it did not fail")
