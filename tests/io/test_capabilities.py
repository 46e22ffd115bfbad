import resource
import sys
from pathlib import Path

import pytest

from bittern.io import capabilities


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep their mounts elsewhere")
def test_a_file_system_in_memory_is_known_as_such() -> None:
    shared = Path("/dev/shm")
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    assert capabilities.in_memory(shared.stat().st_dev) == any(
        fields[1] == "/dev/shm" and fields[2] == "tmpfs" for fields in mounts
    )
    assert not capabilities.in_memory(Path("/proc").stat().st_dev)


def test_an_unknown_device_is_not_in_memory() -> None:
    assert not capabilities.in_memory(2**40)


def test_what_cannot_be_read_counts_as_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert not capabilities.in_memory(1)


@pytest.mark.parametrize("most", [64, 256, 1024, 4096, 1 << 20])
def test_files_sockets_and_the_rest_fit_into_what_the_process_may_open(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (most, most))
    sockets = capabilities.sockets()
    assert sockets is not None
    assert capabilities.open_files() + sockets + min(24, most // 4) <= most


def test_without_a_limit_of_open_files_there_is_none_of_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert capabilities.sockets() is None
    assert capabilities.open_files() == 500
