"""Step 2. Bytes to typed resources with identity, version and patient; or Unreadable.

One set of strict structs decides what is accepted, for every class and every way in. A member that
no struct names is not judged. Looking comes before parsing: `look` reads what tells whether a
resource concerns us at all, and only then is it read in full.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from cryovigil.envelopes import ID, Entry
from cryovigil.errors import Unreadable
from cryovigil.resource_types import RESOURCE_TYPES
from cryovigil.resources import (
    Base,
    CodeableConcept,
    Condition,
    Fhir,
    Medication,
    MedicationRequest,
    MedicationStatement,
    Observation,
    Patient,
    Reference,
    Resource,
)

# Identities are stored and indexed: an index has a longest row, and a bar parts their members.
_BASE = r"[!-{}~]{1,1000}"
_REFERENCE = re.compile(
    rf"(?:(?P<base>{_BASE})/)?(?P<type>[A-Z][A-Za-z]{{1,63}})/(?P<id>{ID})(?:/_history/[^/\s]*)?"
)
_LONGEST_REFERENCE = 1_500
_is_id = re.compile(ID).fullmatch


class Source(Struct, frozen=True):
    """Where records come from; what an id means only within it.

    base: the FHIR base URL that absolute references to its own resources start with.
    """

    system: str = "default"
    issuer: str = ""
    tenant: str = ""
    base: str | None = None

    @property
    def key(self) -> str:
        """One string for (issuer, tenant, system)."""
        return f"{self.issuer}|{self.tenant}|{self.system}"


_TYPES: Mapping[str, type[Resource]] = {
    "Observation": Observation,
    "Condition": Condition,
    "MedicationRequest": MedicationRequest,
    "MedicationStatement": MedicationStatement,
    "Patient": Patient,
}
READ_TYPES = frozenset(_TYPES)


class _Coded(Fhir):
    code: CodeableConcept = msgspec.field(default_factory=CodeableConcept)


class Look(Base):
    """The first look: identity, version, status, codes. Enough to drop what does not concern us."""

    status: str | None = None
    code: CodeableConcept | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    component: list[_Coded] = msgspec.field(default_factory=list)


class _Named(Fhir):
    resource_type: str = ""


class _Whose(Fhir):
    resource_type: str = ""
    id: Any = None
    subject: Reference | None = None


_look = msgspec.json.Decoder(Look)
_named = msgspec.json.Decoder(_Named)
_whose = msgspec.json.Decoder(_Whose)
_medication = msgspec.json.Decoder(Medication)
_full = {name: msgspec.json.Decoder(kind) for name, kind in _TYPES.items()}


def look(entry: Entry) -> Look | None:
    """The first look at an entry's body; None for a resource type that is not read here.

    Raises Unreadable: not-a-resource, bad-structure, no-id, bad-id.
    """
    body = entry.body or b""
    try:
        seen = _look.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        if not _is_read(resource_type(body)):
            return None
        raise Unreadable("bad-structure") from None
    if not _is_read(seen.resource_type):
        return None
    if not seen.id:
        raise Unreadable("no-id")
    if not _is_id(seen.id):
        raise Unreadable("bad-id")
    return seen


def _is_read(name: str) -> bool:
    """Whether resources of this type are read here. What FHIR has no such type of is none."""
    if name in _TYPES:
        return True
    if name not in RESOURCE_TYPES:
        raise Unreadable("not-a-resource")
    return False


def parse(seen: Look, body: bytes | Raw) -> Resource:
    """The whole resource. Raises Unreadable("bad-structure")."""
    try:
        return _full[seen.resource_type].decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Unreadable("bad-structure") from None


def with_drug(resource: Resource, entry: Entry) -> Resource:
    """An order or statement with the drug that its reference names, where that came along.

    It stands in the resource itself or in the same Bundle; anything else is out of reach here, and
    the drug stays unknown.
    """
    if not isinstance(resource, MedicationRequest | MedicationStatement):
        return resource
    named = resource.medication_reference.reference if resource.medication_reference else None
    if resource.medication_codeable_concept is None and named:
        resource.medication_codeable_concept = _contained(resource, named) or _beside(entry, named)
    return resource


def _contained(
    resource: MedicationRequest | MedicationStatement, named: str
) -> CodeableConcept | None:
    for item in resource.contained:
        if item.resource_type == "Medication" and named == f"#{item.id}":
            return item.code if isinstance(item.code, CodeableConcept) else None
    return None


def _beside(entry: Entry, named: str) -> CodeableConcept | None:
    body = entry.medications.get(named) or entry.medications.get(entry.aliases.get(named, ""))
    if body is None:
        return None
    try:
        return _medication.decode(body).code
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None  # as a resource of its own it is none that is read here


def resource_type(body: bytes | Raw) -> str:
    """The type alone. Raises Unreadable where even that cannot be read."""
    try:
        return _named.decode(body).resource_type
    except msgspec.ValidationError:
        raise Unreadable("not-a-resource") from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Unreadable("not-json") from None


def which(entry: Entry) -> str | None:
    """`Type/id` of a resource that cannot be read, where that much of it can be."""
    try:
        found = _whose.decode(entry.body or b"")
    except (msgspec.DecodeError, ValueError, RecursionError):
        return entry.target
    known = isinstance(found.id, str) and _is_id(found.id)
    return f"{found.resource_type}/{found.id}" if known else entry.target


def whose(entry: Entry, source: Source) -> str | None:
    """The patient of a resource that cannot be read, where that much of it can be."""
    try:
        found = _whose.decode(entry.body or b"")
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if found.resource_type == "Patient":
        known = isinstance(found.id, str) and _is_id(found.id)
        return f"Patient/{found.id}" if known else None
    subject = found.subject.reference if found.subject else None
    return resolve(subject, source, entry.aliases, "Patient")


def resolve(
    reference: str | None, source: Source, aliases: Mapping[str, str], expected: str
) -> str | None:
    """`Type/id` of a reference as a source means it, or None where it is no such reference.

    A bare id is one of the expected type; an absolute URL under the source's own base is shortened,
    under any other it stays as it is: it names another patient. urn:uuid is followed inside the
    Bundle it came in. None as well where the id or the base holds what no URL does, or is too long
    to be stored.
    """
    if not reference or len(reference) > _LONGEST_REFERENCE:
        return None
    reference = aliases.get(reference, reference).strip()
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return f"{expected}/{reference}" if _is_id(reference) else None
    if match["type"] != expected:
        return None
    base = match["base"]
    own = (source.base or "").rstrip("/")
    if base is not None and base.rstrip("/") != own:
        return f"{base.rstrip('/')}/{match['type']}/{match['id']}"
    return f"{match['type']}/{match['id']}"
