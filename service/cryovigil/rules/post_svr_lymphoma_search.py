"""HCV is cured, and cryoglobulin or vasculitis is still there: is there a B-cell lymphoma?

"In case of persistent mixed cryoglobulin despite HCV clearance, a B-cell lymphoma should searched"
and "the presence of active CryoVas manifestations despite a SVR should lead to search for the
presence of B-cell lymphoma" (Desbois 2017, 1 and 4). When is the reading of published cohorts,
no guideline, and the card says so.

Asked in svr12 or svr24 only. Mixed or untyped cryoglobulin only; n are the positives that count,
collected on or after day 84 from the end of treatment (a test before it says nothing).

* fire, warning, by laboratory: two of the n at least 12 weeks apart, the later at least 24 weeks
  after the end; back to info-repeat when a later determination is trace, or negative and not weak
* fire, warning, by sign: an active sign, and n >= 1 or vasculitis established now or at the day of
  any cryoglobulin determination
* info-repeat: n >= 1 and no fire (repeat in 12 weeks); or an active sign, vasculitis never
  established and no cryoglobulin tested since day 84 (test it now)
* no: tested and negative, nothing found, or type I only
* already-diagnosed: an active B-cell neoplasm (MGUS is none); in remission or by history the rule
  runs, and the card asks for hematology
* insufficient-data: a cure that is unproven; or the test that decides is under way

A lymphoma after cure without any cryoglobulin test is not seen: no card is no reassurance. Step 1
of the search is always named; step 2 for a fire by sign, else as not yet decided: to choose it by
red flag, rising level or time since the end is not part of this release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from cryovigil.facts.as_of import shifted
from cryovigil.facts.cryoglobulin import Determination, pair
from cryovigil.facts.cryovas import CryoVas, ever_established
from cryovigil.facts.findings import over
from cryovigil.facts.neoplasm import active_neoplasm, past_neoplasm
from cryovigil.facts.signs import Sign, younger_than_rna
from cryovigil.facts.svr import Cure
from cryovigil.normalize.readings import AnyReading
from cryovigil.rules import Answer, CannotTell, Figure, Fired, Parameters, Quiet, Word
from cryovigil.rules.showing import (
    answered_after,
    dated,
    full_months,
    later_state,
    measured,
    named,
    since_finding,
    since_sign,
)

if TYPE_CHECKING:
    from cryovigil.facts import Facts

ID = "post-svr-lymphoma-search"

Outcome: TypeAlias = Literal[
    "fire", "info-repeat", "no", "not-applicable", "insufficient-data", "already-diagnosed"
]

_CRYOGLOBULIN = "cryoglobulin presence"
_RNA = "hcv rna"
_CRYOVAS = "cryoglobulinemic vasculitis"
_STEP_1 = (
    "leukocytes",
    "lactate dehydrogenase",
    "beta-2 microglobulin",
    "serum protein electrophoresis",
    "immunofixation",
    "free light chain ratio",
    "gamma globulin",
)


class _Tier(Struct, frozen=True, kw_only=True):
    """What a cured patient's cryoglobulin and signs amount to.

    positives: the n of the module's list; signs: active since the first SVR sample; established:
    the vasculitis that was, now or then; tested: any determination since day 84 that could be read.
    """

    outcome: Outcome
    criteria: tuple[str, ...]
    positives: tuple[Determination, ...] = ()
    signs: tuple[Sign, ...] = ()
    established: CryoVas | None = None
    tested: bool = True


def assess(facts: Facts, p: Parameters) -> Outcome:
    """The patient's place in the module's list; not-applicable where HCV was never cleared."""
    state, cure = facts.svr.state, facts.svr.cure
    if active_neoplasm(facts) and _cleared_or_treated(facts):
        return "already-diagnosed"
    if cure is not None:
        return _tier(facts, p, cure).outcome
    if state == "unproven":
        return "insufficient-data"
    treated = state in ("not-yet", "on-treatment", "viremic") and facts.treatment.ever
    return "no" if treated else "not-applicable"


def answer(facts: Facts, p: Parameters) -> Answer:
    """Fired (warning or info), quiet with its reason, or cannot tell."""
    outcome, cure = assess(facts, p), facts.svr.cure
    if outcome == "already-diagnosed":
        return Quiet(because=(outcome,), evidence=active_neoplasm(facts))
    if cure is None:
        return _without_cure(facts)
    tier = _tier(facts, p, cure)
    evidence = _evidence(facts, tier, cure)
    if outcome in ("fire", "info-repeat"):
        return Fired(
            indicator="warning" if outcome == "fire" else "info",
            criteria=tier.criteria,
            evidence=evidence,
            missing=_missing(facts, tier),
            figures=_figures(facts, p, tier, cure),
        )
    if not tier.tested:
        return CannotTell(missing=(_CRYOGLOBULIN,), evidence=evidence)
    return Quiet(because=tier.criteria, evidence=evidence)


def _without_cure(facts: Facts) -> Answer:
    """A cure that might be proven by an RNA is unknown; one that cannot be is no reason to ask."""
    state = facts.svr.state
    samples = tuple(s.result for s in facts.hcv.samples)
    if state == "unproven" or (state == "unknown" and facts.treatment.documented):
        return CannotTell(missing=(_RNA,), evidence=samples)
    return Quiet(because=(state,), evidence=samples)


def _cleared_or_treated(facts: Facts) -> bool:
    """An inferred end is a clearance too, and so is a spontaneous one."""
    cleared = facts.treatment.end is not None or facts.svr.state == "spontaneous-clearance"
    return facts.treatment.ever or cleared


def _tier(facts: Facts, p: Parameters, cure: Cure) -> _Tier:
    """The tiers of the module's list."""
    cryoglobulin, state = facts.cryoglobulin, facts.svr.state
    if cryoglobulin.type_i_only:
        return _Tier(outcome="no", criteria=(state, "type-i-only"))
    due = shifted(cure.end.date, days=int(p["from"]))
    signs = facts.signs.active_since(cure.first_sample.day.latest)
    positives = tuple(d for d in cryoglobulin.counting if d.first >= due and d.kind != "I")
    tested = any(d.first >= due and d.state != "unknown" for d in cryoglobulin.determinations)
    by_laboratory = _persists(facts, p, cure, positives)
    established = ever_established(facts) if signs else None
    if by_laboratory or (signs and (positives or established)):
        outcome: Outcome = "fire"
    elif positives or (signs and not tested):
        outcome = "info-repeat"
    else:
        outcome = "no"
    if outcome == "info-repeat" and not positives and cryoglobulin.pending:
        outcome = "insufficient-data"
    met = {
        state: True,
        "two-positives-12-weeks-apart": by_laboratory,
        "positive-since-svr": bool(positives),
        "active-sign": bool(signs),
        "vasculitis-established": established is not None,
        "not-tested-since-svr": not tested,
        "no-cryoglobulin-since-svr": tested and not positives,
    }
    criteria = tuple(name for name, value in met.items() if value)
    return _Tier(
        outcome=outcome,
        criteria=criteria,
        positives=positives,
        signs=signs,
        established=established,
        tested=tested,
    )


def _persists(
    facts: Facts, p: Parameters, cure: Cure, positives: tuple[Determination, ...]
) -> bool:
    """Two far enough apart, the later late enough, and nothing since that takes them back."""
    two = pair(positives, p["apart"])
    if two is None or two[1].first < shifted(cure.end.date, days=int(p["persistent_from"])):
        return False
    return not any(
        d.first > two[1].last and (d.state == "trace" or d.refutes)
        for d in facts.cryoglobulin.determinations
    )


def _missing(facts: Facts, tier: _Tier) -> tuple[str, ...]:
    """An RNA since the onset of an active sign comes first; then the repeat, where one is due."""
    rna = younger_than_rna(facts, tier.signs) and not facts.hcv.pending_rna
    due = (tier.outcome == "info-repeat" or not tier.tested) and not facts.cryoglobulin.pending
    return (*((_RNA,) if rna else ()), *((_CRYOGLOBULIN,) if due else ()))


def _evidence(facts: Facts, tier: _Tier, cure: Cure) -> tuple[AnyReading, ...]:
    """The cure, the end of treatment, what persists or was, and a neoplasm of the past."""
    course, later = facts.treatment.last, facts.cryoglobulin.since_positive
    found = (
        cure.first_sample.result,
        cure.last_sample.result,
        *(course.readings if course else ()),
        *(r for d in tier.positives for r in d.results),
        *(later.results if later else ()),
        *(r for sign in tier.signs for r in sign.readings),
        *(tier.established.evidence if tier.established else ()),
        *facts.explained.diagnoses,
        *past_neoplasm(facts),
    )
    return tuple(dict.fromkeys(found))


def _figures(facts: Facts, p: Parameters, tier: _Tier, cure: Cure) -> dict[str, Figure]:
    sign = tier.signs[0] if tier.signs else None
    first = cure.first_sample.day.earliest
    kind = facts.cryoglobulin.kind
    return {
        "summary": _summary(facts, tier),
        "end": cure.end.date,
        "basis": Word(f"basis-{cure.end.basis}"),
        "day_n": (first - cure.end.date).days,
        "last_rna": cure.last_sample.day,
        "sign": sign.concept if sign else None,
        "since": dated(since_sign(sign)),
        "dated": since_sign(sign),
        "explains": named(facts.explained.diagnoses) or None,
        "rna_first": Word("rna-first") if younger_than_rna(facts, tier.signs) else None,
        "asserted": Word("asserted") if facts.hcv.asserted_svr else None,
        "past": Word("past-neoplasm") if past_neoplasm(facts) else None,
        "no_sign": None if sign else Word("laboratory-alone"),
        "kind": Word(f"type-{kind}") if kind and tier.positives else None,
        "perspective": Word("perspective") if tier.positives else None,
        "done": answered_after(facts, _STEP_1, cure.end.date) or None,
        "step_2": _step_2(tier),
        "untested": Word("untested") if tier.signs and not tier.tested else None,
        **_levels(facts, p, tier, cure),
        **_established(facts, tier.established),
        **_later(facts),
    }


def _step_2(tier: _Tier) -> Word:
    if not tier.signs:
        return Word("step-2-later")
    return Word("step-2-sign" if tier.outcome == "fire" else "step-2-test")


def _established(facts: Facts, cryovas: CryoVas | None) -> dict[str, Figure]:
    """The diagnosis on the list; else the sign, C4 and cryoglobulin that made it, of their days."""
    if cryovas is None or cryovas.known:
        references = {f.reference for f in cryovas.known} if cryovas else set()
        listed = [f for f in facts.timeline.findings(_CRYOVAS) if f.reference in references]
        return {"known_past" if over(f) else "known": since_finding(f) for f in listed[:1]}
    return {
        "est_sign": cryovas.sign.concept if cryovas.sign else None,
        "est_since": since_sign(cryovas.sign),
        "est_c4": measured(cryovas.c4),
        "est_cryo": measured(cryovas.positive.leading) if cryovas.positive else None,
    }


def _later(facts: Facts) -> dict[str, Figure]:
    later = facts.cryoglobulin.since_positive
    state = later_state(later)
    return {
        "later": measured(later.leading) if later else None,
        "later_state": Word(f"later-{state}") if state else None,
    }


def _summary(facts: Facts, tier: _Tier) -> Word:
    if tier.outcome == "info-repeat":
        return Word("repeat" if tier.positives else "test")
    if not tier.signs:
        return Word("laboratory")
    return Word("sign-rna-first" if younger_than_rna(facts, tier.signs) else "sign")


def _levels(facts: Facts, p: Parameters, tier: _Tier, cure: Cure) -> dict[str, Figure]:
    """The first and last positive since the end, and the last one before it."""
    if not tier.positives:
        return {}
    first, last = tier.positives[0], tier.positives[-1]
    before = [d for d in facts.cryoglobulin.counting if d.last <= cure.end.date]
    due = shifted((facts.cryoglobulin.since_positive or last).last, days=int(p["apart"]))
    repeat = tier.outcome == "info-repeat" and not facts.cryoglobulin.pending
    return {
        "v1": first.leading,
        "d1": first.when,
        "v2": last.leading if last is not first else None,
        "d2": last.when if last is not first else None,
        "v0": before[-1].leading if before else None,
        "d0": before[-1].when if before else None,
        "months": full_months(cure.end.date, last.last),
        "repeat_from": due if repeat else None,
    }
