# Invariant: that of `peer`, for connections that begin with message stream encryption: whatever is said before, within
# and behind its handshake, by who called and by who was called, and whatever becomes of the bytes on their way, above
# the cipher and below it.
"""Fuzz target: a torrent with up to four peers that speak through the encrypted handshake, whole."""

from dataclasses import replace
from enum import IntEnum
from functools import partial

from bittern.sim.cipher import SimCipher
from bittern.wire.mse.cipher import Cipher, processed, ready
from bittern.wire.mse.exchange import VC
from bittern.wire.mse.keys import KEY_SIZE, name_mark, public_key, shared_secret, stream_keys, sync_mark, veiled
from bittern.wire.mse.policy import Encryption
from fuzz.driver import Target
from fuzz.guest import Guest
from fuzz.plays import act, play_edit
from fuzz.swarm import SETTINGS, Does, Role, Scene, holds, plain, play
from fuzz.target_peer import GIVING, SEEDING, SEEDS, WORDS, does, said_edit

_SECRET = b"the fuzzer's secret."
_PLAIN, _RC4 = 1, 2
_OPEN = 64
"""A bit of what `JOIN` and `DIALED` say: nothing is encrypted."""


class _Below(IntEnum):
    """What becomes of bytes on their way: kinds of acts behind those of `Does`."""

    OPENLY = 18  # they are not encrypted
    CHANGED = 19  # some are changed when they are
    AHEAD = 20  # some are lost of what the cipher makes


class _Veiled(Scene):
    """Guests shake hands in secret, unless they are told to speak openly."""

    def __init__(self, role: Role, flags: int) -> None:
        policy = Encryption.REQUIRE if flags & 16 else Encryption.PREFER
        super().__init__(role, flags, settings=replace(SETTINGS, encryption_in=policy, encryption_out=policy))
        self._ciphers: dict[Guest, Cipher] = {}

    def say(self, guest: Guest, data: bytes) -> None:
        """As the cipher of its connection has it."""
        cipher = self._ciphers.get(guest)
        guest.say(processed(cipher, data) if cipher is not None and data else data)

    def more(self, who: int, kind: int, said: bytes) -> None:
        """Bytes that no cipher has seen, bytes changed behind it, or a cipher that is ahead of the other side's."""
        guest = self.guest(who)
        cipher = self._ciphers.get(guest)
        match kind:
            case _Below.OPENLY:
                guest.say(said)
            case _Below.AHEAD if cipher is not None:
                processed(cipher, bytes(sum(said[:1])))
            case _Below.CHANGED if len(said) > 1:
                out = bytearray(said[2:] if cipher is None else processed(cipher, said[2:]))
                for at in range(said[0], len(out), 256):
                    out[at] ^= said[1]
                guest.say(bytes(out))
            case _:
                self.say(guest, said)

    def joins(self, number: int, said: bytes, *, dialed: bool = False) -> Guest:
        """As `Scene.joins`; of what is said, the second byte is the method, the third the length of the pads."""
        if said[:1] and said[0] & _OPEN:
            return super().joins(number, said, dialed=dialed)
        flags, method, pad = (*said[:3], 0, 0, 0)[:3]
        guest = super().joins(number, b"\x80", dialed=dialed)
        guest.say(public_key(_SECRET) + bytes(pad))
        self.world.run(0.0)
        if len(guest.beginning) < KEY_SIZE:
            return guest
        name = self.content.info.wire_hash
        shared = shared_secret(_SECRET, bytes(guest.beginning[:KEY_SIZE]))
        keys = stream_keys(shared, name)
        self._ciphers[guest] = ready(SimCipher, keys[1 if dialed else 0])
        chosen = (method % 4 or _RC4).to_bytes(4)
        tail = len(said[3:]).to_bytes(2) + said[3:]
        hello = self.hello(flags)
        if dialed:
            self.say(guest, VC + chosen + tail)
        else:
            guest.say(sync_mark(shared) + veiled(name_mark(name), shared))
            self.say(guest, VC + chosen + tail + len(hello).to_bytes(2) + hello)
        self.world.run(0.0)
        if chosen[3] == _PLAIN:
            del self._ciphers[guest]
        if dialed:
            self.say(guest, hello)
        return guest


_PLAYS = (
    *SEEDS[::2],
    does(Does.JOIN, b"\3\2\0pad") + SEEDING + does(Does.VOLUNTEER, b"\1\0") * 3,
    does(Does.JOIN, b"\3\1\x20") + SEEDING + GIVING,
    does(Does.JOIN, b"\3\3\xff" + bytes(510)) + SEEDING,
    does(Does.DIALED, b"\3\2\x10") + SEEDING + GIVING,
    does(Does.DIALED, b"\3\1\0") + SEEDING + GIVING,
    does(Does.JOIN, b"\x43") + SEEDING + GIVING,
    does(Does.JOIN, b"\3\2\0") + SEEDING + act(_Below.OPENLY, bytes(40)) + GIVING,
    does(Does.JOIN, b"\3\2\0") + SEEDING + act(_Below.CHANGED, b"\5\1\0\0\0\5\4\0\0\0\1") + GIVING,
    does(Does.DIALED, b"\3\2\0") + SEEDING + act(_Below.AHEAD, b"\1") + GIVING,
    does(Does.JOIN, b"\x80\2") + does(Does.RAW, bytes(200)) + does(Does.WAIT, b"\xff\1"),
)
_ROLES = (holds(plain), holds(plain, "all"))
_CORPUS = tuple(
    bytes((number % 2, 4 + number % 2 + 16 * (number % 3 == 0))) + each for number, each in enumerate(_PLAYS)
)

TARGET = Target(
    "peer_encrypted",
    corpus=_CORPUS,
    words=(*WORDS, VC, public_key(_SECRET), b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3", bytes(96), b"\xff" * 96),
    check=partial(play, roles=_ROLES, make=_Veiled),
    edits=(play_edit(_CORPUS, (said_edit,), head=2),),
    slow_seconds=3.0,
)
