"""Docstrings as the reference shows them: names of the library in them lead to their places, as those in pages do.

The reader of docstrings (griffe) loads this as an extension; zensical.toml names it.
"""

import logging
import re
from typing import Any, cast

import griffe

from .names import Names, UnknownNameError

_CODE = re.compile(r"`[^`\n]+`")
_LOGGER = logging.getLogger("griffe")


class LinkNames(griffe.Extension):
    """Puts a link round each name, in modules that define what is public; others may have the same words for others.

    A name that the library does not have is a warning, and all warnings of this logger end the build.
    """

    def __init__(self) -> None:
        super().__init__()
        self._names = Names.of_the_library()

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Change the docstrings of a package when all of it is read: those of fields come after the fields."""
        self._change(pkg)

    def _change(self, obj: griffe.Object) -> None:
        if obj.docstring is not None and obj.module.path in self._names.modules:
            obj.docstring.value = _CODE.sub(lambda match: self._linked(match[0], obj), obj.docstring.value)
        for member in obj.members.values():
            if not member.is_alias:
                self._change(cast("griffe.Object", member))

    def _linked(self, code: str, obj: griffe.Object) -> str:
        try:
            return self._names.linked(code)
        except UnknownNameError as error:
            _LOGGER.warning("griffe: %s: %s", obj.path, error)
            return code
