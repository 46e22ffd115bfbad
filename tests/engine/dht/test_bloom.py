import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.engine.dht.bloom import Filter

# BEP 33, test vectors
BITS = """
F6C3F5EA A07FFD91 BDE89F77 7F26FB2B FF37BDB8 FB2BBAA2 FD3DDDE7 BACFFF75 EE7CCBAE FE5EEDB1 FBFAFF67 F6ABFF5E 43DDBCA3
FD9B9FFD F4FFD3E9 DFF12D1B DF59DB53 DBE9FA5B 7FF3B8FD FCDE1AFB 8BEDD7BE 2F3EE71E BBBFE93B CDEEFE14 8246C2BC 5DBFF7E7
EFDCF24F D8DC7ADF FD8FFFDF DDFFF7A4 BBEEDF5C B95CE81F C7FCFF1F F4FFFFDF E5F7FDCB B7FD79B3 FA1FC77B FE07FFF9 05B7B7FF
C7FEFEFF E0B8370B B0CD3F5B 7F2BD93F EB4386CF DD6F7FD5 BFAF2E9E BFFFFEEC D67ADBF7 C67F17EF D5D75EBA 6FFEBA7F FF47A91E
B1BFBB53 E8ABFB57 62ABE8FF 237279BF EFBFEEF5 FFC5FEBF DFE5ADFF ADFEE1FB 737FFFFB FD9F6AEF FEEE76B6 FD8F72EF
"""
HOSTS4 = [f"192.0.2.{last}" for last in range(256)]
HOSTS6 = [f"2001:db8::{last:x}" for last in range(0x3E8)]


def test_the_filter_of_bep_33_has_its_bits_and_its_count() -> None:
    some = Filter([*HOSTS4, *HOSTS6])
    assert bytes(some) == bytes.fromhex(BITS)
    assert abs(some.count() - 1224.9308) < 0.001


HOSTS = st.lists(st.ip_addresses().map(str), max_size=30)


@given(HOSTS, HOSTS)
def test_joined_filters_are_the_filter_of_all(some: list[str], others: list[str]) -> None:
    joined = Filter(some)
    joined.join(Filter.from_bytes(bytes(Filter(others))))
    assert bytes(joined) == bytes(Filter([*some, *others]))
    assert all(host in joined for host in (*some, *others))


def test_nothing_counts_as_nothing_and_everything_as_a_number() -> None:
    assert Filter().count() == pytest.approx(0.5)  # as the formula of BEP 33 has it
    assert Filter.from_bytes(b"\xff" * 256).count() > 6000
    assert (Filter().estimate(), Filter(["1.2.3.4"]).estimate()) == (0, 1)
    assert 950 <= Filter(HOSTS6).estimate() <= 1050
