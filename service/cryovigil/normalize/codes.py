"""Codes to concepts: which name of concepts.yaml a coding stands for.

A code system matches exactly, or by prefix with dots ignored: the longest row wins, rows of equal
length all apply. The map is built and checked once; looking a coding up is a dictionary read.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct, field

from cryovigil import strict_yaml
from cryovigil.errors import RulebookInvalid
from cryovigil.normalize.check_digits import VALID, CheckDigit
from cryovigil.normalize.code_system import (
    CodeRow,
    CodeSystem,
    Match,
    normal_code,
    url_spellings,
)

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

Kind: TypeAlias = Literal["laboratory", "condition", "medication", "procedure", "observation"]
WatchClass: TypeAlias = Literal["anchor", "context"]


class Concept(Struct, frozen=True, forbid_unknown_fields=True):
    """What a coding may stand for.

    unit: canonical UCUM unit, None where values have none; counts_as: having this means having
    these too; klass: an anchor is stored and evaluated, context only beside an anchor; by_value:
    its codes act before they are verified, since the value itself tells what it is.
    """

    name: str
    kind: Kind
    unit: str | None = None
    counts_as: tuple[str, ...] = ()
    klass: WatchClass = field(default="context", name="class")
    by_value: bool = False


def counted_as(name: str, concepts: Mapping[str, Concept]) -> tuple[str, ...]:
    """A concept counts as these: dialysis as end stage disease, and that as kidney disease."""
    found: dict[str, None] = {}
    ahead = list(concepts[name].counts_as)
    while ahead:
        general = ahead.pop(0)
        if general not in found:
            found[general] = None
            ahead.extend(concepts[general].counts_as)
    return tuple(found)


class CodeMap:
    """Every code row, shipped and of the site. Built once, never changed."""

    def __init__(
        self,
        systems: Mapping[str, CodeSystem],
        concepts: Mapping[str, Concept],
        units: Mapping[tuple[str, str], str],
        digest: str,
    ) -> None:
        """systems: by every spelling of their URL; units: the site's, by URL and code."""
        self._systems = systems
        self._find = {name: system.concepts for name, system in systems.items()}
        self._concepts = concepts
        self._units = units
        self._limits = {
            (spelling, row.code): row.limit
            for spelling, known in systems.items()
            for row in known.limited
        }
        self.digest = digest

    def concepts(self, system: str | None, code: str) -> tuple[str, ...]:
        """The concepts of a coding, in the order of the file; empty where none is mapped."""
        find = self._find.get(system or "")
        return find(code) if find is not None else ()

    def local_unit(self, system: str | None, code: str) -> str | None:
        """The unit a site declared for results under this code."""
        known = self._systems.get(system or "")
        return self._units.get((known.url, known.local(code))) if known is not None else None

    def limit(self, system: str | None, code: str) -> float | None:
        """The detection limit that a code itself names, in the canonical unit of its concept."""
        return self._limits.get((system or "", code.strip()))

    @property
    def local_units(self) -> Mapping[tuple[str, str], str]:
        """Every unit a site declared, by URL and code."""
        return self._units

    def rows(self, system: str | None, code: str) -> tuple[CodeRow, ...]:
        """Every row that matches, inactive ones too, the longest prefix first."""
        known = self._systems.get(system or "")
        return known.rows(code) if known is not None else ()


class _ConceptFile(Struct, frozen=True, forbid_unknown_fields=True):
    concepts: tuple[Concept, ...]


class _Row(Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    concept: str
    display: str
    status: Literal["verified", "partial", "unverified"]
    source: str
    limit: float | None = None


class _CodeFile(Struct, frozen=True, forbid_unknown_fields=True):
    system: str
    match: Match
    rows: tuple[_Row, ...]
    aliases: tuple[str, ...] = ()
    check_digit: CheckDigit | None = None


class _SiteItem(Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the site, or with `same_as` the statement that a code system equals another."""

    system: str
    code: str | None = None
    concept: str | None = None
    unit: str | None = None
    same_as: str | None = None


def load_concepts(root: Traversable | Path) -> dict[str, Concept]:
    """concepts.yaml by name. Raises RulebookInvalid for a name that is doubled or unknown."""
    listed = strict_yaml.read(root / "concepts.yaml", _ConceptFile).concepts
    concepts: dict[str, Concept] = {}
    for index, concept in enumerate(listed):
        if concepts.setdefault(concept.name, concept) is not concept:
            raise RulebookInvalid(f"concepts.yaml: concepts.{index}.name: {concept.name!r} twice")
    for index, concept in enumerate(listed):
        for other in concept.counts_as:
            if other not in concepts:
                raise RulebookInvalid(
                    f"concepts.yaml: concepts.{index}.counts_as: {other!r} unknown"
                )
    return concepts


def load_codes(root: Traversable | Path, site: Path | None = None) -> CodeMap:
    """The files of `root`/codes, and over them the site's file: a list of rows.

    A row of the site {system, code, concept, optional unit} replaces the shipped rows of that
    system and code; {system, same_as} reads a code system (a national ICD-10) as another one.
    Raises RulebookInvalid.
    """
    builder = _Builder(load_concepts(root))
    for file in strict_yaml.files(root / "codes"):
        builder.add_shipped(file.name, file.read_bytes())
    if site is not None:
        builder.add_site(site.name, read_site(site))
    return builder.build()


def read_site(site: Path) -> bytes:
    """The site's file. Raises RulebookInvalid where it cannot be read."""
    try:
        return site.read_bytes()
    except OSError:
        raise RulebookInvalid(f"{site.name}: the file cannot be read") from None


class _Builder:
    """Gathers the files of one CodeMap and refuses what does not hold together."""

    def __init__(self, concepts: Mapping[str, Concept]) -> None:
        self._concepts = concepts
        self._urls: dict[str, str] = {}  # every spelling of a system's URL: the one we keep
        self._match: dict[str, Match] = {}
        self._check: dict[str, CheckDigit | None] = {}
        self._rows: dict[str, dict[str, list[CodeRow]]] = {}
        self._units: dict[tuple[str, str], str] = {}
        self._limits: dict[tuple[str, str, str], float | None] = {}
        self._hash = sha256()

    def add_shipped(self, name: str, content: bytes) -> None:
        self._hash.update(content)
        file = strict_yaml.parse(content, name, _CodeFile)
        self._add_system(file.system, file.match, file.check_digit, f"{name}: system")
        for alias in file.aliases:
            self._add_spellings(alias, file.system, f"{name}: aliases")
        for index, row in enumerate(file.rows):
            by_value = row.concept in self._concepts and self._concepts[row.concept].by_value
            active = row.status == "verified" or by_value
            self._add_row(
                CodeRow(
                    system=file.system,
                    code=row.code,
                    concept=row.concept,
                    display=row.display,
                    status=row.status,
                    source=row.source,
                    active=active,
                    limit=row.limit,
                ),
                f"{name}: rows.{index}",
            )

    def add_site(self, name: str, content: bytes) -> None:
        self._hash.update(content)
        items = strict_yaml.parse(content, name, tuple[_SiteItem, ...])
        for index, item in enumerate(items):
            if item.same_as is not None:
                self._add_same(item, f"{name}: {index}")
        own: set[tuple[str, str]] = set()
        for index, item in enumerate(items):
            if item.same_as is None:
                self._add_own(item, own, f"{name}: {index}")

    def build(self) -> CodeMap:
        systems = {
            url: CodeSystem(
                url, self._match[url], [row for rows in by_code.values() for row in rows]
            )
            for url, by_code in self._rows.items()
        }
        spelled = {spelling: systems[url] for spelling, url in self._urls.items()}
        return CodeMap(spelled, self._concepts, self._units, self._hash.hexdigest())

    def _add_same(self, item: _SiteItem, where: str) -> None:
        if item.code or item.concept or item.unit:
            raise RulebookInvalid(f"{where}: same_as stands alone, beside system")
        if item.same_as not in self._urls:
            raise RulebookInvalid(f"{where}.same_as: no code system that is shipped")
        self._add_spellings(item.system, self._urls[item.same_as], f"{where}.system")

    def _add_own(self, item: _SiteItem, own: set[tuple[str, str]], where: str) -> None:
        """A row of the site; `own` holds the system and code of those before it."""
        if not item.code or not item.concept:
            raise RulebookInvalid(f"{where}: a row needs system, code and concept")
        if item.system not in self._urls:
            self._add_system(item.system, "exact", None, f"{where}.system")
        url = self._urls[item.system]
        key = (url, normal_code(item.code, self._match[url]))
        if key not in own:
            own.add(key)
            # An assay is no more sensitive for being listed by the site.
            for shipped in self._rows[url].pop(key[1], ()):
                self._limits[(*key, shipped.concept)] = shipped.limit
        if item.unit is not None and self._units.setdefault(key, item.unit) != item.unit:
            raise RulebookInvalid(f"{where}.unit: a code has one unit")
        row = CodeRow(
            system=url,
            code=item.code,
            concept=item.concept,
            display="",
            status="site",
            source="listed by the site",
            active=True,
            limit=self._limits.get((*key, item.concept)),
        )
        self._add_row(row, where)

    def _add_row(self, row: CodeRow, where: str) -> None:
        if row.concept not in self._concepts:
            raise RulebookInvalid(f"{where}.concept: {row.concept!r} is not in concepts.yaml")
        check = self._check[row.system]
        if check is not None and not VALID[check](row.code.strip()):
            raise RulebookInvalid(f"{where}.code: {row.code!r} has a wrong {check} check digit")
        code = normal_code(row.code, self._match[row.system])
        if not code:
            raise RulebookInvalid(f"{where}.code: empty")
        same = self._rows[row.system].setdefault(code, [])
        if any(other.concept == row.concept for other in same):
            raise RulebookInvalid(f"{where}: {row.code!r} stands twice for {row.concept!r}")
        same.append(row)

    def _add_system(self, url: str, match: Match, check: CheckDigit | None, where: str) -> None:
        self._add_spellings(url, url, where)
        if url in self._rows:
            raise RulebookInvalid(f"{where}: {url!r} has a file already")
        self._match[url] = match
        self._check[url] = check
        self._rows[url] = {}

    def _add_spellings(self, spelling: str, url: str, where: str) -> None:
        for variant in url_spellings(spelling):
            if self._urls.setdefault(variant, url) != url:
                raise RulebookInvalid(f"{where}: {spelling!r} is already another code system")
