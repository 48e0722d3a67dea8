"""Every case of tests/scenarios: readings at an instant, and what the rule of that name says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.support.cases import (
    MAPPINGS,
    Case,
    concepts,
    counts_as,
    facts_from,
    facts_of,
    read_cases,
    readings_of,
)

from cryovigil.cards import CardContext, card
from cryovigil.facts import Facts
from cryovigil.normalize.readings import AnyReading, Person, Result
from cryovigil.normalize.times import microseconds
from cryovigil.rules import Answer, CannotTell, Fired, Quiet, Word, post_svr_lymphoma_search
from cryovigil.rules.book import BookRule, Rulebook, load_rulebook
from cryovigil.rules.needs import Need, with_specific
from cryovigil.timeline import Timeline

SCENARIOS = MAPPINGS.parent / "tests" / "scenarios"
FILES = sorted(SCENARIOS.glob("*.yaml"))
CASES = [
    pytest.param(file.stem, case, id=f"{file.stem}: {case.name}")
    for file in FILES
    for case in read_cases(file)
]
KINDS = {Fired: "fired", Quiet: "quiet", CannotTell: "cannot-tell"}
# More instants than any answer waits for: a walk that passes them goes nowhere.
MOST_STEPS = 40

each_case = pytest.mark.parametrize(("rule_id", "case"), CASES)


@cache
def book() -> Rulebook:
    return load_rulebook(MAPPINGS)


def rule_of(rule_id: str) -> BookRule:
    return next(rule for rule in book().rules if rule.id == rule_id)


def answer_of(rule: BookRule, facts: Facts) -> Answer:
    """What the rule says. Not through the book: a rule that raises must fail its case."""
    return rule.module.answer(facts, rule.parameters_on(facts.as_of.today))


def advice(answer: Answer) -> tuple[Any, ...]:
    """What a clinician would notice of an answer."""
    if isinstance(answer, Fired):
        return "fired", answer.indicator, answer.criteria, answer.missing
    if isinstance(answer, CannotTell):
        return "cannot-tell", answer.missing
    return ("quiet",)


@each_case
def test_the_rule_answers_as_the_case_says(rule_id: str, case: Case) -> None:
    rule, facts, expect = rule_of(rule_id), case.facts(), case.expect
    answer = answer_of(rule, facts)
    assert KINDS[type(answer)] == expect.answer, answer
    for name in ("indicator", "criteria", "missing", "because"):
        expected = getattr(expect, name)
        if expected is not None:
            said = getattr(answer, name)
            assert (said if isinstance(said, str) else list(said)) == expected
    if expect.changes is not None:
        assert changes_on(rule, case) == expect.changes
    found = assessment(facts)
    assert {name: found.get(name) for name in expect.assessment} == expect.assessment


@each_case
def test_the_card_of_a_case_says_what_it_must(rule_id: str, case: Case) -> None:
    rule, facts = rule_of(rule_id), case.facts()
    answer = answer_of(rule, facts)
    if not isinstance(answer, Fired):
        assert not (case.expect.summary)
        assert not (case.expect.card_has)
        assert not (case.expect.card_lacks)
        return
    made = card(rule, answer, context(facts), book().engine_digest)
    assert list(empty_members(made)) == []
    assert len(made["summary"]) < 140
    assert made["summary"] != rule.file.title
    assert list(wordless(rule, answer)) == []
    if case.expect.summary is not None:
        assert made["summary"] == case.expect.summary
    for text in case.expect.card_has:
        assert text in made["detail"]
    for text in case.expect.card_lacks:
        assert text not in made["detail"]


@each_case
def test_a_rule_file_names_every_concept_its_facts_read(rule_id: str, case: Case) -> None:
    facts = case.facts()
    watched = Watched(facts.timeline)
    facts.timeline = watched
    answer_of(rule_of(rule_id), facts)
    context(facts)  # what every card says of the patient is read as well
    assert sorted(watched.asked - needs_of(rule_id).keys()) == []


@each_case
def test_a_record_cut_to_the_needs_answers_like_the_whole_one(rule_id: str, case: Case) -> None:
    rule, facts = rule_of(rule_id), case.facts()
    whole = readings_of(case.readings, born=case.born, deceased=case.deceased, zone=case.zone)
    now = facts.as_of.instant
    cut = Timeline(within(whole, needs_of(rule_id), now), also=counts_as())
    bounded = facts_from(cut, as_of=now.isoformat(), coverage=facts.coverage, zone=case.zone)
    assert advice(answer_of(rule, bounded)) == advice(answer_of(rule, facts))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_rule_has_cases_of_every_answer(file: Path) -> None:
    cases = read_cases(file)
    assert {case.expect.answer for case in cases} == set(KINDS.values())
    names = [case.name for case in cases]
    assert sorted(set(names)) == sorted(names)


def test_every_rule_has_cases_and_no_cases_lack_a_rule() -> None:
    assert [file.stem for file in FILES] == [rule.id for rule in book().rules]


def test_what_once_established_vasculitis_is_evidence_of_the_search() -> None:
    # "Evidence list with date, value, unit, source resource": a fire by what once stood
    # rests on the sign, C4 and cryoglobulin of 2024, although the sign has gone since.
    forms: list[dict[str, Any]] = [
        {"concept": "hcv rna", "on": "2024-12-01", "value": 800000},
        {
            "treatment": "hcv direct-acting antiviral",
            "form": "statement",
            "start": "2025-01-01",
            "end": "2025-03-26",
        },
        {"concept": "hcv rna", "on": "2025-09-15", "word": "not-detected"},
        {"condition": "skin ulcer", "onset": "2024-11-01", "abated": "2025-02-01"},
        {"concept": "cryoglobulin quantity", "on": "2024-11-05", "value": 0.3},
        {"concept": "complement c4", "on": "2024-11-05", "value": 0.04, "low": 0.1},
        {"concept": "complement c4", "on": "2026-01-05", "value": 0.2, "low": 0.1},
        {"condition": "palpable purpura", "onset": "2026-01-20"},
    ]
    answer = answer_of(rule_of(post_svr_lymphoma_search.ID), facts_of(forms))
    assert isinstance(answer, Fired)
    rested_on = {reading.reference for reading in answer.evidence}
    assert {"Condition/04", "Observation/05", "Observation/06"} <= rested_on


def changes_on(rule: BookRule, case: Case) -> date | None:
    """The local day on which the advice changes when nothing but time passes."""
    facts = case.facts()
    before = advice(answer_of(rule, facts))
    for _ in range(MOST_STEPS):
        if facts.as_of.changes_at is None:
            return None
        facts = case.facts(facts.as_of.changes_at.isoformat())
        if advice(answer_of(rule, facts)) != before:
            return facts.as_of.today
    return None


def assessment(facts: Facts) -> dict[str, Any]:
    """The levels of a patient, under the names that `evaluate` gives them."""
    parameters = rule_of(post_svr_lymphoma_search.ID).parameters_on(facts.as_of.today)
    end = facts.treatment.end
    return {
        "cryovas": facts.cryovas.level,
        "deVita": facts.de_vita.state,
        "svr": facts.svr.state,
        "endOfTreatment": {"date": end.date, "basis": end.basis} if end else None,
        "postSvrLymphoma": post_svr_lymphoma_search.assess(facts, parameters),
    }


def context(facts: Facts) -> CardContext:
    return CardContext(
        uuid="00000000-0000-8000-8000-000000000000",
        as_of=facts.as_of.instant,
        evidence_url="https://cryovigil.example/cards/1",
        incomplete=facts.timeline.incomplete,
        pregnant=facts.patient.pregnant,
        age_known=facts.patient.age_known,
    )


def empty_members(value: Any, place: str = "card") -> Iterator[str]:
    """CDS Hooks 2.0, "Use of JSON": no null, no empty text, list or object."""
    if value is None or value in ("", [], {}):
        yield place
    if isinstance(value, dict):
        for name, member in value.items():
            yield from empty_members(member, f"{place}.{name}")
    if isinstance(value, list):
        for member in value:
            yield from empty_members(member, f"{place}[]")


def wordless(rule: BookRule, fired: Fired) -> Iterator[str]:
    """Words that the answer would show and the rule file does not have."""
    for name, figure in fired.figures.items():
        known = rule.summaries["en"] if name == "summary" else rule.file.words
        if isinstance(figure, Word) and figure.key not in known:
            yield figure.key


def needs_of(rule_id: str) -> Mapping[str, Need]:
    return with_specific(rule_of(rule_id).needs, concepts())


def within(
    readings: Iterable[AnyReading], needs: Mapping[str, Need], now: datetime
) -> list[AnyReading]:
    """What a store gives of a record under these needs, and the patient."""
    by_concept: dict[str, list[AnyReading]] = {}
    for reading in readings:
        by_concept.setdefault(reading.concept, []).append(reading)
    kept: list[AnyReading] = []
    for concept, rows in by_concept.items():
        if isinstance(rows[0], Person):
            kept += rows
        elif concept in needs:
            kept += _within(rows, needs[concept], now)
    return kept


def _within(rows: list[AnyReading], need: Need, now: datetime) -> list[AnyReading]:
    if need.whole:
        return rows
    start = microseconds(now - timedelta(days=need.days)) if need.days else microseconds(now)
    past = [r.at for r in rows if r.at <= microseconds(now)]
    counting = [
        r.at for r in rows if isinstance(r, Result) and r.counts and r.readable and r.at in past
    ]
    latest = {max(past, default=0), max(counting, default=0)}
    return [r for r in rows if r.at in latest or r.at > start]


class Watched(Timeline):
    """A timeline that remembers which concepts it was asked for."""

    __slots__ = ("asked",)

    def __init__(self, seen: Timeline) -> None:
        super().__init__((), incomplete=seen.incomplete)
        self.person = seen.person
        self._by_concept = seen._by_concept
        self.asked: set[str] = set()

    def _of(self, concept: str, kind: Any) -> Any:
        self.asked.add(concept)
        return super()._of(concept, kind)
