"""Whichever way resources come, the same instant gives the same cards, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import httpx2
import msgspec
import pytest
from msgspec import Raw, Struct
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from tests.support.desk import (
    SECRET,
    SOURCE,
    Desk,
    cards_of,
    journey,
    readings_of,
    rulebook,
)
from tests.support.histories import NOW, TODAY, History, in_one_slice, told, told_by_demo
from tests.support.open_stores import AnyStore
from tests.support.single_files import SqliteFiles

from cryovigil.api import ApiParts, build_api
from cryovigil.api.advice import advice, place
from cryovigil.cli.evaluate import evaluated
from cryovigil.cli.evaluate_core import load_core
from cryovigil.demo.patients import Story, stories
from cryovigil.facts import Facts
from cryovigil.facts.coverage import WHOLE
from cryovigil.journey import Journey
from cryovigil.lifecycle import CardState
from cryovigil.rules import Answer, CannotTell, Parameters

pytestmark = pytest.mark.sqlite

STORIES = {story.title: story for story in stories(TODAY, "way")}
# Before anything that the stories tell: whatever is dated after as-of waits.
LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    return SqliteFiles(tmp_path_factory.mktemp("stores"))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Journey:
    """The settings that `evaluate` finds, and the journey that has the same."""
    known = journey()
    assert isinstance(known.zone, ZoneInfo)
    monkeypatch.setenv("CRYOVIGIL_SECRET", SECRET.decode())
    monkeypatch.setenv("CRYOVIGIL_PUBLIC_URL", known.public_url)
    monkeypatch.setenv("CRYOVIGIL_SITE__TIME_ZONE", known.zone.key)
    return known


def history_of(story: Story) -> History:
    return told((*story.history, *story.later))


async def by_intake(files: SqliteFiles, known: Journey, history: History) -> list[bytes]:
    async with files.fresh() as (store, _):
        desk = await Desk.at(store, known)
        for records in in_one_slice(history):
            await desk.handle(records, NOW)
        return as_bytes((await desk.open_cards()).values())


async def by_due_row(files: SqliteFiles, known: Journey, history: History) -> list[bytes]:
    """They come before their time; then time passes, and nothing else."""
    async with files.fresh() as (store, _):
        desk = await Desk.at(store, known)
        for records in in_one_slice(history):
            await desk.handle(records, LONG_AGO)
        assert not await desk.open_cards()
        await desk.drain(NOW)
        return as_bytes((await desk.open_cards()).values())


async def by_hook(files: SqliteFiles, known: Journey, story: Story, at: datetime) -> list[bytes]:
    """What patient-view answers now, of a store whose intake was at another instant."""
    async with files.fresh() as (store, _):
        desk = await Desk.at(store, known)
        for records in in_one_slice(history_of(story)):
            await desk.handle(records, at)
        return await ask(store, known, story.patient)


async def ask(store: AnyStore, known: Journey, patient: str) -> list[bytes]:
    parts = ApiParts(
        store=store,
        needs=known.book.needs,
        coverage=known.coverage,
        sources=(SOURCE.key,),
        advise=partial(advice, known),
        now=lambda: NOW,
        started=lambda: True,
        alive=lambda: True,
        registry=CollectorRegistry(),
    )
    body = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/1", "patientId": patient},
    }
    transport = httpx2.ASGITransport(app=build_api(parts))
    async with httpx2.AsyncClient(transport=transport, base_url="http://ehr") as client:
        answer = await client.post("/cds-services/cryovas-patient-view", json=body)
    assert answer.status_code == 200
    return [bytes(card) for card in msgspec.json.decode(answer.content, type=_Answer).cards]


class _Answer(Struct):
    cards: list[Raw]


def by_evaluate(history: History) -> list[bytes]:
    records = [("file", event.value) for event in history.events if event.value is not None]
    (patient,) = evaluated(load_core(WHOLE), records, NOW)["patients"]
    return [msgspec.json.encode(card) for card in patient["cards"]]


def as_bytes(cards: Iterable[CardState]) -> list[bytes]:
    """In the order of an answer."""
    return [msgspec.json.encode(c) for c in sorted((state.card for state in cards), key=place)]


@pytest.mark.parametrize("title", STORIES)
async def test_intake_due_rows_hooks_and_evaluate_give_the_same_cards(
    files: SqliteFiles, site: Journey, title: str
) -> None:
    story = STORIES[title]
    history = history_of(story)
    cards = await by_intake(files, site, history)
    assert len(cards) == sum(card.state == "open" for card in story.cards)
    assert await by_due_row(files, site, history) == cards
    assert by_evaluate(history) == cards


@pytest.mark.parametrize("title", STORIES)
async def test_a_hook_shows_them_whether_or_not_intake_has_opened_them(
    files: SqliteFiles, site: Journey, title: str
) -> None:
    story = STORIES[title]
    cards = await by_intake(files, site, history_of(story))
    for intake_at in (NOW, NOW - timedelta(hours=1), LONG_AGO):
        assert await by_hook(files, site, story, intake_at) == cards


def test_the_stories_fire_every_rule() -> None:
    fired = {card.rule for story in STORIES.values() for card in story.cards}
    assert fired == {rule.id for rule in rulebook().rules}


class Broken(Struct, frozen=True):
    """A rule that fails on every patient."""

    ID: str

    def answer(self, _facts: Facts, _p: Parameters) -> Answer:
        raise ValueError("a bug")


def with_broken(rule: str, failures: list[tuple[str, str]]) -> Journey:
    """The journey with one rule broken, which notes whom it tells of a failure."""
    rules = tuple(
        replace(each, module=Broken(each.id)) if each.id == rule else each
        for each in rulebook().rules
    )
    broken = journey(book=replace(rulebook(), rules=rules))
    return replace(broken, on_failure=lambda *failure: failures.append(failure))


@pytest.mark.parametrize("rule", [rule.id for rule in rulebook().rules])
def test_a_rule_that_raises_cannot_tell_and_the_others_answer_as_before(rule: str) -> None:
    failures: list[tuple[str, str]] = []
    whole, broken = journey(), with_broken(rule, failures)
    patients = readings_of(told_by_demo())
    for readings in patients.values():
        before, after = whole.assess(readings, NOW).answers, broken.assess(readings, NOW).answers
        assert after == {**before, rule: CannotTell(missing=("rule-failed",), failed=True)}
    assert failures == [(rule, "ValueError")] * len(patients)


@pytest.mark.parametrize("rule", [rule.id for rule in rulebook().rules])
def test_a_rule_that_raises_leaves_its_open_cards_and_the_others_open_theirs(rule: str) -> None:
    history, broken = told_by_demo(), with_broken(rule, [])
    opened = cards_of(history, journey())
    others = {where: card for where, card in opened.items() if where[1] != rule}
    assert cards_of(history, broken) == others
    for patient, readings in readings_of(history).items():
        known = [card for where, card in opened.items() if where[0] == patient]
        assert broken.changes(broken.assess(readings, NOW), known, patient, {}) == []
