"""What `bittern` exports is what users may rely on."""

import subprocess
import sys

import pytest

import bittern

NAMES = {
    "AlreadyAddedError",
    "AtGoal",
    "BencodeError",
    "BitternError",
    "File",
    "Goal",
    "Info",
    "IpFilterStatus",
    "IpListError",
    "Limits",
    "Magnet",
    "MagnetError",
    "Metainfo",
    "MetainfoError",
    "NetworkError",
    "NoSuchTorrentError",
    "PeerClass",
    "Places",
    "ProtocolError",
    "Session",
    "SessionError",
    "Settings",
    "State",
    "Status",
    "StatusChanges",
    "StorageError",
    "Torrent",
    "TrackerError",
    "Transport",
    "__version__",
    "bencode",
    "dht",
    "download",
    "events",
    "sync",
}


def test_the_public_names_are_these() -> None:
    assert set(bittern.__all__) == NAMES
    assert sorted(NAMES) == dir(bittern)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(bittern, name).__doc__


def test_a_name_that_is_not_public_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'bittern' has no attribute 'Nothing'"):
        _ = bittern.Nothing


def test_importing_it_loads_next_to_nothing() -> None:
    script = "import sys, bittern; print(len([m for m in sys.modules if m.startswith(('bittern', 'asyncio'))]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 3


def test_it_says_that_it_is_typed() -> None:
    from importlib.resources import files  # noqa: PLC0415 - only here

    assert files("bittern").joinpath("py.typed").is_file()
