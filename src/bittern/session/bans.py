"""Addresses that the user bans, and what is known of all bans."""

from math import inf

from bittern.base.address import Address
from bittern.base.errors import SessionError
from bittern.io.runtime import Runtime


def ban(runtime: Runtime, host: str, seconds: float | None) -> None:
    """See `Session.ban`."""
    host = numeric(host)
    if seconds is not None and not seconds > 0:
        raise SessionError(f"seconds = {seconds}: must be positive")
    now = runtime.now()
    runtime.core.bans.ban(host, now + seconds if seconds is not None else inf)
    runtime.core.bans_changed(host, now)
    runtime.turn.soon()


def unban(runtime: Runtime, host: str) -> bool:
    """See `Session.unban`."""
    host = numeric(host)
    found = runtime.core.bans.unban(host)
    runtime.core.bans_changed(host, runtime.now())
    runtime.turn.soon()
    return found


def all_bans(runtime: Runtime) -> dict[str, float | None]:
    """Banned addresses, and the seconds until each ban ends; None where it does not."""
    now = runtime.now()
    bans = runtime.core.bans.all(now)
    return {host: until - now if until != inf else None for host, until in bans.items()}


def numeric(host: str) -> str:
    """An IP address as it is known here.

    Raises:
        SessionError: this is none.
    """
    try:
        return Address.of(host, 0).host
    except ValueError:
        raise SessionError(f"{host!r} is no IP address") from None
