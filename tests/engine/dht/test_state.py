import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.base.address import Address
from bittern.base.errors import ResumeError
from bittern.engine.dht.state import MAX_SAVED, NodeState
from bittern.wire.krpc import Contact

IDS = st.binary(min_size=20, max_size=20)
FOUR = st.builds(Contact, IDS, st.builds(Address, st.ip_addresses(v=4).map(str), st.integers(1, 65535)))
SIX = st.builds(
    Contact, IDS, st.builds(Address, st.sampled_from(["2001:db8::1", "2001:db8::2"]), st.integers(1, 65535))
)


@given(IDS, st.lists(FOUR, max_size=40) | st.lists(SIX, max_size=40))
def test_what_is_saved_is_there_again(own_id: bytes, contacts: list[Contact]) -> None:
    state = NodeState(own_id, tuple(contacts))
    assert NodeState.decode(state.encode()) == state


def test_no_more_than_so_many_nodes_are_saved() -> None:
    many = tuple(Contact(number.to_bytes(20), Address("5.6.7.8", 1)) for number in range(MAX_SAVED + 9))
    assert NodeState.decode(NodeState(bytes(20), many).encode()).contacts == many[:MAX_SAVED]


@given(st.binary(max_size=60) | st.sampled_from([b"de", b"le", b"d2:id3:abce", b"d2:id20:%b5:nodesi1ee" % bytes(20)]))
def test_anything_else_is_our_error(data: bytes) -> None:
    with pytest.raises(ResumeError):
        NodeState.decode(data)
