"""Step 2. Bytes to typed resources with identity, version and patient; or Unreadable.

One set of strict structs decides what is accepted, for every class and every way in. A member that
no struct names is not judged. Looking comes before parsing: `look` reads what tells whether a
resource concerns us at all, and only then is it read in full.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from cryovigil.envelopes import Entry
from cryovigil.errors import Unreadable
from cryovigil.resource_types import RESOURCE_TYPES
from cryovigil.resources import (
    Base,
    CodeableConcept,
    Condition,
    Fhir,
    MedicationRequest,
    MedicationStatement,
    Observation,
    Patient,
    Reference,
    Resource,
)

_REFERENCE = re.compile(
    r"(?:(?P<base>.+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[^/?#|]+)(?:/_history/.*)?"
)


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


class _Coded(Fhir):
    code: CodeableConcept = msgspec.field(default_factory=CodeableConcept)


class Look(Base):
    """The first look: identity, version, status, codes. Enough to drop what does not concern us."""

    status: str | None = None
    code: CodeableConcept | None = None
    medication_codeable_concept: CodeableConcept | None = None
    subject: Reference | None = None
    component: list[_Coded] = msgspec.field(default_factory=list)


class _Named(Fhir):
    resource_type: str = ""


_look = msgspec.json.Decoder(Look)
_named = msgspec.json.Decoder(_Named)
_full = {name: msgspec.json.Decoder(kind) for name, kind in _TYPES.items()}


def look(entry: Entry) -> Look | None:
    """The first look at an entry's body; None for a resource type that is not read here.

    Raises Unreadable: not-a-resource, bad-structure, no-id.
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
        raise Unreadable("bad-structure", relative(seen.subject)) from None


def resource_type(body: bytes | Raw) -> str:
    """The type alone. Raises Unreadable where even that cannot be read."""
    try:
        return _named.decode(body).resource_type
    except msgspec.ValidationError:
        raise Unreadable("not-a-resource") from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Unreadable("not-json") from None


def relative(reference: Reference | None) -> str | None:
    """`Type/id` of a reference as it stands, whatever its base; None where there is none."""
    match = _REFERENCE.fullmatch(reference.reference or "") if reference else None
    return f"{match['type']}/{match['id']}" if match else None


def resolve(
    reference: str | None, source: Source, aliases: Mapping[str, str], expected: str
) -> str | None:
    """`Type/id` of a reference as a source means it, or None where it is no such reference.

    A bare id is one of the expected type; an absolute URL under the source's own base is shortened,
    under any other it stays as it is: it names another patient. urn:uuid is followed inside the
    Bundle it came in.
    """
    if not reference:
        return None
    reference = aliases.get(reference, reference).strip()
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        bare = re.fullmatch(r"[A-Za-z0-9\-._]{1,128}", reference)
        return f"{expected}/{reference}" if bare else None
    if match["type"] != expected:
        return None
    base = match["base"]
    own = (source.base or "").rstrip("/")
    if base is not None and base.rstrip("/") != own:
        return f"{base.rstrip('/')}/{match['type']}/{match['id']}"
    return f"{match['type']}/{match['id']}"
