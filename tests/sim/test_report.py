from dataclasses import replace

import pytest

from bittern.sim.report import PeerReport, Report

ANN = PeerReport("ann", 0.0, 4_000_000, 20, 0, 0, 0, ())
BOB = PeerReport("bob", 12.5, 20, 4_000_000, 4_000_000, 16384, 1, ())
REPORT = Report(42, 12.5, (ANN, BOB), (), "0123456789abcdef" * 4, "12.4 the last thing\n")


def test_a_report_says_how_to_see_it_again_and_what_each_peer_did() -> None:
    text = str(REPORT)
    assert "replay: make sim SEED=42" in text
    assert "12.5 s" in text.splitlines()[2]
    assert "16,384" in text.splitlines()[2]


def test_peers_are_found_by_name() -> None:
    assert REPORT["bob"] is BOB
    with pytest.raises(KeyError):
        REPORT["eve"]


def test_a_good_report_passes_its_check() -> None:
    REPORT.check()


def test_a_wrong_piece_fails_the_check() -> None:
    with pytest.raises(AssertionError, match=r"wrong pieces \{'bob': \(\(1, 7\),\)\}"):
        replace(REPORT, peers=(ANN, replace(BOB, wrong=((1, 7),)))).check()


def test_an_unfinished_peer_fails_the_check_with_the_end_of_the_trace() -> None:
    with pytest.raises(AssertionError, match=r"(?s)SEED=42.*the last thing"):
        replace(REPORT, unfinished=("bob",)).check()
