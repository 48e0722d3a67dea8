"""Sustained virological response: whether hepatitis C is cured, and how that is known.

The first that applies:

1. no-hcv: RNA not detected and never was, antibody negative, no HCV condition, never treated.
2. on-treatment: an antiviral is running.
3. viremic: the last RNA is detected, no course was running at the sample, none started since.
4. not-yet: a recorded end, before day 112, and no RNA sampled on or after day 84.
5. svr24: RNA not detected in a sample at least 168 days after the end of treatment, recorded or
   reckoned; svr12: at least 84. Both with a documented infection, no RNA detected after the end
   (below the limit of quantification: after the sample), and an assay limit of at most 15 IU/mL
   or unstated; a limit in copies/mL compares to none, and proves nothing.
6. unproven: treated, or cleared elsewhere by inference, and anything else: no end, no RNA since
   day 84, only below-LLOQ or ambiguous samples, a weaker assay.
7. spontaneous-clearance: antibody positive, RNA not detected and never was, no HCV condition,
   never treated.
8. unknown.

An asserted SVR proves nothing (facts.hcv), and hepatitis B is no part of this.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from cryovigil.facts.as_of import shifted
from cryovigil.facts.end_of_treatment import EndOfTreatment
from cryovigil.facts.hcv_sample import Sample

if TYPE_CHECKING:
    from cryovigil.facts import Facts

SvrState: TypeAlias = Literal[
    "svr24",
    "svr12",
    "not-yet",
    "on-treatment",
    "viremic",
    "unproven",
    "spontaneous-clearance",
    "no-hcv",
    "unknown",
]


class Cure(Struct, frozen=True):
    """A proven cure. samples: those that prove it, oldest first, never empty."""

    end: EndOfTreatment
    samples: tuple[Sample, ...]

    @property
    def first_sample(self) -> Sample:
        """The first that proves it: what is older belongs to the infection."""
        return self.samples[0]

    @property
    def last_sample(self) -> Sample:
        """The latest that proves it."""
        return self.samples[-1]


class Svr(Struct, frozen=True, kw_only=True):
    """end: of treatment, recorded or reckoned; cure: set in svr12 and svr24 only."""

    state: SvrState
    end: EndOfTreatment | None = None
    cure: Cure | None = None

    @property
    def cured(self) -> bool:
        """svr12 or svr24."""
        return self.cure is not None


def svr(facts: Facts) -> Svr:
    """The state at the as-of instant, in the order of the module's list."""
    treatments, end = facts.treatment, facts.treatment.end
    never_infected = _cleared(facts) and not facts.hcv.documented and not treatments.ever
    if never_infected and facts.hcv.antibody is False and not facts.hcv.history:
        return Svr(state="no-hcv")
    if treatments.running:
        return Svr(state="on-treatment", end=end)
    if _viremic(facts):
        return Svr(state="viremic", end=end)
    if end is not None and end.recorded and _not_yet(facts, end.date):
        return Svr(state="not-yet", end=end)
    proof = _proof(facts, end.date) if end is not None and treatments.documented else ()
    if end is not None and proof:
        late = shifted(end.date, days=int(facts.parameters["svr"]["svr24"]))
        state: SvrState = "svr24" if proof[-1].day.earliest >= late else "svr12"
        return Svr(state=state, end=end, cure=Cure(end, proof))
    if treatments.ever or end is not None:
        return Svr(state="unproven", end=end)
    if never_infected and facts.hcv.antibody:
        return Svr(state="spontaneous-clearance")
    return Svr(state="unknown")


def settled(facts: Facts) -> bool:
    """HCV settled: RNA ever detected, not detected within the last 12 months, or cured."""
    if facts.hcv.ever_detected or facts.svr.cured:
        return True
    months = int(facts.parameters["svr"]["search_holds"])
    absent = [s for s in facts.hcv.samples if s.state == "not-detected"]
    return bool(absent) and facts.as_of.within(absent[-1].day.latest, months=months)


def _cleared(facts: Facts) -> bool:
    """The latest RNA that says anything is not detected, and none ever was."""
    latest = facts.hcv.latest
    never = not facts.hcv.ever_detected
    return latest is not None and latest.state == "not-detected" and never


def _viremic(facts: Facts) -> bool:
    """RNA beats the problem list; below-LLOQ and ambiguous are no viremia."""
    latest = facts.hcv.latest
    if latest is None or latest.state != "detected":
        return False
    day = latest.day.latest
    return not any(
        course.running_on(day) or (course.start is not None and course.start > day)
        for course in facts.treatment.courses
    )


def _not_yet(facts: Facts, end: date) -> bool:
    p = facts.parameters["svr"]
    due = shifted(end, days=int(p["svr12"]))
    if any(s.state != "unknown" and s.day.earliest >= due for s in facts.hcv.samples):
        return False
    return not facts.as_of.elapsed(end, days=int(p["overdue"]))


def _proof(facts: Facts, end: date) -> tuple[Sample, ...]:
    """Not-detected samples from day 84 on by an assay sensitive enough, with none found since.

    RNA detected at any time after the end, be it before the sample, means that this end was not
    the last: no proof. Below the limit of quantification before the sample is no relapse.
    """
    hcv, p = facts.parameters["hcv"], facts.parameters["svr"]
    due = shifted(end, days=int(p["svr12"]))
    limit = hcv["assay_limit"] + hcv["assay_limit_rounding"]
    proof: list[Sample] = []
    for sample in facts.hcv.samples:
        if sample.state == "detected" and sample.day.latest > end:
            return ()
        if sample.found:
            proof.clear()
        if sample.state == "not-detected" and sample.day.earliest >= due:
            proof += [sample] if _sensitive(sample, limit) else []
    return tuple(proof)


def _sensitive(sample: Sample, limit: float) -> bool:
    return not sample.incomparable and (sample.lloq is None or sample.lloq <= limit)
