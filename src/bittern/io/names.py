"""Names of hosts to addresses, looked up in threads that nobody has to wait for.

The system's resolver cannot be interrupted, and without a network it may take half a minute. The threads of a loop's
executor are waited for when the loop ends; these are not.
"""

import asyncio
import errno
import socket
import threading
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, TypeAlias

from bittern.base.errors import ThreadLimitError

from .threads import starting

Found: TypeAlias = list[tuple[Any, ...]]


async def look_up(host: str, port: int | None, *, family: int = 0, kind: int = 0) -> Found:
    """What `socket.getaddrinfo` says, without blocking the loop; of a numeric address that is known at once.

    Args:
        host: a name, or a numeric address.
        port: to be put into the addresses.
        family: of addresses; 0 for any.
        kind: of sockets; 0 for any.

    Raises:
        OSError, UnicodeError: the name is not known, or is none, or no thread can be started.
    """
    with suppress(ValueError):
        ip_address(host)
        return list(socket.getaddrinfo(host, port, family, kind))
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Found] = loop.create_future()

    def tell(found: Found | OSError | UnicodeError) -> None:
        if future.done():
            return  # nobody waits any more
        if isinstance(found, list):
            future.set_result(found)
        else:
            future.set_exception(found)

    def ask() -> None:
        found: Found | OSError | UnicodeError
        try:
            found = list(socket.getaddrinfo(host, port, family, kind))
        except (OSError, UnicodeError) as error:
            found = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, found)

    try:
        with starting():
            threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    except ThreadLimitError as error:
        raise OSError(errno.EAGAIN, str(error)) from error
    return await future
