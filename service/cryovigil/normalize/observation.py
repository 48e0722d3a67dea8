"""An Observation and its components: when, of what, and which value in canonical terms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from cryovigil.normalize.naming import Naming, concepts_of
from cryovigil.normalize.readings import Result, When
from cryovigil.normalize.result_value import Value, read_value
from cryovigil.normalize.tables import Tables
from cryovigil.normalize.times import place, when
from cryovigil.resources import Component, Observation

_AXIS_UNKNOWN = "cryoglobulin axis unknown"


def result_readings(
    observation: Observation, naming: Naming, tables: Tables, zone: tzinfo
) -> Iterator[Result]:
    """One reading a concept and component; the components follow the Observation itself."""
    at = _when(observation, zone)
    issued = when(observation.issued, zone)
    part = 0
    every: tuple[Observation | Component, ...] = (observation, *observation.component)
    for valued in every:
        for concept, value in _values(valued, tables):
            yield Result(
                concept=concept,
                reference=naming.reference,
                patient=naming.patient,
                source=naming.source,
                part=part,
                version=naming.version,
                at=place(at, zone),
                status=observation.status,
                when=at,
                issued=issued,
                value=value.value,
                unit=value.unit,
                comparator=value.comparator,
                word=value.word,
                flag=value.flag,
                low=value.low,
                high=value.high,
                kind=value.kind,
                problem=value.problem,
                lloq=value.lloq,
                top=value.top,
                range_unread=value.range_unread,
                shown=value.shown,
                shown_range=value.shown_range,
            )
            part += 1


def _values(valued: Observation | Component, tables: Tables) -> Iterator[tuple[str, Value]]:
    concepts = concepts_of(valued.code, tables.codes)
    named = [c for c in concepts if c != _AXIS_UNKNOWN] or list(concepts)
    # Codings of two analytes on one result contradict each other: refused, and listed.
    contradictory = len(named) > 1
    for concept in named:
        read = read_value(concept, valued, tables)
        if contradictory:
            read = (read[0], Value(problem="contradictory", shown=read[1].shown))
        yield read


def _when(observation: Observation, zone: tzinfo) -> When | None:
    """effective[x], a Period by its end; else collection of the specimen, else issued."""
    period = observation.effective_period
    for text in (
        observation.effective_date_time,
        observation.effective_instant,
        (period.end or period.start) if period else None,
        *_collected(observation),
        observation.issued,
    ):
        if text:
            return when(text, zone)
    return None


def _collected(observation: Observation) -> Iterator[str | None]:
    for contained in observation.contained:
        if collection := contained.collection:
            period = collection.collected_period
            yield collection.collected_date_time
            yield (period.end or period.start) if period else None
