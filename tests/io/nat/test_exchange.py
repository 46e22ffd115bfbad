import asyncio
import socket
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.errors import GatewayError
from bittern.codec.xml import MAX_BYTES
from bittern.io.nat.exchange import exchange, whole_body
from bittern.io.route import DIRECT
from bittern.wire.http_range import Head

DIAL = partial(DIRECT.reaching, kind=socket.SOCK_STREAM)


def head(fields: str = "") -> Head:
    return Head.parse(f"HTTP/1.1 200 OK\r\n{fields}\r\n".encode())


async def answered(answer: bytes, *, body: bytes | None = None, seconds: float = 5.0) -> tuple[int, bytes, bytes]:
    """What an exchange with a server gives that says `answer` and closes; and what it was asked."""
    asked, ended = bytearray(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.extend(await reader.read(4096))
        writer.write(answer)
        if not answer:
            await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/a?b=c"
        status, said = await exchange(url, DIAL, headers={"X": "y"}, body=body, seconds=seconds)
        return status, said, bytes(asked)
    finally:
        await ended.wait()
        server.close()
        await server.wait_closed()


async def test_a_question_and_its_answer() -> None:
    status, said, asked = await answered(b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nnomore", body=b"<a/>")
    assert (status, said) == (500, b"no")
    assert asked.startswith(b"POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")
    assert asked.endswith(b"\r\nConnection: close\r\nX: y\r\nContent-Length: 4\r\n\r\n<a/>")
    status, said, asked = await answered(b"HTTP/1.0 200 OK\r\n\r\nto the end")
    assert (status, said, asked[:4]) == (200, b"to the end", b"GET ")


async def test_an_answer_may_follow_notices() -> None:
    """Some routers say that one may go on, to a question that is over."""
    notice = b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"
    status, said, _ = await answered(2 * notice + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", body=b"<a/>")
    assert (status, said) == (200, b"ok")


@pytest.mark.parametrize(
    "answer",
    [
        b"no HTTP at all",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * (3 * MAX_BYTES),
    ],
)
async def test_what_is_no_small_answer_of_http_is_refused(answer: bytes) -> None:
    with pytest.raises(GatewayError):
        await answered(answer)


async def test_a_silent_router_is_not_waited_for() -> None:
    with pytest.raises(GatewayError, match=r"within 0\.2"):
        await answered(b"", seconds=0.2)


async def test_nobody_there_is_told() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(GatewayError, match="refused"):
            await exchange(f"http://127.0.0.1:{sock.getsockname()[1]}/", DIAL)


@given(st.binary(max_size=300), st.lists(st.integers(1, 80), max_size=8))
def test_a_body_in_chunks_is_the_body(body: bytes, sizes: list[int]) -> None:
    raw, at = b"", 0
    for size in [*sizes, 400]:
        part = body[at : at + size]
        if part:
            raw += b"%x;note=1\r\n%s\r\n" % (len(part), part)
        at += size
    raw += b"0\r\n\r\n"
    chunked = head("Transfer-Encoding: chunked\r\n")
    assert whole_body(chunked, raw, ended=False) == body
    cuts = {whole_body(chunked, raw[:cut], ended=False) for cut in range(len(raw) - 5)}
    assert cuts <= {None}
