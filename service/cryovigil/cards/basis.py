"""What a card rests on, so that it can be checked and computed again: `org.cryovigil.basis`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cryovigil.cards.figures import day_text
from cryovigil.normalize.readings import AnyReading, Finding, Result, Treatment
from cryovigil.rules import Fired
from cryovigil.rules.book import BookRule

BASIS = "org.cryovigil.basis"


def basis(rule: BookRule, fired: Fired, engine_digest: str, as_of: datetime) -> dict[str, Any]:
    """Rule, digests, criteria, evidence, what is missing, citations, instant. No empty member."""
    return _present(
        {
            "rule": rule.id,
            "ruleDigest": rule.digest,
            "engineDigest": engine_digest,
            "criteria": list(fired.criteria),
            "evidence": _evidence(fired.evidence),
            "missing": list(fired.missing),
            "citations": list(_citations(rule)),
            "asOf": instant_text(as_of),
        }
    )


def instant_text(instant: datetime) -> str:
    """An instant in UTC, as `2026-01-31T13:00:00Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _evidence(readings: tuple[AnyReading, ...]) -> list[dict[str, Any]]:
    """Oldest first, each once. Values are canonical; those without a number say their word."""
    placed = {(r.at, r.reference, r.part, r.concept): _item(r) for r in readings}
    items: list[dict[str, Any]] = []
    for _, item in sorted(placed.items()):
        if item not in items:
            items.append(item)
    return items


def _item(reading: AnyReading) -> dict[str, Any]:
    item: dict[str, Any] = {
        "reference": reading.reference,
        "version": reading.version,
        "date": _date(reading),
    }
    if isinstance(reading, Result):
        item |= {"value": _value(reading), "unit": reading.unit}
    return _present(item)


def _value(result: Result) -> float | str | None:
    """The number where it is one; with its comparator it is text."""
    if result.value is None:
        return result.word or result.kind
    number = int(result.value) if result.value.is_integer() else float(f"{result.value:.12g}")
    return f"{result.comparator}{number}" if result.comparator else number


def _date(reading: AnyReading) -> str | None:
    match reading:
        case Result():
            known = reading.when
        case Finding():
            known = reading.onset or reading.recorded
        case Treatment():
            known = reading.start or reading.authored
        case _:
            known = None
    return day_text(known) if known is not None else None


def _citations(rule: BookRule) -> Iterator[dict[str, str]]:
    """The card's own source first, then those of the parameters, each place once."""
    source = rule.file.card.source
    places = [(source.reference, source.label)]
    places += [(p.citation.reference, p.citation.place) for p in rule.file.parameters.values()]
    for name, place in dict.fromkeys(places):
        reference = rule.file.references[name]
        yield _present({"title": reference.title, "link": reference.link, "place": place})


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    """Without null and empty members; 0 is neither."""
    return {name: value for name, value in members.items() if value not in (None, "", [])}
