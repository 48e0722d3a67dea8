"""Histories of patients as a laboratory and a hospital tell them: versions of FHIR resources.

They begin as the demo's patients, so that rules fire, and are then corrected, moved to another
patient, declared an error, deleted, restored and replaced under new ids, as chance has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random

from msgspec import Struct
from tests.support.revisions import (
    UNWATCHED,
    Chain,
    Resource,
    fresh,
    name_of,
    replace_some,
    revisions,
)

from cryovigil.demo.patients import stories
from cryovigil.demo.resources import Chart

TODAY = date(2026, 6, 1)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

_CREATININE = (60, 80, 100, 130, 150, 210)
_MANY = 1000  # a version number that no history reaches


class Event(Struct, frozen=True):
    """One version of one resource, as a record.

    name: `Type/id`; value, key: the record's; retracted: deleted or entered in error; replaces:
    the names of what it replaces, which only a final result does.
    """

    name: str
    value: bytes | None
    key: bytes
    retracted: bool
    replaces: tuple[str, ...] = ()


class History(Struct, frozen=True):
    """Versions of resources, those of each one oldest first.

    in_order: names of those whose versions mean something only in the order they were written.
    """

    events: tuple[Event, ...]
    in_order: frozenset[str] = frozenset()

    @property
    def newest(self) -> tuple[Event, ...]:
        """What stands: the newest version of each resource unless retracted or replaced."""
        last = {event.name: event for event in self.events}
        standing = [event for event in last.values() if not event.retracted]
        replaced = {name for event in standing for name in event.replaces}
        return tuple(event for event in standing if event.name not in replaced)

    def without(self, names: Iterable[str]) -> History:
        """As if these resources had never been."""
        gone = set(names)
        kept = tuple(event for event in self.events if event.name not in gone)
        return History(kept, self.in_order - gone)


class Delivered(Struct, frozen=True):
    """A record where a partition has it."""

    partition: int
    offset: int
    event: Event


def seeded(seed: int) -> Random:
    """Chance that is the same every time."""
    return Random(seed)  # noqa: S311 (no secret)


def told(resources: Iterable[Resource]) -> History:
    """A history as these resources tell it, one version after the other; Bundles are taken apart.

    Their own meta.versionId stands.
    """
    return History(tuple(_event(name_of(body), body) for body in _single(resources)))


def told_by_demo() -> History:
    """The demo's patients, whole."""
    return told(r for story in stories(TODAY, "case") for r in (*story.history, *story.later))


def history(rng: Random, most_patients: int = 3) -> History:
    """One to so many patients, and what became of their resources."""
    chosen = rng.sample(stories(TODAY, "case"), rng.randint(1, most_patients))
    charts = [Chart(story.patient, TODAY) for story in chosen]
    chains: dict[str, Chain] = {}
    for story in chosen:
        for body in _single((*story.history, *story.later)):
            chains.setdefault(name_of(body), []).append(body)
    for number in range(rng.randint(0, 4)):
        extra = {**fresh(rng, rng.choice(charts)), "id": f"extra-{number}"}
        chains[name_of(extra)] = [extra]
    for chain in chains.values():
        if rng.random() < 0.35:
            chain.extend(revisions(rng, chain, charts))
    replace_some(rng, chains)
    events = tuple(e for name, chain in chains.items() for e in _chain(name, chain, rng))
    return History(events, frozenset(_in_order(chains, events)))


def kidney_history(rng: Random) -> History:
    """A cryoglobulin, and creatinine through the year and more that the rules look back."""
    chart = Chart("kidney", TODAY)
    days = rng.sample(range(1, 450), rng.randint(2, 8))
    statuses = ("final", "final", "final", "preliminary", "cancelled")
    results = [
        chart.result("creatinine", rng.choice(_CREATININE), day, status=rng.choice(statuses))
        for day in days
    ]
    return told([chart.person("Ebner", 1966), chart.result("cryoglobulin", 0.4, 30), *results])


def delivered(rng: Random, history: History, partitions: int = 2) -> list[list[Delivered]]:
    """The history in slices of one partition each: in any order, with duplicates."""
    events = list(history.events)
    free = [event for event in events if event.name not in history.in_order]
    events += rng.choices(free, k=rng.randint(0, len(free) // 2)) if free else []
    rng.shuffle(events)
    events = _restore_order(events, history)
    # A tombstone that comes again would delete what was written since.
    bodies = [e for e in events if e.name in history.in_order and e.value is not None]
    events += rng.choices(bodies, k=rng.randint(0, len(bodies))) if bodies else []
    logs: list[list[Delivered]] = [[] for _ in range(partitions)]
    for event in events:
        number = 0 if event.name in history.in_order else rng.randrange(partitions)
        logs[number].append(Delivered(number, len(logs[number]), event))
    return list(_slices(rng, logs))


def in_one_slice(history: History) -> list[list[Delivered]]:
    """The history as it was written, handled at once."""
    return [[Delivered(0, offset, event) for offset, event in enumerate(history.events)]]


def replayed(rng: Random, slices: Iterable[list[Delivered]]) -> list[list[Delivered]]:
    """The same records of the same partitions, in other slices."""
    logs: dict[int, list[Delivered]] = {}
    for records in slices:
        for record in records:
            logs.setdefault(record.partition, []).append(record)
    return list(_slices(rng, list(logs.values())))


def deleted_at_last(history: History, names: Sequence[str]) -> History:
    """The same, and then these resources are deleted, each by a version of its own."""
    events = [*history.events, *(_deletion(name, _MANY) for name in names)]
    return History(tuple(events), history.in_order)


def _slices(rng: Random, logs: list[list[Delivered]]) -> Iterator[list[Delivered]]:
    left = [log for log in logs if log]
    while left:
        log = rng.choice(left)
        size = rng.randint(1, 8)
        yield log[:size]
        del log[:size]
        left = [log for log in left if log]


def _restore_order(events: Sequence[Event], history: History) -> list[Event]:
    """What must keep its order takes the places it has in the order it was written."""
    ordered = {
        name: iter([e for e in history.events if e.name == name]) for name in history.in_order
    }
    return [next(ordered[e.name]) if e.name in ordered else e for e in events]


def _single(resources: Iterable[Resource]) -> Iterator[Resource]:
    for resource in resources:
        if resource["resourceType"] == "Bundle":
            yield from (entry["resource"] for entry in resource["entry"])
        else:
            yield resource


def _event(name: str, body: Resource) -> Event:
    final = body.get("status") in ("final", "amended", "corrected")
    return Event(
        name=name,
        value=json.dumps(body).encode(),
        key=name.encode(),
        retracted=_in_error(body),
        replaces=tuple(_replaced(body)) if final else (),
    )


def _deletion(name: str, number: int | None) -> Event:
    """A DELETE that names the version it makes, or the tombstone of a compacted topic."""
    value = None
    if number is not None:
        request = {"method": "DELETE", "url": f"{name}/_history/{number}"}
        entry = {"request": request, "fullUrl": name}
        bundle = {"resourceType": "Bundle", "type": "history", "entry": [entry]}
        value = json.dumps(bundle).encode()
    return Event(name=name, value=value, key=name.encode(), retracted=True)


def _hour(number: int) -> str:
    return (NOW - timedelta(days=30) + timedelta(hours=number)).isoformat()


def _chain(name: str, chain: Chain, rng: Random) -> Iterator[Event]:
    by_number = rng.random() < 0.7
    for number, body in enumerate(chain, start=1):
        if body is None:
            yield _deletion(name, number if by_number and rng.random() < 0.6 else None)
        else:
            meta = {"versionId": str(number)} if by_number else {"lastUpdated": _hour(number)}
            yield _event(name, {**body, "meta": meta})


def _in_order(chains: Mapping[str, Chain], events: Iterable[Event]) -> Iterator[str]:
    """A tombstone has no version, and what is not watched leaves no trace if it comes first."""
    yield from (event.name for event in events if event.value is None)
    yield from (name for name, chain in chains.items() if any(map(_unwatched, chain)))


def _replaced(body: Resource) -> Iterator[str]:
    for extension in body.get("extension", ()):
        yield extension["valueReference"]["reference"]


def _in_error(body: Resource) -> bool:
    status = body.get("verificationStatus", {}).get("coding", [{}])[0]
    return "entered-in-error" in (body.get("status"), status.get("code"))


def _unwatched(body: Resource | None) -> bool:
    code = (body or {}).get("code") or (body or {}).get("medicationCodeableConcept") or {}
    return any(coding.get("system") == UNWATCHED for coding in code.get("coding", ()))
