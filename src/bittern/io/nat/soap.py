"""Courses of calls to a service of a UPnP router (see engine.nat.igd), carried out over HTTP."""

import socket
from collections.abc import Callable, Generator
from typing import TypeAlias, TypeVar

from bittern.base.errors import GatewayError
from bittern.engine.nat.igd import Answers
from bittern.wire.igd import Call, parse_answer

from .exchange import exchange

T = TypeVar("T")

Dial: TypeAlias = Callable[[str], socket.socket]
"""Makes a socket for connections to a numeric host, not connected yet."""


async def run(course: Generator[Call, Answers, T], dial: Dial) -> T:
    """Ask what the course asks, until it ends; what it gives.

    Raises:
        GatewayError: the router refuses what the course cannot do without, or does not answer.
    """
    try:
        call = next(course)
        while True:
            try:
                _, body = await exchange(call.service.url, dial, headers=call.headers, body=call.body())
                answers = parse_answer(call, body)  # a fault comes with status 500, and says more than that
            except GatewayError as error:
                call = course.throw(error)
            else:
                call = course.send(answers)
    except StopIteration as end:
        result: T = end.value
        return result
