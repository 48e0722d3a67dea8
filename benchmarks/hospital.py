"""A made-up hospital by seed: its records in the order they arrive, and what has to come of them.

The mix is that of a hospital's laboratory and ward: 84 in a hundred resources say nothing about
cryoglobulinemic vasculitis, 15 are stored beside an anchor, one is an anchor. Record keys are those
of the resource, as most producers choose them, so that a patient's records are on all partitions.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import cycle
from typing import Literal, TypeAlias

from msgspec import Struct, field

from benchmarks.catalogue import COMMON, COMMON_CONDITIONS, COMMON_DRUGS, CONTEXT, Assay
from benchmarks.resources import Writer
from benchmarks.workups import SCREENED, WORKUPS, Workup

PATIENTS = 20_000
SHARES: Mapping[Kind, int] = {"irrelevant": 84, "context": 15, "anchor": 1}  # in a hundred
# Days before today: long enough ago to be past, recent enough for every window of a rule.
FIRST_DAY, LAST_DAY = 2, 20

Kind: TypeAlias = Literal["irrelevant", "context", "anchor"]


class Arrival(Struct, frozen=True):
    """A record: its Kafka key and value."""

    key: bytes
    value: bytes


class Expected(Struct):
    """What the store has to hold: rows of readings by concept, open cards by rule."""

    readings: Counter[str] = field(default_factory=Counter)
    cards: Counter[str] = field(default_factory=Counter)


class Load(Struct, frozen=True):
    """One topic's worth of records."""

    name: str
    arrivals: list[Arrival]
    expected: Expected


class Hospital:
    """Makes loads. Equal name, seed and today make equal loads.

    The patients of a load are its own, so that loads do not change what is expected of each other.
    """

    def __init__(self, name: str, seed: int, today: date) -> None:
        self._name = name
        self._chance = random.Random(f"{seed}/{name}")
        self._today = today
        self._ids = self._new_ids()
        self._expected = Expected()
        self._workups = self._in_turn()

    def mix(self, events: int) -> Load:
        """The hospital's mix, shuffled."""
        counts = {kind: events * share // 100 for kind, share in SHARES.items()}
        counts["irrelevant"] += events - sum(counts.values())
        return self._load([arrival for kind in counts for arrival in self._of(kind, counts[kind])])

    def alone(self, kind: Kind, events: int) -> Load:
        """One class alone."""
        return self._load(list(self._of(kind, events)))

    def _load(self, arrivals: list[Arrival]) -> Load:
        self._chance.shuffle(arrivals)
        return Load(self._name, arrivals, self._expected)

    def _of(self, kind: Kind, count: int) -> Iterator[Arrival]:
        if kind == "anchor":
            yield from self._anchors(count)
            return
        make = self._irrelevant if kind == "irrelevant" else self._context
        for _ in range(count):
            identifier = next(self._ids)
            yield Arrival(identifier.encode(), make(identifier))

    def _irrelevant(self, identifier: str) -> bytes:
        """Nine in ten are observations."""
        writer, ago = self._somebody(), self._ago()
        chosen = self._chance.random()
        if chosen < 0.05:
            return writer.condition(identifier, self._chance.choice(COMMON_CONDITIONS), ago)
        if chosen < 0.10:
            return writer.prescription(identifier, self._chance.choice(COMMON_DRUGS), ago)
        return self._measured(writer, identifier, self._chance.choice(COMMON), ago)

    def _context(self, identifier: str) -> bytes:
        assay = self._chance.choice(CONTEXT)
        self._expected.readings[str(assay.concept)] += 1
        return self._measured(self._somebody(), identifier, assay, self._ago())

    def _measured(self, writer: Writer, identifier: str, assay: Assay, ago: int) -> bytes:
        value = round(self._chance.uniform(assay.low, assay.high), 2)
        return writer.measured(identifier, assay, value, ago)

    def _anchors(self, count: int) -> Iterator[Arrival]:
        """Whole workups as long as they fit, then single screenings."""
        cards: dict[str, Workup] = {}
        left = count
        while left:
            patient, workup = next(self._workups)
            made = self._visit(patient, workup)
            if len(made) > left:
                made = self._visit(patient, SCREENED)
            else:
                cards[patient] = workup
            for identifier, concept, body in made:
                self._expected.readings[concept] += 1
                yield Arrival(identifier.encode(), body)
            left -= len(made)
        for workup in cards.values():
            self._expected.cards.update(workup.cards)

    def _visit(self, patient: str, workup: Workup) -> list[tuple[str, str, bytes]]:
        """Ids, concepts and resources of one visit."""
        given: list[str] = []

        def ids() -> Iterator[str]:
            while True:
                given.append(next(self._ids))
                yield given[-1]

        anchors = workup.steps(Writer(patient, self._today), ids(), self._ago())
        return [(name, *anchor) for name, anchor in zip(given, anchors, strict=True)]

    def _in_turn(self) -> Iterator[tuple[str, Workup]]:
        """Patients in random order, each with one kind of workup for ever."""
        order = self._chance.sample(range(PATIENTS), PATIENTS)
        weights = [workup.weight for workup in WORKUPS]
        kinds = self._chance.choices(WORKUPS, weights, k=PATIENTS)
        return cycle([(self._patient(n), kind) for n, kind in zip(order, kinds, strict=True)])

    def _somebody(self) -> Writer:
        return Writer(self._patient(self._chance.randrange(PATIENTS)), self._today)

    def _patient(self, number: int) -> str:
        return f"{self._name}-{number:05d}"

    def _new_ids(self) -> Iterator[str]:
        """Ids as opaque as those of a FHIR server; 64 bits do not meet in a run."""
        while True:
            yield f"{self._chance.getrandbits(64):016x}"

    def _ago(self) -> int:
        return self._chance.randint(FIRST_DAY, LAST_DAY)
