"""The synthetic patients, what is sent of each, and the cards that an EHR must then hold.

The expected cards are derived by hand from the rules; `why` says how. `history` is sent first, in
order. `later` follows once the EHR has what `history` alone must bring. What settles a question
(hepatitis C, a diagnosis that explains a finding) is sent before what raises it, so that no card
comes and goes on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal, TypeAlias

from msgspec import Struct

from cryovigil.demo.resources import Chart, Resource, report

CardState: TypeAlias = Literal["open", "retracted"]


class Expected(Struct, frozen=True):
    """A card an EHR must hold at the end.

    comes_with: which part of the story opens it; updated: the later part must bring an update.
    """

    rule: str
    indicator: str
    state: CardState = "open"
    comes_with: Literal["history", "later"] = "history"
    updated: bool = False


class Story(Struct, frozen=True, kw_only=True):
    """One patient. title and why: for the page; history, later: what is sent, in this order."""

    patient: str
    title: str
    why: str
    history: tuple[Resource, ...]
    later: tuple[Resource, ...] = ()
    cards: tuple[Expected, ...] = ()


def stories(today: date, prefix: str = "demo") -> tuple[Story, ...]:
    """All patients, with ids that begin with `prefix`."""
    makers = (
        _full_triad,
        _corrected,
        _cured_elsewhere,
        _purpura_after_cure,
        _kidney,
        _entered_in_error,
        _lupus,
        _viremic_again,
        _second_determination,
    )
    return tuple(
        make(Chart(f"{prefix}-{number}", today)) for number, make in enumerate(makers, start=1)
    )


def _full_triad(chart: Chart) -> Story:
    return Story(
        patient=chart.patient,
        title="Purpura, low C4, cryoglobulin type II",
        why=(
            "Sign, low C4 and two positives 90 days apart (at least 84): likely. The antibody is "
            "positive and no RNA is known: the search for HCV asks for the RNA."
        ),
        history=(
            chart.person("Adler", 1958),
            chart.result("HCV antibody", "positive", 120),
            chart.condition("D69.2", "Palpable purpura", 20),
            report(
                chart.result("cryoglobulin", 0.62, 100),
                chart.result("cryoglobulin type", "Type II", 100),
            ),
            report(chart.result("C4", 0.05, 10), chart.result("cryoglobulin", 0.80, 10)),
        ),
        cards=(Expected("cryovas-likely", "warning"), Expected("hcv-search", "warning")),
    )


def _corrected(chart: Chart) -> Story:
    return Story(
        patient=chart.patient,
        title="A result that the laboratory corrects",
        why=(
            "0.30 g/L is above 0.05: HCV is to be searched for. Corrected to 0.02 it is a trace, "
            "no positive: the card falls."
        ),
        history=(chart.person("Brandt", 1971), chart.result("cryoglobulin", 0.30, 14)),
        later=(chart.result("cryoglobulin", 0.02, 14, status="corrected", version=2),),
        cards=(Expected("hcv-search", "warning", "retracted"),),
    )


def _cleared(chart: Chart) -> tuple[Resource, ...]:
    """HCV on the list, RNA found and then not found, and no treatment on record here."""
    return (
        chart.condition("B18.2", "Chronic hepatitis C", 2500),
        chart.result("HCV RNA", 820_000, 1500),
        chart.result("HCV RNA presence", "not detected", 1300),
        chart.result("HCV RNA presence", "not detected", 900),
    )


def _cured_elsewhere(chart: Chart) -> Story:
    return Story(
        patient=chart.patient,
        title="Cured elsewhere, cryoglobulin persists",
        why=(
            "First RNA not detected 1300 days ago, so the treatment ended by 1132 days ago (24 "
            "weeks later); not detected since: SVR24. Two mixed positives 340 days apart, the "
            "later more than 24 weeks after the end: search for lymphoma."
        ),
        history=(
            chart.person("Caron", 1955),
            *_cleared(chart),
            report(
                chart.result("cryoglobulin", 0.34, 400),
                chart.result("cryoglobulin type", "Type II", 400),
            ),
            chart.result("cryoglobulin", 0.31, 60),
        ),
        cards=(Expected("post-svr-lymphoma-search", "warning"),),
    )


def _purpura_after_cure(chart: Chart) -> Story:
    return Story(
        patient=chart.patient,
        title="SVR12, and purpura again",
        why=(
            "Treatment ended 146 days ago, RNA not detected 90 days later (at least 84): SVR12. A "
            "positive 96 days after the end and purpura of 20 days: the sign makes it a search."
        ),
        history=(
            chart.person("Duval", 1963),
            chart.antiviral(230, 146),
            chart.condition("B18.2", "Chronic hepatitis C", 900),
            chart.result("HCV RNA", 1_200_000, 240),
            chart.result("HCV RNA presence", "not detected", 56),
            report(
                chart.result("cryoglobulin", 0.12, 50),
                chart.result("cryoglobulin type", "mixed", 50),
            ),
            chart.condition("D69.2", "Palpable purpura", 20),
        ),
        cards=(Expected("post-svr-lymphoma-search", "warning"),),
    )


def _hcv_excluded(chart: Chart) -> Resource:
    """RNA not detected within 12 months: the search for HCV is settled."""
    return report(
        chart.result("HCV antibody", "negative", 40),
        chart.result("HCV RNA presence", "not detected", 40),
    )


def _kidney(chart: Chart) -> Story:
    return Story(
        patient=chart.patient,
        title="Creatinine rises beside a cryoglobulin",
        why=(
            "80 to 130 umol/L is 1.625 times the baseline (at least 1.5): the kidney. It is below "
            "2 times, so no sign of rapidly progressive failure, and HCV was searched for."
        ),
        history=(
            chart.person("Ebner", 1966),
            _hcv_excluded(chart),
            chart.result("creatinine", 80, 60),
            chart.result("cryoglobulin", 0.40, 30),
        ),
        later=(chart.result("creatinine", 130, 3),),
        cards=(Expected("renal-involvement", "warning", comes_with="later"),),
    )


def _entered_in_error(chart: Chart) -> Story:
    return Story(
        patient=chart.patient,
        title="A result entered in error",
        why="A positive asks for the search for HCV; declared an error, it never was.",
        history=(
            chart.person("Ferri", 1980),
            chart.result("cryoglobulin presence", "positive", 12),
        ),
        later=(
            chart.result(
                "cryoglobulin presence", "positive", 12, status="entered-in-error", version=2
            ),
        ),
        cards=(Expected("hcv-search", "warning", "retracted"),),
    )


def _lupus(chart: Chart) -> Story:
    return Story(
        patient=chart.patient,
        title="Lupus explains the low C4",
        why=(
            "Purpura with low C4 would be strongly suggestive and ask for HCV; lupus explains the "
            "C4, and the cryoglobulin is negative: nothing."
        ),
        history=(
            chart.person("Garnier", 1990),
            chart.condition("M32.9", "Systemic lupus erythematosus", 1200),
            chart.result("cryoglobulin presence", "negative", 20),
            chart.result("C4", 0.06, 10),
            chart.condition("D69.2", "Palpable purpura", 10),
        ),
    )


def _viremic_again(chart: Chart) -> Story:
    return Story(
        patient=chart.patient,
        title="Viremic again",
        why=(
            "The same cryoglobulins as after a cure, but RNA is detected again: no cure, no search "
            "for lymphoma; and HCV is known, so it is not searched for."
        ),
        history=(
            chart.person("Haas", 1961),
            *_cleared(chart),
            chart.result("HCV RNA", 120_000, 70),
            report(
                chart.result("cryoglobulin", 0.34, 400),
                chart.result("cryoglobulin type", "Type II", 400),
            ),
            chart.result("cryoglobulin", 0.31, 60),
        ),
    )


def _second_determination(chart: Chart) -> Story:
    return Story(
        patient=chart.patient,
        title="The second determination",
        why=(
            "Sign, low C4 and one positive: likely, provisionally. The second one, 98 days later "
            "(at least 84), makes it likely: an update. RNA is detected, so HCV is settled."
        ),
        history=(
            chart.person("Imhof", 1957),
            chart.result("HCV RNA", 640_000, 130),
            chart.condition("D69.2", "Palpable purpura", 110),
            report(
                chart.result("C4", 0.05, 100),
                chart.result("cryoglobulin", 0.20, 100),
                chart.result("cryoglobulin type", "Type II", 100),
            ),
        ),
        later=(chart.result("cryoglobulin", 0.25, 2),),
        cards=(Expected("cryovas-likely", "warning", updated=True),),
    )


def rounds(today: date) -> Iterator[tuple[Story, ...]]:
    """The same stories for ever, each round with new patients."""
    number = 0
    while True:
        number += 1
        yield stories(today, f"demo-{number}")
