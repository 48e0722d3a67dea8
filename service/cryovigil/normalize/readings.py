"""What one resource version says, in canonical concepts and units: its readings.

A reading is one row of the store, keyed by (resource, part). It keeps its source and its source
patient, so that a later merge of patients is a re-read and not a rewrite. Readings are stored as
MessagePack: new members need a default, none is ever renamed.
"""

from __future__ import annotations

from datetime import date, datetime
from hashlib import blake2b
from typing import TypeAlias

from msgspec import Struct

# The concept of an order or statement whose drug stands behind a reference out of reach.
UNRESOLVED = "unresolved medication"
# Words of a result that has no value: the specimen failed, or the test is not done.
NO_VALUE = frozenset({"invalid", "not-performed", "pending"})
# Flags that only say that the value lies off the scale, or nothing at all.
_SILENT = frozenset({None, "<", ">", "IND"})


class Version(Struct, frozen=True, order=True, array_like=True):
    """Orders the versions of one resource (docs/architecture.md, "Versions and identity").

    number: meta.versionId as an integer, else 0; updated: meta.lastUpdated in microseconds since
    the epoch, else 0; offset: the record's offset, or the line of a file.
    """

    number: int = 0
    updated: int = 0
    offset: int = 0

    @property
    def stated(self) -> bool:
        """Whether the producer said a version, so that offsets need not decide."""
        return bool(self.number or self.updated)


class When(Struct, frozen=True, array_like=True):
    """A FHIR date, dateTime or instant as written.

    `earliest` and `latest` are the calendar days it may mean, in its own offset (a year alone
    spans 365 of them); `instant` is set where a clock time was given.
    """

    earliest: date
    latest: date
    instant: datetime | None = None


class Reading(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that one resource version says about one concept.

    reference: `Type/id` inside `source`; version: meta.versionId as written, "" where none is;
    patient: the source patient, `Patient/id`; at: where it stands in the timeline, microseconds
    since the epoch (0 where it has no time at all).
    """

    concept: str
    reference: str
    patient: str
    source: str
    part: int = 0
    version: str = ""
    at: int = 0


class Result(Reading, frozen=True, kw_only=True, omit_defaults=True, tag="result"):
    """An Observation, or one component of it.

    status: Observation.status; value: in `unit`, a canonical one of the concept, with `comparator`
    (<, <=, >, >=); word: the qualitative meaning of a coded or worded value
    (positive, negative, trace, detected, not-detected, detected-below-lloq, invalid,
    not-performed, pending); flag: canonical interpretation (L, LL, H, HH, N, A, AA, POS,
    NEG, IND, DET, ND, NR, RR, <, >); low, high: the report's own range in the canonical unit;
    kind: cryoglobulin type (I, II, III, mixed); problem: why no value could be read
    (unit-unknown, unit-contradiction, implausible, contradictory, word-unknown, absent,
    note-only); lloq: a limit of quantification the report or its code names, in the canonical unit;
    a word beside a limit has the comparator "<", also where that limit has no canonical unit;
    top: the upper end of a reported span, whose lower end is `value` with ">="; range_unread: the
    report gives a range that could not be used, so that no limit of ours may stand in for it; shown
    and shown_range: as reported, for cards only.
    """

    status: str
    when: When | None = None
    issued: When | None = None
    value: float | None = None
    unit: str = ""
    comparator: str | None = None
    word: str | None = None
    flag: str | None = None
    low: float | None = None
    high: float | None = None
    kind: str | None = None
    problem: str | None = None
    lloq: float | None = None
    top: float | None = None
    range_unread: bool = False
    shown: str = ""
    shown_range: str = ""

    @property
    def final(self) -> bool:
        """Whether the status lets the result decide anything: a preliminary one does not."""
        return self.status in ("final", "amended", "corrected")

    @property
    def counts(self) -> bool:
        """A result that counts: final, dated, and not declared absent."""
        return self.final and self.when is not None and self.problem != "absent"

    @property
    def readable(self) -> bool:
        """Whether it says anything of the patient.

        A failed specimen does not, nor does a text that is unknown here and carries no flag.
        """
        if self.word in NO_VALUE:
            return False
        return self.problem is None or self.flag not in _SILENT


class Finding(Reading, frozen=True, kw_only=True, omit_defaults=True, tag="finding"):
    """A Condition. `abated`: a date, or True where it is abated without one.

    updated: meta.lastUpdated, the last resort of a sign without any date.
    """

    clinical: str | None = None
    verification: str | None = None
    category: str | None = None
    onset: When | None = None
    recorded: When | None = None
    abated: When | bool = False
    updated: When | None = None
    shown: str = ""


class Treatment(Reading, frozen=True, kw_only=True, omit_defaults=True, tag="treatment"):
    """A MedicationRequest or MedicationStatement.

    start, end: the period (statement: effective[x]); authored: authoredOn; asserted: dateAsserted;
    valid_until: dispenseRequest.validityPeriod.end; updated: meta.lastUpdated.
    """

    form: str
    status: str = ""
    start: When | None = None
    end: When | None = None
    authored: When | None = None
    asserted: When | None = None
    valid_until: When | None = None
    updated: When | None = None
    shown: str = ""


class Person(Reading, frozen=True, kw_only=True, omit_defaults=True, tag="person"):
    """The Patient resource: birth date, death, and the tags that keep a patient out of cards.

    withheld: why no card may be shown (test-patient, opted-out), else None.
    """

    born: When | None = None
    deceased: bool = False
    withheld: str | None = None


AnyReading: TypeAlias = Result | Finding | Treatment | Person


class Update(Struct, frozen=True, kw_only=True):
    """One version of one resource, read.

    identity: `source|Type/id`; key: its 8-byte hash. No readings: the resource is deleted, entered
    in error, or says nothing that this service watches. `in_error` marks what would be watched,
    were it no error: like a deletion it is kept, since its original may still come. `cause` says
    why a card built on an earlier version may fall: corrected, entered-in-error, deleted, refuted,
    answered. `replaces`: identities of results that this one says it corrects. `deletion` marks a
    deletion, which may lack a version of its own. `feed` names the partition or file the offset
    belongs to: offsets compare only within one feed.
    """

    identity: str
    key: int
    version: Version
    feed: str = ""
    patient: str | None = None
    readings: tuple[AnyReading, ...] = ()
    replaces: tuple[str, ...] = ()
    cause: str = "answered"
    deletion: bool = False
    in_error: bool = False
    anchor: bool = False
    unmapped: tuple[tuple[str, str], ...] = ()

    @property
    def watched(self) -> bool:
        """Whether it matters although no other version of the resource is known."""
        return bool(self.readings) or self.deletion or self.in_error


def key_of(identity: str) -> int:
    """The signed 64-bit index of an identity. Collisions are told apart by the identity itself."""
    return int.from_bytes(blake2b(identity.encode(), digest_size=8).digest(), "big", signed=True)
