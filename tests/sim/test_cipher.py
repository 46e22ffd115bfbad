"""The simulation's cipher."""

from hypothesis import given
from hypothesis import strategies as st

from bittern.sim.cipher import SimCipher


@given(st.binary(max_size=300), st.lists(st.integers(1, 100)), st.integers(0, 70_000))
def test_what_is_encrypted_in_any_parts_is_decrypted_in_any_others(data: bytes, cuts: list[int], before: int) -> None:
    one, other = SimCipher(b"k" * 20), SimCipher(b"k" * 20)
    for side in (one, other):
        side.process(bytes(before), bytearray(before))
    hidden, at = bytearray(data), 0
    for cut in [*cuts, len(data)]:
        one.process(hidden[at : at + cut], memoryview(hidden)[at : at + cut])
        at = min(at + cut, len(data))
    other.process(hidden, hidden)
    assert hidden == data


def test_each_key_has_a_stream_of_its_own() -> None:
    streams = []
    for key in (b"a" * 20, b"b" * 20):
        out = bytearray(64)
        SimCipher(key).process(bytes(64), out)
        streams.append(bytes(out))
    assert streams[0] != streams[1]
    assert bytes(64) not in streams
