"""A Condition: which findings it stands for, how sure, from when to when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from cryovigil.normalize.naming import Naming, concepts_of, wording
from cryovigil.normalize.readings import Finding, When
from cryovigil.normalize.tables import Tables
from cryovigil.normalize.times import bookkept, place, when
from cryovigil.resources import CodeableConcept, Condition


def finding_readings(
    condition: Condition, naming: Naming, tables: Tables, zone: tzinfo
) -> Iterator[Finding]:
    """One reading a concept, of the codes and of what the text adds to them."""
    onset = when(condition.onset_date_time, zone)
    if onset is None and condition.onset_period:
        onset = when(condition.onset_period.start, zone)
    recorded = when(condition.recorded_date, zone)
    updated = bookkept(naming.updated, zone)
    for part, concept in enumerate(_concepts(condition, tables)):
        yield Finding(
            concept=concept,
            reference=naming.reference,
            patient=naming.patient,
            source=naming.source,
            part=part,
            version=naming.version,
            at=place(recorded or onset or updated, zone),
            clinical=_code(condition.clinical_status),
            verification=_code(condition.verification_status),
            category=next((c for k in condition.category if (c := _code(k))), None),
            onset=onset,
            recorded=recorded,
            abated=_abated(condition, zone),
            updated=updated,
            shown=wording(condition.code),
        )


def _concepts(condition: Condition, tables: Tables) -> tuple[str, ...]:
    coded = concepts_of(condition.code, tables.codes)
    texts = (condition.code.text or "", *_displays(condition.code))
    return tuple(dict.fromkeys((*coded, *tables.values.condition_concepts(texts, coded))))


def _displays(code: CodeableConcept) -> Iterator[str]:
    yield from (c.display for c in code.coding if c.display)


def _code(concept: CodeableConcept | None) -> str | None:
    """The code of a status, lower case; its text where no code is given."""
    if concept is None:
        return None
    code = next((c.code for c in concept.coding if c.code), concept.text)
    return code.strip().lower() if code else None


def _abated(condition: Condition, zone: tzinfo) -> When | bool:
    if condition.abatement_date_time:
        return when(condition.abatement_date_time, zone) or True
    if period := condition.abatement_period:
        return when(period.end or period.start, zone) or True
    if condition.abatement_boolean is not None:
        return condition.abatement_boolean
    worded = condition.abatement_string, condition.abatement_age, condition.abatement_range
    return any(said is not None for said in worded)
