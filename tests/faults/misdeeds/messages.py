"""Bytes and messages that the protocol does not have."""

from tests.faults.rigs import wire
from tests.faults.rigs.misdeed import Fate, Misdeed, Scene
from tests.faults.rigs.torrent import MIB

# --- instead of a handshake


def silence(scene: Scene) -> None:
    scene.connect().end()


def web_request(scene: Scene) -> None:
    scene.connect().raw(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: " + bytes(700))


def half_a_handshake(scene: Scene) -> None:
    peer = scene.connect()
    peer.raw((wire.PROTOCOL + wire.PLAIN + scene.torrent.info_hash)[:40])
    peer.end()


def another_protocol(scene: Scene) -> None:
    scene.connect().raw(b"\x13BitTorrent protocox" + bytes(700))


def unknown_torrent(scene: Scene) -> None:
    peer = scene.connect()
    peer.hello(info_hash=scene.rng.randbytes(20))


# --- messages of wrong lengths


def giant_length(scene: Scene) -> None:
    """Of each kind; and what it announces, as far as anybody takes it."""
    for nth, kind in enumerate((wire.CHOKE, wire.HAVE, wire.BITFIELD, wire.REQUEST, wire.EXTENDED, 99)):
        scene.pour(scene.join(nth=nth), b"\xff" * 4 + bytes((kind,)) + bytes(MIB))


def noise(scene: Scene) -> None:
    scene.pour(scene.join(), b"\xff" * 16 + scene.rng.randbytes(100_000))


def have_of_two_bytes(scene: Scene) -> None:
    scene.join().say(wire.HAVE, b"\0\0")


def long_choke(scene: Scene) -> None:
    scene.join().say(wire.CHOKE, b"\0")


def short_request(scene: Scene) -> None:
    scene.join().say(wire.REQUEST, bytes(11))


def short_bitfield(scene: Scene) -> None:
    scene.join().say(wire.BITFIELD, b"\xff" * (scene.torrent.pieces // 8 - 1))


def long_bitfield(scene: Scene) -> None:
    scene.join().say(wire.BITFIELD, b"\xff" * (scene.torrent.pieces // 8 + 1))


def junk_extension(scene: Scene) -> None:
    scene.join().say(wire.EXTENDED, b"\0" + b"d" * 5000)


def extension_of_everything(scene: Scene) -> None:
    scene.join().raw(wire.message(wire.EXTENDED, b"\0" + b"l" * 60_000))


MESSAGES = [
    Misdeed("a connection that ends before a word", (29,), silence, Fate.CLOSED),
    Misdeed("a web request in place of a handshake", (25,), web_request, Fate.CLOSED),
    Misdeed("half a handshake, and the end", (29,), half_a_handshake, Fate.CLOSED),
    Misdeed("another protocol", (25,), another_protocol, Fate.CLOSED),
    Misdeed("an info hash that is not here", (44,), unknown_torrent, Fate.CLOSED),
    Misdeed("a length of 4 GiB, whatever the message", (25,), giant_length, Fate.DROPPED, "longer than allowed"),
    Misdeed("noise after the handshake", (25,), noise, Fate.DROPPED, "longer than allowed"),
    Misdeed("a `have` of two bytes", (25,), have_of_two_bytes, Fate.DROPPED, "wrong length"),
    Misdeed("a choke with something in it", (25,), long_choke, Fate.DROPPED, "longer than allowed"),
    Misdeed("a request of eleven bytes", (25,), short_request, Fate.DROPPED, "wrong length"),
    Misdeed("a bitfield that is too short", (25,), short_bitfield, Fate.DROPPED, "wrong size"),
    Misdeed("a bitfield that is too long", (25,), long_bitfield, Fate.DROPPED, "wrong size"),
    Misdeed("an extension handshake that is no bencode", (14,), junk_extension, Fate.DROPPED, "extension"),
    Misdeed("lists in lists without end", (14,), extension_of_everything, Fate.DROPPED, "extension"),
]
