"""The source of rules and facts, read rather than run: what it names, and its bytes.

So a parameter that nobody reads, a figure that nobody fills and a word that stands in no list are
found when the rulebook is loaded, and not when a patient meets them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from importlib.resources import files

from msgspec import Struct


class Strings(Struct, frozen=True):
    """The strings of modules, docstrings left out, and what their Word(...) calls may name.

    patterns: f-strings as regular expressions, .+ for what is filled in; some_word_unknown: a
    Word is given what only the running rule knows; parameters: the keys that are read of a name
    `p`, a rule's parameters.
    """

    constants: frozenset[str]
    patterns: frozenset[str]
    words: frozenset[str]
    word_patterns: frozenset[str]
    some_word_unknown: bool
    parameters: frozenset[str]

    def may_name(self, key: str) -> bool:
        """Whether some string is this key, or some f-string can be."""
        return key in self.constants or any(re.fullmatch(p, key) for p in self.patterns)

    def __or__(self, other: Strings) -> Strings:
        """The strings of both."""
        members = {
            name: getattr(self, name) | getattr(other, name) for name in self.__struct_fields__
        }
        return Strings(**members)


class Module(Struct, frozen=True):
    """A module of a package: its name there, its source, its strings."""

    name: str
    source: bytes
    strings: Strings
    is_rule: bool


def sources(package: str) -> dict[str, bytes]:
    """The source of every module of a package, in the order of their names."""
    found = (file for file in files(package).iterdir() if file.name.endswith(".py"))
    by_name = sorted(found, key=lambda file: file.name)
    return {file.name.removesuffix(".py"): file.read_bytes() for file in by_name}


def modules(package: str) -> dict[str, Module]:
    """The modules of a package by name, read."""
    return {name: _module(name, source) for name, source in sources(package).items()}


def _module(name: str, source: bytes) -> Module:
    tree = ast.parse(source)
    return Module(name, source, strings_of(tree), _assigns_id(tree))


def strings_of(tree: ast.Module) -> Strings:
    """What the module's source names."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    nodes = [node for node in ast.walk(tree) if id(node) not in said]
    keys = [key for node in nodes for key in _word_keys(node)]
    return Strings(
        constants=_constants(nodes),
        patterns=_patterns(nodes),
        words=_constants(keys),
        word_patterns=_patterns(keys),
        some_word_unknown=not all(isinstance(key, ast.Constant | ast.JoinedStr) for key in keys),
        parameters=frozenset(_parameter_keys(nodes)),
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


def _constants(nodes: Iterable[ast.AST]) -> frozenset[str]:
    found = (node.value for node in nodes if isinstance(node, ast.Constant))
    return frozenset(value for value in found if isinstance(value, str))


def _patterns(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """Of f-strings that fix a part of the text."""
    return frozenset(
        "".join(_literal(part) for part in node.values)
        for node in nodes
        if isinstance(node, ast.JoinedStr) and _constants(node.values)
    )


def _literal(node: ast.expr) -> str:
    """A part of an f-string: its text, or anything where a value is filled in."""
    return re.escape(str(node.value)) if isinstance(node, ast.Constant) else ".+"


def _parameter_keys(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and node.value.id == "p"
        ):
            yield from _constants([node.slice])


def _assigns_id(tree: ast.Module) -> bool:
    """A rule is a module with an `ID` of its own."""
    return any(
        isinstance(target, ast.Name) and target.id == "ID"
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    )
