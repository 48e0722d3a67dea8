"""The invariants of docs/architecture.md that import-linter cannot see, read from the source.

import-linter follows imports; these look inside: names that a pure module may not use, sizes, and
numbers that belong in a rule file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "service" / "cryovigil"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "mappings" not in path.parts)
CORE = (
    "envelopes",
    "decode",
    "normalize",
    "timeline",
    "facts",
    "rules",
    "cards",
    "lifecycle",
    "outbox",
    "journey",
)

MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40

# Reading the clock, the environment or chance; and ways round an import statement.
IMPURE_CALLS = frozenset(
    {
        "date.today",
        "datetime.now",
        "datetime.today",
        "datetime.utcnow",
        "uuid.uuid1",
        "uuid.uuid4",
        "uuid1",
        "uuid4",
        "__import__",
        "breakpoint",
        "input",
        "print",
    }
)

# Counts and signs: none, one, a pair. Whatever else a rule compares with has a source.
COUNTS = frozenset({-1, 0, 1, 2})
# Modules of facts/ and rules/ whose numbers are not clinical, and what theirs are.
NOT_CLINICAL = {
    "facts/as_of.py": "months in a year",
    "rules/book.py": "lengths of texts and digests",
    "rules/files.py": "lengths of texts and digests",
}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def in_core(path: Path) -> bool:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py") in CORE


def dotted(node: ast.expr) -> str:
    """`a.b.c` as written; empty where it is anything else than names and dots."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value)):
        return f"{owner}.{node.attr}"
    return ""


def impure_calls(tree: ast.Module) -> Iterator[str]:
    """Calls that read the clock or chance, and the ways round the import contract."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = dotted(node.func)
            if any(called == name or called.endswith(f".{name}") for name in IMPURE_CALLS):
                yield f"line {node.lineno}: {called}"


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def positions(tree: ast.Module) -> set[int]:
    """The ids of all nodes inside a slice or an index: positions in a text or a tuple."""
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        for inner in ast.walk(node.slice)
    }


def is_number(value: object) -> bool:
    """A number, or a text that is one: `Decimal("0.05")` hides nothing."""
    if isinstance(value, str):
        return re.fullmatch(r"[-+]?\d*\.?\d+", value) is not None
    return isinstance(value, int | float | complex) and not isinstance(value, bool)


def uncited_numbers(tree: ast.Module) -> Iterator[str]:
    exempt = positions(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in exempt or not is_number(node.value):
            continue
        if isinstance(node.value, str) or node.value not in COUNTS:
            yield f"line {node.lineno}: {node.value!r}"


@pytest.mark.parametrize("path", [path for path in SOURCES if in_core(path)], ids=name_of)
def test_the_core_reads_no_clock_and_no_chance(path: Path) -> None:
    assert list(impure_calls(tree_of(path))) == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_has_at_most_300_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE_LINES


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_function_has_at_most_40_lines(path: Path) -> None:
    long = [
        node.name
        for node in functions(tree_of(path))
        if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long == []


def written(*folders: str) -> Iterator[Path]:
    """The sources and tables of these folders, and the pages beside them."""
    for folder in folders:
        found = (ROOT / folder).rglob("*")
        yield from (path for path in found if path.suffix in (".py", ".yaml", ".md"))


def test_every_page_that_is_named_is_in_the_repository() -> None:
    pages = [*ROOT.glob("*.md"), *written("docs", "tests")]
    known = [f"/{page.relative_to(ROOT).as_posix()}" for page in pages]
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in written("service", "tests", "benchmarks", "mappings")
        for name in re.findall(r"\w[\w./-]*\.md\b", path.read_text(encoding="utf-8"))
        if not any(page.endswith(f"/{name}") for page in known)
    }
    assert missing == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree_of(path))


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in SOURCES
        if name_of(path).startswith(("facts/", "rules/")) and name_of(path) not in NOT_CLINICAL
    ],
    ids=name_of,
)
def test_a_fact_or_a_rule_holds_no_number_of_its_own(path: Path) -> None:
    assert list(uncited_numbers(tree_of(path))) == []


@pytest.mark.parametrize(
    "source",
    [
        "if quantity > 0.05: ...",
        "day = shifted(start, days=84)",
        "limit = Decimal('0.05')",
        "WEEKS = 12",
        "delta = -3",
    ],
)
def test_a_threshold_in_python_is_found(source: str) -> None:
    assert len(list(uncited_numbers(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "if len(results) < 2: ...",
        "last = results[-1]",
        "year = text[:4]",
        "if quantity > p['significant_quantity']: ...",
        "known = True",
        "kind = 'III'",
    ],
)
def test_counts_positions_and_parameters_are_no_thresholds(source: str) -> None:
    assert list(uncited_numbers(ast.parse(source))) == []


@pytest.mark.parametrize(
    "source", ["datetime.now(UTC)", "dt.datetime.utcnow()", "date.today()", "uuid4()"]
)
def test_a_read_of_the_clock_or_of_chance_is_found(source: str) -> None:
    assert len(list(impure_calls(ast.parse(source)))) == 1


def test_a_comparison_with_a_given_instant_is_no_read_of_the_clock() -> None:
    assert list(impure_calls(ast.parse("as_of.reached(datetime.fromisoformat(text))"))) == []
