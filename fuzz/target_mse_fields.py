# Invariant: a handshake of message stream encryption in which single fields are wrong, in either role, ends as the
# specification read all at once (`fuzz.mse_reference`) says it must, and at that very read: with an error of ours, or
# with streams that are, in both directions, those of a connection without encryption.
"""Fuzz target: the encrypted handshake, field by field, with all hashes and ciphers right around what is wrong."""

from enum import IntEnum
from random import Random

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.wire.messages import Extended, Have, Unchoke
from bittern.wire.mse.exchange import MAX_PAD
from bittern.wire.mse.keys import KEY_SIZE, SECRET_SIZE
from bittern.wire.mse.policy import Encryption
from bittern.wire.peerwire import WireState
from bittern.wire.stream import LinkLost, LossKind
from fuzz.driver import Target
from fuzz.mse_reference import PRIME, End, Verdict, answered, deciphered, hashed, initiated, shared_with, veiled_name
from fuzz.mse_sides import HELLO, NAME, Bare, Encrypted
from fuzz.plays import act, acts, play_edit

_THEIRS = b"the fuzzer's secret."
_KEYS = (0, 1, 2, PRIME - 2, PRIME - 1, PRIME, PRIME + 1, PRIME + 2, (1 << 768) - 1)
_MOST_KEPT = 628
_MOST_SAID = 1 << 17
_LOOKS = 12


class _Field(IntEnum):
    """Of a handshake: what an act says in its place."""

    KEY = 0  # one byte: a number out of `_KEYS`; else the bytes themselves
    PAD = 1  # two bytes of length, and what it is filled with
    MARK = 2  # this and the next: changed bits (see `_bent`)
    NAME = 3
    VC = 4  # from here on, what is said takes the place of what is right
    METHODS = 5
    PAD_SIZE = 6
    PAD_HIDDEN = 7  # as `PAD`
    WORDS_SIZE = 8
    WORDS = 9  # two bytes of how often it is said, one of whether it is said behind what is right, and the words
    BEHIND = 10  # as `WORDS`
    BEFORE = 11  # comes first of all
    CUT = 12  # three bytes: how much comes of all that
    TURNED = 13  # the role is the other one: both sides initiate, or both answer


def _bent(value: bytes, said: bytes) -> bytes:
    """`value` with bits changed, or, where the first byte says so, cut to a length, which is the second."""
    if not said:
        return value
    if said[0] & 128:
        return value[: said[-1]]
    return bytes(one ^ other for one, other in zip(value, said.ljust(len(value), b"\0"), strict=False))


def _padded(said: bytes) -> bytes:
    return said[2:].ljust(int.from_bytes(said[:2]), said[2:3] or b"\0")[: int.from_bytes(said[:2])]


def _words(right: bytes, said: bytes) -> bytes:
    start = right if said[2:3] > b"\0" else b""
    return (start + said[3:] * int.from_bytes(said[:2]))[:_MOST_SAID]


def _spoken(fields: dict[int, bytes], ours: bytes, *, dialed: bool) -> bytes:
    """All that the other side says, given our private key."""
    key = pow(2, int.from_bytes(_THEIRS), PRIME).to_bytes(KEY_SIZE)
    if said := fields.get(_Field.KEY):
        key = _KEYS[said[0] % len(_KEYS)].to_bytes(KEY_SIZE) if len(said) == 1 else said
    shared = shared_with(ours, key) or pow(int.from_bytes(key), int.from_bytes(ours), PRIME).to_bytes(KEY_SIZE)
    out = fields.get(_Field.BEFORE, b"") + key + _padded(fields.get(_Field.PAD, b""))
    initiates = dialed == (_Field.TURNED in fields)
    methods = fields.get(_Field.METHODS, b"\0\0\0\2")
    pad = _padded(fields.get(_Field.PAD_HIDDEN, b""))
    hidden = fields.get(_Field.VC, bytes(8)) + methods + fields.get(_Field.PAD_SIZE, len(pad).to_bytes(2)) + pad
    if initiates:
        out += _bent(hashed(b"req1", shared), fields.get(_Field.MARK, b""))
        out += _bent(veiled_name(NAME, shared), fields.get(_Field.NAME, b""))
        words = _words(HELLO, fields.get(_Field.WORDS, b"\0\0\1"))
        hidden += fields.get(_Field.WORDS_SIZE, min(len(words), 0xFFFF).to_bytes(2)) + words
        behind = b""
    else:
        behind = HELLO
    behind = _words(behind, fields.get(_Field.BEHIND, b"\0\0\1"))
    stream = hashed(b"keyA" if initiates else b"keyB", shared, NAME)
    if methods[-1:] == b"\1":
        out += deciphered(stream, hidden) + behind
    else:
        out += deciphered(stream, hidden + behind)
    return out[: int.from_bytes(fields[_Field.CUT][:3])] if _Field.CUT in fields else out


def check(data: bytes) -> bool:
    """A byte of flags, one of how what comes is cut, then fields that are said differently."""
    if len(data) < 2:
        return False
    flags, fields = data[0], dict[int, bytes]()
    for kind, each in acts(data[2:]):
        fields[kind % len(_Field)] = each
    trial = _Trial(flags)
    trial.hear(_spoken(fields, trial.secret, dialed=trial.dialed), data[1])
    return trial.end()


class _Trial:
    """One input: our side, and what is known of it."""

    def __init__(self, flags: int) -> None:
        self.dialed = bool(flags & 1)
        self.policy = Encryption.REQUIRE if flags & 2 else Encryption.PREFER
        self.slowly = bool(flags & 8)
        self.hesitant = bool(flags & 128)
        seed = f"{flags >> 5 & 3}"
        self.secret = Random(seed).randbytes(SECRET_SIZE)
        self.prompt = bool(flags & 16)
        self.side = Encrypted(self.policy, seed, dialed=self.dialed, hesitant=self.hesitant, patient=bool(flags & 4))
        self.heard = bytearray()
        self.shared: bytes | None = None

    def hear(self, data: bytes, cut: int) -> None:
        """Let bytes come, and look now and then how far they led."""
        self.shared = shared_with(self.secret, data)
        size = max(cut + 1 if cut < 200 else 1 << (cut - 200) % 18, len(data) // 300 + 1)
        looks = range(0, len(data), size)[:: max(1, len(data) // size // _LOOKS)]
        for at in range(0, len(data), size):
            self.side.hear(data[at : at + size])
            self.heard += data[at : at + size]
            if self.prompt:
                self.side.say(slowly=self.slowly)
            if at in looks:
                self.look()
        self.look()

    def look(self) -> Verdict:
        """What must have come of it by now."""
        side, verdict = self.side, self.verdict()
        closed = side.wire.state is WireState.CLOSED
        match verdict.end:
            case End.REFUSED:
                assert closed, f"{len(self.heard)} bytes are not refused"
                assert [_kind(each) for each in side.ends] in _REFUSALS, f"refused by {side.ends}"
            case End.UNDECIDED:
                assert not closed, f"refused too early: {side.ends}"
            case End.AGREED:
                state = self.within(verdict).wire.state
                assert side.wire.state is state, f"{side.wire.state}, not {state}: {side.ends}"
        if side.exchange is not None and side.exchange.agreed is None and not closed:
            kept = len(side.exchange._came)  # noqa: SLF001 - what is kept is what counts
            assert kept <= _MOST_KEPT, f"{kept} bytes are kept"
        return verdict

    def verdict(self) -> Verdict:
        """That of the specification."""
        data = bytes(self.heard)
        if self.dialed:
            return answered(data, self.shared, NAME, self.policy.methods)
        return initiated(data, self.shared, NAME, self.policy.methods, plain=self.policy.plain)

    def within(self, verdict: Verdict) -> Bare:
        """A side without encryption that heard the same."""
        side = Bare(dialed=self.dialed, hesitant=self.hesitant)
        side.hear(verdict.inner)
        return side

    def end(self) -> bool:
        """All has come: whether there is a connection, which ends now; nothing of it was different from a plain one."""
        side, verdict = self.side, self.look()
        side.say(slowly=self.slowly)
        like = self.within(verdict)
        like.say()
        open_at_last = side.wire.state is WireState.OPEN
        if verdict.end is not End.AGREED:
            assert bytes(NAME) not in side.said
            assert len(side.said) <= KEY_SIZE + MAX_PAD or self.dialed
        elif side.wire.state is not WireState.CLOSED:
            said = self.inner(verdict)
            assert said == like.said, f"{said.hex()} is said, not {like.said.hex()}"
        if verdict.end is End.REFUSED:
            return False
        side.end()
        like.end()
        assert side.calls == like.calls, f"{side.calls}, not {like.calls}"
        assert list(map(_kind, side.ends)) == list(map(_kind, like.ends)), f"{side.ends}, not {like.ends}"
        return open_at_last

    def inner(self, verdict: Verdict) -> bytes:
        """What is behind the encryption of what we said."""
        said = bytes(self.side.said)
        if not verdict.method:
            return said
        if self.dialed:
            ours = initiated(said, self.shared, NAME, verdict.method, plain=False)
            assert ours.offered == self.policy.methods, f"{ours.offered} is offered"
        else:
            ours = answered(said, self.shared, NAME, verdict.offered)
        assert (ours.end, ours.method) == (End.AGREED, verdict.method), f"we said {ours}"
        return ours.inner


def _kind(reason: LinkLost | RemoteProtocolError) -> object:
    return reason.kind if isinstance(reason, LinkLost) else reason.offence


_REFUSALS = ([Offence.BAD_ENCRYPTION], [Offence.UNKNOWN_INFO_HASH], [LossKind.ABORTED])


def _case(flags: int, cut: int, *fields: tuple[_Field, bytes]) -> bytes:
    return bytes((flags, cut)) + b"".join(act(kind, said) for kind, said in fields)


_BEHIND = Unchoke().encode() + Have(3).encode() + Extended(0, b"de").encode()
_MANY = (
    *((_Field.KEY, bytes((number,))) for number in range(len(_KEYS))),
    (_Field.KEY, b"short"),
    *((_Field.PAD, size.to_bytes(2) + b"p") for size in (1, 511, 512, 513, 65535)),
    (_Field.MARK, b"\1"),
    (_Field.MARK, b"\x80\x13"),
    (_Field.NAME, b"\0\1"),
    (_Field.NAME, b"\x80\0"),
    (_Field.VC, bytes(7) + b"\1"),
    (_Field.VC, bytes(4)),
    *((_Field.METHODS, number.to_bytes(4)) for number in (0, 1, 3, 4, 6, 5, 1 << 31 | 2, 0xFFFFFFFF)),
    *((_Field.PAD_SIZE, size.to_bytes(2)) for size in (1, 512, 513, 65535)),
    *((_Field.PAD_HIDDEN, size.to_bytes(2) + b"v") for size in (1, 512, 513, 65535)),
    *((_Field.WORDS_SIZE, size.to_bytes(2)) for size in (0, 1, 67, 69, 65535)),
    (_Field.WORDS, b""),
    (_Field.WORDS, b"\0\1\0no handshake at all"),
    (_Field.WORDS, b"\0\1\1" + _BEHIND),
    (_Field.WORDS, b"\x0a\0\1" + _BEHIND),
    (_Field.BEHIND, b"\0\1\1" + _BEHIND),
    (_Field.BEHIND, b"\x0a\0\1" + _BEHIND),
    (_Field.BEFORE, HELLO),
    (_Field.BEFORE, b"\x13BitTorrent"),
    *((_Field.CUT, size.to_bytes(3)) for size in (0, 1, 95, 96, 115, 116, 135, 136, 149, 150, 151, 152, 219)),
    (_Field.TURNED, b""),
)
_ONLY_PLAIN = (_Field.METHODS, b"\0\0\0\1")
_CORPUS = (
    *(_case(flags, cut) for flags in (0, 1, 2, 3, 28, 29) for cut in (0, 40, 217)),
    *(_case(number % 2 * 4 + 8 + role, 30 + 2 * number, each) for number, each in enumerate(_MANY) for role in (0, 1)),
    *(
        _case(16 + number % 2 * 136, 217, _ONLY_PLAIN, each)
        for number, each in enumerate(_MANY)
        if each[0] >= _Field.PAD_SIZE
    ),
)
_NUMBERS = [said for kind, said in _MANY]

TARGET = Target(
    "mse_fields",
    corpus=_CORPUS,
    words=(*_NUMBERS, HELLO, bytes(96), b"\xff\xff", b"\2\0", b"\2\1"),
    check=check,
    edits=(play_edit(_CORPUS, (lambda _, rng: rng.choice(_NUMBERS),), head=2),),
)
