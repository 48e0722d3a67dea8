"""Everything under mappings but the rules, loaded together: what normalizing needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from cryovigil import strict_yaml
from cryovigil.normalize.codes import CodeMap, Concept, counted_as, load_codes, load_concepts
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
    digest = sha256()
    for content in _contents(root, site):
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return Tables(
        concepts=concepts,
        codes=load_codes(root, site),
        units=load_units(root, concepts),
        values=load_values(root, concepts),
        digest=digest.hexdigest(),
    )


def _contents(root: Traversable | Path, site: Path | None) -> Iterator[bytes]:
    for folder in ("codes", "units", "values"):
        yield from (file.read_bytes() for file in strict_yaml.files(root / folder))
    yield (root / "concepts.yaml").read_bytes()
    if site is not None:
        yield site.read_bytes()
