"""The structures of recvmmsg and sendmmsg (Linux), which Python does not have."""

import ctypes
import socket
import sys
from functools import lru_cache
from typing import Final

from bittern.base.address import Address

NAME: Final = 28
"""Bytes of a sockaddr_in6; a sockaddr_in has 16."""


_INET: Final = int(socket.AF_INET).to_bytes(2, sys.byteorder)


class Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class Header(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("header", Header), ("size", ctypes.c_uint))


def address_of(name: bytes) -> Address:
    """What a sockaddr_in or sockaddr_in6 says."""
    if name[:2] == _INET:
        return Address(socket.inet_ntop(socket.AF_INET, name[4:8]), name[2] << 8 | name[3])
    return _address_of_six(name)


@lru_cache(4096)
def _address_of_six(name: bytes) -> Address:
    return Address.of(socket.inet_ntop(socket.AF_INET6, name[8:24]), name[2] << 8 | name[3])


@lru_cache(4096)
def name_of(address: Address) -> bytes:
    """The sockaddr_in or sockaddr_in6 of an address."""
    family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
    head = int(family).to_bytes(2, sys.byteorder) + address.port.to_bytes(2)
    packed = socket.inet_pton(family, address.host)
    return head + (bytes(4) + packed + bytes(4) if address.is_ipv6 else packed + bytes(8))
