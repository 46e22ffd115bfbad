# Invariant: only BencodeError escapes; what strict mode accepts is canonical (encode gives the same bytes), and
# lenient mode reads the same from it; spans cut out exactly what decodes to the values.
"""Fuzz target: bencode."""

from bittern.base.errors import BencodeError
from bittern.codec.bencode import decode, decode_spans, encode
from fuzz.driver import Target
from fuzz.trees import tree_edit


def check(data: bytes) -> bool:
    """Decode `data` in every mode and compare."""
    try:
        value = decode(data)
    except BencodeError:
        value = None
    if value is not None:
        assert encode(value) == data
        assert decode(data, strict=False, unique=True) == value
    try:
        loose = decode(data, strict=False)
    except BencodeError:
        assert value is None
        return False
    assert decode(encode(loose)) == loose
    if isinstance(loose, dict):
        values, spans = decode_spans(data, strict=False)
        assert values == loose
        assert {key: decode(data[span], strict=False) for key, span in spans.items()} == loose
    return True


_KEYS = b"a|b|".split(b"|")

TARGET = Target(
    "bencode",
    corpus=(
        b"d4:infod6:lengthi5e4:name1:ne4:listl1:ai-7e0:deleee",
        b"li0ei1ei-1ei9223372036854775807e3:abce",
        b"l" * 99 + b"e" * 99,
        b"d0:0:1:ai1e1:bd1:cleee",
        b"300:" + bytes(300),
    ),
    words=(
        b"i",
        b"e",
        b"l",
        b"d",
        b"0:",
        b"1:a",
        b"i0e",
        b"i-0e",
        b"i-1e",
        b"le",
        b"de",
        b"999999999:",
        b"i1_0e",
        b"01:",
    ),
    check=check,
    edits=(tree_edit(_KEYS),),
)
