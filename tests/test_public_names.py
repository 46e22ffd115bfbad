"""What `bittern` exports is what users may rely on."""

import builtins
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from os import PathLike
from types import ModuleType
from typing import Any, get_args, get_type_hints

import pytest

import bittern

NAMES = {
    "Address",
    "AlreadyAddedError",
    "AtGoal",
    "BencodeError",
    "BitternError",
    "Carrier",
    "CheckCancelledError",
    "File",
    "Geometry",
    "Goal",
    "Info",
    "InfoHashV1",
    "InfoHashV2",
    "IpFilterStatus",
    "IpListError",
    "Lease",
    "Limits",
    "LocalProtocolError",
    "Magnet",
    "MagnetError",
    "Metainfo",
    "MetainfoError",
    "MoveCancelledError",
    "NetworkError",
    "NoSuchTorrentError",
    "Offence",
    "PeerClass",
    "PeerId",
    "PeerStatus",
    "Places",
    "ProtocolError",
    "Session",
    "SessionError",
    "Settings",
    "State",
    "Status",
    "StatusChanges",
    "StorageError",
    "ThreadLimitError",
    "Torrent",
    "TrackerError",
    "TrackerStatus",
    "Transport",
    "WebSeedStatus",
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


_OURS = {"Settings.for_engine", "Limits.apply", "Geometry.bytes_in"}
"""What the session does with what it was given, and others need not call."""


def _public() -> dict[str, Any]:
    """What users can name, by its name: those of the package, and of the modules that it shows."""
    found = {name: getattr(bittern, name) for name in NAMES}
    for module in [value for value in found.values() if isinstance(value, ModuleType)]:
        found |= {
            f"{module.__name__}.{name}": each
            for name, each in vars(module).items()
            if getattr(each, "__module__", "") == module.__name__
        }
    return found


def _members() -> Iterator[tuple[str, Any]]:
    """All that classes of the library offer: methods, what properties give, and fields."""
    for each in (value for value in _public().values() if isinstance(value, type)):
        if is_dataclass(each):
            yield each.__name__, each
        for name, value in vars(each).items():
            if not name.startswith("_"):
                found = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
                if callable(found):
                    yield f"{each.__name__}.{name}", found


def _named(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and hint.__module__.startswith("bittern."):
        yield hint
    for inner in get_args(hint):
        for each in inner if isinstance(inner, list) else [inner]:
            yield from _named(each)


def _hints(what: Any) -> Iterable[Any]:
    hints = get_type_hints(what, localns={"PathLike": PathLike})  # imported for type checkers alone
    return [hint for name, hint in hints.items() if not name.startswith("_")]


def test_users_can_name_the_types_of_all_that_the_library_takes_and_gives() -> None:
    public = set(filter(lambda value: isinstance(value, type), _public().values()))
    found = {
        each: where
        for where, what in _members()
        if where not in _OURS
        for hint in _hints(what)
        for each in _named(hint)
    }
    assert {each.__name__: where for each, where in found.items() if each not in public} == {}


def test_users_can_catch_every_error_that_the_library_documents() -> None:
    said = {
        (name, where) for where, what in _members() for name in re.findall(r"\b[A-Z]\w+Error\b", what.__doc__ or "")
    }
    assert [(name, where) for name, where in said if name not in NAMES and not hasattr(builtins, name)] == []


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
