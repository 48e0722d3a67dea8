"""A Patient resource: birth date, death, and the tags that keep a patient out of cards."""

from __future__ import annotations

from datetime import tzinfo

from cryovigil.errors import Unreadable
from cryovigil.normalize.naming import Naming
from cryovigil.normalize.readings import Person, When
from cryovigil.normalize.times import when
from cryovigil.resources import Patient

_TEST = "HTEST"


def person_reading(
    patient: Patient, naming: Naming, zone: tzinfo, opt_out: frozenset[tuple[str, str]]
) -> Person:
    """The patient as a reading. opt_out: tags (system, code) that mean "no cards"."""
    return Person(
        concept="patient",
        reference=naming.reference,
        patient=naming.reference,
        source=naming.source,
        version=naming.version,
        born=_born(patient, zone),
        deceased=bool(patient.deceased_boolean or patient.deceased_date_time),
        withheld=_withheld(patient, opt_out),
    )


def _born(patient: Patient, zone: tzinfo) -> When | None:
    """None where it cannot be read: who has died or opted out shall get no cards for that."""
    try:
        return when(patient.birth_date, zone)
    except Unreadable:
        return None


def _withheld(patient: Patient, opt_out: frozenset[tuple[str, str]]) -> str | None:
    meta = patient.meta
    if meta is None:
        return None
    if any(tag.code == _TEST for tag in meta.security):
        return "test-patient"
    if any((tag.system or "", tag.code or "") in opt_out for tag in meta.tag):
        return "opted-out"
    return None
