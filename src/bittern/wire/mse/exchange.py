"""The handshake of MSE, both roles: bytes in, bytes out, and in the end ciphers or none.

    A to B: public key, padding
    B to A: public key, padding
    A to B: sync mark, veiled name mark, RC4(VC, methods offered, padding, A's first words)
    B to A: RC4(VC, method chosen, padding)

Padding is 0 to 512 bytes each time. VC is eight zeros, by whose ciphertext A finds the end of B's padding; B finds
that of A's by the sync mark. What is looked for within those bounds is not there beyond them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Final

from bittern.base.errors import Offence, RemoteProtocolError
from bittern.wire.stream import Buffer

from .cipher import Cipher, MakeCipher, processed, ready
from .keys import (
    KEY_SIZE,
    MARK_SIZE,
    SECRET_SIZE,
    check_key,
    name_mark,
    public_key,
    stream_keys,
    sync_mark,
    veiled,
)
from .policy import Encryption, Method

MAX_PAD: Final = 512
VC: Final = bytes(8)
"""Said in the cipher, it shows that both sides have the same keys."""

_OFFER = Struct(">8sIH")  # VC, methods, length of the padding
_CHOICE = Struct(">IH")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How it goes on behind the handshake.

    Attributes:
        method: for every byte, of both sides, but `initial`.
        encipher, decipher: of our stream and of the other side's.
        initial: bytes that come next and are encrypted whatever the method.
        rest: what has come of the stream behind the handshake, as it came.
    """

    method: Method
    encipher: Cipher
    decipher: Cipher
    initial: int
    rest: bytes


class Exchange:
    """What both roles do alike.

    Args:
        entropy: gives bytes that nobody can guess.
        make: makes ciphers.

    Attributes:
        out: what is to be sent next; taken from its front by who sends it.
        secret: our private key.
        wanted: the other side's public key, while `know` is waited for.
        agreed: how it goes on, in the end.
    """

    def __init__(self, entropy: Callable[[int], bytes], make: MakeCipher) -> None:
        self.out = bytearray()
        self.secret = entropy(SECRET_SIZE)
        self.wanted: bytes | None = None
        self.agreed: Agreement | None = None
        self._entropy = entropy
        self._make = make
        self._came = bytearray()
        self._step: Callable[[], bool] = self._take_key

    def receive(self, data: Buffer) -> None:
        """Bytes came.

        Raises:
            RemoteProtocolError: BAD_ENCRYPTION or UNKNOWN_INFO_HASH; there is nothing more to say.
        """
        self._came += data
        self._go_on()

    def know(self, shared: bytes) -> None:
        """The shared secret of ours and of the key `wanted`.

        Raises:
            RemoteProtocolError: as `receive`, for what had come before.
        """
        self.wanted = None
        self._learn(shared)
        self._go_on()

    def _learn(self, shared: bytes) -> None:
        raise NotImplementedError

    def _take_key(self) -> bool:
        raise NotImplementedError

    def _go_on(self) -> None:
        while self.agreed is None and self.wanted is None and self._step():
            pass

    def _introduce(self) -> None:
        """Our public key, and padding."""
        self.out += public_key(self.secret) + self._entropy(self._pad_size())

    def _pad_size(self) -> int:
        return int.from_bytes(self._entropy(4)) % (MAX_PAD + 1)

    def _take(self, size: int) -> bytes:
        data = bytes(self._came[:size])
        del self._came[:size]
        return data

    def _found(self, mark: bytes) -> bool:
        """Take everything until behind `mark`, which at most `MAX_PAD` bytes may precede."""
        at = self._came.find(mark, 0, MAX_PAD + len(mark))
        if at >= 0:
            del self._came[: at + len(mark)]
        elif len(self._came) >= MAX_PAD + len(mark):
            raise RemoteProtocolError(Offence.BAD_ENCRYPTION, f"no sync in {MAX_PAD + len(mark)} bytes")
        return at >= 0

    @staticmethod
    def _check_pad(size: int) -> int:
        if size > MAX_PAD:
            raise RemoteProtocolError(Offence.BAD_ENCRYPTION, f"{size} bytes of padding")
        return size


class Initiator(Exchange):
    """The side that made the connection.

    Args:
        entropy: gives bytes that nobody can guess.
        make: makes ciphers.
        name: 20 bytes of an info hash: who does not know the torrent learns nothing of it.
        policy: what is offered.
        words: what we say first, at most 65,535 bytes; some clients take no more than a handshake.
    """

    def __init__(
        self, entropy: Callable[[int], bytes], make: MakeCipher, name: bytes, policy: Encryption, words: bytes
    ) -> None:
        super().__init__(entropy, make)
        self._name = name
        self._offered = policy.methods
        self._words = words
        self._introduce()

    def _take_key(self) -> bool:
        if len(self._came) < KEY_SIZE:
            return False
        theirs = self._take(KEY_SIZE)
        check_key(theirs)
        self.wanted = theirs
        return True

    def _learn(self, shared: bytes) -> None:
        ours, theirs = stream_keys(shared, self._name)
        self._encipher, self._decipher = ready(self._make, ours), ready(self._make, theirs)
        pad = self._pad_size()
        offer = _OFFER.pack(VC, self._offered, pad) + bytes(pad) + len(self._words).to_bytes(2) + self._words
        self.out += sync_mark(shared) + veiled(name_mark(self._name), shared) + processed(self._encipher, offer)
        self._mark = processed(self._decipher, VC)
        self._step = self._sync

    def _sync(self) -> bool:
        found = self._found(self._mark)
        if found:
            self._step = self._take_choice
        return found

    def _take_choice(self) -> bool:
        if len(self._came) < _CHOICE.size:
            return False
        choice, self._pad = _CHOICE.unpack(processed(self._decipher, self._take(_CHOICE.size)))
        self._check_pad(self._pad)
        if choice not in (Method.PLAIN, Method.RC4) or not choice & self._offered:
            raise RemoteProtocolError(Offence.BAD_ENCRYPTION, f"it chose method {choice}, which was not offered")
        self._method = Method(choice)
        self._step = self._take_pad
        return True

    def _take_pad(self) -> bool:
        if len(self._came) < self._pad:
            return False
        processed(self._decipher, self._take(self._pad))
        self.agreed = Agreement(self._method, self._encipher, self._decipher, 0, bytes(self._came))
        return True


class Responder(Exchange):
    """The side that was connected to.

    Args:
        entropy: gives bytes that nobody can guess.
        make: makes ciphers.
        find: gives the name of a torrent that has this `name_mark`, or None.
        policy: what may be chosen.
    """

    def __init__(
        self,
        entropy: Callable[[int], bytes],
        make: MakeCipher,
        find: Callable[[bytes], bytes | None],
        policy: Encryption,
    ) -> None:
        super().__init__(entropy, make)
        self._find = find
        self._policy = policy

    def _take_key(self) -> bool:
        if len(self._came) < KEY_SIZE:
            return False
        self._theirs = self._take(KEY_SIZE)
        check_key(self._theirs)
        self._introduce()
        self._step = self._wait
        return True

    def _wait(self) -> bool:
        """The secret is dear: it is worked out for who has sent enough to need it."""
        if len(self._came) < MARK_SIZE:
            return False
        self.wanted = self._theirs
        return True

    def _learn(self, shared: bytes) -> None:
        self._shared = shared
        self._mark = sync_mark(shared)
        self._step = self._sync

    def _sync(self) -> bool:
        found = self._found(self._mark)
        if found:
            self._step = self._take_name
        return found

    def _take_name(self) -> bool:
        if len(self._came) < MARK_SIZE:
            return False
        name = self._find(veiled(self._take(MARK_SIZE), self._shared))
        if name is None:
            raise RemoteProtocolError(Offence.UNKNOWN_INFO_HASH)
        theirs, ours = stream_keys(self._shared, name)
        self._encipher, self._decipher = ready(self._make, ours), ready(self._make, theirs)
        self._step = self._take_offer
        return True

    def _take_offer(self) -> bool:
        if len(self._came) < _OFFER.size:
            return False
        vc, offered, self._pad = _OFFER.unpack(processed(self._decipher, self._take(_OFFER.size)))
        if vc != VC:
            raise RemoteProtocolError(Offence.BAD_ENCRYPTION, "its cipher is not ours")
        self._check_pad(self._pad)
        self._method = self._policy.choose(Method(offered & 3))
        if not self._method:
            raise RemoteProtocolError(Offence.BAD_ENCRYPTION, f"of the methods {offered:#x} we may use none")
        self._step = self._take_pad
        return True

    def _take_pad(self) -> bool:
        if len(self._came) < self._pad + 2:
            return False
        initial = int.from_bytes(processed(self._decipher, self._take(self._pad + 2))[self._pad :])
        pad = self._pad_size()
        self.out += processed(self._encipher, VC + _CHOICE.pack(self._method, pad) + bytes(pad))
        self.agreed = Agreement(self._method, self._encipher, self._decipher, initial, bytes(self._came))
        return True
