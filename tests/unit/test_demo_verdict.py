"""The demo judges what its EHR received: an inbox, and the stories that say what must be in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date
from importlib.resources import files
from typing import Any

import msgspec
import pytest
from fastapi.testclient import TestClient

from cryovigil.decode import Source
from cryovigil.demo.ehr import build_ehr
from cryovigil.demo.inbox import Inbox
from cryovigil.demo.patients import Expected, Story, stories
from cryovigil.demo.verdict import history_told, unexpected, waiting_for
from cryovigil.normalize import Site
from cryovigil.normalize.readings import Result, Update
from cryovigil.normalize.tables import load_tables
from cryovigil.updates import Reader

TODAY = date(2026, 11, 25)
RULES = {"cryovas-likely", "hcv-search", "post-svr-lymphoma-search", "renal-involvement"}


def event(kind: str, *, number: int = 1, rule: str = "hcv-search", patient: str = "1") -> bytes:
    uuid = f"{patient}-{rule}"
    data: dict[str, Any] = {
        "cards": [
            {"uuid": uuid, "indicator": "warning", "source": {"topic": {"code": rule}}},
        ]
    }
    if kind == "retracted":
        gone = {"uuid": uuid, "reason": "corrected"}
        data = {"cards": [], "extension": {"org.cryovigil.retracted": gone}}
    return msgspec.json.encode(
        {
            "id": f"{uuid}.{number}",
            "type": f"org.cryovigil.card.{kind}.v1",
            "subject": f"Patient/{patient}",
            "data": data,
        }
    )


def story(*cards: Expected) -> Story:
    return Story(patient="1", title="", why="", history=(), cards=cards)


def received(*events: bytes) -> Inbox:
    inbox = Inbox()
    for body in events:
        inbox.take(body)
    return inbox


def test_a_card_that_came_is_not_waited_for() -> None:
    assert waiting_for([story(Expected("hcv-search", "warning"))], received(event("created"))) == []


@pytest.mark.parametrize(
    "expected",
    [
        Expected("renal-involvement", "warning"),
        Expected("hcv-search", "info"),
        Expected("hcv-search", "warning", "retracted"),
        Expected("hcv-search", "warning", updated=True),
    ],
    ids=str,
)
def test_another_rule_indicator_or_state_or_a_missing_update_is_waited_for(
    expected: Expected,
) -> None:
    assert len(waiting_for([story(expected)], received(event("created")))) == 1


def test_a_retraction_is_told_from_a_card_that_stands() -> None:
    inbox = received(event("created"), event("retracted", number=2))
    assert waiting_for([story(Expected("hcv-search", "warning", "retracted"))], inbox) == []
    assert len(waiting_for([story(Expected("hcv-search", "warning"))], inbox)) == 1


def test_a_card_that_nobody_expects_is_unexpected_even_once_retracted() -> None:
    inbox = received(event("created"), event("retracted", number=2))
    assert [d.rule for d in unexpected([story()], inbox)] == ["hcv-search"]


def test_a_card_of_another_patient_is_unexpected() -> None:
    expected = story(Expected("hcv-search", "warning"))
    inbox = received(event("created", patient="2"))
    assert [d.patient for d in unexpected([expected], inbox)] == ["2"]


@pytest.mark.parametrize("kind", ["updated", "retracted"])
def test_news_of_a_card_that_never_came_is_unexpected(kind: str) -> None:
    assert len(unexpected([story(Expected("hcv-search", "warning"))], received(event(kind)))) == 1


def test_a_repeated_event_counts_once() -> None:
    inbox = received(event("created"), event("created"))
    assert (inbox.counts["created"], inbox.counts["repeated"]) == (1, 1)


def test_the_later_part_waits_for_the_cards_of_the_history_alone() -> None:
    both = story(
        Expected("hcv-search", "warning"),
        Expected("renal-involvement", "warning", comes_with="later"),
    )
    assert not history_told(both, received())
    assert history_told(both, received(event("created")))


def test_every_story_sends_its_own_patient_first_and_nothing_dated_after_today() -> None:
    for told in stories(TODAY):
        first, *rest = told.history
        assert (first["resourceType"], first["id"]) == ("Patient", told.patient)
        assert rest
        assert "2026-11-25T" not in json.dumps([*told.history, *told.later])


def test_the_stories_expect_only_rules_of_this_version_and_each_says_why() -> None:
    cast = stories(TODAY)
    assert {card.rule for told in cast for card in told.cards} == RULES
    assert all(told.why and told.title for told in cast)
    assert len({told.patient for told in cast}) == len(cast) >= 8


def test_a_later_part_brings_new_versions_or_new_resources_only() -> None:
    for told in stories(TODAY):
        earlier = {(r.get("id"), r.get("meta", {}).get("versionId")) for r in told.history}
        later = {(r["id"], r["meta"]["versionId"]) for r in told.later}
        assert not earlier & later


def read(resources: Iterable[dict[str, Any]]) -> list[Update]:
    reader = Reader(load_tables(files("cryovigil") / "mappings"), Site(UTC), listing=True)
    updates = []
    for offset, resource in enumerate(resources):
        for found in reader.read(msgspec.json.encode(resource), None, Source(), "demo", offset):
            assert isinstance(found, Update), found
            updates.append(found)
    return updates


def test_every_resource_of_the_stories_is_read_without_a_problem() -> None:
    for told in stories(TODAY):
        updates = read([*told.history, *told.later])
        assert {u.patient for u in updates if u.patient} == {f"Patient/{told.patient}"}
        assert [u.unmapped for u in updates if u.unmapped] == []
        silent = [u.identity for u in updates if not u.readings and u.cause != "entered-in-error"]
        assert silent == []
        results = [r for u in updates for r in u.readings if isinstance(r, Result)]
        assert [r for r in results if r.problem] == []


@pytest.fixture
def ehr() -> tuple[TestClient, Inbox]:
    inbox = Inbox()
    return TestClient(build_ehr(inbox, list(stories(TODAY)))), inbox


def test_the_endpoint_takes_a_cloud_event(ehr: tuple[TestClient, Inbox]) -> None:
    client, inbox = ehr
    headers = {"content-type": "application/cloudevents+json"}
    assert client.post("/cards", content=event("created"), headers=headers).status_code == 204
    assert inbox.of("1", "hcv-search") is not None


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{}", "application/cloudevents+json", 400),
        (b"garbled", "application/cloudevents+json", 400),
        (event("created"), "application/json", 415),
    ],
)
def test_the_endpoint_refuses_what_is_none(
    ehr: tuple[TestClient, Inbox], content: bytes, media_type: str, status: int
) -> None:
    client, inbox = ehr
    response = client.post("/cards", content=content, headers={"content-type": media_type})
    assert response.status_code == status
    assert not inbox.cards


def test_the_page_runs_no_script_but_its_own(ehr: tuple[TestClient, Inbox]) -> None:
    client, _ = ehr
    page = client.get("/")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "<script>" not in page.text
    script = client.get("/static/page.js").text
    assert not any(sink in script for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML"))


@pytest.mark.parametrize("name", ["none.js", "page.html", "..%2Fehr.py"])
def test_only_listed_files_are_served(ehr: tuple[TestClient, Inbox], name: str) -> None:
    assert ehr[0].get(f"/static/{name}").status_code == 404


async def test_a_watcher_sees_what_is_held_then_what_comes_and_then_the_end() -> None:
    inbox = received(event("created"))
    stream = inbox.stream()
    assert (await anext(stream)).rule == "hcv-search"
    inbox.take(event("created", rule="cryovas-likely"))
    # The watcher is registered from the first card on, so the second one is queued.
    assert (await anext(stream)).rule == "cryovas-likely"
    inbox.close()
    assert [card async for card in stream] == []
