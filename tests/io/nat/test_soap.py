import socket

import pytest

from bittern.base.errors import GatewayError
from bittern.engine.nat.igd import external_host
from bittern.io.nat.soap import run
from bittern.wire.igd import Service
from tests.engine.nat.router import EXTERNAL

from .toy import HOST, KIND, UpnpRouter


def dial(_host: str) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    return sock


async def test_a_course_is_sent_what_was_answered_and_its_end_is_given() -> None:
    router = UpnpRouter()
    async with router.running():
        service = Service(KIND, f"http://{HOST}:{router.port}/ctl")
        assert await run(external_host(service), dial) == EXTERNAL
        router.refuses["GetExternalIPAddress"] = 501
        with pytest.raises(GatewayError, match="501"):
            await run(external_host(service), dial)


async def test_a_router_that_is_not_there_is_thrown_into_the_course() -> None:
    with pytest.raises(GatewayError):
        await run(external_host(Service(KIND, f"http://{HOST}:9/ctl")), dial)
