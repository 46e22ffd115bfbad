"""A tracker of a few lines: hands every announcer to every other, and keeps what was announced."""

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from bittern.base.address import Address, compact
from bittern.codec.bencode import encode
from tests.interop.rigs.process import RigError

INTERVAL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Announce:
    """One announce as it arrived (BEP 3); `event` is "" for a periodic one."""

    info_hash: bytes
    peer_id: bytes
    address: str
    port: int
    event: str
    uploaded: int
    downloaded: int
    left: int
    compact: str
    user_agent: str


class Tracker:
    """The announces so far, and the peers that follow from them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._announces: list[Announce] = []
        self._heard = threading.Condition()
        self.named: tuple[Address, ...] = ()
        """Peers that everybody is told of, too."""

    @property
    def announces(self) -> list[Announce]:
        """Every announce so far, oldest first."""
        with self._heard:
            return list(self._announces)

    def events(self, port: int) -> list[str]:
        """The events that the client on `port` announced, oldest first, periodic ones left out."""
        return [a.event for a in self.announces if a.port == port and a.event]

    def wait_for(self, wanted: Callable[[Announce], bool], timeout: float = 30.0) -> Announce:
        """The first announce for which `wanted` holds; raises RigError when none comes in time."""
        with self._heard:
            self._heard.wait_for(lambda: any(map(wanted, self._announces)), timeout)
            for announce in self._announces:
                if wanted(announce):
                    return announce
            raise RigError(f"no such announce in {timeout:g} s; there were {self._announces}")

    def has_seed(self, port: int) -> bool:
        """Whether the client on `port` has announced that it has everything."""
        return any(a.port == port and a.left == 0 and a.event != "stopped" for a in self.announces)

    def take(self, announce: Announce) -> bytes:
        """Note an announce; returns the bencoded reply, all others in compact form (BEP 23)."""
        with self._heard:
            self._announces.append(announce)
            self._heard.notify_all()
            present: dict[bytes, Announce] = {}
            for known in self._announces:
                if known.info_hash != announce.info_hash or known.peer_id == announce.peer_id:
                    continue
                if known.event == "stopped":
                    present.pop(known.peer_id, None)
                else:
                    present[known.peer_id] = known
        here = [Address(known.address, known.port) for known in present.values()]
        four, six = compact([*here, *self.named])
        return encode({"interval": INTERVAL_SECONDS, "peers": four} | ({"peers6": six} if six else {}))

    def scrape(self, info_hash: bytes) -> bytes:
        """The bencoded state of one swarm (BEP 48)."""
        last = {a.peer_id: a for a in self.announces if a.info_hash == info_hash}
        left = [a.left for a in last.values() if a.event != "stopped"]
        counts = (left.count(0), sum(a.event == "completed" for a in self.announces), len(left) - left.count(0))
        return b"d5:filesd20:%sd8:completei%de10:downloadedi%de10:incompletei%deeee" % (info_hash, *counts)


@contextmanager
def serve(listening: socket.socket) -> Iterator[Tracker]:
    """Serve announces on `listening` until the block ends, which closes it."""
    host, port = listening.getsockname()
    tracker = Tracker(f"http://{host}:{port}/announce")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            if asked.path not in ("/announce", "/scrape"):
                self.send_error(404)
                return
            if asked.path == "/scrape":
                body = tracker.scrape(parse_qs(asked.query, encoding="latin-1")["info_hash"][0].encode("latin-1"))
            else:
                body = tracker.take(_read(self))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            with contextlib.suppress(ConnectionError):  # a client that is about to end does not wait for it
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Keep test output clean."""

    with http.server.ThreadingHTTPServer((host, port), Handler, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = listening
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield tracker
        finally:
            server.shutdown()
            thread.join()


def _read(request: http.server.BaseHTTPRequestHandler) -> Announce:
    # latin-1 keeps each percent-encoded byte one character
    query = parse_qs(urlsplit(request.path).query, encoding="latin-1")

    def text(key: str) -> str:
        return query.get(key, [""])[0]

    return Announce(
        info_hash=text("info_hash").encode("latin-1"),
        peer_id=text("peer_id").encode("latin-1"),
        address=request.client_address[0],
        port=int(text("port")),
        event=text("event"),
        uploaded=int(text("uploaded") or 0),
        downloaded=int(text("downloaded") or 0),
        left=int(text("left") or 0),
        compact=text("compact"),
        user_agent=request.headers.get("User-Agent", ""),
    )
