"""Step 3. Codes and units to canonical concepts: what a resource says, as readings.

Unmapped is an outcome, not an error: a coding that no table knows is counted and listed. So is a
value that cannot be read: the reading stays, with a problem in place of a value.
"""

from __future__ import annotations

from datetime import tzinfo

from msgspec import Struct

from cryovigil.decode import Look
from cryovigil.normalize.condition import finding_readings
from cryovigil.normalize.naming import Naming
from cryovigil.normalize.observation import result_readings
from cryovigil.normalize.person import person_reading
from cryovigil.normalize.readings import AnyReading
from cryovigil.normalize.tables import Tables
from cryovigil.normalize.treatment import treatment_readings
from cryovigil.resources import (
    CodeableConcept,
    Condition,
    MedicationRequest,
    MedicationStatement,
    Observation,
    Resource,
)

_MEDICATION = (MedicationRequest, MedicationStatement)


class Site(Struct, frozen=True):
    """What a site says of its data: the zone of zone-less times, and tags that opt a patient out.

    opt_out: (system, code) pairs.
    """

    zone: tzinfo
    opt_out: frozenset[tuple[str, str]] = frozenset()


def watched(seen: Look, tables: Tables) -> bool:
    """Whether any coding of a resource stands for a concept that is watched here."""
    if seen.resource_type == "Patient":
        return True
    if _mapped(seen.code, tables) or _mapped(seen.medication_codeable_concept, tables):
        return True
    if seen.medication_reference is not None and seen.medication_codeable_concept is None:
        return True
    if seen.resource_type == "Condition" and seen.code and seen.code.text:
        return bool(tables.values.condition_concepts((seen.code.text,)))
    return any(_mapped(part.code, tables) for part in seen.component)


def unmapped(seen: Look, tables: Tables) -> tuple[tuple[str, str], ...]:
    """The codings (system, code) of a resource that no table knows."""
    concepts = [seen.code, seen.medication_codeable_concept, *(c.code for c in seen.component)]
    return tuple(
        (coding.system or "", coding.code)
        for concept in concepts
        for coding in (concept.coding if concept else ())
        if coding.code and not tables.codes.concepts(coding.system, coding.code)
    )


def normalize(resource: Resource, naming: Naming, tables: Tables, site: Site) -> list[AnyReading]:
    """The readings of a resource, in parts counted from 0. Raises Unreadable("unreadable-time")."""
    if isinstance(resource, Observation):
        return list(result_readings(resource, naming, tables, site.zone))
    if isinstance(resource, Condition):
        return list(finding_readings(resource, naming, tables, site.zone))
    if isinstance(resource, _MEDICATION):
        return list(treatment_readings(resource, naming, tables, site.zone))
    return [person_reading(resource, naming, site.zone, site.opt_out)]


def _mapped(concept: CodeableConcept | None, tables: Tables) -> bool:
    if concept is None:
        return False
    find = tables.codes.concepts
    return any(c.code and find(c.system, c.code) for c in concept.coding)
