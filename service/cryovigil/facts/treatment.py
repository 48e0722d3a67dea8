"""Antiviral courses for hepatitis C, whether one is running, and when the last one ended.

A course is every antiviral whose time overlaps, or follows within the same-course gap: a
combination, or one prescription after the other. Interferon counts where an HCV condition,
antibody or RNA was ever positive. Drafts, cancelled, intended and not-taken ones are no treatment,
and neither is one that has not started. This version reads requests and statements.

Running: started and its end not past. With no end, or one only reckoned (completed, inferred), a
course runs until 24 weeks after its start, 48 with interferon: an "active" request of years ago is
not a treatment.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import zip_longest
from typing import TYPE_CHECKING

from msgspec import Struct

from cryovigil.facts.as_of import AsOf, shifted
from cryovigil.facts.end_of_treatment import EndOfTreatment, end_of, inferred, start_of
from cryovigil.facts.truth import Truth
from cryovigil.normalize.readings import Treatment

if TYPE_CHECKING:
    from cryovigil.facts import Facts, Parameters

_DIRECT = ("hcv direct-acting antiviral", "ribavirin")
_INTERFERON = "interferon alfa"
_NOT_TAKEN = frozenset({"draft", "cancelled", "entered-in-error", "intended", "not-taken"})


class Course(Struct, frozen=True, kw_only=True):
    """One antiviral course.

    start: the latest day it may have begun, None where nothing says when; readings: its orders
    and statements; last_day: its recorded end, else the last day it may have run unseen.
    """

    drugs: tuple[str, ...]
    start: date | None
    end: EndOfTreatment | None
    last_day: date | None
    readings: tuple[Treatment, ...]

    def running_on(self, day: date) -> bool:
        """Whether it ran, or may have, on a day."""
        begun = self.start is None or self.start <= day
        return begun and self.last_day is not None and day <= self.last_day


class Treatments(Struct, frozen=True, kw_only=True):
    """courses: oldest first; end: of the last one, or inferred from the RNA, with or without one.

    running: whether an antiviral is being taken, None where a course has neither start nor end;
    documented: RNA ever detected, an HCV condition, or a history of one beside an antiviral.
    """

    courses: tuple[Course, ...]
    end: EndOfTreatment | None
    running: Truth
    documented: bool

    @property
    def last(self) -> Course | None:
        """The last course."""
        return self.courses[-1] if self.courses else None

    @property
    def ever(self) -> bool:
        """Whether any antiviral for HCV is on record."""
        return bool(self.courses)


def treatment(facts: Facts) -> Treatments:
    """The courses at the as-of instant."""
    p = facts.parameters["treatment"]
    courses = _courses(_antivirals(facts), p)
    last = courses[-1] if courses else None
    documented = facts.hcv.documented or bool(facts.hcv.history and courses)
    end = last.end if last else None
    if end is None and documented:
        end = inferred(facts.hcv.samples, last.start if last else None, p)
    return Treatments(
        courses=courses,
        end=end,
        running=_running(last, facts.as_of) if last else False,
        documented=documented,
    )


def _antivirals(facts: Facts) -> list[Treatment]:
    hcv = facts.hcv
    infected = hcv.documented or hcv.history or hcv.antibody
    concepts = (*_DIRECT, _INTERFERON) if infected else _DIRECT
    return [
        reading
        for concept in concepts
        for reading in facts.timeline.treatments(concept)
        if reading.status not in _NOT_TAKEN and _started(reading, facts.as_of)
    ]


def _started(reading: Treatment, as_of: AsOf) -> bool:
    start = start_of(reading)
    return start is None or as_of.elapsed(start)


def _running(course: Course, as_of: AsOf) -> Truth:
    return None if course.last_day is None else not as_of.elapsed(course.last_day, days=1)


def _courses(readings: Iterable[Treatment], p: Parameters) -> tuple[Course, ...]:
    """Readings grouped in time. One without any date shows a treatment, and never the last."""
    ordered = sorted(readings, key=lambda r: (_begin(r), r.reference, r.concept))
    groups: list[list[Treatment]] = []
    reach = date.min
    for reading in ordered:
        if not groups or _begin(reading) > shifted(reach, days=int(p["same_course_gap"])):
            groups.append([])
        groups[-1].append(reading)
        reach = max(reach, _reach(reading, p))
    later = [_begin(group[0]) for group in groups[1:]]
    return tuple(_course(tuple(group), after, p) for group, after in zip_longest(groups, later))


def _course(readings: tuple[Treatment, ...], next_start: date | None, p: Parameters) -> Course:
    starts = [start for r in readings if (start := start_of(r))]
    end = end_of(readings, next_start, int(p["longest_course"]))
    if end is not None and end.recorded:
        last_day: date | None = end.date
    else:
        last_day = max((_unseen(r, s, p) for r in readings if (s := start_of(r))), default=None)
    return Course(
        drugs=tuple(sorted({r.concept for r in readings})),
        start=min(starts, default=None),
        end=end,
        last_day=last_day,
        readings=readings,
    )


def _begin(reading: Treatment) -> date:
    """Where a reading stands among the others: its start, else its end, else before them all."""
    return start_of(reading) or (reading.end.latest if reading.end else date.min)


def _reach(reading: Treatment, p: Parameters) -> date:
    """The last day a reading covers: its own end, else as long as it may run unseen."""
    end = reading.end or reading.valid_until
    if end is not None:
        return end.latest
    start = start_of(reading)
    return date.min if start is None else _unseen(reading, start, p)


def _unseen(reading: Treatment, start: date, p: Parameters) -> date:
    """The last day before 24 weeks, interferon 48, have passed since its start."""
    days = p["running_interferon"] if reading.concept == _INTERFERON else p["running"]
    return shifted(start, days=int(days) - 1)
