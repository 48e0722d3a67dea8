"""The kidney: creatinine by KDIGO, dialysis, acute renal failure. Urine is in facts.urine.

* AKI: a rise of at least 26.5 umol/L within 48 hours, or at least 1.5 times the baseline; stage 2:
  2.0 times; stage 3: AKI and 3.0 times or 353.6 umol/L, or acute dialysis.
* Baseline: the lowest of the 7 days before; else the latest of days 8 to 365 before ("presumed").
* The latest creatinine is looked at, and only within 30 days.
* Newly above 140 umol/L: for 30 days after the first value of the unbroken run above it that the
  latest belongs to, so that the control which confirms a rise does not take it back.
* A Condition of acute renal failure is acute for 90 days.
* Chronic dialysis (recorded for more than 90 days, or beside end-stage renal disease) switches
  every creatinine criterion off. A younger or undated dialysis code without it is acute.
* Under 18 the 140 umol/L are not applied.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from msgspec import Struct

from cryovigil.facts.findings import believed, ongoing, since
from cryovigil.facts.results import place
from cryovigil.facts.truth import Truth, any_of
from cryovigil.facts.urine import Shown, Urine, urine
from cryovigil.normalize.readings import Finding, Result, When

if TYPE_CHECKING:
    from cryovigil.facts import Facts, Parameters

Stage: TypeAlias = Literal[0, 1, 2, 3]

_END_STAGE = "end stage renal disease"

_WORST: Stage = get_args(Stage)[-1]


class Creatinine(Struct, frozen=True, kw_only=True):
    """The latest creatinine (umol/L, within 30 days) against what came before it.

    ratio: to the baseline; rise: umol/L above the lowest of 48 hours; ratio_year, ratio_recent: to
    the lowest of 365 and of 90 days before; newly_high: above 140, and first so within 30 days;
    run: the values above 140 without one between that is not, up to the latest; previous: the
    value before that run, of any age.
    """

    latest: Result | None = None
    baseline: Result | None = None
    presumed: bool = False
    ratio: float | None = None
    rise: float | None = None
    lowest_year: Result | None = None
    ratio_year: float | None = None
    ratio_recent: float | None = None
    newly_high: Truth = None
    run: tuple[Result, ...] = ()
    previous: Result | None = None


class Kidney(Struct, frozen=True, kw_only=True):
    """stage, aki: KDIGO, None where creatinine cannot tell; urine: protein and red cells.

    nephritic: the pairs of both that stand together, each within 12 months; new_nephritic: one of
    them with a proteinuria that began within 30 days and was not there in the 365 days before.
    acute_failure: Conditions of acute renal failure, active and younger than 90 days; progressive:
    "rapidly progressive renal failure".
    """

    creatinine: Creatinine
    stage: Stage | None
    aki: Truth
    progressive: Truth
    urine: Urine
    nephritic: tuple[tuple[Shown, Shown], ...]
    new_nephritic: Truth
    chronic_dialysis: tuple[Finding, ...]
    acute_dialysis: tuple[Finding, ...]
    acute_failure: tuple[Finding, ...]


def kidney(facts: Facts) -> Kidney:
    """The kidney at the as-of instant."""
    p = facts.parameters["kidney"]
    chronic, acute = _dialysis(facts, p)
    creatinine = Creatinine(newly_high=False) if chronic else _creatinine(facts, p)
    failure = () if chronic else _acute_failure(facts, p)
    found = urine(facts)
    nephritic = tuple(pair for pair in found.together if all(_young(facts, s, p) for s in pair))
    new = any(protein.new and _began_recently(facts, protein, p) for protein, _ in nephritic)
    stage: Stage | None = 0 if chronic else _stage(creatinine, bool(acute), p)
    return Kidney(
        creatinine=creatinine,
        stage=stage,
        aki=None if stage is None else stage > 0,
        progressive=False if chronic else _progressive(creatinine, stage, acute, failure, p),
        urine=found,
        nephritic=nephritic,
        new_nephritic=None if found.both is None else new,
        chronic_dialysis=chronic,
        acute_dialysis=acute,
        acute_failure=failure,
    )


def _creatinine(facts: Facts, p: Parameters) -> Creatinine:
    results = sorted(filter(_measured, facts.timeline.results("creatinine")), key=place)
    if not results or not facts.as_of.within(_when(results[-1]).latest, days=int(p["latest"])):
        return Creatinine()
    latest = results[-1]
    # A second report of the same draw is no earlier value.
    before = [r for r in results if r.at < latest.at]
    baseline, presumed = _baseline(latest, before, p)
    short = [r for r in before if _apart(latest, r) <= timedelta(hours=p["rise_within"])]
    lowest = min(short, key=_value, default=None)
    year = _lowest(latest, before, p["year"])
    known = sorted(filter(_placed, facts.timeline.results("creatinine")), key=place)
    run, previous = _run(latest, [r for r in known if r.at < latest.at], p)
    return Creatinine(
        latest=latest,
        baseline=baseline,
        presumed=presumed,
        ratio=_ratio(latest, baseline, p),
        rise=_exact(_value(latest) - _value(lowest), p) if lowest else None,
        lowest_year=year,
        ratio_year=_ratio(latest, year, p),
        ratio_recent=_ratio(latest, _lowest(latest, before, p["recent"]), p),
        newly_high=facts.patient.adult and _newly_high(facts, run, p),
        run=run,
        previous=previous,
    )


def _placed(result: Result) -> bool:
    """A number, or a "<" some limit: no level to compare with, and yet it ends a run above 140."""
    below = result.counts and result.value is not None and result.comparator in ("<", "<=")
    return below or _measured(result)


def _measured(result: Result) -> bool:
    """A number, or at least one: "<" some limit is no level to compare with."""
    return (
        result.counts
        and result.value is not None
        and result.value > 0
        and result.comparator not in ("<", "<=")
    )


def _baseline(latest: Result, before: list[Result], p: Parameters) -> tuple[Result | None, bool]:
    """Whether it is presumed comes second."""
    week = _lowest(latest, before, p["baseline"])
    if week is not None:
        return week, False
    older = [r for r in before if _days_apart(latest, r) <= p["year"]]
    return (older[-1], True) if older else (None, False)


def _run(
    latest: Result, before: list[Result], p: Parameters
) -> tuple[tuple[Result, ...], Result | None]:
    """The unbroken run of high values up to the latest, oldest first, and the value before it."""
    run: list[Result] = []
    for result in (latest, *reversed(before)):
        unknown = result.comparator in ("<", "<=") and _value(result) > p["high"]
        if unknown:
            continue
        if _exact(_value(result), p) <= p["high"]:
            # Where the latest is not high there is no run: the value before is its own.
            return tuple(reversed(run)), result if run else next(reversed(before), None)
        run.append(result)
    return tuple(reversed(run)), None


def _newly_high(facts: Facts, run: tuple[Result, ...], p: Parameters) -> bool:
    return bool(run) and facts.as_of.within(_when(run[0]).latest, days=int(p["latest"]))


def _stage(creatinine: Creatinine, acute_dialysis: bool, p: Parameters) -> Stage | None:
    if acute_dialysis:
        return _WORST
    latest, ratio = creatinine.latest, creatinine.ratio
    if latest is None or ratio is None:
        return None
    risen = creatinine.rise is not None and creatinine.rise >= p["rise"]
    if ratio < p["stage_1"] and not risen:
        return 0
    if ratio >= p["stage_3"] or _exact(_value(latest), p) >= p["stage_3_level"]:
        return _WORST
    return 2 if ratio >= p["stage_2"] else 1


def _progressive(
    creatinine: Creatinine,
    stage: Stage | None,
    acute_dialysis: tuple[Finding, ...],
    acute_failure: tuple[Finding, ...],
    p: Parameters,
) -> Truth:
    recent = creatinine.ratio_recent
    return any_of(
        bool(acute_dialysis),
        bool(acute_failure),
        None if stage is None else stage > 1,
        None if recent is None else recent >= p["doubling"],
    )


def _dialysis(facts: Facts, p: Parameters) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Chronic, acute. One Condition that is chronic makes every dialysis chronic.

    A dialysis code counts as end-stage renal disease too, and is no second witness of itself.
    """
    listed = ongoing(facts.timeline.findings("chronic dialysis"))
    end_stage = believed(facts.timeline.findings(_END_STAGE))
    if any(f.concept == _END_STAGE for f in end_stage):
        return listed, ()
    days = int(p["chronic_dialysis"]) + 1
    old = tuple(f for f in listed if (w := since(f)) and facts.as_of.elapsed(w.latest, days=days))
    return (listed, ()) if old else ((), listed)


def _acute_failure(facts: Facts, p: Parameters) -> tuple[Finding, ...]:
    """One without any date counts."""
    days = int(p["acute_failure"])
    return tuple(
        f
        for f in ongoing(facts.timeline.findings("acute renal failure"))
        if (w := since(f) or f.updated) is None or facts.as_of.within(w.earliest, days=days)
    )


def _began_recently(facts: Facts, shown: Shown, p: Parameters) -> bool:
    return shown.began is None or facts.as_of.within(shown.began, days=int(p["latest"]))


def _young(facts: Facts, shown: Shown, p: Parameters) -> bool:
    return shown.day is None or facts.as_of.within(shown.day, months=int(p["urine"]))


def _lowest(latest: Result, before: Iterable[Result], days: float) -> Result | None:
    return min((r for r in before if _days_apart(latest, r) <= days), key=_value, default=None)


def _ratio(latest: Result, other: Result | None, p: Parameters) -> float | None:
    return None if other is None else _exact(_value(latest) / _value(other), p)


def _apart(latest: Result, earlier: Result) -> timedelta:
    """By the clock where both have one, else by whole days."""
    a, b = _when(latest), _when(earlier)
    if a.instant is not None and b.instant is not None:
        return a.instant - b.instant
    return timedelta(days=_days_apart(latest, earlier))


def _days_apart(latest: Result, earlier: Result) -> int:
    return (_when(latest).latest - _when(earlier).earliest).days


def _when(result: Result) -> When:
    if result.when is None:
        raise ValueError("an undated result never counts")
    return result.when


def _exact(number: float, p: Parameters) -> float:
    """Without float noise: a value converted from mg/dL must not miss a boundary it stands on."""
    return round(number, int(p["decimals"]))


def _value(result: Result) -> float:
    if result.value is None:
        raise ValueError("a result without a value is no measurement")
    return result.value
