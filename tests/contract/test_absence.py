"""A service that was just installed has seen little, and never says that nothing was done.

"Cards never claim that something was never done because this service has not seen it" (invariant
11): outside declared coverage a card says what is not known here, and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from tests.support.desk import Cards, Desk, journey, rulebook, rules_in, slices_of
from tests.support.first_results import first_results
from tests.support.histories import History, seeded
from tests.support.open_stores import AnyStore

from cryovigil.cards import _AGE_UNKNOWN, _INCOMPLETE, _NOT_APPROVED
from cryovigil.facts.coverage import NONE, WHOLE, Coverage

PATIENTS = 1000

_NEGATIONS = re.compile(
    r"\b(no|not|none|never|without|neither|nothing|nobody|negative|absent|lacks?)\b", re.IGNORECASE
)

# What says of a patient that something is not there, or was not done. Fine only where it is known.
CLAIMS = {
    "not met": r"De Vita 2011 not met",
    "no": r"(questionnaire|clinical) no\b",
}

# What negates something, and claims nothing of what this service has not seen.
HONEST = {
    # said as what is known here
    "none known here",
    "none known here in 90 days",
    "no earlier value known here",
    "Creatinine {new}, no earlier value here, cryoglobulin {state}: glomerulonephritis?",
    "**Dialysis** on the problem list {dialysis}, not known to be chronic",
    "HCV infection, without an RNA that settles it here",
    "end of the prescription's validity, no end of treatment is known here",
    "latest possible end of a completed course, its end is not known here",
    "inferred from the first RNA not detected, no end of treatment is known here",
    "HCV RNA now: none is known here since the sign began",
    "cryoglobulin now: none is known here since the cure",
    # said of a result that is there
    "not positive",
    "a cryoglobulin test is preliminary and decides nothing yet",
    "an HCV test is preliminary and decides nothing yet",
    "**Cure** treatment ended by {end} ({basis}); RNA not detected on day {day_n}; last {last_rna}",
    # what follows from an open question, not from a gap in the data
    "Cryoglobulin positive ({day}), HCV not settled: order {order}",
    "Cryoglobulinemic vasculitis known, HCV not settled: order {order}",
    "Cryoglobulinemic vasculitis suspected, HCV not settled: order {order}",
    "Low C4 with {sign}, HCV not settled: order {order}",
    "both are negative",
    "RNA is not detected",
    # about rules, sources and advice
    "the two differ; neither replaces judgment",
    "a laboratory abnormality alone does not justify therapy",
    "where a red flag, a rising level or the time since treatment asks for it; not weighed here",
    "**Limits** lymphoma after cure also occurs without cryoglobulin: no card is no reassurance",
    "**Source** Desbois 2017, 1 and 4; timing from cohorts, no guideline",
    (
        '**Source** Desbois 2017, 2.3: "If HCV infection is not already diagnosed, searching for '
        'HCV is mandatory"'
    ),
    "**Do not wait** for a second cryoglobulin",
    "This rule is not locally approved",
    "Some of this patient's data could not be read: this card may be incomplete",
}


def texts() -> Iterator[str]:
    """Every English text that a card may be made of."""
    for rule in rulebook().rules:
        yield from (text["en"] for text in rule.file.words.values())
        yield from rule.file.card.summaries("en").values()
        yield from rule.file.card.detail["en"]
    yield from (fixed["en"] for fixed in (_AGE_UNKNOWN, _INCOMPLETE, _NOT_APPROVED))


@cache
def patients() -> History:
    return first_results(seeded(20260601), PATIENTS)


async def opened(store: AnyStore, coverage: Coverage) -> Cards:
    desk = await Desk.at(store, journey(coverage))
    for records in slices_of(patients(), 400):
        await desk.handle(records)
    return await desk.open_cards()


def claims(cards: Cards) -> list[str]:
    """Where a card says that something is not there, or was not done."""
    said = (f"{state.card['summary']}\n{state.card['detail']}" for state in cards.values())
    return [
        found[0] for text in said for claim in CLAIMS.values() if (found := re.search(claim, text))
    ]


def test_every_text_that_negates_something_is_weighed() -> None:
    """A text that is new has to be put on one of the two lists."""
    negating = {text for text in texts() if _NEGATIONS.search(text)}
    assert negating == HONEST | CLAIMS.keys()


async def test_first_results_of_a_thousand_patients_claim_no_absence(store: AnyStore) -> None:
    cards = await opened(store, NONE)
    assert claims(cards) == []
    # It would be no wonder if there were no cards.
    raised = rules_in([cards])
    for rule in ("cryovas-likely", "hcv-search", "renal-involvement"):
        assert raised[rule] >= 20, raised


async def test_declared_coverage_makes_the_same_absence_a_fact(store: AnyStore) -> None:
    """The other half of the pair: what is looked for above is found where it may be said."""
    found = claims(await opened(store, WHOLE))
    for claim in CLAIMS.values():
        assert any(re.search(claim, text) for text in found), claim
