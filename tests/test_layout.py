"""The tests mirror the source: who reads a module finds its tests, and the other way round."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "bittern"
TESTS = ROOT / "tests"

# Modules with logic whose tests stand elsewhere, and why.
TESTED_ELSEWHERE = {
    ".": "the package's lazy names are its public API, which has a test of its own",
}

# Folders of tests that look at the whole, or at scripts outside the package.
OF_THE_WHOLE = {"bench", "docs", "faults", "fuzz", "interop", "scenarios", "vectors"}


def has_logic(path: Path) -> bool:
    """Whether any function does more than to declare itself (protocols and constants do not)."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(
        not all(isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) for line in node.body)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, functions)
    )


def modules() -> dict[str, Path]:
    """Every module, by its path below the package without its suffix; a package by its folder's."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        relative = path.relative_to(SOURCE).with_suffix("")
        found[str(relative.parent if relative.name == "__init__" else relative)] = path
    return found


def mirrored_tests() -> set[str]:
    """What the test files' places say they test."""
    found = set()
    for path in TESTS.rglob("test_*.py"):
        relative = path.relative_to(TESTS)
        if relative.parent != Path() and OF_THE_WHOLE.isdisjoint(relative.parts):
            found.add(str(relative.with_name(relative.stem.removeprefix("test_"))))
    return found


def test_every_module_with_logic_has_its_test_file() -> None:
    tested = mirrored_tests() | TESTED_ELSEWHERE.keys()
    assert sorted(name for name, path in modules().items() if has_logic(path) and name not in tested) == []


def test_every_test_file_has_its_module() -> None:
    assert sorted(mirrored_tests() - modules().keys()) == []


def test_the_exceptions_are_needed() -> None:
    assert sorted(name for name in TESTED_ELSEWHERE if name not in modules() or name in mirrored_tests()) == []
