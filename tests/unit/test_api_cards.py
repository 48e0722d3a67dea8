"""GET /cards: whose cards they are, page by page, and what to ask with the next time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from cryovigil.adapters.ports import SourcePatient, StoredCard
from cryovigil.api import ApiParts, build_api
from cryovigil.api.cards import OVERLAP, PAGE
from cryovigil.facts.coverage import NONE
from cryovigil.lifecycle import CardState

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SINCE = "2026-01-31T00:00:00Z"


def named(number: int) -> str:
    return f"7f0c9a52-1a8e-8d3f-9a55-{number:012}"


def stored(number: int, at: datetime, reference: str = "Patient/1") -> StoredCard:
    return StoredCard(
        state=CardState(
            rule="hcv-search",
            uuid=named(number),
            episode=1,
            revision=1,
            state="open",
            indicator="warning",
            criteria=(),
            missing=(),
            anchors=(),
            card={"uuid": named(number)},
        ),
        patient=SourcePatient("default", reference),
        changed_at=at,
    )


class Cards:
    """Cards in order of (changed_at, uuid), as a store gives them."""

    def __init__(self, *rows: StoredCard) -> None:
        self.rows = sorted(rows, key=self.place)

    @staticmethod
    def place(row: StoredCard) -> tuple[datetime, str]:
        return row.changed_at, row.state.uuid

    async def cards_since(
        self, since: datetime, limit: int, after: str = ""
    ) -> Sequence[StoredCard]:
        return [row for row in self.rows if self.place(row) > (since, after)][:limit]

    async def card(self, card_uuid: str) -> StoredCard | None:
        return next((row for row in self.rows if row.state.uuid == card_uuid), None)


def client(*rows: StoredCard) -> TestClient:
    parts = ApiParts(
        store=Cards(*rows),  # type: ignore[arg-type] # only what these addresses read
        needs={},
        coverage=NONE,
        sources=("default",),
        advise=None,  # type: ignore[arg-type] # no hook is called
        now=lambda: NOW,
        started=lambda: True,
        alive=lambda: True,
        registry=CollectorRegistry(),
    )
    return TestClient(build_api(parts))


def uuids(page: dict[str, Any]) -> list[str]:
    return [row["card"]["uuid"] for row in page["cards"]]


@pytest.mark.parametrize("reference", ["Patient/1", "https://ehr.example.org/fhir/Patient/1"])
def test_a_card_says_whose_it_is_as_a_pushed_event_does(reference: str) -> None:
    service = client(stored(1, NOW, reference))
    assert service.get(f"/cards/{named(1)}").json()["subject"] == "Patient/1"
    (listed,) = service.get(f"/cards?since={SINCE}").json()["cards"]
    assert listed["subject"] == "Patient/1"


def test_the_pages_that_follow_each_other_list_every_card_once() -> None:
    """Three at the same instant, across the end of a page."""
    rows = [stored(1, NOW), *(stored(n, NOW + OVERLAP) for n in (2, 3, 4)), stored(5, NOW)]
    service = client(*rows)
    address, pages = f"/cards?since={SINCE}&limit=2", list[Any]()
    while address:
        assert len(pages) < len(rows), "the pages never end"
        pages.append(service.get(address).json())
        address = pages[-1].get("next")
    assert [uuids(page) for page in pages] == [
        [named(1), named(5)],
        [named(2), named(3)],
        [named(4)],
    ]


def test_a_page_holds_no_more_than_its_limit_unless_told_otherwise() -> None:
    full = [stored(number, NOW) for number in range(PAGE)]
    page = client(*full).get(f"/cards?since={SINCE}").json()
    assert (len(page["cards"]), "next" in page) == (PAGE, False)
    page = client(*full, stored(PAGE, NOW)).get(f"/cards?since={SINCE}").json()
    assert (len(page["cards"]), "next" in page) == (PAGE, True)


def test_the_next_resync_begins_where_a_late_commit_may_stand() -> None:
    """A transaction that was decided earlier may end after one that was decided later."""
    page = client(stored(1, NOW)).get(f"/cards?since={SINCE}").json()
    assert datetime.fromisoformat(page["since"]) == NOW - OVERLAP


def test_the_next_resync_never_begins_before_this_one() -> None:
    since = (NOW - OVERLAP + timedelta(seconds=1)).isoformat()
    for rows in ([stored(1, NOW)], []):
        page = client(*rows).get(f"/cards?since={quote(since)}").json()
        assert datetime.fromisoformat(page["since"]) == datetime.fromisoformat(since)


def test_a_last_page_whose_cards_moved_on_still_says_when_to_begin() -> None:
    place = quote(f"{NOW.isoformat()},{named(1)}")
    page = client().get(f"/cards?since={SINCE}&after={place}").json()
    assert page["cards"] == []
    assert datetime.fromisoformat(page["since"]) == NOW - OVERLAP


@pytest.mark.parametrize("limit", ["0", str(PAGE + 1), "-1", "x", "", "9" * 5000, "²"])
def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    assert client().get(f"/cards?since={SINCE}&limit={limit}").status_code == 400


@pytest.mark.parametrize("limit", [1, PAGE])
def test_the_limits_themselves_are_fine(limit: int) -> None:
    assert client().get(f"/cards?since={SINCE}&limit={limit}").status_code == 200


@pytest.mark.parametrize(
    "after", ["", "x", f"{SINCE},x", f"yesterday,{named(1)}", f"{SINCE},{named(1)},"]
)
def test_a_place_that_no_page_gave_is_refused(after: str) -> None:
    assert client().get(f"/cards?since={SINCE}&after={after}").status_code == 400


def test_a_page_after_the_first_instant_of_all_is_empty() -> None:
    page = client().get(f"/cards?since={SINCE}&after=0001-01-01T00:00:00Z,{named(1)}").json()
    assert page["cards"] == []
