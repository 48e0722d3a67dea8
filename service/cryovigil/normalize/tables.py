"""Everything under mappings but the rules, loaded together: what normalizing needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from cryovigil import strict_yaml
from cryovigil.errors import RulebookInvalid
from cryovigil.normalize.codes import (
    CodeMap,
    Concept,
    counted_as,
    load_codes,
    load_concepts,
    read_site,
)
from cryovigil.normalize.unit_files import Scale
from cryovigil.normalize.units import UnitTable, load_units
from cryovigil.normalize.values import ValueWords, load_values

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path


class Tables(Struct, frozen=True):
    """The mappings in use. digest: hex SHA-256 over their files in name order, the site's last."""

    concepts: Mapping[str, Concept]
    codes: CodeMap
    units: UnitTable
    values: ValueWords
    digest: str

    @property
    def also(self) -> dict[str, tuple[str, ...]]:
        """By concept, every other one that having it means having too, however far removed."""
        return {name: more for name in self.concepts if (more := counted_as(name, self.concepts))}


def load_tables(root: Traversable | Path, site: Path | None = None) -> Tables:
    """The mappings under `root`, with the site's own rows. Raises RulebookInvalid."""
    concepts = load_concepts(root)
    codes, units = load_codes(root, site), load_units(root, concepts)
    if site is not None:
        _check_units(site.name, codes, units, concepts)
    digest = sha256()
    for content in _contents(root, site):
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return Tables(
        concepts=concepts,
        codes=codes,
        units=units,
        values=load_values(root, concepts),
        digest=digest.hexdigest(),
    )


def _check_units(
    name: str, codes: CodeMap, units: UnitTable, concepts: Mapping[str, Concept]
) -> None:
    """A unit of the site that its concept does not know would leave every result unread."""
    for (system, code), unit in codes.local_units.items():
        for concept in (concepts[found] for found in codes.concepts(system, code)):
            if not _fits(concept, unit, units):
                raise RulebookInvalid(
                    f"{name}: {code}.unit: {unit!r} is no unit of {concept.name!r}"
                )


def _fits(concept: Concept, unit: str, units: UnitTable) -> bool:
    if concept.by_value:
        return units.axis(local=unit) is not None
    return concept.unit is None or isinstance(units.scale(concept.name, local=unit), Scale)


def _contents(root: Traversable | Path, site: Path | None) -> Iterator[bytes]:
    for folder in ("codes", "units", "values"):
        yield from (file.read_bytes() for file in strict_yaml.files(root / folder))
    yield (root / "concepts.yaml").read_bytes()
    if site is not None:
        yield read_site(site)
