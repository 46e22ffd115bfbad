"""Names of the library in the text of a page, led to the reference."""

import re
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from inspect import isclass, ismodule
from types import FunctionType
from typing import Any

PUBLIC = ("bittern", "bittern.sim", "bittern.testing")
"""Modules whose `__all__` is the public interface."""
MIRRORS = ("bittern.session.sync",)
"""Modules whose classes stand in the reference without their members, which are those of others."""

_IN_DOCSTRING = re.compile(r"^ +(\w+): ", re.MULTILINE)
_NAME = re.compile(r"`(?P<name>(?:bittern\.)?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?P<call>\([^`]*\))?`")


class UnknownNameError(Exception):
    """A page speaks of an attribute that a class of the library does not have."""


@dataclass(frozen=True)
class Names:
    """What there is to speak of.

    Attributes:
        paths: from what a page may say (`Session.add`, `bittern.Session.add`) to what the reference calls it.
        owners: classes: what has one of these before its dot must be in `paths`.
        modules: where all that is defined.
    """

    paths: dict[str, str]
    owners: frozenset[str]
    modules: frozenset[str]

    @classmethod
    def of_the_library(cls) -> "Names":
        """All public names and their attributes."""
        paths: dict[str, str] = {}
        owners: set[str] = set()
        modules = set(PUBLIC)
        for place in reversed(PUBLIC):
            module = import_module(place)
            for name in module.__all__:
                value = getattr(module, name)
                _add(paths, owners, place, name, value)
                modules.add(value.__name__ if ismodule(value) else getattr(value, "__module__", place))
        return cls(paths, frozenset(owners), frozenset(modules))

    def linked(self, code: str) -> str:
        """A piece of code, ticks included, as a link to the reference where it is a name of the library.

        Raises:
            UnknownNameError: it names an attribute that its class does not have.
        """
        match = _NAME.fullmatch(code)
        if match is None or ("." not in match["name"] and not match["name"][0].isupper()):
            return code
        name = match["name"]
        if path := self.paths.get(name):
            return f"[{code}][{path}]"
        owner, _, _ = name.rpartition(".")
        if owner in self.owners:
            raise UnknownNameError(f"{name}: the library has no such thing")
        return code


def _add(paths: dict[str, str], owners: set[str], place: str, name: str, value: Any) -> None:
    if name.startswith("_"):
        return
    for said in (f"{place}.{name}", name):
        paths[said] = f"{place}.{name}"
    if ismodule(value):
        for inner in getattr(value, "__all__", None) or vars(value):
            found = getattr(value, inner)
            if getattr(found, "__module__", None) == value.__name__ and not inner.startswith("_"):
                _add_members(paths, owners, f"{place}.{name}.{inner}", (f"{name}.{inner}",), found)
    else:
        _add_members(paths, owners, f"{place}.{name}", (name,), value)


def _add_members(paths: dict[str, str], owners: set[str], path: str, said: tuple[str, ...], value: Any) -> None:
    """A class or function by `path`, and what a class has."""
    for each in (path, *said):
        paths[each] = path
    if not isclass(value):
        return
    members = {name for name in dir(value) if not name.startswith("_")}
    if is_dataclass(value):
        members |= {field.name for field in fields(value)}
    members |= set(_IN_DOCSTRING.findall(value.__doc__ or ""))
    for each in (path, *said):
        owners.add(each)
        paths |= {f"{each}.{name}": f"{path}.{name}" if _has_its_own_place(value, name) else path for name in members}


def _has_its_own_place(owner: type, name: str) -> bool:
    """Whether the reference has a heading for an attribute of a class, and not a row in a table."""
    if owner.__module__ in MIRRORS:
        return False
    value = vars(owner).get(name)
    function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    if isinstance(function, FunctionType):
        return function.__module__ == owner.__module__
    return is_dataclass(owner) and name in owner.__annotations__ and "Attributes:" not in (owner.__doc__ or "")
