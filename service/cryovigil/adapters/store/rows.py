"""How things look inside a row: MessagePack for what is read whole, integers for what is searched.

Rows outlive the version that wrote them: members of the stored structs are only ever added, with
a default, and `Head` is stored by position.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import UTC, datetime, timedelta
from enum import IntFlag

import msgspec
from msgspec import Struct

from cryovigil.adapters.store.session import Row
from cryovigil.adapters.versions import Kept
from cryovigil.lifecycle import CardState
from cryovigil.normalize.readings import UNRESOLVED, AnyReading, Result, Version
from cryovigil.timeline import Head

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Doubt(IntFlag):
    """Why the patient of a reading has a record that is known to be incomplete."""

    TIE = 1
    UNDATED = 2
    UNRESOLVED = 4


# By bit, as Timeline names them.
DOUBTS = {
    Doubt.TIE: "version-tie",
    Doubt.UNDATED: "undated-result",
    Doubt.UNRESOLVED: "unresolved-medication",
}


class _StoredHead(Struct, frozen=True, array_like=True):
    """`Head` without the identity, which is a column."""

    version: Version
    feed: str
    patient: str | None
    deletion: bool
    content: int


encode = msgspec.msgpack.Encoder().encode
decode_reading = msgspec.msgpack.Decoder(AnyReading).decode
decode_card = msgspec.msgpack.Decoder(CardState).decode
_decode_head = msgspec.msgpack.Decoder(_StoredHead).decode


def micros(instant: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """The instant so many microseconds after the epoch."""
    return _EPOCH + timedelta(microseconds=microseconds)


def head(identity: str, stored: bytes, *, gone: bool) -> Head:
    """The head that a row's bytes hold."""
    kept = _decode_head(stored)
    return Head(
        identity=identity,
        version=kept.version,
        feed=kept.feed,
        patient=kept.patient,
        gone=gone,
        deletion=kept.deletion,
        content=kept.content,
    )


def reading_rows(kept: Kept, whole: Container[str], at: datetime) -> Iterator[Row]:
    """The rows of `reading` that a version becomes: one a reading, or its tombstone.

    at: when it is kept, by which a tombstone grows old.
    """
    update = kept.update
    stored = encode(
        _StoredHead(update.version, update.feed, update.patient, update.deletion, kept.content)
    )
    key, identity, patient = update.key, update.identity, kept.patient
    tie = Doubt.TIE.value if kept.tie else 0
    if not update.readings:
        yield key, identity, 0, patient, None, micros(at), False, False, tie, stored, None
    for reading in update.readings:
        counts = True
        doubt = tie
        if isinstance(reading, Result):
            # The latest that counts is one that can be read (facts.results.latest).
            counts = reading.counts and reading.readable
            if reading.when is None and reading.final:
                doubt |= Doubt.UNDATED.value
        elif reading.concept == UNRESOLVED:
            doubt |= Doubt.UNRESOLVED.value
        yield (
            key,
            identity,
            reading.part,
            patient,
            reading.concept,
            reading.at,
            counts,
            reading.concept in whole,
            doubt,
            stored,
            encode(reading),
        )
