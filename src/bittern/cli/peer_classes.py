"""Classes of peers as words on the command line: `local,unlimited` or `10.0.0.0/8,utp,up=500k,slots=4`."""

from typing import Any

from bittern.base.errors import SessionError
from bittern.base.transport import Transport
from bittern.engine.swarm.classes import PeerClass

from .failures import UsageError
from .output import parse_size, printable

_TRANSPORTS = tuple(each.value for each in Transport)
_UNLIMITED = "unlimited"
_NAME = "name"


def peer_class(text: str) -> PeerClass:
    """The class that `text` describes, by words that commas join.

    `local`, networks, ranges and addresses say where its peers are, `tcp` and `utp` how they are connected;
    `down=RATE`, `up=RATE`, `slots=N` and `unlimited` what it gets; `name=TEXT` what it is called, else it is called
    `text`.

    Raises:
        UsageError: a word makes no sense.
    """
    fields: dict[str, Any] = {_NAME: text}
    addresses, transports = list[str](), list[str]()
    for word in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = word.partition("=")
        if equals:
            field, read = _named(text, key, value)
            fields[field] = read
        elif word == _UNLIMITED:
            fields[_UNLIMITED] = True
        else:
            (transports if word in _TRANSPORTS else addresses).append(word)
    if fields == {_NAME: text}:
        raise _wrong(text, "says of no limit; write down=RATE, up=RATE, slots=N or unlimited, too")
    try:
        return PeerClass(**fields, addresses=tuple(addresses), transports=tuple(transports))
    except SessionError as error:
        reason = str(error).partition(": ")[2]
        raise _wrong(text, f"{reason}; write local, tcp, utp, or a network such as 10.0.0.0/8") from None


def _named(text: str, key: str, value: str) -> tuple[str, Any]:
    """The field of a word `key=value`, and its value."""
    try:
        match key:
            case "down" | "up":
                return f"{key}_bytes_per_second", _rate(value)
            case "slots":
                return "upload_slots", _count(value)
            case "name" if value:
                return _NAME, value
    except ValueError:
        raise _wrong(text, f"{key}={value} makes no sense; write it as in up=500k or slots=4") from None
    raise _wrong(text, f"{key}= is not known; write down=RATE, up=RATE, slots=N or name=TEXT")


def _rate(value: str) -> int:
    rate = parse_size(value)
    if not rate:
        raise ValueError(value)  # who wants no limit leaves it out
    return rate


def _count(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 6):
        raise ValueError(value)
    return int(value)


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(f"--peer-class {printable(text, 60)}: {printable(why, 200)}")
