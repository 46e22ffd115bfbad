import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bittern.cli.exit_codes import ExitCode
from bittern.cli.main import main
from bittern.io.dht import Table
from bittern.wire.proxy.handshake import Endpoint
from tests.cli.table import nodes
from tests.io.proxies import Proxy, beside

HASH = "ab" * 20


@pytest.fixture(scope="module")
def router() -> Iterator[str]:
    """Where to begin: one of a few nodes on this machine."""
    with nodes() as router:
        yield router


class Say:
    def __init__(self, router: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._flags = ["--dht-router", router, "--listen", "127.0.0.1"]
        self._capsys = capsys

    def __call__(self, *words: str, code: int = ExitCode.OK) -> str:
        """What `bittern dht` prints."""
        self._capsys.readouterr()
        assert main(["dht", *words, *self._flags]) == code
        return self._capsys.readouterr().out


@pytest.fixture
def say(router: str, capsys: pytest.CaptureFixture[str]) -> Say:
    return Say(router, capsys)


def test_what_is_announced_is_looked_up_counted_and_sampled(say: Say) -> None:
    assert say("lookup", HASH, code=ExitCode.NOT_FOUND) == ""
    assert say("announce", HASH, "7000", "--seed").startswith("announced to ")
    assert say("lookup", HASH) == "127.0.0.1:7000\n"
    assert json.loads(say("lookup", HASH, "--json"))["peers"] == ["127.0.0.1:7000"]
    assert say("scrape", HASH) == "about 1 seed and 0 others\n"
    assert json.loads(say("sample", HASH, "--json"))["info_hashes"] == [HASH]


def test_a_text_that_is_put_is_got(say: Say) -> None:
    target = say("put", "hello \u00e4").strip()
    assert say("get", target) == "hello \u00e4\n"


def test_a_newer_version_replaces_an_older_one(say: Say, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    key = say("put", "one", "--key", str(secret), "--salt", "s").strip()
    assert secret.stat().st_mode & 0o777 == 0o600
    assert say("put", "two", "--key", str(secret), "--salt", "s").strip() == key
    found = json.loads(say("get", key, "--salt", "s", "--json"))
    assert (found["value"], found["seq"], found["key"]) == ("two", 2, key)
    assert json.loads(say("put", "five", "--key", str(secret), "--salt", "s", "--seq", "5", "--json"))["seq"] == 5


@pytest.mark.parametrize("number", [("--seq", "2"), ("--seq", "4", "--cas", "2"), ("--cas", "2")])
def test_a_version_that_may_not_be_replaced_stays_and_it_is_said_why(
    number: tuple[str, ...], router: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    say, secret = Say(router, capsys), ("--key", str(tmp_path / "secret"))
    key = say("put", "three", *secret, "--seq", "3").strip()
    flags = ["--dht-router", router, "--listen", "127.0.0.1"]
    assert main(["dht", "put", "other", *secret, *number, *flags]) == ExitCode.NETWORK
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "or a higher one" in err
    assert say("get", key) == "three\n"


@pytest.mark.parametrize(
    "words",
    [
        ("lookup", "xyz"),
        ("get", "abcd"),
        ("announce", HASH, "0"),
        ("put", "x" * 1000),
        ("put", "x", "--salt", "s" * 65),
        ("put", "x", "--seq", "-1"),
        ("put", "x", "--cas", "-1"),
        ("put", "x", "--seq", "1"),
        ("put", "x", "--salt", "s"),
    ],
)
def test_what_can_not_be_is_said_in_one_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dht", *words]) == ExitCode.USAGE
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_that_holds_no_secret_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    for content in (b"letters", b"\xff" * 32):
        path.write_bytes(content)
        assert main(["dht", "put", "x", "--key", str(path)]) == ExitCode.USAGE
        assert path.read_bytes() == content


def test_nobody_there_is_a_failure_of_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["dht", "lookup", HASH, "--listen", "127.0.0.1", "--dht-router", "nowhere.invalid:1"]
    assert main(words) == ExitCode.NETWORK
    assert "nowhere.invalid" in capsys.readouterr().err


def test_where_one_node_is_known_and_silent_that_is_what_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Table) -> bool:
        return False

    monkeypatch.setattr(Table, "ready", never)
    nodes = ["--dht-router", "127.0.0.1:9", "--dht-router", "nowhere.invalid:1"]
    assert main(["dht", "lookup", HASH, "--listen", "127.0.0.1", *nodes]) == ExitCode.NETWORK
    assert "no node of the table answers" in capsys.readouterr().err


def test_the_table_is_asked_through_a_proxy(router: str, capsys: pytest.CaptureFixture[str]) -> None:
    with beside(Proxy(names={"router.example": "127.0.0.1"})) as proxy:
        port = router.rpartition(":")[2]
        flags = ["--dht-router", f"router.example:{port}", "--proxy", f"socks5://{proxy.server.place}"]
        target = "40" * 20
        assert main(["dht", "lookup", target, *flags]) == ExitCode.NOT_FOUND
        assert Endpoint("router.example", int(port)) in proxy.asked
        capsys.readouterr()


def test_without_datagrams_there_is_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dht", "lookup", HASH, "--proxy", "http://127.0.0.1:1"]) == ExitCode.NETWORK
    assert "knows no UDP" in capsys.readouterr().err
