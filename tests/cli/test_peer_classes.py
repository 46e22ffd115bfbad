import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.cli.failures import UsageError
from bittern.cli.peer_classes import peer_class
from bittern.engine.swarm.classes import PeerClass


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("local,unlimited", PeerClass(name="local,unlimited", addresses=("local",), unlimited=True)),
        (
            "name=slow, utp, 10.0.0.0/8, 2001:db8::1-2001:db8::9, up=500k, down=1.5M, slots=0",
            PeerClass(
                name="slow",
                addresses=("10.0.0.0/8", "2001:db8::1-2001:db8::9"),
                transports=("utp",),
                up_bytes_per_second=500 << 10,
                down_bytes_per_second=3 << 19,
                upload_slots=0,
            ),
        ),
        ("slots=4", PeerClass(name="slots=4", upload_slots=4)),
    ],
)
def test_words_are_a_class(text: str, meant: PeerClass) -> None:
    assert peer_class(text) == meant


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "says of no limit"),
        ("local,tcp", "says of no limit"),
        ("lokal,unlimited", "write local, tcp, utp, or a network such as"),
        ("sctp,up=5k", "sctp"),
        ("up=fast", "up=fast makes no sense"),
        ("up=0", "up=0 makes no sense"),
        ("slots=-1", "slots=-1 makes no sense"),
        ("left=5k", "left= is not known"),
        ("name=", "name= is not known"),
    ],
)
def test_what_makes_no_sense_is_named(text: str, says: str) -> None:
    with pytest.raises(UsageError, match="--peer-class") as caught:
        peer_class(text)
    assert says in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_a_class_or_refused(text: str) -> None:
    try:
        made = peer_class(text)
    except UsageError:
        return
    assert made.unlimited or made.upload_slots is not None or min(made.down_bytes_per_second, made.up_bytes_per_second)
