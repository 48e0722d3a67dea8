"""Step 4. Which version of each resource stands, and what a patient's timeline then holds.

The newest version wins wherever it arrives from and whenever it comes, so that the same events in
any order, with any duplicates, give the same timeline. A resource that was retracted leaves what
never having received it leaves: nothing. `fold` decides for one resource; the store keeps what it
returns, `evaluate` and the hooks keep it in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import msgspec
from msgspec import Struct

from cryovigil.normalize.readings import (
    UNRESOLVED,
    AnyReading,
    Finding,
    Person,
    Reading,
    Result,
    Treatment,
    Update,
    Version,
)

R = TypeVar("R", bound=Reading)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What a datetime can hold in any zone, in microseconds since the epoch.
_FIRST, _LAST = (
    (edge - _EPOCH) // timedelta(microseconds=1)
    for edge in (datetime(2, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
)


class Instant(Protocol):
    """What a timeline needs of an as-of instant: facts.as_of.AsOf."""

    def reached(self, instant: datetime, /) -> bool:
        """Whether an instant has come."""
        ...


class Head(Struct, frozen=True):
    """What is known of the newest version of a resource, without its content.

    patient: the source patient it speaks of, None where a deletion came without any; gone: it has
    no readings; content: the hash of its readings, to tell a true tie from a duplicate.
    """

    identity: str
    version: Version
    feed: str
    patient: str | None
    gone: bool
    deletion: bool
    content: int = 0


def fold(known: Head | None, update: Update) -> Update | None:
    """The version to keep in place of `known`, or None where the update is not newer.

    A deletion without a version takes the version of the newest reading before it and beats it
    (docs/architecture.md, "Versions and identity"); offsets decide only between bodies that both
    lack a version.
    """
    if known is None:
        return update
    if update.deletion and not update.version.stated:
        if known.feed == update.feed and update.version.offset <= known.version.offset:
            return None
        return msgspec.structs.replace(
            update,
            version=Version(known.version.number, known.version.updated, update.version.offset),
        )
    if known.deletion and not known.version.stated and known.feed == update.feed:
        return update if update.version.offset > known.version.offset else None
    if known.deletion and known.version.stated:
        # A late duplicate of what was deleted has its version, and a later offset.
        return update if _beats(update.version, known.version) else None
    if update.deletion:  # it says which version it ends, and may not say when that was written
        return None if _beats(known.version, update.version) else update
    return update if update.version > known.version else None


def _beats(one: Version, other: Version) -> bool:
    """Whether a version is newer by what its source says of it, the time only without a number."""
    if one.number or other.number:
        return one.number > other.number
    return one.updated > other.updated


def tied(known: Head, update: Update, content: int) -> bool:
    """Whether nothing says which of two differing bodies is newer.

    Their versions are equal, or both lack one, and they come from different feeds, whose offsets
    do not compare. A deletion has the version of what it deleted: there an equal version is a late
    duplicate.
    """
    if known.feed == update.feed or content == known.content:
        return False
    if not (known.version.stated or update.version.stated):
        return True
    same = _stated(known.version) == _stated(update.version)
    return same and not (known.deletion or update.deletion)


class Timeline:
    """A patient's readings that stand, by concept, oldest first.

    incomplete: why the record is known to be incomplete (undated-result, version-tie,
    unreadable-event, unresolved-medication), sorted, without repeats.
    """

    __slots__ = ("_by_concept", "incomplete", "person")

    def __init__(
        self,
        readings: Iterable[AnyReading],
        *,
        also: Mapping[str, tuple[str, ...]] | None = None,
        incomplete: Iterable[str] = (),
    ) -> None:
        """`also` maps a concept to those it counts as too (concepts.yaml, counts_as)."""
        also = also or {}
        reasons = set(incomplete)
        by_concept: dict[str, list[AnyReading]] = {}
        person: Person | None = None
        for reading in readings:
            if isinstance(reading, Person):
                person = reading
                continue
            if isinstance(reading, Result) and reading.when is None and reading.final:
                reasons.add("undated-result")
            if reading.concept == UNRESOLVED:
                reasons.add("unresolved-medication")
            for concept in (reading.concept, *also.get(reading.concept, ())):
                by_concept.setdefault(concept, []).append(reading)
        for rows in by_concept.values():
            rows.sort(key=_place)
        self._by_concept = by_concept
        self.person = person
        self.incomplete = tuple(sorted(reasons))

    def until(self, as_of: Instant, tolerance: timedelta) -> Timeline:
        """What had happened by an instant: readings dated further ahead wait.

        Each one that waits is asked of `as_of`, so that the answer knows when it comes in.
        """
        ahead = {
            concept: kept
            for concept, rows in self._by_concept.items()
            if len(kept := [r for r in rows if as_of.reached(_instant(r) - tolerance)]) < len(rows)
        }
        if not ahead:
            return self
        known = Timeline((), incomplete=self.incomplete)
        known.person = self.person
        known._by_concept = {**self._by_concept, **ahead}
        return known

    def results(self, concept: str) -> tuple[Result, ...]:
        """Every Observation of a concept, whatever its status, oldest first."""
        return self._of(concept, Result)

    def findings(self, concept: str) -> tuple[Finding, ...]:
        """Every Condition of a concept, whatever its status, oldest first."""
        return self._of(concept, Finding)

    def treatments(self, concept: str) -> tuple[Treatment, ...]:
        """Every medication order or statement of a concept, oldest first."""
        return self._of(concept, Treatment)

    def _of(self, concept: str, kind: type[R]) -> tuple[R, ...]:
        return tuple(r for r in self._by_concept.get(concept, ()) if isinstance(r, kind))


def standing(updates: Iterable[Update]) -> tuple[AnyReading, ...]:
    """The readings that stand when every given version is folded: the stateless way in.

    A result that another one says it replaces stops counting while the replacing one stands and
    is final: else one measurement would count as two.
    """
    newest: dict[str, Update] = {}
    for update in updates:
        known = newest.get(update.identity)
        kept = fold(head_of(known) if known else None, update)
        if kept is not None:
            newest[update.identity] = kept
    replaced = {r for u in newest.values() if replaces(u) for r in u.replaces}
    return tuple(
        reading
        for identity, update in newest.items()
        if identity not in replaced
        for reading in update.readings
    )


def replaces(update: Update) -> bool:
    """Whether a version takes the place of the results it names: only a final result does."""
    return any(isinstance(r, Result) and r.final for r in update.readings)


def head_of(update: Update, content: int = 0) -> Head:
    """The head that keeping this version leaves."""
    return Head(
        identity=update.identity,
        version=update.version,
        feed=update.feed,
        patient=update.patient,
        gone=not update.readings,
        deletion=update.deletion,
        content=content,
    )


def _stated(version: Version) -> tuple[int, int]:
    return version.number, version.updated


def _instant(reading: AnyReading) -> datetime:
    return _EPOCH + timedelta(microseconds=min(max(reading.at, _FIRST), _LAST))


def _place(reading: AnyReading) -> tuple[int, str, int]:
    return reading.at, reading.reference, reading.part
