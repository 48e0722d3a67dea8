"""Steps 1 to 3 in a row: the bytes of one record to updates of resources.

What does not concern us is told by a first look and costs no more than that: it comes out as an
update without readings, which only matters where an earlier version is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from msgspec import Struct

from cryovigil.decode import READ_TYPES, Look, Source, look, parse, resolve, which, whose, with_drug
from cryovigil.envelopes import Entry, unwrap
from cryovigil.errors import Unreadable
from cryovigil.normalize import Site, normalize, unmapped, watched
from cryovigil.normalize.naming import Naming
from cryovigil.normalize.readings import AnyReading, Update, Version, key_of
from cryovigil.normalize.tables import Tables
from cryovigil.normalize.times import bookkept, microseconds
from cryovigil.resources import Condition, Observation, Reference, Resource

_ENTERED_IN_ERROR = "entered-in-error"
# R4 has an extension for it; DSTU2 and STU3 a relation.
_REPLACES = "observation-replaces"


class Reader(Struct, frozen=True):
    """What reading needs besides the record. listing: name unmapped codings on every update."""

    tables: Tables
    site: Site
    listing: bool = False

    def read(
        self, value: bytes | None, key: bytes | None, source: Source, feed: str, offset: int
    ) -> Iterator[Update | Unreadable | None]:
        """An update for each entry of a record, None for one that is none of ours.

        What cannot be read comes out as an Unreadable among the others. feed: the partition or
        file that the offset belongs to.
        """
        try:
            for entry in unwrap(value, key):
                if isinstance(entry, Unreadable):
                    yield entry
                    continue
                try:
                    yield self._update(entry, source, feed, offset)
                except Unreadable as error:
                    yield Unreadable(error.reason, whose(entry, source), which(entry))
        except Unreadable as error:
            yield error

    def _update(self, entry: Entry, source: Source, feed: str, offset: int) -> Update | None:
        if entry.deleted:
            return _deletion(entry, source, feed, offset)
        seen = look(entry)
        if seen is None:
            return None
        reference = f"{seen.resource_type}/{seen.id}"
        identity = f"{source.key}|{reference}"
        version = _version(seen, offset, self.site.zone)
        listed = unmapped(seen, self.tables) if self.listing else ()
        in_error, ours = _in_error(seen), watched(seen, self.tables)
        if in_error or not ours:
            return Update(
                identity=identity,
                key=key_of(identity),
                version=version,
                feed=feed,
                patient=_subject(seen, source, entry) if listed else None,
                cause=_ENTERED_IN_ERROR if in_error else "corrected",
                in_error=in_error and ours,
                unmapped=listed,
            )
        patient = _patient(seen, reference, source, entry)
        readings, cause, replaces = self._readings(entry, seen, source, reference, patient)
        return Update(
            identity=identity,
            key=key_of(identity),
            version=version,
            feed=feed,
            patient=patient,
            readings=readings,
            replaces=replaces,
            cause=cause,
            in_error=cause == _ENTERED_IN_ERROR,
            anchor=any(self._is_anchor(r) for r in readings),
            unmapped=listed,
        )

    def _readings(
        self, entry: Entry, seen: Look, source: Source, reference: str, patient: str
    ) -> tuple[tuple[AnyReading, ...], str, tuple[str, ...]]:
        """The readings, why a card on an earlier version may fall, and what is replaced."""
        resource = with_drug(parse(seen, entry.body or b""), entry)
        meta = seen.meta
        naming = Naming(
            reference=reference,
            patient=patient,
            source=source.key,
            version=(meta.version_id if meta else None) or "",
            updated=meta.last_updated if meta else None,
        )
        readings = tuple(normalize(resource, naming, self.tables, self.site))
        if _asserted_in_error(resource):
            return (), _ENTERED_IN_ERROR, ()
        return readings, _cause(resource), _replaced(resource, source, entry)

    def _is_anchor(self, reading: AnyReading) -> bool:
        concept = self.tables.concepts.get(reading.concept)
        return concept is not None and concept.klass == "anchor"


def _deletion(entry: Entry, source: Source, feed: str, offset: int) -> Update | None:
    """Of a type that is not read there is nothing to delete."""
    if entry.target is None or entry.target.partition("/")[0] not in READ_TYPES:
        return None
    identity = f"{source.key}|{entry.target}"
    return Update(
        identity=identity,
        key=key_of(identity),
        version=Version(_number(entry.version), 0, offset),
        feed=feed,
        cause="deleted",
        deletion=True,
    )


def _version(seen: Look, offset: int, zone: tzinfo) -> Version:
    meta = seen.meta
    if meta is None:
        return Version(0, 0, offset)
    updated = bookkept(meta.last_updated, zone)
    return Version(
        _number(meta.version_id),
        microseconds(updated.instant) if updated and updated.instant else 0,
        offset,
    )


def _number(version: str | None) -> int:
    """A version that counts; 0 for one that does not, or is too long for the store."""
    return int(version) if version and len(version) < 19 and version.isdecimal() else 0


def _patient(seen: Look, reference: str, source: Source, entry: Entry) -> str:
    if seen.resource_type == "Patient":
        return reference
    patient = _subject(seen, source, entry)
    if patient is None:
        raise Unreadable("no-subject")
    return patient


def _subject(seen: Look, source: Source, entry: Entry) -> str | None:
    subject = seen.subject.reference if seen.subject else None
    return resolve(subject, source, entry.aliases, "Patient")


def _in_error(seen: Look) -> bool:
    return seen.status == _ENTERED_IN_ERROR


def _asserted_in_error(resource: Resource) -> bool:
    """A Condition says so in its verification status."""
    status = resource.verification_status if isinstance(resource, Condition) else None
    return status is not None and any(c.code == _ENTERED_IN_ERROR for c in status.coding)


def _cause(resource: Resource) -> str:
    if isinstance(resource, Observation) and resource.status in ("corrected", "amended"):
        return "corrected"
    status = resource.verification_status if isinstance(resource, Condition) else None
    if status is not None and any(c.code == "refuted" for c in status.coding):
        return "refuted"
    return "answered"


def _replaced(resource: Resource, source: Source, entry: Entry) -> tuple[str, ...]:
    """Identities of the results that an Observation says it replaces."""
    if not isinstance(resource, Observation):
        return ()
    named: list[Reference | None] = [
        e.value_reference for e in resource.extension if e.url.endswith(_REPLACES)
    ]
    named += [r.target for r in resource.related if r.type == "replaces"]
    found = (
        resolve(r.reference, source, entry.aliases, "Observation") for r in named if r is not None
    )
    own = f"Observation/{resource.id}"  # corrected in place, it does not replace itself
    return tuple(sorted({f"{source.key}|{r}" for r in found if r and r != own}))
