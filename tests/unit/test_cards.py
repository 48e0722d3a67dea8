"""Cards: CDS Hooks 2.0 members, the basis, the lines, and text of the record made harmless."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from tests.support.cases import readings_of
from tests.support.rulebooks import SmallBook, small as small  # noqa: PLC0414

from cryovigil.cards import CardContext, card
from cryovigil.cards.figures import number_text
from cryovigil.cards.record_text import cut, markdown, plain
from cryovigil.normalize.readings import AnyReading, Result, When
from cryovigil.rules import Figure, Fired, Measured, Since, Word

ENGINE = "sha256:" + "0" * 64
UUID = "0c0d5ee1-0000-8000-8000-000000000001"
AS_OF = datetime(2026, 1, 31, 11, tzinfo=UTC)
CONTEXT = CardContext(
    uuid=UUID, as_of=AS_OF, evidence_url="https://cryovigil.example/cards/1", approved=True
)


def fired(*evidence: AnyReading, missing: tuple[str, ...] = (), **figures: Figure) -> Fired:
    return Fired(
        indicator="warning",
        criteria=("enough", "still"),
        evidence=evidence,
        missing=missing,
        figures={"amount": 0.12, **figures},
    )


def made(small: SmallBook, answer: Fired, language: str = "en", **more: Any) -> dict[str, Any]:
    (rule,) = small.load().rules
    return card(rule, answer, msgspec.structs.replace(CONTEXT, **more), ENGINE, language)


def results(*forms: Mapping[str, Any]) -> list[AnyReading]:
    return readings_of(forms)[:-1]


def basis_of(small: SmallBook, answer: Fired, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = made(small, answer, **more)["extension"]["org.cryovigil.basis"]
    return found


QUANTITY = {"concept": "cryoglobulin quantity", "on": "2026-01-10", "value": 0.12}


def test_a_card_has_the_members_of_cds_hooks(small: SmallBook) -> None:
    found = made(small, fired(day=date(2026, 1, 10)))
    assert found["uuid"] == UUID
    assert found["summary"] == "Enough found: 0.12 on 2026-01-10"
    assert found["indicator"] == "warning"
    assert found["source"] == {
        "label": "Guideline 2017, section 2",
        "url": "https://example.org/guideline",
        "topic": {
            "system": "urn:cryovigil:rules",
            "code": "small-rule",
            "display": "A small rule",
        },
    }
    assert found["links"] == [
        {"label": "Evidence", "url": "https://cryovigil.example/cards/1", "type": "absolute"}
    ]


def test_every_override_reason_is_a_coding_with_a_display(small: SmallBook) -> None:
    reasons = made(small, fired())["overrideReasons"]
    assert [reason["code"] for reason in reasons] == ["cds-not-applicable", "patient-refuses"]
    for reason in reasons:
        assert reason["system"] == (
            "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
        )
        assert reason["display"]


def test_a_card_without_a_service_behind_it_has_no_link(small: SmallBook) -> None:
    assert "links" not in made(small, fired(), evidence_url=None)


# Basis.


def test_the_basis_says_what_the_card_rests_on(small: SmallBook) -> None:
    (rule,) = small.load().rules
    found = basis_of(small, fired(*results(QUANTITY), missing=("hcv rna",)))
    assert found == {
        "rule": "small-rule",
        "ruleDigest": rule.digest,
        "engineDigest": ENGINE,
        "criteria": ["enough", "still"],
        "evidence": [
            {
                "reference": "Observation/01",
                "version": "1",
                "date": "2026-01-10",
                "value": 0.12,
                "unit": "g/L",
            }
        ],
        "missing": ["hcv rna"],
        "citations": [
            {
                "title": "A guideline, 2017",
                "link": "https://example.org/guideline",
                "place": "Guideline 2017, section 2",
            },
            {
                "title": "A guideline, 2017",
                "link": "https://example.org/guideline",
                "place": "Section 2",
            },
        ],
        "asOf": "2026-01-31T11:00:00Z",
    }


def test_what_is_empty_is_left_out_of_the_basis(small: SmallBook) -> None:
    found = basis_of(small, fired())
    assert "missing" not in found
    assert "evidence" not in found


def test_the_instant_is_in_utc_whatever_zone_it_came_in(small: SmallBook) -> None:
    paris = AS_OF.astimezone(timezone(timedelta(hours=1)))
    assert basis_of(small, fired(), as_of=paris)["asOf"] == "2026-01-31T11:00:00Z"


@pytest.mark.parametrize(
    ("form", "members"),
    [
        ({"value": 800000}, {"value": 800000, "unit": "[IU]/mL"}),
        ({"value": 0}, {"value": 0, "unit": "[IU]/mL"}),
        ({"value": 0.1 + 0.2}, {"value": 0.3, "unit": "[IU]/mL"}),
        ({"value": 15, "comparator": "<"}, {"value": "<15", "unit": "[IU]/mL"}),
        ({"word": "not-detected"}, {"value": "not-detected"}),
        ({"problem": "unit-unknown"}, {}),
    ],
)
def test_evidence_says_its_value_as_a_number_or_its_word(
    small: SmallBook, form: dict[str, Any], members: dict[str, Any]
) -> None:
    reading = results({"concept": "hcv rna", "on": "2026-01-10", **form})
    (item,) = basis_of(small, fired(*reading))["evidence"]
    known = {"reference": "Observation/01", "version": "1", "date": "2026-01-10"}
    assert item == known | members


def test_a_whole_number_is_written_without_a_fraction(small: SmallBook) -> None:
    reading = results({"concept": "hcv rna", "on": "2026-01-10", "value": 800000})
    text = msgspec.json.encode(made(small, fired(*reading)))
    assert b'"value":800000,' in text


@pytest.mark.parametrize(
    ("onset", "written"), [("2010", "2010"), ("2017-12", "2017-12"), ("2017-12-05", "2017-12-05")]
)
def test_a_date_is_as_exact_as_it_is_known(small: SmallBook, onset: str, written: str) -> None:
    reading = results({"condition": "purpura", "onset": onset})
    (item,) = basis_of(small, fired(*reading))["evidence"]
    assert item["date"] == written


def test_evidence_in_any_order_and_with_repeats_gives_equal_bytes(small: SmallBook) -> None:
    readings = results(QUANTITY, QUANTITY | {"on": "2026-01-20"}, {"condition": "purpura"})
    written = {
        msgspec.json.encode(made(small, fired(*order, readings[0])))
        for order in itertools.permutations(readings)
    }
    assert len(written) == 1


def test_no_member_is_null_or_empty(small: SmallBook) -> None:
    readings = results({"condition": "purpura", "version": ""}, {"concept": "hcv rna", "on": None})
    text = msgspec.json.encode(made(small, fired(*readings, sign=None), evidence_url=None))
    for empty in (b"null", b'""', b"[]", b"{}"):
        assert empty not in text


# Lines.


def lines(small: SmallBook, answer: Fired, **more: Any) -> list[str]:
    return str(made(small, answer, **more)["detail"]).split("\n")


def test_a_line_is_an_item_of_a_list(small: SmallBook) -> None:
    answer = fired(kind=Word("kind-one"), day=date(2026, 1, 10), sign="purpura")
    assert lines(small, answer) == [
        "- **Found** of the first kind, **0.12**, 2026-01-10",
        "- **Sign** purpura",
    ]


def test_a_line_or_bracket_with_nothing_to_say_is_left_out(small: SmallBook) -> None:
    assert lines(small, fired()) == ["- **Found** **0.12**"]


def test_a_word_that_the_file_does_not_have_says_nothing(small: SmallBook) -> None:
    assert lines(small, fired(kind=Word("kind-three"))) == ["- **Found** **0.12**"]


def test_pregnancy_is_the_first_line(small: SmallBook) -> None:
    assert lines(small, fired(), pregnant=True)[0].startswith("- **Pregnancy** on record")


def test_what_limits_the_card_is_said_last(small: SmallBook) -> None:
    found = lines(small, fired(), incomplete=("unreadable-event",), age_known=False, approved=False)
    assert found[1:] == [
        "- Some of this patient's data could not be read: this card may be incomplete",
        "- Age unknown: read as an adult",
        "- This rule is not locally approved",
    ]


def test_of_several_summaries_the_answer_chooses(small: SmallBook) -> None:
    small.edit('"Enough found: {amount}[ on {day}]"', '{kind-one: "One", kind-three: "Three"}')
    assert made(small, fired(summary=Word("kind-three")))["summary"] == "Three"


def test_the_title_stands_in_for_a_summary_without_its_figure(small: SmallBook) -> None:
    assert made(small, fired(amount=None))["summary"] == "A small rule"


@pytest.mark.parametrize(("letters", "length"), [(125, 139), (126, 139)])
def test_a_summary_never_has_140_characters(small: SmallBook, letters: int, length: int) -> None:
    # "Enough found: " has 14 characters: 125 more are 139, 126 more are 140.
    small.edit("Enough found: {amount}", "Enough found: {amount}{sign}")
    found = made(small, fired(amount="a" * 100, sign="b" * (letters - 100)))["summary"]
    assert len(found) == length
    assert found.endswith("…") is (letters > 125)


def test_a_language_that_the_file_lacks_is_answered_in_english(small: SmallBook) -> None:
    answer = fired()
    assert made(small, answer, language="fr") == made(small, answer, language="en")


def test_a_language_that_the_file_has_is_used_throughout(small: SmallBook) -> None:
    small.edit("summary: {en:", 'summary: {fr: "Trouvé : {amount}", en:')
    small.edit("  detail:\n", '  detail:\n    fr: ["Dose {amount}"]\n')
    small.edit("{en: of the first kind}", "{en: of the first kind, fr: un}")
    small.edit("{en: of the second kind}", "{en: of the second kind, fr: deux}")
    found = made(small, fired(), language="fr", approved=False)
    assert found["summary"] == "Trouvé : 0.12"
    assert found["detail"] == "- Dose 0.12\n- Règle non approuvée localement"


# Figures.

DAY = When(date(2026, 1, 10), date(2026, 1, 10))
MONTH = When(date(2026, 1, 1), date(2026, 1, 31))
YEAR = When(date(2026, 1, 1), date(2026, 12, 31))


def quantity(**more: Any) -> Result:
    (reading,) = results(QUANTITY | more)
    assert isinstance(reading, Result)
    return reading


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (0.12, "0.12"),
        (800000.0, "800000"),
        (1e15, "1000000000000000"),
        (5, "5"),
        (date(2026, 1, 10), "2026-01-10"),
        (("purpura", None, date(2026, 1, 10)), "purpura, 2026-01-10"),
        (quantity(shown="120 mg/L"), "120 mg/L"),
        (quantity(shown="<50 mg/L"), "<50 mg/L"),
        (quantity(shown=""), "0.12 g/L"),
        (Measured(quantity()), "0.12 g/L (2026-01-10)"),
        (Measured(quantity(shown_range="<0.05 g/L")), "0.12 g/L (range <0.05 g/L, 2026-01-10)"),
        (Measured(quantity(on="2026")), "0.12 g/L (2026)"),
        (Measured(quantity(on=None)), "0.12 g/L"),
        (DAY, "2026-01-10"),
        (MONTH, "2026-01"),
        (YEAR, "2026"),
        (Since("since", YEAR), "since 2026"),
        (Since("recorded", DAY), "(recorded 2026-01-10)"),
        (Since("last-updated", DAY), "(last updated 2026-01-10)"),
        (Since("seen", DAY), "(seen 2026-01-10)"),
        (Since("last-updated", None), "(date unknown)"),
    ],
)
def test_a_figure_reads_as_a_clinician_writes_it(
    small: SmallBook, figure: Figure, text: str
) -> None:
    assert lines(small, fired(amount=figure)) == [f"- **Found** **{text}**"]


def test_the_range_of_a_record_does_nothing_either(small: SmallBook) -> None:
    found = lines(small, fired(amount=Measured(quantity(shown_range="<b>x</b>"))))
    assert found == ["- **Found** **0.12 g/L (range &lt;b&gt;x&lt;/b&gt;, 2026-01-10)**"]


@pytest.mark.parametrize("figure", [None, "", (), (None,), "\u200b"])
def test_a_figure_that_says_nothing_leaves_its_line_out(small: SmallBook, figure: Figure) -> None:
    assert lines(small, fired(sign=figure)) == ["- **Found** **0.12**"]


@pytest.mark.parametrize(("number", "text"), [(0.0, "0"), (1e-7, "0.0000001"), (-2.5, "-2.5")])
def test_a_number_has_no_exponent(number: float, text: str) -> None:
    assert number_text(number) == text


# Text of the record.


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("<img src=x onerror=a>", "&lt;img src=x onerror=a&gt;"),
        ("<!-- -->", "&lt;!-- --&gt;"),
        ("[x](javascript:a)", "\\[x\\](javascript:a)"),
        ("![](https://evil/?p=)", "!\\[\\](https\\://evil/?p=)"),
        ("https://evil.example", "https\\://evil.example"),
        ("WWW.evil.example", "WWW\\.evil.example"),
        ("see a.b@evil.example", "see a.b @ evil.example"),
        ("mailto:x@evil.example", "mailto:x @ evil.example"),
        ("a | b", "a \\| b"),
        ("`a`", "\\`a\\`"),
        ("**a** _b_ ~c~", "\\*\\*a\\*\\* \\_b\\_ \\~c\\~"),
        ("&lt;script&gt;", "&amp;lt;script&amp;gt;"),
        ("\\[x]", "\\\\\\[x\\]"),
        ("]]>", "\\]\\]&gt;"),
        ("$$x$$", "\\$\\$x\\$\\$"),
    ],
)
def test_markup_of_a_record_is_shown_and_does_nothing(text: str, harmless: str) -> None:
    assert markdown(text) == harmless


@pytest.mark.parametrize(
    "text",
    [
        "<15 IU/mL",
        "< 0,05 g/L",
        ">= 200 mg/L",
        "1+",
        "AT & T",
        "08:00",
        "37 °C",
        "2 @ 37 °C",
        "µmol/L",
        "{{7*7}}",
    ],
)
def test_what_a_result_honestly_holds_stays_readable(text: str) -> None:
    assert markdown(text).replace("\\", "") == text
    assert plain(text) == text


def test_a_summary_holds_no_tag(small: SmallBook) -> None:
    found = made(small, fired(amount="<b>bold</b> [x](y)"))["summary"]
    assert "<" not in found
    assert found == "Enough found: \u2039b\u203abold\u2039/b\u203a [x](y)"


@pytest.mark.parametrize("harmless", [markdown, plain])
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\r\nb\tc", "a b c"),
        ("a\x00\x1b[31mb".replace("[", ""), "a31mb"),
        ("a\u202eb\u2066c", "abc"),
        ("a\u200bb\ufeffc\u00adc", "abcc"),
        ("a\u2028b\u2029c", "a b c"),
        ("a" + "\u0301" * 50 + "b", "á\u0301\u0301b"),
        ("a\ue000b", "ab"),
        ("'; DROP TABLE x; --", "'; DROP TABLE x; --"),
        ("%s", "%s"),
    ],
)
def test_characters_that_hide_or_turn_text_are_dropped(harmless: Any, text: str, kept: str) -> None:
    assert harmless(text) == kept


def test_a_name_without_end_is_cut(small: SmallBook) -> None:
    found = lines(small, fired(sign="n" * 10_000))[1]
    assert found == f"- **Sign** {'n' * 119}…"


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("abcd", 4, "abcd"),
        ("abcde", 4, "abc…"),
        # A letter and its mark are cut together, as are a hand and the color of its skin.
        ("abe\u0301\u0302de", 5, "ab…"),
        ("ab\U0001f44b\U0001f3fdcd", 4, "ab…"),
        ("ab   cdef", 6, "ab…"),
    ],
)
def test_a_text_is_cut_between_letters(text: str, limit: int, kept: str) -> None:
    assert cut(text, limit) == kept


def test_a_card_is_json_whatever_the_record_holds(small: SmallBook) -> None:
    hostile = "\ud800<script>\x00\u202e" + "\u0301" * 500
    text = msgspec.json.encode(made(small, fired(amount=hostile, sign=hostile)))
    assert json.loads(text)["indicator"] == "warning"
