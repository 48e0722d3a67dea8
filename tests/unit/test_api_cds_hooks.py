"""The HTTP side on a store in memory: what is answered, what is refused, what never leaks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from fhir.resources.R4B.operationoutcome import OperationOutcome
from prometheus_client import CollectorRegistry, Counter
from structlog.testing import capture_logs

from cryovigil.adapters.ports import Record, SourcePatient, StoredCard
from cryovigil.api import ApiParts, build_admin, build_api
from cryovigil.api.problems import RULE_FAILED, Problem
from cryovigil.errors import Unavailable
from cryovigil.facts.coverage import NONE, WHOLE, Coverage
from cryovigil.lifecycle import CardState
from cryovigil.rules.needs import Need

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SERVICE = "/cds-services/cryovas-patient-view"
SECRET_NAME = "Mustermann"
OPEN_UUID = "7f0c9a52-1a8e-8d3f-9a55-0123456789ab"
GONE_UUID = "7f0c9a52-1a8e-8d3f-9a55-0123456789ac"


def card(rule: str, indicator: str) -> dict[str, Any]:
    topic = {"system": "urn:cryovigil:rules", "code": rule, "display": rule}
    return {"summary": rule, "indicator": indicator, "source": {"label": "x", "topic": topic}}


def stored(uuid: str, state: Any, reason: str | None, at: datetime) -> StoredCard:
    return StoredCard(
        state=CardState(
            rule="hcv-search",
            uuid=uuid,
            episode=1,
            revision=2,
            state=state,
            indicator="warning",
            criteria=(),
            missing=(),
            anchors=(),
            card=card("hcv-search", "warning"),
        ),
        patient=SourcePatient("default", "Patient/1"),
        changed_at=at,
        reason=reason,
    )


class Rows:
    """A store with one patient, who has one open and one retracted card."""

    def __init__(self) -> None:
        self.is_ready = True
        self.known_to = {"default"}
        self.failure: Exception | None = None
        self.cards = [
            stored(GONE_UUID, "retracted", "corrected", NOW - timedelta(days=2)),
            stored(OPEN_UUID, "open", None, NOW - timedelta(days=1)),
        ]

    async def ready(self) -> bool:
        return self.is_ready

    async def patient(self, patient: SourcePatient) -> int | None:
        if self.failure:
            raise self.failure
        return 7 if patient.source in self.known_to and patient.reference == "Patient/1" else None

    async def snapshot(
        self, patient: int, needs: Mapping[str, Need], as_of: datetime
    ) -> tuple[Record, tuple[CardState, ...]]:
        return Record("default|Patient/1", (), ("stored",)), (self.cards[1].state,)

    async def card(self, card_uuid: str) -> StoredCard | None:
        return next((c for c in self.cards if c.state.uuid == card_uuid), None)

    async def cards_since(
        self, since: datetime, limit: int, after: str = ""
    ) -> Sequence[StoredCard]:
        return [row for row in self.cards if row.changed_at >= since][:limit]


class Service:
    """The application on `Rows`; `asked` keeps what the journey was given."""

    def __init__(
        self,
        coverage: Coverage = WHOLE,
        max_body_bytes: int = 10_000,
        sources: tuple[str, ...] = ("default",),
    ) -> None:
        self.rows = Rows()
        self.asked: list[tuple[Record, Sequence[CardState], datetime]] = []
        self.answer: Sequence[Mapping[str, Any]] = ()
        self.failure: Exception | None = None
        self.alive = True
        self.started = True
        registry = CollectorRegistry()
        Counter("cryovigil_demo", "A counter", registry=registry).inc()
        self.parts = ApiParts(
            store=self.rows,  # type: ignore[arg-type] # only what the HTTP side reads
            needs={},
            coverage=coverage,
            sources=sources,
            advise=self.advise,
            now=lambda: NOW,
            started=lambda: self.started,
            alive=lambda: self.alive,
            registry=registry,
            max_body_bytes=max_body_bytes,
        )
        self.client = TestClient(build_api(self.parts))

    def advise(
        self, record: Record, known: Sequence[CardState], as_of: datetime
    ) -> Sequence[Mapping[str, Any]]:
        self.asked.append((record, known, as_of))
        if self.failure:
            raise self.failure
        return self.answer

    def post(self, body: Any, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(
            SERVICE, content=content, headers={"content-type": "application/json"} | names
        )


@pytest.fixture
def service() -> Service:
    return Service()


def request(**members: Any) -> dict[str, Any]:
    return {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/1", "patientId": "1"},
    } | members


def refused(response: Any, status: int) -> None:
    """An OperationOutcome that fhir.resources accepts, and nothing of the request in it."""
    assert response.status_code == status
    outcome = OperationOutcome.model_validate_json(response.content)
    assert outcome.issue[0].diagnostics
    assert SECRET_NAME not in response.text


def test_discovery_lists_one_service_with_the_members_of_cds_hooks_2_0(service: Service) -> None:
    response = service.client.get("/cds-services")
    assert response.status_code == 200
    (listed,) = response.json()["services"]
    assert listed.keys() == {"hook", "id", "title", "description"}
    assert (listed["hook"], listed["id"]) == ("patient-view", "cryovas-patient-view")


def test_a_call_is_answered_as_of_now_from_the_snapshot(service: Service) -> None:
    service.answer = [card("hcv-search", "warning")]
    response = service.post(request())
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"cards": service.answer}
    ((record, known, as_of),) = service.asked
    assert record.incomplete == ("stored",)
    assert [state.uuid for state in known] == [OPEN_UUID]
    assert as_of == NOW


def test_cards_come_critical_first_then_warning_then_info_then_by_rule(service: Service) -> None:
    service.answer = [
        card("b", "info"),
        card("z", "warning"),
        card("y", "critical"),
        card("a", "warning"),
        card("a", "info"),
    ]
    summaries = [c["summary"] for c in service.post(request()).json()["cards"]]
    assert summaries == ["y", "a", "z", "a", "b"]


def test_no_advice_is_an_empty_list(service: Service) -> None:
    response = service.post(request())
    assert (response.status_code, response.content) == (200, b'{"cards":[]}')


def test_a_patient_nobody_sent_is_asked_about_with_an_empty_record(service: Service) -> None:
    context = {"userId": "Practitioner/1", "patientId": "2"}
    assert service.post(request(context=context)).status_code == 200
    ((record, known, _),) = service.asked
    assert (record, known) == (Record("default|Patient/2", (), ()), ())


@pytest.mark.parametrize("source", ["default", "lab"])
def test_a_patient_is_looked_for_in_every_source_of_the_caller(source: str) -> None:
    service = Service(sources=("default", "lab"))
    service.rows.known_to = {source}
    assert service.post(request()).status_code == 200
    ((_, known, _),) = service.asked
    assert [state.uuid for state in known] == [OPEN_UUID]


def test_an_id_that_two_sources_know_is_refused_for_it_may_be_two_people() -> None:
    service = Service(sources=("default", "lab"))
    service.rows.known_to = {"default", "lab"}
    refused(service.post(request()), 412)
    assert service.asked == []


def test_a_caller_whom_no_source_belongs_to_is_refused() -> None:
    refused(Service(sources=()).post(request()), 412)


def test_a_rule_that_failed_is_said_rather_than_answered_with_fewer_cards(
    service: Service,
) -> None:
    service.failure = Problem(RULE_FAILED)
    refused(service.post(request()), 500)


def test_a_patient_id_that_carries_its_type_is_the_id(service: Service) -> None:
    context = {"userId": "Practitioner/1", "patientId": "Patient/1"}
    assert service.post(request(context=context)).status_code == 200
    assert service.asked[0][0].identity == "default|Patient/1"


@pytest.mark.parametrize(
    "patient_id", ["", "a b", "a/b", "Patient/", "Patient/Patient/1", "x" * 65, "é", "1\n"]
)
def test_a_patient_id_that_is_none_of_fhir_is_refused(service: Service, patient_id: str) -> None:
    context = {"userId": "Practitioner/1", "patientId": patient_id}
    refused(service.post(request(context=context)), 400)


def test_a_patient_id_of_64_characters_is_one(service: Service) -> None:
    context = {"userId": "Practitioner/1", "patientId": "x" * 64}
    assert service.post(request(context=context)).status_code == 200


@pytest.mark.parametrize("missing", ["hook", "hookInstance", "context"])
def test_a_missing_member_is_refused(service: Service, missing: str) -> None:
    body = request()
    del body[missing]
    refused(service.post(body), 400)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hook": 1},
        {"hook": SECRET_NAME},
        {"hookInstance": None},
        {"hookInstance": SECRET_NAME},
        {"hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2e"},  # a digit short of a UUID
        {"context": [SECRET_NAME]},
        {"context": {"patientId": "1"}},
        {"context": {"userId": "Practitioner/1", "patientId": 1}},
        {"prefetch": SECRET_NAME},
        {"prefetch": {"patient": SECRET_NAME}},
        {"prefetch": {"patient": [{}]}},
        {"extension": []},
        {"fhirServer": 1},
        {"fhirServer": "https://ehr.example", "fhirAuthorization": {"access_token": SECRET_NAME}},
        {
            "fhirAuthorization": {
                "access_token": SECRET_NAME,
                "token_type": "Bearer",
                "expires_in": 300,
                "scope": "user/Observation.rs",
                "subject": "cds",
            }
        },
    ],
    ids=str,
)
def test_a_member_of_the_wrong_type_is_refused(service: Service, wrong: dict[str, Any]) -> None:
    refused(service.post(request(**wrong)), 400)


@pytest.mark.parametrize(
    "member",
    [
        {"prefetch": None},
        {"prefetch": {"patient": None}},
        {"prefetch": {"patient": {"resourceType": "Patient", "id": "1"}}},
        {"com.example.unknown": {"a": 1}},
        {"extension": {"com.example.absurd": 10**400}},  # nobody reads it
        {"context": {"userId": "Practitioner/1", "patientId": "1", "encounterId": None}},
    ],
    ids=str,
)
def test_optional_and_unknown_members_change_nothing(
    service: Service, member: dict[str, Any]
) -> None:
    assert service.post(request(**member)).json() == service.post(request()).json()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"a": NaN}', b'{"a": "\xff"}', b"\xef\xbb\xbf{}", b"[]", b"null", b'"text"'],
)
def test_a_body_that_is_no_json_object_is_refused(service: Service, body: bytes) -> None:
    refused(service.post(body), 400)


def nested(levels: int) -> dict[str, Any]:
    """A request of so many levels: the root is the first, `extension` the second."""
    tree: dict[str, Any] = {}
    for _ in range(levels - 2):
        tree = {"a": tree}
    return request(extension=tree)


def test_a_hundred_levels_are_read(service: Service) -> None:
    assert service.post(nested(100)).status_code == 200


def test_a_hundred_and_one_levels_are_refused(service: Service) -> None:
    refused(service.post(nested(101)), 400)


def test_a_body_that_would_exhaust_the_stack_is_refused(service: Service) -> None:
    refused(service.post(b"[" * 9_000), 400)


def test_an_unknown_service_is_not_found(service: Service) -> None:
    refused(service.client.post(f"/cds-services/{SECRET_NAME}", json=request()), 404)


def test_an_unknown_address_is_not_found(service: Service) -> None:
    refused(service.client.get(f"/{SECRET_NAME}"), 404)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_there_are_no_generated_pages(service: Service, path: str) -> None:
    refused(service.client.get(path), 404)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/cds-services"])
def test_whoever_asks_for_the_head_alone_is_answered(service: Service, path: str) -> None:
    # RFC 9110, 9.1: every general-purpose server supports GET and HEAD.
    assert service.client.head(path).status_code == 200


@pytest.mark.parametrize("path", ["/cds-services/", "/cards/?since=2026-01-29T12:00:00Z"])
def test_a_slash_too_many_is_not_found_and_nobody_is_sent_elsewhere(
    service: Service, path: str
) -> None:
    refused(service.client.get(path, follow_redirects=False), 404)


def test_another_method_is_refused(service: Service) -> None:
    refused(service.client.get(SERVICE), 405)


def test_a_body_of_exactly_the_limit_is_read() -> None:
    body = json.dumps(request()).encode()
    assert Service(max_body_bytes=len(body)).post(body).status_code == 200


def test_a_body_above_the_limit_is_too_large() -> None:
    body = json.dumps(request()).encode()
    refused(Service(max_body_bytes=len(body) - 1).post(body), 413)


def test_a_chunked_body_above_the_limit_is_too_large() -> None:
    chunks = iter([b'{"a":', b'"' + b"x" * 50 + b'"}'])
    response = Service(max_body_bytes=50).client.post(
        SERVICE, content=chunks, headers={"content-type": "application/json"}
    )
    refused(response, 413)


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": "application/fhir+json"},
        {"content_type": "application/json; charset=latin-1"},
        {"content_encoding": "gzip"},
        {"content_encoding": "identity"},
    ],
    ids=str,
)
def test_another_media_type_or_an_encoding_is_refused(
    service: Service, headers: dict[str, str]
) -> None:
    refused(service.post(request(), **headers), 415)


def test_a_charset_of_utf_8_is_said_needlessly_but_read(service: Service) -> None:
    response = service.post(request(), content_type='Application/JSON; charset="UTF-8"')
    assert response.status_code == 200


DAY = WHOLE.conditions


@pytest.mark.parametrize(
    "coverage", [NONE, Coverage(conditions=DAY, laboratory=DAY), Coverage(treatments=DAY)]
)
def test_outside_declared_coverage_the_call_is_refused_not_answered_with_fewer_cards(
    coverage: Coverage,
) -> None:
    service = Service(coverage)
    refused(service.post(request()), 412)
    assert service.asked == []


def test_a_store_that_is_away_is_said_to_be(service: Service) -> None:
    service.rows.failure = Unavailable("database: 08006")
    response = service.post(request())
    refused(response, 503)
    assert int(response.headers["retry-after"]) > 0


def test_what_nobody_expected_is_a_bare_500_and_logged_by_class_alone(service: Service) -> None:
    service.rows.failure = RuntimeError(f"patient {SECRET_NAME}")
    with capture_logs() as logs:
        refused(service.post(request()), 500)
    assert [(line["event"], line["error"]) for line in logs] == [("request_failed", "RuntimeError")]
    assert SECRET_NAME not in str(logs)


def test_a_card_is_shown_with_its_state(service: Service) -> None:
    response = service.client.get(f"/cards/{GONE_UUID}")
    assert response.json() == {
        "card": card("hcv-search", "warning"),
        "subject": "Patient/1",
        "state": "retracted",
        "revision": 2,
        "changedAt": "2026-01-29T12:00:00Z",
        "reason": "corrected",
    }


def test_an_open_card_has_no_reason_and_no_empty_member(service: Service) -> None:
    shown = service.client.get(f"/cards/{OPEN_UUID.upper()}").json()
    assert shown.keys() == {"card", "subject", "state", "revision", "changedAt"}


@pytest.mark.parametrize("uuid", ["1b4e28ba-2fa1-11d2-883f-0016d3cca427", SECRET_NAME])
def test_a_card_that_nobody_knows_is_not_found(service: Service, uuid: str) -> None:
    refused(service.client.get(f"/cards/{uuid}"), 404)


@pytest.mark.parametrize(
    ("since", "states"),
    [
        ("2026-01-29T12:00:00Z", ["retracted", "open"]),
        ("2026-01-29T12:00:01Z", ["open"]),
        ("2026-01-29T13:00:00%2B01:00", ["retracted", "open"]),
        ("2026-01-29T13:00:00+01:00", ["retracted", "open"]),  # a plus that nobody escaped
        ("2026-02-01T00:00:00Z", []),
    ],
)
def test_cards_changed_since_an_instant_are_listed(
    service: Service, since: str, states: list[str]
) -> None:
    response = service.client.get(f"/cards?since={since}")
    assert [row["state"] for row in response.json()["cards"]] == states


@pytest.mark.parametrize("query", ["", "?since=", "?since=2026-01-29T12:00:00", "?since=tomorrow"])
def test_a_resync_without_a_readable_instant_is_refused(service: Service, query: str) -> None:
    refused(service.client.get(f"/cards{query}"), 400)


def test_the_process_lives_until_a_worker_dies_whatever_its_neighbors_do(service: Service) -> None:
    service.rows.is_ready = False
    assert service.client.get("/livez").status_code == 200
    service.alive = False
    assert service.client.get("/livez").status_code == 503


def test_readiness_needs_the_store_and_a_started_intake(service: Service) -> None:
    assert service.client.get("/readyz").status_code == 200
    service.started = False
    response = service.client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {"store": True, "started": False}
    service.started, service.rows.is_ready = True, False
    assert service.client.get("/readyz").status_code == 503


def test_metrics_are_in_the_text_format(service: Service) -> None:
    response = service.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert "cryovigil_demo_total 1.0" in response.text


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_with_an_admin_port_health_lives_there_alone(service: Service, path: str) -> None:
    refused(TestClient(build_api(service.parts, with_health=False)).get(path), 404)
    assert TestClient(build_admin(service.parts)).get(path).status_code == 200


def test_the_admin_port_shows_no_patient_data(service: Service) -> None:
    admin = TestClient(build_admin(service.parts))
    refused(admin.get(f"/cards/{OPEN_UUID}"), 404)
    refused(admin.post(SERVICE, json=request()), 404)
