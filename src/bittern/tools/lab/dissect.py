"""A message taken apart: what each of its bytes means, for whoever sees one of its kind for the first time."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Final

from bittern.base.errors import BencodeError, RemoteProtocolError
from bittern.codec.bencode import decode_spans
from bittern.wire.announce import AnnounceReply
from bittern.wire.extended import HANDSHAKE_EXT_ID, parse_dict
from bittern.wire.handshake import PROTOCOL, Handshake, Reserved
from bittern.wire.messages import (
    LENGTH_PREFIX,
    BitfieldMessage,
    Cancel,
    Extended,
    Have,
    KeepAlive,
    Message,
    Piece,
    Reject,
    Request,
)

Part = tuple[str, str]
"""Some bytes, in hex or as text, and what they mean."""

_HEX_BYTES: Final = 32
_INDENT: Final = 5
_WIDTH: Final = 40
_TEXT: Final = 72
_MOST_PEERS: Final = 4
_NUMBER: Final = 4
_ASKED: Final = {
    "info_hash": "the torrent: 20 bytes, each that is no letter, digit or one of .-_~ as % and two hex digits",
    "peer_id": "who is asking: 20 bytes",
    "port": "where others may connect to us",
    "uploaded": "bytes sent to peers so far",
    "downloaded": "bytes received from peers so far",
    "left": "bytes still to come; a seed has 0",
    "compact": "name each peer in 6 bytes, please",
    "no_peer_id": "and leave out who they are",
}
_ANSWERED: Final = {
    "complete": "seeds in this swarm",
    "incomplete": "others in this swarm, we among them",
    "interval": "seconds until we should ask again",
    "min interval": "seconds until we may",
    "peers": "6 bytes each: 4 of the IP address, 2 of the port",
    "peers6": "18 bytes each: 16 of the IPv6 address, 2 of the port",
    "external ip": "the address that we come from",
    "failure reason": "why there is no answer",
    "warning message": "what its owner wants to be read",
}
_INTRODUCED: Final = {
    "e": "whether we like connections to be encrypted",
    "m": "extensions, each with the number that we want to be sent it under",
    "metadata_size": "bytes of the info dictionary",
    "p": "the port that we listen on",
    "reqq": "how many requests may wait here",
    "upload_only": "whether we want nothing any more",
    "v": "the client and its version",
    "yourip": "the address that you come from",
}
_INFO: Final = {
    "files": "the files, each with its length and path",
    "length": "bytes of the file",
    "name": "what to call it",
    "piece length": "bytes of a piece",
    "pieces": "the SHA-1 of each piece, 20 bytes each",
    "private": "1: no peers but those of the trackers",
}
_METADATA: Final = {
    "msg_type": "0: a request, 1: data, 2: a refusal",
    "piece": "which 16 KiB of the info dictionary, counted from 0",
    "total_size": "bytes of the info dictionary",
}
_FEATURES: Final = {
    Reserved.LTEP: "extension protocol (BEP 10)",
    Reserved.V2: "upgrade to v2 (BEP 52)",
    Reserved.FAST: "fast extension (BEP 6)",
    Reserved.DHT: "DHT (BEP 5)",
}


def dissect_info(raw: bytes) -> list[Part]:
    """The parts of an info dictionary."""
    return _dictionary(raw, _INFO)


def aligned(parts: list[Part]) -> Iterator[str]:
    """Lines in which what the parts mean stands in a column."""
    width = min(_WIDTH, max((len(shown) for shown, _ in parts), default=0))
    for shown, words in parts:
        yield f"{'':{_INDENT}}{shown:<{width}}  {words}".rstrip()


def dissect(data: bytes | bytearray, meaning: object) -> list[Part]:
    """The parts of what was sent or received; empty where there is nothing to take apart.

    Args:
        data: its bytes; of an HTTP answer the body.
        meaning: what they say.
    """
    if isinstance(meaning, str) and meaning.startswith("GET "):
        return _question(meaning)
    if isinstance(meaning, Handshake):
        return _handshake(bytes(data), meaning)
    if isinstance(meaning, AnnounceReply) and data[:1] == b"d":
        peers = f"{_ANSWERED['peers']}: {', '.join(map(str, meaning.peers[:_MOST_PEERS]))}"
        return _dictionary(bytes(data), {**_ANSWERED, "peers": peers})
    if isinstance(meaning, Message) and not isinstance(meaning, KeepAlive):
        return [*_frame(bytes(data), meaning), *_payload(bytes(data[LENGTH_PREFIX + 1 :]), meaning)]
    return []


def _question(request: str) -> list[Part]:
    _, _, query = request.partition("?")
    return [(said, _ASKED.get(said.partition("=")[0], "")) for said in query.split("&")]


def _handshake(data: bytes, meaning: Handshake) -> list[Part]:
    features = [words for bit, words in _FEATURES.items() if meaning.supports(bit)]
    end = len(PROTOCOL)
    return [
        (data[:1].hex(), "19: the length of the name that follows"),
        (data[1:end].hex(), f'"{_quoted(data[1:end])}"'),
        (data[end : end + 8].hex(), f"reserved bits: {', '.join(features) or 'none set'}"),
        (data[end + 8 : end + 28].hex(), "info hash: which torrent this is about"),
        (data[end + 28 : end + 48].hex(), f"peer id: {_quoted(data[end + 28 : end + 48])}"),
    ]


def _frame(data: bytes, meaning: Message) -> Iterator[Part]:
    count = int.from_bytes(data[:LENGTH_PREFIX])
    follow = "1 byte follows" if count == 1 else f"{count} bytes follow"
    yield data[:LENGTH_PREFIX].hex(), f"length: {follow}"
    name = type(meaning).__name__.removesuffix("Message")
    words = re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower()
    yield data[LENGTH_PREFIX : LENGTH_PREFIX + 1].hex(), f"id {data[LENGTH_PREFIX]}: {words}"


def _payload(rest: bytes, meaning: Message) -> Iterable[Part]:
    match meaning:
        case Request() | Cancel() | Reject() | Have():
            names = [field.name for field in fields(meaning)]
            return _numbers(rest, names)
        case Piece():
            return [*_numbers(rest, ("piece", "begin")), (shorten(rest[8:]), "the block: all the rest is data")]
        case BitfieldMessage():
            bits = " ".join(f"{byte:08b}" for byte in rest[:4]) + (" ..." if len(rest) > 4 else "")
            return [(shorten(rest), f"a bit for each piece, the first piece highest: {bits}")]
        case Extended(ext_id=number):
            what = "the handshake" if number == HANDSHAKE_EXT_ID else "the number that its receiver chose"
            return [(rest[:1].hex(), f"extension {number}: {what}"), *_extended(rest[1:], number)]
        case _:
            return [(shorten(rest), "")] if rest else []


def _numbers(data: bytes, names: Iterable[str]) -> list[Part]:
    parts = [data[at : at + _NUMBER] for at in range(0, len(data), _NUMBER)]
    return [(part.hex(), f"{name} {int.from_bytes(part)}") for part, name in zip(parts, names, strict=False)]


def _extended(payload: bytes, number: int) -> list[Part]:
    try:
        _, end = parse_dict(payload)
    except RemoteProtocolError:
        return [(shorten(payload), "")]
    parts = _dictionary(payload[:end], _INTRODUCED if number == HANDSHAKE_EXT_ID else _METADATA)
    rest = payload[end:]
    return [*parts, (shorten(rest), "the piece: all behind the dictionary is data")] if rest else parts


def _dictionary(data: bytes, words: dict[str, str]) -> list[Part]:
    """Each key of a bencoded dictionary with its value, as text."""
    try:
        _, spans = decode_spans(data, strict=False)
    except BencodeError:
        return []
    parts = [
        (f"{len(key)}:{_quoted(key)}{_quoted(data[span])}", words.get(key.decode(errors="replace"), ""))
        for key, span in spans.items()
    ]
    return [("d", "a dictionary begins"), *parts, ("e", "and ends")]


def shorten(data: bytes | bytearray | memoryview) -> str:
    """The first bytes in hex, and how many there are when these are not all."""
    front = bytes(data[:_HEX_BYTES]).hex()
    return front if len(data) <= _HEX_BYTES else f"{front}... ({len(data)} bytes)"


def _quoted(data: bytes) -> str:
    r"""Bytes as text in ASCII, those that are none as `\xff`, the first of them where there are many."""
    text = ascii(data)[2:-1]
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}..."
