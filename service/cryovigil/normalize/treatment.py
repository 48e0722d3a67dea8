"""Medication orders and statements: which drug, from when to when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from cryovigil.normalize.naming import Naming, concepts_of, wording
from cryovigil.normalize.readings import UNRESOLVED, Treatment, When
from cryovigil.normalize.tables import Tables
from cryovigil.normalize.times import bookkept, place, when
from cryovigil.resources import MedicationRequest, MedicationStatement, Period

_NO_ORDER = ("proposal", "plan", "option")


def treatment_readings(
    resource: MedicationRequest | MedicationStatement,
    naming: Naming,
    tables: Tables,
    zone: tzinfo,
) -> Iterator[Treatment]:
    """One reading a watched drug: a combination tablet may stand for several.

    What is no order of a drug is no treatment: one not to be given, proposed, planned or offered.
    """
    if isinstance(resource, MedicationRequest) and _is_none(resource):
        return
    if isinstance(resource, MedicationRequest):
        form, dates = "request", _ordered(resource, zone)
    else:
        form, dates = "statement", _stated(resource, zone)
    drug = resource.medication_codeable_concept
    concepts = (UNRESOLVED,) if drug is None else concepts_of(drug, tables.codes)
    for part, concept in enumerate(concepts):
        yield Treatment(
            concept=concept,
            reference=naming.reference,
            patient=naming.patient,
            source=naming.source,
            part=part,
            version=naming.version,
            at=place(dates["authored"] or dates["asserted"] or dates["start"], zone),
            form=form,
            status=resource.status or "",
            updated=bookkept(naming.updated, zone),
            shown=wording(drug),
            **dates,
        )


def _is_none(order: MedicationRequest) -> bool:
    return bool(order.do_not_perform) or order.intent in _NO_ORDER


def _ordered(order: MedicationRequest, zone: tzinfo) -> dict[str, When | None]:
    bounds = _bounds(order)
    validity = order.dispense_request.validity_period if order.dispense_request else None
    return {
        "start": when(bounds.start, zone),
        "end": when(bounds.end, zone),
        "authored": when(order.authored_on, zone),
        "asserted": None,
        "valid_until": when(validity.end if validity else None, zone),
    }


def _bounds(order: MedicationRequest) -> Period:
    """The period of the dosage, where one instruction gives it."""
    for dosage in order.dosage_instruction:
        repeat = dosage.timing.repeat if dosage.timing else None
        if repeat and repeat.bounds_period:
            return repeat.bounds_period
    return Period()


def _stated(statement: MedicationStatement, zone: tzinfo) -> dict[str, When | None]:
    period = statement.effective_period or Period()
    return {
        "start": when(period.start or statement.effective_date_time, zone),
        "end": when(period.end, zone),
        "authored": None,
        "asserted": when(statement.date_asserted, zone),
        "valid_until": None,
    }
