"""RC4 from its description, slowly: an opinion on the one that is used that shares no code with it."""

from bittern.wire.stream import Buffer


class PlainRc4:
    """A Cipher."""

    def __init__(self, key: bytes) -> None:
        self.state = list(range(256))
        self.i = self.j = at = 0
        for index in range(256):
            at = (at + self.state[index] + key[index % len(key)]) & 255
            self.state[index], self.state[at] = self.state[at], self.state[index]

    def process(self, data: Buffer, into: bytearray | memoryview, /) -> None:
        state, i, j = self.state, self.i, self.j
        for at, byte in enumerate(bytes(data)):
            i = (i + 1) & 255
            j = (j + state[i]) & 255
            state[i], state[j] = state[j], state[i]
            into[at] = byte ^ state[(state[i] + state[j]) & 255]
        self.i, self.j = i, j
