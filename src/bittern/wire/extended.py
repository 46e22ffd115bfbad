"""The extension protocol's own handshake (BEP 10): one bencoded dictionary each way, all of it optional."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address
from typing import Final, Self

from bittern.base.address import Address
from bittern.base.errors import BencodeError, Offence, RemoteProtocolError
from bittern.codec.bencode import Limits, Value, decode_prefix, encode

from .messages import MAX_EXTENDED_BODY, Extended
from .stream import Buffer

HANDSHAKE_EXT_ID: Final = 0
"""The extended message number of the handshake; extensions have 1..255."""
MAX_METADATA: Final = 30 << 20
"""Bytes of the largest info dictionary that is fetched from peers."""

_LIMITS = Limits(depth=10, tokens=10_000, size=MAX_EXTENDED_BODY)
_MAX_EXTENSIONS: Final = 100
_MAX_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class ExtendedHandshake:
    """What a peer says of itself; None where it says nothing, or nothing that makes sense.

    A peer may send it again to change what it said: what is absent then stays as it was.

    Attributes:
        extensions: the number, 1..255, under which the peer wants to be sent each extension it names;
            0 switches the extension off. At most 100, names of at most 64 characters.
        client: name and version, at most 64 characters; what is not printable came as something else.
        port: the TCP port where it listens, 1..65535.
        request_queue: requests that it queues before dropping some, at least 1 (`reqq`).
        your_ip: our address as the peer sees it.
        ipv4: an IPv4 address of the peer.
        ipv6: an IPv6 address of the peer.
        metadata_size: bytes of the info dictionary, 1 to 30 MiB (BEP 9).
        upload_only: it wants no more pieces (BEP 21).
        prefers_encryption: it would rather have connections encrypted (`e`).
    """

    extensions: Mapping[str, int] = field(default_factory=dict)
    client: str | None = None
    port: int | None = None
    request_queue: int | None = None
    your_ip: str | None = None
    ipv4: str | None = None
    ipv6: str | None = None
    metadata_size: int | None = None
    upload_only: bool | None = None
    prefers_encryption: bool | None = None

    def updated(self, later: Self) -> Self:
        """What holds after a `later` handshake of the same peer: what that one does not name stays.

        Of more than 100 extensions, those named first count, whatever the number of handshakes.
        """
        named = {
            field.name: value
            for field in fields(later)
            if (value := getattr(later, field.name)) is not None and field.name != "extensions"
        }
        extensions = dict(list({**self.extensions, **later.extensions}.items())[:_MAX_EXTENSIONS])
        return replace(self, extensions=extensions, **named)

    def encode(self) -> bytes:
        """The payload of the extended message with number 0."""
        numbers = {b"p": self.port, b"reqq": self.request_queue, b"metadata_size": self.metadata_size}
        addresses = {b"yourip": self.your_ip, b"ipv4": self.ipv4, b"ipv6": self.ipv6}
        said: dict[bytes, object] = {b"m": dict(self.extensions)}
        said.update({key: number for key, number in numbers.items() if number is not None})
        said.update({key: ip_address(ip).packed for key, ip in addresses.items() if ip is not None})
        if self.client is not None:
            said[b"v"] = self.client
        if self.upload_only is not None:
            said[b"upload_only"] = int(self.upload_only)
        if self.prefers_encryption is not None:
            said[b"e"] = int(self.prefers_encryption)
        return encode(said)

    def message(self) -> Extended:
        """The handshake as a message of the peer wire."""
        return Extended(HANDSHAKE_EXT_ID, self.encode())

    @classmethod
    def parse(cls, payload: Buffer) -> Self:
        """Read the payload of an extended message with number 0; senseless fields count as absent.

        Raises:
            RemoteProtocolError: BAD_EXTENSION, not a bencoded dictionary.
        """
        said = parse_dict(payload)[0]
        return cls(
            extensions=_extensions(said.get(b"m")),
            client=_text(said.get(b"v")),
            port=_number(said.get(b"p"), 65535),
            request_queue=_number(said.get(b"reqq"), 2**31 - 1),
            your_ip=_ip(said.get(b"yourip"), 4, 16),
            ipv4=_ip(said.get(b"ipv4"), 4),
            ipv6=_ip(said.get(b"ipv6"), 16),
            metadata_size=_number(said.get(b"metadata_size"), MAX_METADATA),
            upload_only=_flag(said.get(b"upload_only")),
            prefers_encryption=_flag(said.get(b"e")),
        )


def parse_dict(payload: Buffer) -> tuple[dict[bytes, Value], int]:
    """The bencoded dictionary that an extension's message begins with, and the bytes it takes.

    Raises:
        RemoteProtocolError: BAD_EXTENSION, there is no such dictionary.
    """
    try:
        said, end = decode_prefix(payload, strict=False, limits=_LIMITS)
    except BencodeError as error:
        raise RemoteProtocolError(Offence.BAD_EXTENSION, str(error)) from None
    if not isinstance(said, dict):
        raise RemoteProtocolError(Offence.BAD_EXTENSION, "its message is not a dictionary")
    return said, end


def _extensions(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        return {}
    named = {
        name.decode(errors="replace"): number
        for name, number in value.items()
        if len(name) <= _MAX_NAME and isinstance(number, int) and 0 <= number <= 255
    }
    return dict(list(named.items())[:_MAX_EXTENSIONS])


def _text(value: object) -> str | None:
    if not isinstance(value, bytes):
        return None
    # 4 bytes a character at most: what is beyond is not even decoded.
    text = value[: 4 * _MAX_NAME].decode(errors="replace")[:_MAX_NAME]
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _number(value: object, most: int) -> int | None:
    return value if isinstance(value, int) and 1 <= value <= most else None


def _flag(value: object) -> bool | None:
    return value > 0 if isinstance(value, int) else None


def _ip(value: object, *sizes: int) -> str | None:
    if not isinstance(value, bytes) or len(value) not in sizes:
        return None
    return Address.of(str(ip_address(value)), 0).host  # of IPv4 mapped into IPv6 there is the IPv4 address
