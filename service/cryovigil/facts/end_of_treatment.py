"""When an antiviral course ended, and how that is known.

In this order: the end of its period; the last dispense plus its supply; the last administration;
the validity period of the request; the latest possible end of a completed course; inferred from
the RNA. A basis speaks for the course only where no part of it starts after the date it gives.
Dispenses and administrations are not read by this version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal, TypeAlias

from msgspec import Struct

from cryovigil.facts.as_of import shifted
from cryovigil.facts.hcv_sample import Sample
from cryovigil.normalize.readings import Treatment

Basis: TypeAlias = Literal[
    "period", "dispense", "administration", "validity", "completed", "inferred"
]

_RECKONED = ("completed", "inferred")
_FINISHED = ("completed", "stopped")


class EndOfTreatment(Struct, frozen=True):
    """The latest day on which the last dose may have been taken, and what says so."""

    date: date
    basis: Basis

    @property
    def recorded(self) -> bool:
        """Whether a date for it stands in the record; if not, it is reckoned from others."""
        return self.basis not in _RECKONED


def start_of(reading: Treatment) -> date | None:
    """Period, else the day it was written; of a vague date the latest day."""
    when = reading.start or reading.authored
    return when.latest if when else None


def end_of(
    readings: tuple[Treatment, ...], next_start: date | None, longest: int
) -> EndOfTreatment | None:
    """The end of one course; longest: days that a course without an end may have lasted."""
    last_start = max((s for r in readings if (s := start_of(r))), default=date.min)
    period = max((r.end.latest for r in readings if r.end), default=None)
    if period is not None and period >= last_start:
        return EndOfTreatment(period, "period")
    validity = max((r.valid_until.latest for r in readings if r.valid_until), default=None)
    if validity is not None and validity >= last_start:
        return EndOfTreatment(validity, "validity")
    return _completed(readings, next_start, longest)


def _completed(
    readings: tuple[Treatment, ...], next_start: date | None, longest: int
) -> EndOfTreatment | None:
    """The latest possible end, where what started last is said to be over."""
    finished = [r for r in readings if r.status in _FINISHED]
    still = [r for r in readings if r.status not in _FINISHED]
    latest = max((start_of(r) or date.min for r in finished), default=None)
    if latest is None or any((start_of(r) or date.min) > latest for r in still):
        return None
    ends = [_latest_possible(r, next_start, longest) for r in finished]
    known = [end for end in ends if end is not None]
    return EndOfTreatment(max(known), "completed") if known else None


def _latest_possible(reading: Treatment, next_start: date | None, longest: int) -> date | None:
    """The first of: said to be over, version of that status, next course, longest course."""
    start = start_of(reading)
    said = [when.latest for when in (reading.asserted, reading.updated) if when]
    known = [*said, next_start, shifted(start, days=longest) if start else None]
    return min((d for d in known if d and (start is None or d >= start)), default=None)


def inferred(
    samples: Iterable[Sample], start: date | None, p: Mapping[str, float]
) -> EndOfTreatment | None:
    """Cleared elsewhere: the first not-detected sample of the unbroken run, plus a course.

    start: of the last course, where one is known: samples up to it say nothing of its success.
    """
    run: list[Sample] = []
    for sample in samples:
        if sample.found:
            run.clear()
        elif sample.state == "not-detected" and (start is None or sample.day.earliest > start):
            run.append(sample)
    if not run:
        return None
    direct = run[0].day.earliest.year >= p["direct_acting_era"]
    days = int(p["course"] if direct else p["course_interferon"])
    return EndOfTreatment(shifted(run[0].day.latest, days=days), "inferred")
