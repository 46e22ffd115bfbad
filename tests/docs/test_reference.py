"""What the docstrings of the library have to say, so that the reference made from them is complete."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from inspect import getdoc, getsource, isclass, ismodule
from itertools import pairwise
from textwrap import dedent

import pytest

from docs.site.names import PUBLIC


def public() -> Iterator[tuple[str, object]]:
    """Everything that is public, by its path; what public modules define, too."""
    for place in PUBLIC:
        for name in import_module(place).__all__:
            value = getattr(import_module(place), name)
            if ismodule(value):
                inner = {key: each for key, each in vars(value).items() if not key.startswith("_")}
                own = {key: each for key, each in inner.items() if getattr(each, "__module__", "") == value.__name__}
                yield from ((f"{place}.{name}.{key}", each) for key, each in own.items())
            elif not name.startswith("_"):
                yield f"{place}.{name}", value


CLASSES = {path: value for path, value in public() if isclass(value)}


def described(owner: type) -> set[str]:
    """The fields that a class describes: in its own docstring, or each by a text below it."""
    body = ast.parse(dedent(getsource(owner))).body[0]
    assert isinstance(body, ast.ClassDef)
    below = set()
    for statement, text in pairwise(body.body):
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            target = statement.target if isinstance(statement, ast.AnnAssign) else None
            below |= {target.id} if isinstance(target, ast.Name) else set()
    return below | set(re.findall(r"^ +(\w+): ", getdoc(owner) or "", re.MULTILINE))


def test_everything_public_says_what_it_is() -> None:
    assert len(CLASSES) > 60
    bare = [path for path, value in public() if callable(value) and not getdoc(value)]
    for path, owner in CLASSES.items():
        members = {name: value for name, value in vars(owner).items() if not name.startswith("_")}
        methods = {name: each for name, each in members.items() if callable(each) or isinstance(each, property)}
        bare += [f"{path}.{name}" for name, value in methods.items() if not getdoc(value)]
    assert bare == []


@pytest.mark.parametrize("path", [path for path, owner in CLASSES.items() if is_dataclass(owner)])
def test_every_public_field_is_described(path: str) -> None:
    owner = CLASSES[path]
    assert is_dataclass(owner)
    names = {field.name for field in fields(owner) if not field.name.startswith("_")}
    assert names - described(owner) == set()


@pytest.mark.parametrize("path", [path for path in CLASSES if path.endswith("Error") and path.count(".") == 1])
def test_what_an_error_carries_is_described(path: str) -> None:
    source = dedent(getsource(CLASSES[path]))
    carried = set(re.findall(r"^ +self\.([a-z]\w*) = ", source, re.MULTILINE))
    assert carried - described(CLASSES[path]) == set()
