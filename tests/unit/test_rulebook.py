"""The rulebook: what it holds, what it refuses, and how its rules are asked.

The files are small ones of the test; the shipped book has one test, that it loads.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from tests.support.cases import MAPPINGS, facts_of
from tests.support.rulebooks import MODULE, RULE, SmallBook, small as small  # noqa: PLC0414

from cryovigil.errors import RulebookInvalid, SettingsInvalid
from cryovigil.rules import CannotTell, Fired
from cryovigil.rules.book import defects, load_rulebook
from cryovigil.rules.needs import Need, need, union
from cryovigil.rules.spans import Span, span
from cryovigil.rules.templates import template


def test_the_shipped_rulebook_holds_together() -> None:
    assert defects(MAPPINGS) == ()
    assert [rule.id for rule in load_rulebook(MAPPINGS).rules] == [
        "cryovas-likely",
        "hcv-search",
        "post-svr-lymphoma-search",
        "renal-involvement",
    ]


def test_a_rule_is_its_file_and_the_module_of_its_name(small: SmallBook) -> None:
    (rule,) = small.load().rules
    assert rule.id == "small-rule"
    assert rule.indicators == ("info",)
    assert rule.expiry == Span(days=30)
    assert "more than the file says" in rule.logic
    assert rule.needs == {
        "cryoglobulin quantity": Need(whole=True),
        "purpura": Need(whole=False, days=30),
    }


def test_a_number_is_the_one_in_force_on_the_day(small: SmallBook) -> None:
    (rule,) = small.load().rules
    found = [rule.parameters_on(date(2019, 12, 31)), rule.parameters_on(date(2020, 1, 1))]
    assert found == [{"enough": 0.04}, {"enough": 0.05}]


def test_before_its_history_begins_the_oldest_number_is_in_force(small: SmallBook) -> None:
    (rule,) = small.load().rules
    assert rule.parameters_on(date(2016, 12, 31)) == {"enough": 0.04}


def test_facts_get_their_numbers_and_lists_by_module(small: SmallBook) -> None:
    small.edit("parameters:", "concepts: {renal: [purpura]}\nparameters:", "facts/results")
    book = small.load()
    assert book.parameters_on(date(2026, 1, 1)) == {"results": {"future_tolerance": 10}}
    assert book.concepts == {"results": {"renal": ("purpura",)}}


def test_the_person_and_what_counts_as_a_needed_concept_are_needed_too(small: SmallBook) -> None:
    # Age, death and a wish for no cards decide over every card.
    assert small.load().needs == {
        "cryoglobulin quantity": Need(whole=True),
        "palpable purpura": Need(whole=False, days=30),
        "patient": Need(whole=True),
        "purpura": Need(whole=False, days=30),
    }


def test_the_needs_of_all_rules_are_met_together() -> None:
    first = {"creatinine": Need(whole=False, days=30), "hcv rna": Need(whole=False)}
    second = {"creatinine": Need(whole=False, days=365), "hcv rna": Need(whole=True)}
    assert union([first, second]) == {
        "creatinine": Need(whole=False, days=365),
        "hcv rna": Need(whole=True),
    }


def second_rule(small: SmallBook) -> None:
    small.write(RULE.replace("id: small-rule", "id: other-rule"), "rules/other-rule")
    small.program(MODULE.replace('ID = "small-rule"', 'ID = "other-rule"'), "other_rule")


def test_rules_stand_in_the_order_of_their_ids(small: SmallBook) -> None:
    second_rule(small)
    assert [rule.id for rule in small.load().rules] == ["other-rule", "small-rule"]


def test_a_rule_that_is_switched_off_is_left_out_with_its_needs(small: SmallBook) -> None:
    second_rule(small)
    small.edit("purpura: 30 d", "purpura: 60 d", "rules/other-rule")
    book = small.load("other-rule")
    assert [rule.id for rule in book.rules] == ["small-rule"]
    assert book.needs["purpura"] == Need(whole=False, days=30)


def test_a_rule_that_does_not_exist_cannot_be_switched_off(small: SmallBook) -> None:
    with pytest.raises(SettingsInvalid, match=r"RULES__DISABLED: .* none of: small-rule$"):
        small.load("smal-rule")


# Digests: a site signs a rule's file and module, and nothing else.


def digests(small: SmallBook) -> tuple[str, str, str]:
    book = small.load()
    return book.rules[0].digest, book.engine_digest, book.digest


def test_a_digest_is_sha256_in_hex(small: SmallBook) -> None:
    for digest in digests(small):
        assert digest.startswith("sha256:")
        assert len(bytes.fromhex(digest.removeprefix("sha256:"))) == 32


@pytest.mark.parametrize("changed", ["file", "module"])
def test_a_rule_file_or_module_that_changes_changes_what_is_signed(
    small: SmallBook, changed: str
) -> None:
    rule, engine, book = digests(small)
    if changed == "file":
        small.edit("A small rule", "A smaller rule")
    else:
        small.program(MODULE + "\n# changed\n")
    after = digests(small)
    assert after[0] != rule
    assert after[1] == engine
    assert after[2] != book


def test_a_fact_file_that_changes_changes_the_engine_and_no_signature(small: SmallBook) -> None:
    rule, engine, book = digests(small)
    small.edit("2017-01-01: 10", "2017-01-01: 11", "facts/results")
    after = digests(small)
    assert after[0] == rule
    assert after[1] != engine
    assert after[2] != book


# What is refused, in one line that names file and field.

REFUSED = [
    ("id: small-rule", "id: other", "id: 'other' is not the name of the file, in kebab case"),
    ("expiry: 30 d", "expiry: 30 d\nexpires: 1 d", "Object contains unknown field `expires`"),
    ("expiry: 30 d", "expiry: 30 d\nexpiry: 1 d", "line 31: duplicate key"),
    ("expiry: 30 d", "", "Object missing required field `expiry`"),
    (
        '    citation: {reference: guideline, place: "Section 2", quote: "more than 0.05"}\n',
        "",
        "parameters.enough: Object missing required field `citation`",
    ),
    (
        "citation: {reference: guideline",
        "citation: {reference: gideline",
        "parameters.enough.citation: 'gideline' is not among the references",
    ),
    (
        'citation: {reference: guideline, place: "Section 2", quote: "more than 0.05"}',
        "citation: {reference: design, place: Amount}",
        "parameters.enough.citation.reason: a choice of ours gives one",
    ),
    (
        ', link: "https://example.org/guideline"',
        "",
        "references.guideline: neither a link nor journal and year",
    ),
    (
        'link: "https://example.org/guideline"',
        "journal: A Journal, year: 2017",
        "card.source: 'guideline' has no link for the card to show",
    ),
    ("https://example", "http://example", "references.guideline.link: not https"),
    ("  enough:", "  enouh:", "parameters.enouh: nothing reads it"),
    ("  enough:", "  enouh:", "parameters.enough: the module reads it, the file lacks it"),
    (
        "checked: 2026-11-25",
        "checked: 2016-11-25",
        "parameters.enough.values: none was in force when it was checked",
    ),
    (
        "checked: 2026-11-25",
        "checked: 2019-11-25",
        "parameters.enough.checked: before the youngest value",
    ),
    (
        "{2017-01-01: 0.04, 2020-01-01: 0.05}",
        "{}",
        "parameters.enough.values: empty",
    ),
    ("unit: g/L", 'unit: ""', "parameters.enough.unit: empty, 1 where there is none"),
    ('"**Sign** {sign}"', '"{sign} **sign**"', "card.detail.en.1: begins with a figure"),
    ('"**Sign** {sign}"', '"[on {day}: ][{sign}]"', "card.detail.en.1: begins with a figure"),
    # Nothing is greater than NaN: the criterion would never be met, and nobody would know.
    ("2020-01-01: 0.05", "2020-01-01: .nan", "parameters.enough.values: a number is not finite"),
    ("2020-01-01: 0.05", "2020-01-01: .inf", "parameters.enough.values: a number is not finite"),
    ('place: "Section 2"', 'place: " "', "parameters.enough.citation.place: empty"),
    ('title: "A guideline, 2017"', 'title: ""', "references.guideline.title: empty"),
    ('label: "Guideline 2017, section 2"', 'label: " "', "card.source.label: empty"),
    ("title: A small rule", 'title: ""', "title: empty"),
    ("purpura: 30 d", "purpur: 30 d", "needs: 'purpur' is not in concepts.yaml"),
    (
        "purpura: 30 d",
        "purpura: 30",
        "needs: Expected `str`, got `int`",
    ),
    (
        "purpura: 30 d",
        "purpura: 1 mo",
        "needs.purpura: '1 mo' is neither all, latest nor a number of days such as 365 d",
    ),
    (
        "{cryoglobulin quantity: all, purpura: 30 d}",
        "{}",
        "needs: empty, so that the rule would be asked without any data",
    ),
    ("hooks: [event, patient-view]", "hooks: []", "hooks: a rule is asked by one at least"),
    ("[event, patient-view]", "[event, order-view]", "hooks.1: Invalid enum value 'order-view'"),
    (
        "expiry: 30 d",
        "expiry: 30",
        "expiry: Expected `str`, got `int`",
    ),
    (
        "expiry: 30 d",
        "expiry: 30 days",
        "expiry: '30 days' is no length of time such as 24 h, 90 d or 6 mo",
    ),
    ("critical: 24 h", "critical: 25 h", "snooze.critical: at most 24 h"),
    ("critical: 24 h", "critical: 2 d", "snooze.critical: at most 24 h"),
    (
        "override_reasons: [cds-not-applicable, patient-refuses]",
        "override_reasons: []",
        "override_reasons: a clinician must be able to say why not",
    ),
    ("{sign}", "{sgn}", "card.detail.en.1: no figure of the rule is called {sgn}"),
    (
        "{sign}",
        "{sign",
        "card.detail.en.1: { is no placeholder: lower case, digits and _ in braces",
    ),
    ("[ on {day}]", "[ on {day}", "card.summary.en: [ without a ]"),
    (
        "[ on {day}]",
        "[ today]",
        "card.summary.en: a bracket without a placeholder is never left out",
    ),
    (
        "kind-two: {en: of the second kind}",
        "kid-two: {en: of the second kind}",
        "words: the module never shows 'kid-two'",
    ),
    (
        "kind-two: {en: of the second kind}",
        "kind-two: {fr: du second type}",
        "words.kind-two: not in the languages of the summary",
    ),
]


@pytest.mark.parametrize(("old", "new", "line"), REFUSED)
def test_a_rule_file_is_refused_in_one_line(
    small: SmallBook, old: str, new: str, line: str
) -> None:
    small.edit(old, new)
    found = small.defects()
    assert f"small-rule.yaml: {line}" in found
    with pytest.raises(RulebookInvalid) as refused:
        small.load()
    assert str(refused.value) in found
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("length", "refused"), [(139, False), (140, True)])
def test_a_summary_is_shorter_than_140_characters(
    small: SmallBook, length: int, refused: bool
) -> None:
    # CDS Hooks 2.0: summary "<140 characters".
    small.edit("Enough found: {amount}[ on {day}]", "x" * length)
    line = "small-rule.yaml: card.summary.en: 140 characters, at most 139"
    assert (line in small.defects()) is refused


def test_a_summary_that_no_word_of_the_rule_chooses_is_refused(small: SmallBook) -> None:
    small.edit('"Enough found: {amount}[ on {day}]"', '{kind-three: "Three", tow: "Two"}')
    # The module builds kind-..., so that the first of them may be chosen.
    assert small.defects() == ["small-rule.yaml: words: the module never shows 'tow'"]


def test_a_word_without_a_text_is_refused(small: SmallBook) -> None:
    small.program(MODULE.replace('Word(f"kind-{facts}")', 'Word("kind-one" if p else "knd-two")'))
    assert (
        "small-rule.yaml: words: the module shows 'knd-two', which has no text" in small.defects()
    )


def test_words_that_only_the_running_rule_knows_are_not_held_against_the_file(
    small: SmallBook,
) -> None:
    small.edit("kind-two:", "likely:")
    assert small.defects() == ["small-rule.yaml: words: the module never shows 'likely'"]
    small.program(MODULE.replace('"day": None', '"day": Word(facts.level)'))
    assert small.defects() == []


def test_a_word_key_of_an_unknown_language_is_refused_where_it_stands(small: SmallBook) -> None:
    # A comma in a flow mapping begins a new key: {en: of the, second: null}.
    small.edit("{en: of the second kind}", "{en: of the, second kind}")
    assert small.defects() == ["small-rule.yaml: words: Invalid enum value 'second kind'"]


def test_a_rule_file_without_a_module_is_refused(small: SmallBook) -> None:
    small.write(RULE.replace("id: small-rule", "id: lone-rule"), "rules/lone-rule")
    line = "lone-rule.yaml: no module rules/lone_rule.py with an ID"
    assert small.defects() == [line]


def test_a_rule_module_without_a_file_is_refused(small: SmallBook) -> None:
    small.program(MODULE.replace('"small-rule"', '"lone-rule"'), "lone_rule")
    assert small.defects() == ["lone-rule.yaml: missing, rules/lone_rule.py has no file"]


def test_a_module_that_is_no_rule_needs_no_file(small: SmallBook) -> None:
    small.program('"""What two rules share."""\n', "shared")
    assert small.defects() == []


def test_a_module_that_calls_itself_otherwise_is_refused(small: SmallBook) -> None:
    small.program(MODULE.replace('ID = "small-rule"', 'ID = "tall-rule"'))
    with pytest.raises(RulebookInvalid, match="calls itself 'tall-rule'"):
        small.load()


FACTS_REFUSED = [
    ("future_tolerance:", "futur_tolerance:", "parameters.futur_tolerance: nothing reads it"),
    (", reason: clocks differ by minutes", "", "a choice of ours gives one"),
    ("parameters:", "concepts: {renal: [prupura]}\nparameters:", "'prupura' is not in concepts"),
    ("parameters:", "concepts: {renl: [purpura]}\nparameters:", "concepts.renl: no fact reads it"),
    ("title: Results in general", "titel: Results in general", "unknown field `titel`"),
]


@pytest.mark.parametrize(("old", "new", "part"), FACTS_REFUSED)
def test_a_fact_file_is_refused_like_a_rule_file(
    small: SmallBook, old: str, new: str, part: str
) -> None:
    small.edit(old, new, "facts/results")
    (line,) = small.defects()
    assert line.startswith("facts/results.yaml: ")
    assert part in line


def test_a_fact_file_without_a_module_is_refused(small: SmallBook) -> None:
    small.write("title: Liver", "facts/liver")
    assert small.defects() == ["facts/liver.yaml: no module of this name in facts"]


def test_every_defect_is_told_not_the_first_alone(small: SmallBook) -> None:
    small.edit("purpura: 30 d", "purpur: 30 d")
    small.edit("future_tolerance:", "futur_tolerance:", "facts/results")
    small.write("id: [", "rules/torn")
    assert [line.split(":")[0] for line in small.defects()] == [
        "torn.yaml",
        "facts/results.yaml",
        "small-rule.yaml",
    ]


# Asking.


def test_a_rule_is_asked_with_the_numbers_of_the_day(small: SmallBook) -> None:
    book = small.load()
    answer = book.ask(book.rules[0], facts_of([], as_of="2019-06-01"))
    assert isinstance(answer, Fired)
    assert answer.figures["amount"] == 0.04


def test_a_rule_that_raises_cannot_tell_and_nothing_of_its_message_leaves(small: SmallBook) -> None:
    small.edit("2020-01-01: 0.05", "2020-01-01: -1")
    book = small.load()
    failures: list[tuple[str, str]] = []
    answer: Any = book.ask(
        book.rules[0], facts_of([]), on_failure=lambda rule, error: failures.append((rule, error))
    )
    assert answer == CannotTell(missing=("rule-failed",), failed=True)
    assert failures == [("small-rule", "ValueError")]


# The small languages of the files.


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("24 h", datetime(2026, 2, 1, 8, tzinfo=UTC)),
        ("30 d", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        # The 31st of February is its last day.
        ("1 mo", datetime(2026, 2, 28, 8, tzinfo=UTC)),
    ],
)
def test_a_length_of_time_is_hours_days_or_calendar_months(text: str, after: datetime) -> None:
    assert span(text).after(datetime(2026, 1, 31, 8, tzinfo=UTC)) == after


@pytest.mark.parametrize("text", ["", "0 d", "-1 d", "30d", "30", "1 y", "1.5 d", " 30 d"])
def test_anything_else_is_no_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="no length of time"):
        span(text)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("all", Need(whole=True)),
        ("latest", Need(whole=False)),
        ("365 d", Need(whole=False, days=365)),
    ],
)
def test_a_need_is_all_the_latest_or_a_number_of_days(text: str, known: Need) -> None:
    assert need(text) == known


@pytest.mark.parametrize(
    ("text", "figures", "line"),
    [
        ("{a}, {b}", {"a": "1", "b": "2"}, "1, 2"),
        ("{a}, {b}", {"a": "1"}, None),
        ("{a}[, {b}]", {"a": "1", "b": "2"}, "1, 2"),
        ("{a}[, {b}]", {"a": "1"}, "1"),
        ("{a}[, {b} of {c}]", {"a": "1", "b": "2"}, "1"),
        ("[{a} ]and[ {b}]", {}, "and"),
        ("no figure", {}, "no figure"),
    ],
)
def test_a_line_or_bracket_without_its_figure_is_left_out(
    text: str, figures: dict[str, str], line: str | None
) -> None:
    assert template(text).fill(figures.get) == line


@pytest.mark.parametrize("text", ["{A}", "{}", "{a", "a}", "[[{a}]]", "{a}]", "[{a}", "[a]"])
def test_a_template_with_a_slip_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"placeholder|bracket|\["):
        template(text)
