"""The source of rules and facts, read rather than run: what it names, and its bytes.

So a parameter that nobody reads, a figure that nobody fills and a word that stands in no list are
found when the rulebook is loaded, and not when a patient meets them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


class Strings(Struct, frozen=True):
    """The strings of a module, docstrings left out, and what its Word(...) calls may name.

    prefixes: of f-strings that begin with a fixed part; parameters: the keys that are read of a
    name `p`, a rule's parameters.
    """

    constants: frozenset[str]
    prefixes: frozenset[str]
    words: frozenset[str]
    word_prefixes: frozenset[str]
    parameters: frozenset[str]

    def may_name(self, key: str) -> bool:
        """Whether some string or the beginning of an f-string can be this key."""
        return key in self.constants or any(key.startswith(p) for p in self.prefixes)


class Module(Struct, frozen=True):
    """A module of a package: its name there, its source, its strings."""

    name: str
    source: bytes
    strings: Strings
    is_rule: bool


def modules(package: str) -> tuple[Module, ...]:
    """The modules of a package, by name."""
    found = (_module(file) for file in files(package).iterdir() if file.name.endswith(".py"))
    return tuple(sorted(found, key=lambda module: module.name))


def _module(file: Traversable) -> Module:
    source = file.read_bytes()
    tree = ast.parse(source)
    return Module(file.name.removesuffix(".py"), source, strings_of(tree), _assigns_id(tree))


def strings_of(tree: ast.Module) -> Strings:
    """What the module's source names."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    named = [keys for node in ast.walk(tree) for keys in _word_keys(node)]
    return Strings(
        constants=frozenset(
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in said
        ),
        prefixes=_prefixes(ast.walk(tree)),
        words=frozenset(
            node.value
            for node in named
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ),
        word_prefixes=_prefixes(named),
        parameters=frozenset(_parameter_keys(tree)),
    )


def _word_keys(node: ast.AST) -> Iterator[ast.expr]:
    """What a call of Word may be given: both sides of a condition."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return
    if node.func.id != "Word":
        return
    for argument in node.args:
        yield from _sides(argument)


def _sides(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.IfExp):
        yield from _sides(node.body)
        yield from _sides(node.orelse)
    else:
        yield node


def _prefixes(nodes: Iterable[ast.AST]) -> frozenset[str]:
    first = (node.values[0] for node in nodes if isinstance(node, ast.JoinedStr) and node.values)
    return frozenset(
        node.value
        for node in first
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _parameter_keys(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and node.value.id == "p"
            and isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
        ):
            yield node.slice.value


def _assigns_id(tree: ast.Module) -> bool:
    """A rule is a module with an `ID` of its own."""
    return any(
        isinstance(target, ast.Name) and target.id == "ID"
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    )
