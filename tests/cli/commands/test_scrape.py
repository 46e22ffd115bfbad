"""`bittern scrape` as people see it."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import main
from bittern.codec.bencode import encode
from bittern.wire.proxy.handshake import Endpoint
from tests.io.proxies import Proxy, beside

HASH = "ab" * 20


@pytest.fixture
def tracker() -> Iterator[str]:
    """One that knows a swarm."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            files = {bytes.fromhex(HASH): {"complete": 5, "downloaded": 50, "incomplete": 10}}
            body = encode({"files": files} if self.path.startswith("/scrape?") else {"failure reason": "what?"})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Keep test output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/announce"
        server.shutdown()
        thread.join()


def test_each_torrent_has_a_line_for_each_tracker(tracker: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = "http://127.0.0.1:1/announce"
    link = f"magnet:?xt=urn:btih:{HASH}&tr={tracker}&tr={other}"
    assert main(["scrape", link, "cd" * 20]) == ExitCode.OK
    first, known, failed, second = capsys.readouterr().out.splitlines()
    assert first.startswith("magnet:?")
    assert known == f"  {tracker}: 5 seeds, 10 leechers, 50 downloads"
    assert failed.startswith(f"  {other}: 127.0.0.1:1: ")
    assert second == "cd" * 20


def test_the_answers_as_json(tracker: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scrape", HASH, "cd" * 20, "--tracker", tracker, "--json"]) == ExitCode.OK
    known, unknown = json.loads(capsys.readouterr().out)
    assert known["info_hash"] == HASH
    assert known["trackers"] == [{"url": tracker, "seeds": 5, "leechers": 10, "downloads": 50}]
    assert unknown["trackers"] == [{"url": tracker, "seeds": 0, "leechers": 0, "downloads": 0}]


def test_when_nobody_answers_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scrape", HASH, "--tracker", "http://127.0.0.1:1/announce"]) == ExitCode.NETWORK
    assert "127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "reason"), [(["scrape"], "scrape what?"), (["scrape", HASH], "no tracker is named")])
def test_what_is_missing_is_said(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == ExitCode.USAGE
    assert reason in capsys.readouterr().err


def test_trackers_are_asked_through_a_proxy(tracker: str, capsys: pytest.CaptureFixture[str]) -> None:
    port = int(tracker.rpartition(":")[2].partition("/")[0])
    with beside(Proxy(names={"tracker.example": "127.0.0.1"})) as proxy:
        url = f"http://tracker.example:{port}/announce"
        assert main(["scrape", HASH, "--tracker", url, "--proxy", f"socks5://{proxy.server.place}"]) == ExitCode.OK
        assert "5 seeds" in capsys.readouterr().out
        assert proxy.asked == [Endpoint("tracker.example", port)]


def test_a_proxy_that_is_away_is_the_reason(tracker: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["scrape", HASH, "--tracker", tracker, "--proxy", "http://127.0.0.1:1"]
    assert main(words) == ExitCode.NETWORK
    assert "the proxy http://127.0.0.1:1: connection refused" in capsys.readouterr().err
    assert main([*words[:-1], "somewhere"]) == ExitCode.USAGE
