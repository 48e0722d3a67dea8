"""Step 1. What producers wrap round a resource: one small function for each shape.

A bare resource, a Bundle of any type (deletions are entries with a DELETE request and no
resource), a tombstone of a compacted topic, and NDJSON for files. Limits of size and nesting are
ours, not the parser's, so that they are the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from cryovigil.errors import Unreadable

MAX_DEPTH = 100
_BOM = b"\xef\xbb\xbf"
_TARGET = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-._~]{1,128})(?:/_history/([^/?]+))?")
_STRING = re.compile(rb'"[^"]*"')
_BRACES = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_TOO_DEEP = re.compile(rb"\{{%d}" % (MAX_DEPTH + 1))


class Entry(Struct, frozen=True):
    """One resource out of its envelope, or one deletion.

    body: the resource's JSON, None for a deletion; target: `Type/id` as the envelope says it;
    version: as the envelope says it; aliases: fullUrl -> `Type/id` of the same Bundle, so that a
    reference to urn:uuid can be followed.
    """

    body: bytes | Raw | None
    target: str | None = None
    version: str | None = None
    deleted: bool = False
    aliases: Mapping[str, str] = {}


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


_envelope = msgspec.json.Decoder(_Envelope)
_entry = msgspec.json.Decoder(_BundleEntry)
_identity = msgspec.json.Decoder(_Identity)


def unwrap(value: bytes | None, key: bytes | None = None) -> Iterator[Entry | Unreadable]:
    """The entries of one record. A bad Bundle entry comes out as an Unreadable beside the others.

    Raises Unreadable where the record as a whole makes no sense: not-json, too-deep,
    not-a-resource.
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
        yield from _bundle(envelope.entry or [])
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
    for _ in range(MAX_DEPTH):
        text = text.replace(b"{}", b"")
    return b"{}" in text


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
        target = _TARGET.fullmatch((key or b"").decode())
    except UnicodeDecodeError:
        target = None
    if target is not None:
        yield Entry(None, f"{target[1]}/{target[2]}", deleted=True)


def _bundle(raw: list[Raw]) -> Iterator[Entry | Unreadable]:
    entries = [_bundle_entry(item) for item in raw]
    aliases = _aliases(e for e in entries if isinstance(e, _BundleEntry))
    for entry in entries:
        yield entry if isinstance(entry, Unreadable) else _opened(entry, aliases)


def _bundle_entry(raw: Raw) -> _BundleEntry | Unreadable:
    try:
        return _entry.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Unreadable("bundle-entry")


def _opened(entry: _BundleEntry, aliases: Mapping[str, str]) -> Entry | Unreadable:
    request = entry.request or _Request()
    target = _TARGET.fullmatch(request.url or entry.full_url or "")
    name = f"{target[1]}/{target[2]}" if target else None
    if request.method == "DELETE":
        # A body that came along says what was deleted, never that it exists.
        if target is None:
            return Unreadable("deletion-of-nothing")
        return Entry(None, name, target[3], deleted=True)
    if entry.resource is UNSET:
        return Unreadable("needs-read") if target else Unreadable("bundle-entry")
    return Entry(entry.resource, name, aliases=aliases)


def _aliases(entries: Iterator[_BundleEntry]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        if entry.full_url is None or not entry.full_url.startswith("urn:"):
            continue
        if entry.resource is UNSET:
            continue
        try:
            named = _identity.decode(entry.resource)
        except (msgspec.DecodeError, ValueError):
            continue  # it becomes a dead letter of its own when it is decoded
        if named.resource_type and named.id:
            found[entry.full_url] = f"{named.resource_type}/{named.id}"
    return found
