# Invariant: only XmlError escapes; the tree is no deeper and no larger than promised.
"""Fuzz target: XML of strangers."""

from bittern.codec.xml import MAX_DEPTH, MAX_ELEMENTS, Element, XmlError, parse_xml
from fuzz.driver import Target


def check(data: bytes) -> bool:
    """Parse `data` as a document."""
    try:
        root = parse_xml(data)
    except XmlError:
        return False
    assert sum(1 for _ in root.walk()) <= MAX_ELEMENTS
    assert _depth(root) <= MAX_DEPTH
    return True


def _depth(element: Element) -> int:
    return 1 + max(map(_depth, element.children), default=0)


TARGET = Target(
    "xml",
    corpus=(
        b"<?xml version='1.0'?><root xmlns='a'><b c='d'>e</b><b/></root>",
        b"<s:Envelope xmlns:s='x'><s:Body><u:A xmlns:u='y'><New>1</New></u:A></s:Body></s:Envelope>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    ),
    words=(b"<a>", b"</a>", b"<a/>", b"&amp;", b"&#1;", b"&#x41;", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?", b"?>"),
    check=check,
)
