"""Does the kidney take part in a cryoglobulinemia or a suspected vasculitis?

"Renal manifestations (20 to 40%) usually present as a proteinuria with microscopic hematuria and
sometimes a variable degree of renal insufficiency." (Desbois 2017, 2.1)

Fires where there is a reason to think of it,

* cryoglobulin-positive, cryovas-known, cryovas-suspected or strongly-suggestive

and the kidney shows one of:

* aki: by KDIGO; creatinine-risen: at least 1.5 times the lowest of 365 days
* creatinine-newly-high: above 140 umol/L where the value before was not, or there is none, in
  adults
* acute-dialysis; acute-renal-failure: an active Condition, younger than 90 days
* new-proteinuria-with-hematuria: of the last 30 days, and none in the 365 days before it

What is new stays so for 30 days from the first value of an unbroken run above the limit, so that
the control which the card asks for does not withdraw it. Chronic dialysis switches the creatinine
criteria off. It does not wait for a second cryoglobulin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from cryovigil.facts.findings import ongoing
from cryovigil.facts.results import latest
from cryovigil.facts.truth import Truth, any_of
from cryovigil.normalize.readings import Finding
from cryovigil.rules import Answer, CannotTell, Figure, Fired, Parameters, Quiet, Word
from cryovigil.rules.showing import measured, named, since_finding

if TYPE_CHECKING:
    from cryovigil.facts import Facts
    from cryovigil.facts.urine import Trait
    from cryovigil.normalize.readings import AnyReading, Result

ID = "renal-involvement"

_CRYOGLOBULIN = "cryoglobulin presence"
_CREATININE = "creatinine"
_PROTEIN = "urine protein creatinine ratio"
_CELLS = "urine erythrocytes"
_C4 = "complement c4"


def answer(facts: Facts, p: Parameters) -> Answer:
    """Fired, quiet (no reason, or the kidney is not involved), or cannot tell."""
    reasons, findings = _reasons(facts), _findings(facts, p)
    asked, involved = any_of(*reasons.values()), any_of(*findings.values())
    if asked is False:
        return Quiet(because=("no-reason-to-think-of-it",))
    if involved is False:
        return Quiet(because=("kidney-not-involved",), evidence=_kidney_evidence(facts))
    if asked is None or involved is None:
        return CannotTell(missing=_undecided(reasons, findings), evidence=_kidney_evidence(facts))
    met = {**reasons, **findings}
    return Fired(
        indicator="warning",
        criteria=tuple(name for name, value in met.items() if value),
        evidence=_evidence(facts),
        missing=_missing(facts, p),
        figures=_creatinine(facts, findings) | _background(facts, p),
    )


def _reasons(facts: Facts) -> dict[str, Truth]:
    cryoglobulin, cryovas = facts.cryoglobulin, facts.cryovas
    return {
        "cryoglobulin-positive": cryoglobulin.positive if cryoglobulin.tested else None,
        "cryovas-known": bool(cryovas.known),
        "cryovas-suspected": cryovas.suspected,
        "strongly-suggestive": facts.signs.strongly_suggestive,
    }


def _findings(facts: Facts, p: Parameters) -> dict[str, Truth]:
    kidney = facts.kidney
    ratio = kidney.creatinine.ratio_year
    risen = None if ratio is None else ratio >= p["risen"]
    return {
        "aki": kidney.aki,
        "creatinine-risen": False if kidney.chronic_dialysis else risen,
        "creatinine-newly-high": kidney.creatinine.newly_high,
        "acute-dialysis": bool(kidney.acute_dialysis),
        "acute-renal-failure": bool(kidney.acute_failure),
        "new-proteinuria-with-hematuria": kidney.new_nephritic,
    }


def _undecided(reasons: dict[str, Truth], findings: dict[str, Truth]) -> tuple[str, ...]:
    """What would decide it, of each side that is open."""
    found: list[str] = []
    if any_of(*reasons.values()) is None:
        found += [_CRYOGLOBULIN] if reasons["cryoglobulin-positive"] is None else []
        found += [_C4] if reasons["strongly-suggestive"] is None else []
    if any_of(*findings.values()) is None:
        found += [_CREATININE] if findings["aki"] is None else []
        found += [_PROTEIN, _CELLS] if findings["new-proteinuria-with-hematuria"] is None else []
    return tuple(found)


def _missing(facts: Facts, p: Parameters) -> tuple[str, ...]:
    """Urine that nobody looked at in 90 days, a C4 that is unknown."""
    recent = _urine(facts, p)
    wanted = {
        _PROTEIN: recent["protein"] is None,
        _CELLS: recent["cells"] is None,
        _C4: facts.complement.c4.state is None,
    }
    return tuple(concept for concept, wanting in wanted.items() if wanting)


def _urine(facts: Facts, p: Parameters) -> dict[str, Result | None]:
    """The latest protein and the latest red cells of 90 days."""
    urine, days = facts.kidney.urine, int(p["urine_recent"])
    found = {"protein": latest(urine.proteinuria.latest), "cells": latest(urine.hematuria.latest)}
    return {
        name: r if r and r.when and facts.as_of.within(r.when.latest, days=days) else None
        for name, r in found.items()
    }


def _kidney_evidence(facts: Facts) -> tuple[AnyReading, ...]:
    kidney = facts.kidney
    creatinine = kidney.creatinine
    compared = (creatinine.latest, creatinine.baseline, creatinine.lowest_year, creatinine.previous)
    found = (
        *(r for r in compared if r),
        *creatinine.run[:1],
        *kidney.acute_dialysis,
        *kidney.acute_failure,
        *kidney.chronic_dialysis,
        *kidney.urine.proteinuria.latest,
        *kidney.urine.hematuria.latest,
        *(s.reading for pair in kidney.nephritic for s in pair),
    )
    return tuple(dict.fromkeys(found))


def _evidence(facts: Facts) -> tuple[AnyReading, ...]:
    cryovas, c4 = facts.cryovas, facts.complement.c4.result
    found = (
        *_kidney_evidence(facts),
        *cryovas.known,
        *(r for d in facts.cryoglobulin.counting for r in d.results),
        *((c4,) if c4 else ()),
        *facts.explained.diagnoses,
    )
    return tuple(dict.fromkeys(found))


def _creatinine(facts: Facts, findings: dict[str, Truth]) -> dict[str, Figure]:
    kidney, creatinine = facts.kidney, facts.kidney.creatinine
    old, new = _compared(facts, findings), creatinine.latest
    old_day, new_day = (r.when if r else None for r in (old, new))
    ratios = (
        (creatinine.baseline, creatinine.ratio),
        (creatinine.lowest_year, creatinine.ratio_year),
    )
    ratio = next((times for held, times in ratios if held is old and times), None)
    old_shown, new_shown = _alike(old, new)
    dialysis, failure = kidney.acute_dialysis, kidney.acute_failure
    return {
        "summary": _summary(facts, findings, old),
        "new": new_shown,
        "new_day": new_day,
        "old": old_shown,
        "old_day": old_day,
        "d": (new_day.latest - old_day.latest).days if new_day and old_day else None,
        "presumed": _presumed(facts, old),
        "ratio": round(ratio, 2) if ratio is not None else None,
        "stage": kidney.stage or None,
        "dialysis": since_finding(dialysis[0]) if dialysis else None,
        "failure": since_finding(failure[0]) if failure else None,
    }


def _alike(old: Result | None, new: Result | None) -> tuple[Result | None, Result | None]:
    """As reported; where the two were reported in different units, also in the one they share."""
    if old is None or new is None or _reported_unit(old) == _reported_unit(new):
        return old, new
    return _in_both_units(old), _in_both_units(new)


def _reported_unit(result: Result) -> str:
    return result.shown.partition(" ")[2].casefold()


def _in_both_units(result: Result) -> Result:
    """Converted to a tenth: a conversion from mg/dL adds digits that nobody measured."""
    if result.value is None or _reported_unit(result) in ("", result.unit.casefold()):
        return result
    return replace(result, shown=f"{result.shown} ({round(result.value, 1)} {result.unit})")


def _compared(facts: Facts, findings: dict[str, Truth]) -> Result | None:
    """What the latest creatinine is held against: that of the criterion which is met."""
    creatinine = facts.kidney.creatinine
    if findings["aki"] and creatinine.baseline:
        return creatinine.baseline
    if findings["creatinine-newly-high"] and not findings["creatinine-risen"]:
        return creatinine.previous
    return creatinine.lowest_year or creatinine.previous


def _presumed(facts: Facts, old: Result | None) -> Word | None:
    if old is None:
        return Word("no-earlier")
    creatinine = facts.kidney.creatinine
    return Word("presumed") if creatinine.presumed and old is creatinine.baseline else None


def _summary(facts: Facts, findings: dict[str, Truth], old: Result | None) -> Word:
    by_creatinine = ("aki", "creatinine-risen", "creatinine-newly-high")
    if facts.kidney.creatinine.latest and any(findings[name] for name in by_creatinine):
        return Word("creatinine" if old else "creatinine-alone")
    if findings["acute-dialysis"]:
        return Word("dialysis")
    return Word("failure" if findings["acute-renal-failure"] else "urine")


def _background(facts: Facts, p: Parameters) -> dict[str, Figure]:
    recent, rna, complement = _urine(facts, p), facts.hcv.latest, facts.complement
    cryoglobulin, urine = facts.cryoglobulin, facts.kidney.urine
    looked = cryoglobulin.latest_positive or cryoglobulin.latest
    listed = [c for c in ("chronic kidney disease", "kidney transplant") if _listed(facts, c)]
    return {
        "state": _state(facts),
        "protein": _trait(recent["protein"], urine.proteinuria),
        "cells": _trait(recent["cells"], urine.hematuria),
        "cryo": measured(looked.leading) if looked else Word("none-known"),
        "c4": measured(complement.c4.result) or Word("none-known"),
        "c3": measured(complement.c3.result),
        "rna": measured(rna.result) if rna else Word("none-known"),
        "listed": tuple(listed) or None,
        "explains": named(_explaining(facts)) or None,
    }


def _state(facts: Facts) -> Word:
    if facts.cryoglobulin.positive:
        return Word("cryoglobulin-positive")
    return Word(
        "cryoglobulin-not-positive" if facts.cryoglobulin.tested else "cryoglobulin-unknown"
    )


def _trait(recent: Result | None, trait: Trait) -> Figure:
    """The recent result; else the Condition that stands in for one."""
    listed = [s.reading for s in trait.shown if isinstance(s.reading, Finding)]
    if recent is None and listed:
        return Word("on-the-list"), since_finding(listed[0])
    return measured(recent) or Word("none-recent")


def _explaining(facts: Facts) -> tuple[Finding, ...]:
    """What explains the kidney, and what explains the C4 that is shown."""
    by = facts.explained.by
    return (*by["renal"], *(by["c4"] if facts.complement.c4.result else ()))


def _listed(facts: Facts, concept: str) -> bool:
    """By a Condition of its own: a dialysis code, which counts as kidney disease, is said apart."""
    return any(f.concept == concept for f in ongoing(facts.timeline.findings(concept)))
