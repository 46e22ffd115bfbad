"""What `get` and `seed` say of the IP filter, and the flags of it."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from bittern.base.errors import IpListError
from bittern.cli.exit_codes import ExitCode
from bittern.cli.failures import UsageError, failure
from bittern.cli.filtering import blocked, loaded, told_at_the_end
from bittern.cli.main import main
from bittern.cli.network import Network, session_settings
from bittern.session.session import Session
from bittern.session.status import IpFilterStatus
from tests.session.rig import eventually, fill, seeding, settings, write_torrent

NONE = IpFilterStatus(ranges=0, entries=0, bad_lines=0, first_bad_line="", blocked={})


def test_how_many_ranges_there_are_and_the_first_bad_line_is_told() -> None:
    assert loaded(NONE) == ["IP filter: 0 ranges of addresses blocked"]
    one = IpFilterStatus(ranges=1, entries=2, bad_lines=1, first_bad_line="list, line 2: \x1b[31m?", blocked={})
    assert loaded(one) == [
        "IP filter: 1 range of addresses blocked",
        "IP filter: a line makes no sense and is left out: list, line 2: \N{REPLACEMENT CHARACTER}[31m?",
    ]
    many = IpFilterStatus(ranges=1234, entries=2000, bad_lines=56, first_bad_line="list, line 2: what", blocked={})
    assert loaded(many) == [
        "IP filter: 1,234 ranges of addresses blocked",
        "IP filter: 56 lines make no sense and are left out, the first: list, line 2: what",
    ]


def test_who_was_kept_out_is_told_by_what_it_was() -> None:
    assert blocked(NONE) == ""
    kinds = {"candidates": 1200, "incoming": 1, "peers": 1, "trackers": 1, "web_seeds": 2, "nodes": 3, "clients": 1}
    status = IpFilterStatus(ranges=1, entries=1, bad_lines=0, first_bad_line="", blocked=kinds)
    assert blocked(status) == (
        "blocked: 1,200 addresses that were named, 1 connection to us, 1 peer that was connected, "
        "1 question to a tracker, 2 connections to web seeds, 3 datagrams of the DHT, 1 client by its name"
    )


def test_clients_are_named_by_how_their_peer_ids_begin() -> None:
    named = session_settings(
        Network(block_client=("XL", "-SD0100-", "M7-1-2--")), sequential=False, ratio=None, minutes=None
    )
    assert named.blocked_clients == ("-XL", "-SD0100-", "M7-1-2--")
    for wrong in ("", "X", "ä" * 3, "x" * 21, "a\nb"):
        with pytest.raises(UsageError, match="--block-client"):
            session_settings(Network(block_client=(wrong,)), sequential=False, ratio=None, minutes=None)


def test_a_list_that_is_none_is_one_line() -> None:
    found = failure(IpListError("list: this is no list of addresses"))
    assert found.code is ExitCode.OTHER
    assert found.line.startswith("bittern: list: this is no list of addresses; name a list")


def test_get_says_how_many_ranges_it_blocks_and_whom_it_kept_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seed is blocked: nothing comes, and that is said."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    listed, source = tmp_path / "list", fill(tmp_path / "src" / "a.bin", 100_000)
    listed.write_text("127.0.0.0/8\nwhat?\n")
    meta = write_torrent(source, tmp_path / "a.torrent")
    words = ["get", str(tmp_path / "a.torrent"), "-d", str(tmp_path / "dst"), "--listen", "127.0.0.1", "--port", "0"]
    with seeding(meta, source.parent, tmp_path / "seed") as peer:
        assert main([*words, "--peer", peer, "--ip-filter", str(listed), "--timeout", "3"]) == ExitCode.NETWORK
        told = capsys.readouterr().err
        assert "IP filter: 1 range of addresses blocked" in told
        assert f"a line makes no sense and is left out: {listed}, line 2: what?" in told
        assert "blocked: 1 address that was named" in told
        assert main([*words, "--peer", peer, "--ip-filter", str(tmp_path / "nothing")]) == ExitCode.NOT_FOUND
        assert "nothing: no such file or directory" in capsys.readouterr().err
        assert main([*words, "--peer", peer, "--block-client", "XL"]) == ExitCode.OK


class Said:
    """A report that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """See Report."""
        self.lines.append(line)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no such signal")
async def test_a_hang_up_has_the_lists_read_again(tmp_path: Path) -> None:
    listed, said = tmp_path / "list", Said()
    listed.write_text("10.0.0.0/8\n")
    async with (
        Session(replace(settings(tmp_path / "state"), ip_filter=(str(listed),))) as session,
        told_at_the_end(session, said),  # type: ignore[arg-type]  # as much of a report as is needed
    ):
        listed.write_text("10.0.0.0/8\n192.0.2.7\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually(lambda: session.ip_filter.ranges == 2)
        listed.write_text("<html>")
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually(lambda: "no list of addresses" in said.lines[-1])
        assert session.ip_filter.ranges == 2
    assert said.lines[:2] == ["IP filter: 1 range of addresses blocked", "IP filter: 2 ranges of addresses blocked"]
    assert said.lines[2].endswith("; what was loaded before holds")
