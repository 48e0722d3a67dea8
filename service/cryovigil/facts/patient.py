"""Who the patient is: age, pregnancy, and whether cards may be shown at all.

An unknown age is read as adult, and the card says so. Pregnancy is an active Condition, a
pregnancy status or a positive test, none of them older than a pregnancy can last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from cryovigil.facts.findings import ongoing, since
from cryovigil.facts.results import latest, positive
from cryovigil.normalize.readings import When

if TYPE_CHECKING:
    from datetime import date

    from cryovigil.facts import Facts

_STATED = ("pregnancy status", "pregnancy test")


class Patient(Struct, frozen=True):
    """age: full years, None where no birth date is known; withheld: test-patient or opted-out."""

    age: int | None
    adult: bool
    pregnant: bool
    deceased: bool
    withheld: str | None

    @property
    def age_known(self) -> bool:
        """Whether a birth date is known; if not, `adult` is an assumption."""
        return self.age is not None

    @property
    def silenced(self) -> str | None:
        """Why no card may be shown: deceased, test-patient or opted-out."""
        return "deceased" if self.deceased else self.withheld


def patient(facts: Facts) -> Patient:
    """The patient at the as-of instant."""
    person = facts.timeline.person
    born = person.born if person else None
    return Patient(
        age=_years(born.latest, facts.as_of.today) if born else None,
        adult=born is None or _adult(facts, born),
        pregnant=_pregnant(facts),
        deceased=person is not None and person.deceased,
        withheld=person.withheld if person else None,
    )


def _adult(facts: Facts, born: When) -> bool:
    """Of a birth year alone its last day: a child is not measured by adult figures."""
    return facts.as_of.elapsed(born.latest, months=int(facts.parameters["patient"]["adult_age"]))


def _years(born: date, today: date) -> int:
    before_birthday = (today.month, today.day) < (born.month, born.day)
    return max(today.year - born.year - before_birthday, 0)


def _pregnant(facts: Facts) -> bool:
    """An undated Condition counts; a later "not pregnant" ends an earlier status only."""
    days = int(facts.parameters["patient"]["pregnancy"])
    for finding in ongoing(facts.timeline.findings("pregnancy")):
        start = since(finding)
        if start is None or facts.as_of.within(start.latest, days=days):
            return True
    stated = latest(r for concept in _STATED for r in facts.timeline.results(concept))
    return (
        stated is not None
        and stated.when is not None
        and positive(stated) is True
        and facts.as_of.within(stated.when.latest, days=days)
    )
