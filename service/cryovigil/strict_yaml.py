"""Reads the YAML files that are shipped or mounted: rule files, mappings, a site's own rows.

Stricter than YAML itself: a key that stands twice, a member nobody knows and a value of the wrong
type are refused in one line that names file and field.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import yaml

from cryovigil.errors import RulebookInvalid

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

T = TypeVar("T")


class _Loader(yaml.CSafeLoader):
    """The C loader of PyYAML, made to refuse what it would silently overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.MarkedYAMLError(problem="duplicate key", problem_mark=_repeated(node))
        return mapping

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A scalar that only looks like a date or a number is refused where it stands."""
        try:
            return super().construct_object(node, deep=deep)
        except ValueError:
            raise yaml.MarkedYAMLError(
                problem="no such date or number", problem_mark=node.start_mark
            ) from None


def files(folder: Traversable | Path) -> list[Traversable | Path]:
    """The YAML files of a folder, by name."""
    return sorted(
        (file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda f: f.name
    )


def read(file: Traversable | Path, shape: type[T]) -> T:
    """The file as `shape`, any type msgspec can convert to; unknown members only where it allows.

    Raises RulebookInvalid with one line: the file's name, the field or line, what is wrong.
    """
    return parse(file.read_bytes(), file.name, shape)


def parse(content: bytes, name: str, shape: type[T]) -> T:
    """Like `read`, of bytes already at hand; `name` is what errors call the file."""
    try:
        tree = yaml.load(content, Loader=_Loader)  # noqa: S506 (a subclass of the safe loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RulebookInvalid(f"{name}: line {line}: {error.problem}") from None
    except yaml.YAMLError:
        raise RulebookInvalid(f"{name}: not UTF-8 text that YAML allows") from None
    return convert(tree, name, shape)


def convert(tree: Any, name: str, shape: type[T], *, under: str = "") -> T:
    """A part of a file as `shape`; `under` is its path in the file, for errors."""
    try:
        return msgspec.convert(tree, shape)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `")
        raise RulebookInvalid(f"{name}: {_field(place, under)}{problem}") from None


def _field(place: str, under: str) -> str:
    """`$.rows[12].code` as a reader of the file would say it: `rows.12.code: `."""
    names = re.findall(r"\w+", place.removeprefix("key` in `"))
    path = ".".join(filter(None, (under, *names)))
    return f"{path}: " if path else ""


def _repeated(node: yaml.MappingNode) -> yaml.Mark | None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen:
            mark: yaml.Mark = key.start_mark
            return mark
        seen.add(key.value)
    return None
