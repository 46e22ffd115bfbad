"""XML of strangers, read into a plain tree: no document types, no entities of their own, bounded in every direction."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers.expat import ExpatError, ParserCreate

from bittern.base.errors import BitternError

MAX_BYTES: Final = 64 << 10
MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 4000


class XmlError(BitternError):
    """A document is no XML, or uses what is not read here."""


@dataclass(slots=True, eq=False)
class Element:
    """An element of a document.

    Attributes:
        name: without prefix or name space.
        text: directly in it, without the space around it.
        children: the elements in it, in their order.
    """

    name: str
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def find(self, *path: str) -> "Element | None":
        """The first element that is reached by these names of children, one in the other."""
        here: Element | None = self
        for name in path:
            here = next((child for child in here.children if child.name == name), None) if here is not None else None
        return here

    def value(self, *path: str) -> str:
        """The text of the element that `find` gives; empty where there is none."""
        found = self.find(*path)
        return found.text if found is not None else ""

    def walk(self) -> Iterator["Element"]:
        """It and all within it, as the document has them."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))


def parse_xml(data: bytes) -> Element:
    """The root of a document in UTF-8, or in ISO 8859-1 where it is no UTF-8, whatever it says itself.

    Raises:
        XmlError: it is no XML; it has a document type (where entities come from); it is longer than 64 KiB, deeper
            than 32 elements, or has more than 4000.
    """
    if len(data) > MAX_BYTES:
        raise XmlError(f"more than {MAX_BYTES} bytes")
    data = data.rstrip(b"\0 \t\r\n")  # some routers end it as a C string
    try:
        data.decode()
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = "iso-8859-1"
    return _Builder(encoding).build(data)


class _Builder:
    def __init__(self, encoding: str) -> None:
        self._parser = ParserCreate(encoding)
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._open: list[tuple[Element, list[str]]] = []
        self._root: Element | None = None
        self._elements = 0

    def build(self, data: bytes) -> Element:
        try:
            self._parser.Parse(data, True)
        except ExpatError as error:
            raise XmlError(str(error)) from None
        if self._root is None:
            raise XmlError("no element")
        return self._root

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) >= MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise XmlError(f"deeper than {MAX_DEPTH}, or more than {MAX_ELEMENTS} elements")
        element = Element(name.rpartition(":")[2])
        if self._open:
            self._open[-1][0].children.append(element)
        else:
            self._root = element
        self._open.append((element, []))

    def _end(self, _: str) -> None:
        element, parts = self._open.pop()
        element.text = "".join(parts).strip()

    def _text(self, text: str) -> None:
        self._open[-1][1].append(text)

    def _refuse(self, *_: object) -> None:
        raise XmlError("a document type")
