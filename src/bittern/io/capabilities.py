"""What this platform offers beyond the portable: found out here, once, and switched off here by tests."""

import os
import socket
import sys
from pathlib import Path

SENDMSG = hasattr(socket.socket, "sendmsg")
"""Several buffers in one send; else one after the other."""

RECVMSG_INTO = hasattr(socket.socket, "recvmsg_into")
"""One receive into several buffers; else into the first only."""

PREADV = hasattr(os, "preadv")
"""Positioned reads and writes of buffers; else seek and read."""

READ_NOWAIT = getattr(os, "RWF_NOWAIT", 0) if PREADV else 0
"""Flag for reads that fail rather than wait for the disk (Linux 4.14); 0 where there is none."""

ERROR_QUEUE = sys.platform == "linux"
"""A socket can be asked what the network said about datagrams."""

SEGMENTS = sys.platform == "linux"
"""Many datagrams can leave with one call (Linux 4.18, UDP_SEGMENT), and come with one (5.0, UDP_GRO); a kernel or a
network card may refuse it still."""

BATCHES = sys.platform == "linux"
"""Many datagrams can be read with one call (recvmmsg), though nobody gathered them."""

REUSE_PORT = hasattr(socket, "SO_REUSEPORT")
"""Several sockets may listen on one port."""


def in_memory(device: int) -> bool:
    """Whether the file system with this `st_dev` lives in memory, so that reading it never waits."""
    wanted = f"{os.major(device)}:{os.minor(device)}" if hasattr(os, "major") else ""
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    for mount in mounts:
        fields = mount.split()
        if len(fields) > 4 and fields[2] == wanted and "-" in fields:
            return fields[fields.index("-") + 1] in ("tmpfs", "ramfs")
    return False


def open_files() -> int:
    """How many files may be kept open for reuse: a quarter of what the process may open, at most 500."""
    most = _most_descriptors()
    return max(16, min(most // 4, 500)) if most is not None else 500


def sockets() -> int | None:
    """How many connections to peers the process may have, all else that it opens beside; None for any number."""
    most = _most_descriptors()
    if most is None:
        return None
    # Beside files of torrents: standard streams, the loop, listeners, the state, trackers, files being looked at.
    return max(8, most - open_files() - min(64, max(24, most // 8)))


def _most_descriptors() -> int | None:
    """What the system allows the process at most, or None where it says nothing."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return 500
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else None
