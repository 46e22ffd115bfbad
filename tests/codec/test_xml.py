import pytest
from hypothesis import given
from hypothesis import strategies as st

from bittern.codec.xml import MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, Element, XmlError, parse_xml

NAMES = st.text("abcXYZ", min_size=1, max_size=5)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cn", "Co")), max_size=8)
TREES: st.SearchStrategy[Element] = st.recursive(
    st.builds(Element, NAMES, TEXTS),
    lambda inner: st.builds(Element, NAMES, TEXTS, st.lists(inner, max_size=3)),
    max_leaves=8,
)


def written(element: Element) -> str:
    text = element.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<p:{element.name} at='1'>{text}{''.join(map(written, element.children))}</p:{element.name}>"


def plain(element: Element) -> object:
    return element.name, element.text, [plain(child) for child in element.children]


@given(TREES)
def test_a_tree_comes_back_as_it_was_written(tree: Element) -> None:
    assert plain(parse_xml(b"\xef\xbb\xbf<?xml version='1.0'?>" + written(tree).encode() + b"\0\n")) == plain(tree)


@given(st.binary(max_size=200) | st.builds(lambda tree, junk: written(tree).encode() + junk, TREES, st.binary()))
def test_junk_is_refused_or_read(data: bytes) -> None:
    try:
        parse_xml(data)
    except XmlError:
        return


LAUGHS = b"<!DOCTYPE a [<!ENTITY a 'ha'>" + b"".join(
    b"<!ENTITY %c '%s'>" % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(9)
)


@pytest.mark.parametrize(
    "data",
    [
        LAUGHS + b"]><a>&j;</a>",
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        b"<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://127.0.0.1/'> %x;]><a/>",
        b"<a>&unknown;</a>",
        b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
        b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>",
        b"<a>" + b" " * MAX_BYTES + b"</a>",
        "<a/>".encode("utf-16"),
        b"",
        b"<a>",
        b"<a/><b/>",
    ],
    ids=lambda data: data[:12].decode("latin-1"),
)
def test_what_is_no_harmless_document_is_refused(data: bytes) -> None:
    with pytest.raises(XmlError):
        parse_xml(data)


def test_what_is_no_utf_8_is_read_as_latin_1() -> None:
    assert parse_xml(b"<?xml version='1.0' encoding='utf-8'?><a>caf\xe9</a>").text == "caf\xe9"


def test_elements_are_found_by_their_way() -> None:
    root = parse_xml(b"<a><b/><b><c> x </c></b><d><c>y</c></d></a>")
    assert (root.value("d", "c"), root.value("b", "c"), root.value("e", "c")) == ("y", "", "")
    assert [element.name for element in root.walk()] == ["a", "b", "b", "c", "d", "c"]
