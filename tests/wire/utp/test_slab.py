from hypothesis import given
from hypothesis import strategies as st

from bittern.wire.utp.bursts import payload
from bittern.wire.utp.packet import HEAD
from bittern.wire.utp.slab import SLAB, Slab


def test_what_is_put_lies_one_after_the_other() -> None:
    slab = Slab()
    assert slab.put(memoryview(b"abc")) == 0
    assert slab.put(memoryview(b"de")) == 3
    assert bytes(slab.view(0, 5)) == b"abcde"
    slab.empty()
    assert slab.put(memoryview(b"x")) == 0


@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 30))
def test_rows_lie_there_without_their_headers(count: int, size: int, last: int) -> None:
    segment = HEAD + size
    length = (count - 1) * segment + HEAD + min(size, last)
    data = memoryview(bytes(at * 31 + 7 & 255 for at in range(length)))
    slab = Slab()
    slab.put(memoryview(b"before"))
    start = slab.put_row(data, segment)
    assert start == 6
    end = slab.put(memoryview(b""))
    assert end is not None
    assert bytes(slab.view(start, end)) == payload(data, segment)


def test_what_does_not_fit_is_not_put() -> None:
    slab = Slab()
    assert slab.put(memoryview(bytes(SLAB - 5))) == 0
    assert slab.put(memoryview(b"123456")) is None
    assert slab.put_row(memoryview(bytes(HEAD + 6)), HEAD + 6) is None
    assert slab.put(memoryview(b"12345")) == SLAB - 5
