import pytest

from bittern.engine.dht.items import (
    KEEP_SECONDS,
    MAX_ITEMS,
    MAX_OF_ONE,
    Item,
    ItemStore,
    item_in,
    signed_bytes,
    target_of,
)
from bittern.wire.krpc import BAD_SIGNATURE, CAS_MISMATCH, OLD_SEQUENCE, SERVER, PutItem, Reply

# BEP 44, test vectors
KEY = bytes.fromhex("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548")
VALUE = b"12:Hello World!"
OWN = bytes(20)
GOOD = b"good" * 16
ONE = "5.6.7.8"


def verify(*said: bytes) -> bool:
    return said[1] == GOOD


def put(
    seq: int, value: bytes = VALUE, *, cas: int | None = None, signature: bytes = GOOD, salt: bytes = b""
) -> PutItem:
    return PutItem(b"t", value, KEY, salt, seq, signature, cas)


def store() -> ItemStore:
    return ItemStore(OWN, verify)


def test_targets_and_what_is_signed_are_those_of_bep_44() -> None:
    assert signed_bytes(VALUE, 1) == b"3:seqi1e1:v12:Hello World!"
    assert signed_bytes(VALUE, 1, b"foobar") == b"4:salt6:foobar3:seqi1e1:v12:Hello World!"
    assert target_of(KEY).hex() == "4a533d47ec9c7d95b1ad75f576cffc641853b750"
    assert target_of(KEY, b"foobar").hex() == "411eba73b6f087ca51a3795d9c8c938d365e32c1"
    assert Item(VALUE).target.hex() == "e5f96f6f38320f0f33959cb4d3d656452117aadb"


def test_an_immutable_item_is_found_until_it_is_old() -> None:
    some = store()
    assert some.put(PutItem(b"t", VALUE), ONE, 0.0) == 0
    assert some.get(Item(VALUE).target, KEEP_SECONDS - 1) == Item(VALUE)
    assert some.get(Item(VALUE).target, KEEP_SECONDS) is None
    some.expire(KEEP_SECONDS)
    assert len(some) == 0


def test_a_newer_version_takes_the_place_of_an_older_and_never_the_reverse() -> None:
    some = store()
    assert some.put(put(2), ONE, 0.0) == 0
    assert some.put(put(1), ONE, 0.0) == OLD_SEQUENCE
    assert some.put(put(2, b"5:other"), ONE, 0.0) == OLD_SEQUENCE
    assert some.put(put(3, b"5:other"), ONE, 0.0) == 0
    kept = some.get(target_of(KEY), 0.0)
    assert kept is not None
    assert (kept.seq, kept.value) == (3, b"5:other")


def test_the_same_version_again_keeps_it_alive() -> None:
    some = store()
    some.put(put(2), ONE, 0.0)
    assert some.put(put(2), ONE, 5000.0) == 0
    assert some.get(target_of(KEY), KEEP_SECONDS + 1) is not None


def test_cas_stores_only_in_the_place_of_the_version_it_names() -> None:
    some = store()
    assert some.put(put(1, cas=77), ONE, 0.0) == 0  # nothing was there
    assert some.put(put(3, cas=2), ONE, 0.0) == CAS_MISMATCH
    assert some.put(put(3, cas=1), ONE, 0.0) == 0


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_what_the_owner_did_not_sign_is_refused(seq: int) -> None:
    some = store()
    some.put(put(2), ONE, 0.0)
    assert some.put(put(seq, signature=bytes(64)), ONE, 0.0) in {BAD_SIGNATURE, OLD_SEQUENCE}
    assert some.put(put(1, signature=bytes(64), salt=b"x"), ONE, 0.0) == BAD_SIGNATURE
    kept = some.get(target_of(KEY), 0.0)
    assert kept is not None
    assert kept.signature == GOOD


def test_when_there_are_too_many_items_the_farthest_go() -> None:
    some = store()
    values = sorted((b"i%de" % number for number in range(MAX_ITEMS + 2)), key=lambda value: Item(value).target)
    for number, value in enumerate(values[1:-1]):
        assert some.put(PutItem(b"t", value), f"5.6.7.{number % 9}", 0.0) == 0
    assert some.put(PutItem(b"t", values[-1]), ONE, 0.0) == SERVER
    assert some.put(PutItem(b"t", values[0]), ONE, 0.0) == 0
    assert len(some) == MAX_ITEMS
    assert some.get(Item(values[-2]).target, 0.0) is None


def test_one_address_does_not_fill_the_store() -> None:
    some = store()
    codes = [some.put(PutItem(b"t", b"i%de" % number), ONE, 0.0) for number in range(MAX_OF_ONE + 5)]
    assert codes == [0] * MAX_OF_ONE + [SERVER] * 5
    assert some.put(PutItem(b"t", b"i0e"), ONE, 1.0) == 0  # it is there
    assert some.put(PutItem(b"t", VALUE), "5.6.7.9", 0.0) == 0
    some.expire(KEEP_SECONDS)
    assert some.put(PutItem(b"t", b"i-1e"), ONE, KEEP_SECONDS) == 0


def test_a_reply_is_believed_only_with_what_belongs_to_the_target() -> None:
    mutable = Reply(b"a", OWN, value=VALUE, key=KEY, seq=1, signature=GOOD)
    assert item_in(mutable, target_of(KEY), b"", verify) == Item(VALUE, KEY, b"", 1, GOOD)
    assert item_in(mutable, target_of(KEY, b"foobar"), b"foobar", verify) == Item(VALUE, KEY, b"foobar", 1, GOOD)
    assert item_in(mutable, target_of(KEY, b"foobar"), b"", verify) is None
    forged = Reply(b"a", OWN, value=VALUE, key=KEY, seq=1, signature=bytes(64))
    assert item_in(forged, target_of(KEY), b"", verify) is None
    assert item_in(Reply(b"a", OWN, value=VALUE), Item(VALUE).target, b"", verify) == Item(VALUE)
    assert item_in(Reply(b"a", OWN, value=b"5:other"), Item(VALUE).target, b"", verify) is None
    assert item_in(Reply(b"a", OWN), Item(VALUE).target, b"", verify) is None
