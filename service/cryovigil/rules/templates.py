"""The templates of card texts: `Cryoglobulin [{kind}, ]{cryo}, {day}`.

`{name}` shows a figure of the rule's answer. A `[part]` stands for itself where all its
placeholders have something to say, and is left out where one has not; outside a bracket one such
placeholder leaves the whole line out. Brackets do not nest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

from msgspec import Struct

# What a placeholder shows; None where there is nothing to say.
Shown: TypeAlias = Callable[[str], "str | None"]

_TOKEN = re.compile(r"(\{[^{}\[\]]*\}|[\[\]{}])")
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class Placeholder(Struct, frozen=True):
    """Shows the figure of this name."""

    name: str


Piece: TypeAlias = "str | Placeholder"


class Part(Struct, frozen=True):
    """Text and placeholders that stand or fall together. optional: in brackets."""

    pieces: tuple[Piece, ...]
    optional: bool = False

    def fill(self, shown: Shown) -> str | None:
        """The text; None where a placeholder has nothing to say."""
        texts = [shown(p.name) if isinstance(p, Placeholder) else p for p in self.pieces]
        known = [text for text in texts if text is not None]
        return "".join(known) if len(known) == len(texts) else None


class Template(Struct, frozen=True):
    """A line of a card, read."""

    parts: tuple[Part, ...]

    @property
    def names(self) -> frozenset[str]:
        """Every figure it shows."""
        return frozenset(
            piece.name
            for part in self.parts
            for piece in part.pieces
            if isinstance(piece, Placeholder)
        )

    def fill(self, shown: Shown) -> str | None:
        """The line; None where it is left out."""
        texts = [(part.fill(shown), part.optional) for part in self.parts]
        if any(text is None and not optional for text, optional in texts):
            return None
        return "".join(text for text, _ in texts if text is not None)


def template(text: str) -> Template:
    """Raises ValueError with what is wrong with the brackets or braces."""
    return Template(tuple(_parts(text)))


def _parts(text: str) -> Iterator[Part]:
    pieces: list[Piece] = []
    inside = False
    for mark in filter(None, _TOKEN.split(text)):
        if mark not in ("[", "]"):
            pieces.append(_piece(mark))
            continue
        if inside is (mark == "["):
            raise ValueError("a bracket inside a bracket" if inside else "] without a [")
        if inside and not any(isinstance(piece, Placeholder) for piece in pieces):
            raise ValueError("a bracket without a placeholder is never left out")
        if pieces:
            yield Part(tuple(pieces), optional=inside)
        pieces, inside = [], not inside
    if inside:
        raise ValueError("[ without a ]")
    if pieces:
        yield Part(tuple(pieces))


def _piece(mark: str) -> Piece:
    found = _PLACEHOLDER.fullmatch(mark)
    if found:
        return Placeholder(found[1])
    if mark.startswith(("{", "}")):
        raise ValueError(f"{mark} is no placeholder: lower case, digits and _ in braces")
    return mark
