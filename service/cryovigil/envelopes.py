"""Step 1. What producers wrap round a resource: one small function for each shape.

A bare resource, a Bundle of any type (deletions are entries with a DELETE request and no
resource), a tombstone of a compacted topic, and NDJSON for files. Limits of size and nesting are
ours, not the parser's, so that they are the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from cryovigil.errors import Unreadable

MAX_DEPTH = 100
# A record of 8 MiB leaves 84 bytes for each of so many: no Bundle of resources comes near.
MAX_ENTRIES = 100_000
# FHIR's id, longer, and with what real servers put into theirs: all that a URL need not escape.
ID = r"[A-Za-z0-9\-._~]{1,128}"
_MEDICATION = "Medication"
_BOM = b"\xef\xbb\xbf"
_LONGEST_URL = 1500
_TARGET = re.compile(rf"(?:.*/)?([A-Z][A-Za-z]+)/({ID})(?:/_history/([^/?]+))?")
_STRING = re.compile(rb'"[^"]*"')
_BRACES = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS = tuple(1 if byte == ord("{") else -1 for byte in range(256))
_USUAL_DEPTH = 12  # of a Bundle of results; what is deeper is counted bracket by bracket
_TOO_DEEP = re.compile(rb"\{{%d}" % (MAX_DEPTH + 1))


class Entry(Struct, frozen=True):
    """One resource out of its envelope, or one deletion.

    body: the resource's JSON, None for a deletion; target, version: what a deletion is of, as
    `Type/id`, and at which version; aliases: fullUrl -> `Type/id` of the same Bundle, so that a
    reference to urn:uuid can be followed; medications: by fullUrl and by `Type/id`, the Medication
    resources of the same Bundle, which orders and statements of it may refer to.
    """

    body: bytes | Raw | None
    target: str | None = None
    version: str | None = None
    deleted: bool = False
    aliases: Mapping[str, str] = {}
    medications: Mapping[str, Raw] = {}


class _Request(Struct):
    method: str = ""
    url: str = ""


class _BundleEntry(Struct, rename="camel"):
    full_url: str | None = None
    resource: Raw | UnsetType = UNSET
    request: _Request | None = None


class _Envelope(Struct, rename="camel"):
    resource_type: str | UnsetType = UNSET
    entry: list[Raw] | None = None


class _Identity(Struct, rename="camel"):
    resource_type: str = ""
    id: str = ""


class _Identified(Struct, rename="camel"):
    full_url: str | None = None
    resource: _Identity | None = None


class _Relations(Struct, frozen=True):
    """What entries of one Bundle say of others: the members of Entry."""

    aliases: Mapping[str, str] = {}
    medications: Mapping[str, Raw] = {}


_envelope = msgspec.json.Decoder(_Envelope)
_entry = msgspec.json.Decoder(_BundleEntry)
_identified = msgspec.json.Decoder(_Identified)


def unwrap(value: bytes | None, key: bytes | None = None) -> Iterator[Entry | Unreadable]:
    """The entries of one record. A bad Bundle entry comes out as an Unreadable beside the others.

    Raises Unreadable where the record as a whole makes no sense: not-json, too-deep,
    not-a-resource, too-many-entries.
    """
    if value is None:
        yield from _tombstone(key)
        return
    value = value.removeprefix(_BOM)
    check_depth(value)
    envelope = _read(value)
    if envelope.resource_type is UNSET:
        raise Unreadable("not-a-resource")
    if envelope.resource_type == "Bundle":
        raw = envelope.entry or []
        if len(raw) > MAX_ENTRIES:
            raise Unreadable("too-many-entries")
        yield from _bundle(raw, _relations(raw, value))
    else:
        yield Entry(value)


def lines(text: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines of an NDJSON file that hold anything, with their numbers from 1."""
    for number, line in enumerate(text.removeprefix(_BOM).splitlines(), start=1):
        if line.strip():
            yield number, line


def check_depth(value: bytes) -> None:
    """Raises Unreadable("too-deep") beyond 100 levels, the root being the first.

    Fewer opening brackets than that cannot be deeper, which spares nearly every record the scan.
    """
    if value.count(b"{") + value.count(b"[") > MAX_DEPTH and _nests_too_deep(value):
        raise Unreadable("too-deep")


def _nests_too_deep(value: bytes) -> bool:
    """Takes the innermost pairs away, level by level, once everything but brackets is gone.

    No step of it is Python's own loop: a Bundle of megabytes must not hold the event loop.
    """
    text = value.replace(rb"\\", b"").replace(rb"\"", b"")
    text = _STRING.sub(b"", text.translate(_BRACES, _NO_BRACKETS).replace(b'""', b""))
    if _TOO_DEEP.search(text):
        return True
    for _ in range(_USUAL_DEPTH):
        text = text.replace(b"{}", b"")
    if not text:
        return False
    return _USUAL_DEPTH + max(accumulate(map(_STEPS.__getitem__, text))) > MAX_DEPTH


def _target(text: str) -> re.Match[str] | None:
    return _TARGET.fullmatch(text) if len(text) <= _LONGEST_URL else None


def _read(value: bytes) -> _Envelope:
    try:
        return _envelope.decode(value)
    except msgspec.ValidationError:
        raise Unreadable("not-a-resource") from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Unreadable("not-json") from None


def _tombstone(key: bytes | None) -> Iterator[Entry]:
    """A null value deletes what its key names; without a usable key it says nothing."""
    try:
        target = _target((key or b"").decode())
    except UnicodeDecodeError:
        target = None
    if target is not None:
        yield Entry(None, f"{target[1]}/{target[2]}", deleted=True)


def _bundle(raw: Iterable[Raw], related: _Relations) -> Iterator[Entry | Unreadable]:
    """One after the other, so that whoever reads them can let others go between two."""
    for item in raw:
        entry = _bundle_entry(item)
        yield entry if isinstance(entry, Unreadable) else _opened(entry, related)


def _bundle_entry(raw: Raw) -> _BundleEntry | Unreadable:
    try:
        return _entry.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Unreadable("bundle-entry")


def _opened(entry: _BundleEntry, related: _Relations) -> Entry | Unreadable:
    request = entry.request or _Request()
    # A body that came along says what was deleted, never that it exists.
    deleted = request.method == "DELETE"
    if entry.resource is not UNSET and not deleted:
        return Entry(entry.resource, aliases=related.aliases, medications=related.medications)
    target = _target(request.url or entry.full_url or "")
    if not deleted:
        return Unreadable("needs-read") if target else Unreadable("bundle-entry")
    if target is None:
        return Unreadable("deletion-of-nothing")
    return Entry(None, f"{target[1]}/{target[2]}", target[3], deleted=True)


def _relations(raw: Iterable[Raw], value: bytes) -> _Relations:
    """The names of entries that others may use. Looking for the words costs next to nothing."""
    medicated = b'"Medication"' in value
    if not medicated and b'"urn:' not in value:
        return _Relations()
    aliases: dict[str, str] = {}
    medications: dict[str, Raw] = {}
    for item, url, known in _identities(raw):
        name = f"{known.resource_type}/{known.id}" if known.resource_type and known.id else ""
        if name and url.startswith("urn:"):
            aliases[url] = name
        if medicated and known.resource_type == _MEDICATION:
            entry = _bundle_entry(item)
            if isinstance(entry, _BundleEntry) and isinstance(entry.resource, Raw):
                medications |= dict.fromkeys(filter(None, (url, name)), entry.resource)
    return _Relations(aliases, medications)


def _identities(raw: Iterable[Raw]) -> Iterator[tuple[Raw, str, _Identity]]:
    """Entries with their fullUrl. What cannot be read becomes a dead letter when it is opened."""
    for item in raw:
        try:
            entry = _identified.decode(item)
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
        if entry.resource is not None:
            yield item, entry.full_url or "", entry.resource
