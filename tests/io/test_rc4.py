"""The cipher: published vectors, and the slow one's opinion."""

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bittern.io import rc4
from tests.wire.mse.plain_rc4 import PlainRc4

# RFC 6229: a key of 40 bits, and 16 bytes of its stream from two places.
VECTOR = ("0102030405", {0: "b2396305f03dc027ccc3524a0a1118a8", 1024: "30abbcc7c20b01609f23ee2d5f6bb7df"})


def both(key: bytes, *sizes: int) -> None:
    fast, slow = rc4.Rc4(key), PlainRc4(key)
    for size in sizes:
        one, other = bytearray(size), bytearray(size)
        fast.process(one, one)
        slow.process(other, other)
        assert one == other


def test_its_stream_is_that_of_rfc_6229() -> None:
    key, places = VECTOR
    stream = bytearray(1040)
    rc4.Rc4(bytes.fromhex(key)).process(bytes(1040), stream)
    assert {at: stream[at : at + 16].hex() for at in places} == places


@given(st.binary(min_size=20, max_size=20), st.lists(st.integers(0, 300), max_size=5))
def test_any_cut_of_a_stream_gives_the_same_bytes(key: bytes, sizes: list[int]) -> None:
    both(key, *sizes)


def test_it_decrypts_where_the_bytes_lie() -> None:
    key, text = b"k" * 20, b"where it lies"
    memory = memoryview(bytearray(text + b"behind"))
    rc4.Rc4(key).process(memory[: len(text)], memory[: len(text)])
    assert bytes(memory[: len(text)]) != text
    rc4.Rc4(key).process(memory[: len(text)], memory[: len(text)])
    assert bytes(memory) == text + b"behind"


def test_this_system_has_it() -> None:
    assert rc4.available()


def test_who_never_encrypts_does_not_pay_for_the_cipher(tmp_path: Path) -> None:
    script = f"""
import asyncio, sys, bittern
async def run(choice):
    settings = bittern.Settings(
        state_dir={str(tmp_path)!r}, listen=("127.0.0.1",), port=0, encryption_in=choice, encryption_out=choice
    )
    async with bittern.Session(settings):
        print("cryptography" in sys.modules)
for choice in ("off", "prefer"):
    asyncio.run(run(choice))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\nTrue\n"
