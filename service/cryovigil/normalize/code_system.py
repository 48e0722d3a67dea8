"""One code system: its rows, and how a code finds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

Status: TypeAlias = Literal["verified", "partial", "unverified", "site"]
Match: TypeAlias = Literal["exact", "prefix"]

# A prefix system remembers its answers, misses too; a flood of odd codes only empties the memory.
_MEMORY = 1 << 15
# Marks that national editions write behind an ICD-10 code: dagger, asterisk, exclamation mark.
_MARKS = "†*+!#"


class CodeRow(Struct, frozen=True):
    """A row of a mapping. code: as written, or the prefix; source: what verified it; limit: the
    least that the assay of this code detects, in the canonical unit of its concept.

    Only active rows map anything; the others wait for a site to list them in its own file.
    """

    system: str
    code: str
    concept: str
    display: str
    status: Status
    source: str
    active: bool
    limit: float | None = None


class CodeSystem:
    """The rows under one system URL. Immutable but for the memory of prefix answers."""

    def __init__(self, url: str, match: Match, rows: Iterable[CodeRow]) -> None:
        self.url = url
        self._match = match
        self._rows: dict[str, list[CodeRow]] = {}
        for row in rows:
            self._rows.setdefault(normal_code(row.code, match), []).append(row)
        self._active = {
            code: concepts
            for code, found in self._rows.items()
            if (concepts := tuple(row.concept for row in found if row.active))
        }
        self.limited = tuple(
            row
            for found in self._rows.values()
            for row in found
            if row.active and row.limit is not None
        )
        self._lengths = sorted({len(code) for code in self._active}, reverse=True)
        self._memory: dict[str, tuple[str, ...]] = {}
        self.concepts = self._by_prefix if match == "prefix" else self._exactly

    def rows(self, code: str) -> tuple[CodeRow, ...]:
        """Every row that matches, inactive ones too, the longest first."""
        normal = normal_code(code, self._match)
        if self._match == "exact":
            return tuple(self._rows.get(normal, ()))
        prefixes = (normal[:length] for length in range(len(normal), 0, -1))
        return tuple(row for prefix in prefixes for row in self._rows.get(prefix, ()))

    def local(self, code: str) -> str:
        """`code` in the form under which this system keeps it."""
        return normal_code(code, self._match)

    def _exactly(self, code: str) -> tuple[str, ...]:
        found = self._active.get(code)
        return found if found is not None else self._active.get(code.strip(), ())

    def _by_prefix(self, code: str) -> tuple[str, ...]:
        found = self._memory.get(code)
        if found is not None:
            return found
        if len(self._memory) >= _MEMORY:
            self._memory.clear()
        found = self._memory[code] = self._longest(normal_code(code, self._match))
        return found

    def _longest(self, code: str) -> tuple[str, ...]:
        for length in self._lengths:
            if length <= len(code) and (found := self._active.get(code[:length])):
                return found
        return ()


def normal_code(code: str, match: Match) -> str:
    """A code without spaces around it; in a prefix system also without dots and trailing marks."""
    bare = code.strip()
    return bare.replace(".", "").rstrip(_MARKS) if match == "prefix" else bare


def url_spellings(url: str) -> tuple[str, ...]:
    """A system URL with http and https, with and without a trailing slash; others as written."""
    if not url.startswith(("http://", "https://")):
        return (url,)
    rest = url.split("://", 1)[1].rstrip("/")
    return tuple(f"{scheme}://{rest}{slash}" for scheme in ("http", "https") for slash in ("", "/"))
