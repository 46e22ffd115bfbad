"""Connections as the kernel has them: a descriptor that does not block, and a packed address.

`socket.accept` asks the kernel twice more for each (what it is, and not to block), makes an object of it and text of
its address. Most connections to a tracker are for one request, so that is a good part of their price.
"""

# HOT: bench/tracker.py
import ctypes
import os
import socket
import sys
from collections.abc import Callable
from typing import TypeAlias

Accept: TypeAlias = Callable[[], tuple[int, bytes]]
"""The next connection: its descriptor, and the packed address of its other end.

Raises BlockingIOError where none waits, and OSError where one cannot be had.
"""

_NAME = 28  # sockaddr_in6; sockaddr_in has 16


def accept_by_kernel(sock: socket.socket) -> Accept:
    """Accepts at a listening socket with one system call each (Linux: accept4)."""
    accept4 = ctypes.CDLL(None, use_errno=True).accept4
    accept4.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
    listening, flags = sock.fileno(), socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    name, size = ctypes.create_string_buffer(_NAME), ctypes.c_uint32(_NAME)
    name_at, size_at = ctypes.addressof(name), ctypes.addressof(size)
    host = slice(8, 24) if sock.family == socket.AF_INET6 else slice(4, 8)

    def accept() -> tuple[int, bytes]:
        size.value = _NAME
        descriptor = accept4(listening, name_at, size_at, flags)
        if descriptor < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return descriptor, name.raw[host]

    return accept


def accept_by_socket(sock: socket.socket) -> Accept:
    """Accepts at a listening socket, on any system."""

    def accept() -> tuple[int, bytes]:
        connection, sender = sock.accept()
        connection.setblocking(False)
        return connection.detach(), socket.inet_pton(sock.family, sender[0].partition("%")[0])

    return accept


best_accept: Callable[[socket.socket], Accept] = accept_by_kernel if sys.platform == "linux" else accept_by_socket
"""The faster that this system has."""
