"""CDS Hooks 2.0: discovery and the patient-view service.

A call is answered from one snapshot of the store, as of now. Where the site has not declared the
store to be complete, absence would be read as a no, so the call is refused (412) rather than
answered with fewer cards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from msgspec import Raw, Struct

from cryovigil.adapters.ports import Record, SourcePatient
from cryovigil.api.advice import place
from cryovigil.api.bodies import read_json
from cryovigil.api.problems import NOT_FOUND, READS, Problem, Refusal
from cryovigil.errors import CannotAnswer

if TYPE_CHECKING:
    from cryovigil.api import ApiParts
    from cryovigil.lifecycle import CardState

HOOK = "patient-view"
SERVICE = "cryovas-patient-view"
DISCOVERY = {
    "services": [
        {
            "hook": HOOK,
            "id": SERVICE,
            "title": "Cryoglobulinemic vasculitis",
            "description": (
                "Shows what this patient's results say about cryoglobulinemic vasculitis: "
                "suspicion, hepatitis C still to be looked for, the kidney, and lymphoma after "
                "cure of hepatitis C."
            ),
        }
    ]
}

# FHIR's id, and the underscore that real servers put into theirs.
_PATIENT_ID = re.compile(r"(?:Patient/)?([A-Za-z0-9\-._]{1,64})")
_OTHER_HOOK = Refusal(400, "invalid", "The hook is not the one that this service answers.")
_NO_PATIENT_ID = Refusal(400, "invalid", "The patientId is not a FHIR id.")
_NO_SERVER = Refusal(400, "invalid", "A fhirAuthorization needs the fhirServer it is for.")


class _Context(Struct, rename="camel"):
    """patient-view's own context (CDS Hooks library, patient-view)."""

    user_id: str
    patient_id: str
    encounter_id: str | None = None


class _Authorization(Struct):
    """The members that CDS Hooks 2.0 requires. The token is not used: nothing is fetched."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    subject: str


class HookRequest(Struct, rename="camel"):
    """The body of a call (CDS Hooks 2.0, "Calling a CDS Service"). A prefetch is not used."""

    hook: str
    hook_instance: UUID
    context: _Context
    fhir_server: str | None = None
    fhir_authorization: _Authorization | None = None
    prefetch: dict[str, dict[str, Raw] | None] | None = None
    extension: dict[str, Raw] | None = None


def router(parts: ApiParts) -> APIRouter:
    """GET /cds-services, POST /cds-services/{id}."""
    routes = APIRouter()

    @routes.api_route("/cds-services", methods=READS)
    async def discovery() -> Response:
        return JSONResponse(DISCOVERY)

    @routes.post("/cds-services/{service}")
    async def call(service: str, request: Request) -> Response:
        if service != SERVICE:
            raise Problem(NOT_FOUND)
        hook = await read_json(request, HookRequest, parts.max_body_bytes)
        cards = await _cards(parts, f"Patient/{_patient_id(hook)}")
        body = msgspec.json.encode({"cards": sorted(cards, key=place)})
        return Response(body, media_type="application/json")

    return routes


def _patient_id(hook: HookRequest) -> str:
    """The id of the call's patient, where the call is one for this service."""
    if hook.hook != HOOK:
        raise Problem(_OTHER_HOOK)
    if hook.fhir_authorization is not None and not hook.fhir_server:
        raise Problem(_NO_SERVER)
    found = _PATIENT_ID.fullmatch(hook.context.patient_id)
    if found is None:
        raise Problem(_NO_PATIENT_ID)
    return found[1]


async def _cards(parts: ApiParts, reference: str) -> Sequence[Mapping[str, Any]]:
    if not parts.coverage.complete:
        raise CannotAnswer("the store is not declared complete")
    if not parts.sources:
        raise CannotAnswer("no source belongs to the caller")
    now = parts.now()
    patients = [SourcePatient(source, reference) for source in parts.sources]
    found = [key for each in patients if (key := await parts.store.patient(each)) is not None]
    if len(found) > 1:
        raise CannotAnswer("several sources know the patient")
    record = Record(patients[0].identity, (), ())
    known: tuple[CardState, ...] = ()
    if found:
        record, known = await parts.store.snapshot(found[0], parts.needs, now)
    return parts.advise(record, known, now)
