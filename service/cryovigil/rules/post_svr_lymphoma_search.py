"""HCV is cured, and cryoglobulin or vasculitis is still there: is there a B-cell lymphoma?

"In case of persistent mixed cryoglobulin despite HCV clearance, a B-cell lymphoma should searched"
and "the presence of active CryoVas manifestations despite a SVR should lead to search for the
presence of B-cell lymphoma" (Desbois 2017, D08 and L02). When is the reading of published cohorts,
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
of the search is always named. The choice of step 2 by red flag, rising level or time since the end
is not part of this release: the card names step 2 for an active sign, else as not yet decided.
"""

from __future__ import annotations

from datetime import date
from itertools import count
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from cryovigil.facts.as_of import shifted
from cryovigil.facts.cryoglobulin import Determination, pair
from cryovigil.facts.cryovas import established_at
from cryovigil.facts.findings import believed, ongoing, over
from cryovigil.facts.results import latest
from cryovigil.facts.signs import Sign
from cryovigil.facts.svr import Cure
from cryovigil.normalize.readings import AnyReading, Finding
from cryovigil.rules import Answer, CannotTell, Figure, Fired, Parameters, Quiet, Word

if TYPE_CHECKING:
    from cryovigil.facts import Facts

ID = "post-svr-lymphoma-search"

Outcome: TypeAlias = Literal[
    "fire", "info-repeat", "no", "not-applicable", "insufficient-data", "already-diagnosed"
]

_CRYOGLOBULIN = "cryoglobulin presence"
_RNA = "hcv rna"
_LEVELS = ("v0", "d0", "v1", "d1", "v2", "d2", "months", "repeat_from")
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

    positives: the n of the module's list; signs: active since the first SVR sample; tested: any
    determination since day 84 that could be read.
    """

    outcome: Outcome
    criteria: tuple[str, ...]
    positives: tuple[Determination, ...] = ()
    signs: tuple[Sign, ...] = ()
    tested: bool = True


def assess(facts: Facts, p: Parameters) -> Outcome:
    """The patient's place in the module's list; not-applicable where HCV was never cleared."""
    state, cure = facts.svr.state, facts.svr.cure
    if _active_neoplasm(facts) and _cleared_or_treated(facts):
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
        return Quiet(because=(outcome,), evidence=_active_neoplasm(facts))
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


def _active_neoplasm(facts: Facts) -> tuple[Finding, ...]:
    return ongoing(facts.timeline.findings("b-cell neoplasm"))


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
    established = bool(signs) and _ever_established(facts)
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
        "vasculitis-established": established,
        "not-tested-since-svr": not tested,
        "no-cryoglobulin-since-svr": tested and not positives,
    }
    criteria = tuple(name for name, value in met.items() if value)
    return _Tier(
        outcome=outcome, criteria=criteria, positives=positives, signs=signs, tested=tested
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


def _ever_established(facts: Facts) -> bool:
    """L02: vasculitis now, or at the day of any cryoglobulin determination."""
    return facts.cryovas.established or any(
        established_at(facts, d.last) for d in facts.cryoglobulin.determinations
    )


def _missing(facts: Facts, tier: _Tier) -> tuple[str, ...]:
    """An RNA since the onset of an active sign comes first; then the repeat, where one is due."""
    rna = _rna_first(facts, tier) and not facts.hcv.pending_rna
    repeat = tier.outcome == "info-repeat" and not facts.cryoglobulin.pending
    return (*((_RNA,) if rna else ()), *((_CRYOGLOBULIN,) if repeat else ()))


def _rna_first(facts: Facts, tier: _Tier) -> bool:
    """Whether some active sign is younger than every RNA: HCV may be back."""
    sampled = [s.day.earliest for s in facts.hcv.samples if s.state != "unknown"]
    newest = max(sampled, default=date.min)
    return any(sign.onset is None or sign.onset > newest for sign in tier.signs)


def _evidence(facts: Facts, tier: _Tier, cure: Cure) -> tuple[AnyReading, ...]:
    """The cure, the end of treatment, what persists, and a neoplasm of the past."""
    course = facts.treatment.last
    found = (
        cure.first_sample.result,
        cure.last_sample.result,
        *(course.readings if course else ()),
        *(r for d in tier.positives for r in d.results),
        *(r for sign in tier.signs for r in sign.readings),
        *_past_neoplasm(facts),
    )
    return tuple(dict.fromkeys(found))


def _past_neoplasm(facts: Facts) -> tuple[Finding, ...]:
    """In remission, resolved or by history."""
    listed = believed(facts.timeline.findings("b-cell neoplasm"))
    history = believed(facts.timeline.findings("history of b-cell neoplasm"))
    return (*(f for f in listed if over(f)), *history)


def _figures(facts: Facts, p: Parameters, tier: _Tier, cure: Cure) -> dict[str, Figure]:
    sign = tier.signs[0] if tier.signs else None
    first = cure.first_sample.day.earliest
    kind = facts.cryoglobulin.kind
    return {
        "summary": _summary(facts, tier),
        "end": cure.end.date,
        "basis": Word(f"basis-{cure.end.basis}"),
        "day_n": (first - cure.end.date).days,
        "last_rna": cure.last_sample.day.latest,
        "sign": sign.concept if sign else None,
        "since": sign.onset if sign else None,
        "rna_first": Word("rna-first") if _rna_first(facts, tier) else None,
        "asserted": Word("asserted") if facts.hcv.asserted_svr else None,
        "past": Word("past-neoplasm") if _past_neoplasm(facts) else None,
        "no_sign": None if sign else Word("laboratory-alone"),
        "kind": Word(f"type-{kind}") if kind and tier.positives else None,
        "perspective": Word("perspective") if tier.positives else None,
        "done": _done(facts, cure) or None,
        "step_2": Word("step-2-sign" if sign else "step-2-later"),
        **_levels(facts, p, tier, cure),
    }


def _summary(facts: Facts, tier: _Tier) -> Word:
    if tier.outcome == "info-repeat":
        return Word("repeat" if tier.positives else "test")
    if not tier.signs:
        return Word("laboratory")
    return Word("sign-rna-first" if _rna_first(facts, tier) else "sign")


def _levels(facts: Facts, p: Parameters, tier: _Tier, cure: Cure) -> dict[str, Figure]:
    """The first and last positive since the end, and the last one before it."""
    if not tier.positives:
        return dict.fromkeys(_LEVELS)
    first, last = tier.positives[0], tier.positives[-1]
    before = [d for d in facts.cryoglobulin.counting if d.last <= cure.end.date]
    due = shifted(last.last, days=int(p["apart"]))
    repeat = tier.outcome == "info-repeat" and not facts.cryoglobulin.pending
    return {
        "v1": first.leading,
        "d1": first.last,
        "v2": last.leading if last is not first else None,
        "d2": last.last if last is not first else None,
        "v0": before[-1].leading if before else None,
        "d0": before[-1].last if before else None,
        "months": _months(cure.end.date, last.last),
        "repeat_from": due if repeat else None,
    }


def _months(start: date, day: date) -> int:
    """Full calendar months between two days."""
    return next(n for n in count() if shifted(start, months=n + 1) > day)


def _done(facts: Facts, cure: Cure) -> tuple[str, ...]:
    """What step 1 has already been answered since the end of treatment, as far as known here."""
    newest = [(c, latest(facts.timeline.results(c))) for c in _STEP_1]
    return tuple(
        f"{concept} {result.when.latest.isoformat()}"
        for concept, result in newest
        if result and result.when and result.when.earliest > cure.end.date
    )
