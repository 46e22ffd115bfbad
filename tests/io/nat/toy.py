"""Toys of routers on loopback: one that speaks UPnP, one that speaks PCP or NAT-PMP."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from bittern.base.address import Address
from bittern.io.nat.gateways import Gateway
from bittern.wire.igd import CONFLICT, FIREWALL, ONLY_PERMANENT
from tests.engine.nat.router import EXTERNAL, Router

HOST = "127.0.0.1"
HOST6 = "::1"
GATEWAY = Gateway(HOST, "lo")
KIND = "urn:schemas-upnp-org:service:WANIPConnection:1"
ENVELOPE = '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>%s</s:Body></s:Envelope>'


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data)
        if answer is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def ear(answer: Callable[[bytes], bytes | None], host: str = HOST) -> AsyncIterator[int]:
    """The port where datagrams are answered."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Ear(answer), local_addr=(host, 0))
    try:
        yield int(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def datagram_router(router: Router, host: str = HOST) -> AsyncIterator[int]:
    """The port of a router that speaks PCP or NAT-PMP."""
    loop = asyncio.get_running_loop()
    async with ear(lambda data: router.answer(data, loop.time()), host) as port:
        yield port


@dataclass(slots=True)
class UpnpRouter:
    """What one router holds, and how it behaves.

    Attributes:
        held: internal port by carrier and external port.
        pinholes: address and port of the inside, by number.
        calls: actions in the order they came.
        refuses: codes by action.
        place: what its answers to searches say; None for where it is.
        control: where calls go to, as its description says.
        chunked: whether its answers come in chunks.
        most_pinholes: that it has room for.
        only_permanent: whether it knows mappings without an end alone.
        taken: carriers and external ports that are somebody else's.
        port: of its HTTP server; set when it runs.
    """

    held: dict[tuple[str, int], int] = field(default_factory=dict)
    pinholes: dict[int, tuple[str, int]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refuses: dict[str, int] = field(default_factory=dict)
    place: str | None = None
    control: str = "/ctl"
    description: bytes | None = None
    chunked: bool = False
    most_pinholes: int = 9
    only_permanent: bool = False
    taken: set[tuple[str, int]] = field(default_factory=set)
    port: int = 0
    _open: int = 0
    _asked_by_ipv6: int = 0

    @asynccontextmanager
    async def running(self, host: str = HOST) -> AsyncIterator[Address]:
        """Where it listens for searches."""
        server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        server6 = await asyncio.start_server(self._serve6, HOST6, self.port)
        try:
            async with ear(lambda _: self._found(), host) as port:
                yield Address(host, port)
        finally:
            while self._open:  # noqa: ASYNC110 - who closed it does not say when it is closed
                await asyncio.sleep(0.001)
            for each in (server, server6):
                each.close()
                await each.wait_closed()

    def _found(self) -> bytes:
        place = self.place or f"http://{HOST}:{self.port}/root.xml"
        return f"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nLOCATION: {place}\r\n\r\n".encode()

    async def _serve6(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._asked_by_ipv6 += 1
        await self._serve(reader, writer)
        self._asked_by_ipv6 -= 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = (await reader.readexactly(int(length[1]))).decode() if length else ""
        status, said = (200, self._described()) if head.startswith("GET") else self._called(head, body)
        if self.chunked:
            how = "Transfer-Encoding: chunked"
            said = b"".join(
                b"%x\r\n%s\r\n" % (len(said[at : at + 50]), said[at : at + 50]) for at in range(0, len(said), 50)
            )
            said += b"0\r\n\r\n"
        else:
            how = f"Content-Length: {len(said)}"
        self._open += 1
        writer.write(f"HTTP/1.1 {status} Whatever\r\n{how}\r\n\r\n".encode() + said)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        self._open -= 1

    def _described(self) -> bytes:
        if self.description is not None:
            return self.description
        service = "".join(
            f"<service><serviceType>{kind}</serviceType><controlURL>{self.control}</controlURL></service>"
            for kind in (KIND, f"{FIREWALL}1")
        )
        return f"<root><device><serviceList>{service}</serviceList></device></root>".encode()

    def _called(self, head: str, body: str) -> tuple[int, bytes]:
        found = re.search(r'SOAPAction: ".*#(\w+)"', head)
        assert found is not None
        action = found[1]
        self.calls.append(action)
        said = dict(re.findall(r"<(New\w+)>([^<]*)</", body))
        code = self.refuses.get(action) or (self._objection(said) if action == "AddPortMapping" else 0)
        if code:
            error = f"<errorCode>{code}</errorCode><errorDescription>no</errorDescription>"
            fault = f"<s:Fault><detail><UPnPError>{error}</UPnPError></detail></s:Fault>"
            return 500, (ENVELOPE % fault).encode()
        if action == "AddPortMapping":
            self.held[said["NewProtocol"], int(said["NewExternalPort"])] = int(said["NewInternalPort"])
        elif action == "DeletePortMapping":
            self.held.pop((said["NewProtocol"], int(said["NewExternalPort"])), None)
        elif action.endswith("Pinhole"):
            return self._pinhole(action, dict(re.findall(r"<(\w+)>([^<]*)</", body)))
        inner = f"<NewExternalIPAddress>{EXTERNAL}</NewExternalIPAddress>" if action.startswith("GetExternal") else ""
        return 200, (ENVELOPE % f'<u:{action}Response xmlns:u="{KIND}">{inner}</u:{action}Response>').encode()

    def _objection(self, said: dict[str, str]) -> int:
        if self.only_permanent and said["NewLeaseDuration"] != "0":
            return ONLY_PERMANENT
        return CONFLICT if (said["NewProtocol"], int(said["NewExternalPort"])) in self.taken else 0

    def _pinhole(self, action: str, said: dict[str, str]) -> tuple[int, bytes]:
        assert self._asked_by_ipv6
        number = int(said.get("UniqueID", len(self.pinholes) + 1))
        if action == "AddPinhole" and number > self.most_pinholes:
            error = "<errorCode>701</errorCode><errorDescription>no room</errorDescription>"
            return 500, (ENVELOPE % f"<s:Fault><detail><UPnPError>{error}</UPnPError></detail></s:Fault>").encode()
        if action == "AddPinhole":
            self.pinholes[number] = said["InternalClient"], int(said["InternalPort"])
        elif number not in self.pinholes:
            error = "<errorCode>704</errorCode><errorDescription>no such pinhole</errorDescription>"
            return 500, (ENVELOPE % f"<s:Fault><detail><UPnPError>{error}</UPnPError></detail></s:Fault>").encode()
        elif action == "DeletePinhole":
            del self.pinholes[number]
        inner = f"<UniqueID>{number}</UniqueID>" if action == "AddPinhole" else ""
        return 200, (ENVELOPE % f'<u:{action}Response xmlns:u="{FIREWALL}1">{inner}</u:{action}Response>').encode()
