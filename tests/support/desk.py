"""Casework on a store, and the journey alone, both with the shipped rulebook and mappings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Struct
from tests.support.histories import NOW, Delivered, History
from tests.support.open_stores import AnyStore

from cryovigil.adapters.casework import Announcing, Casework
from cryovigil.decode import Source
from cryovigil.facts.coverage import WHOLE, Coverage
from cryovigil.journey import Journey
from cryovigil.lifecycle import CardState
from cryovigil.normalize import Site
from cryovigil.normalize.readings import AnyReading, Update
from cryovigil.normalize.tables import Tables, load_tables
from cryovigil.rules.book import Rulebook, load_rulebook
from cryovigil.updates import Reader

MAPPINGS = Path(__file__).parents[2] / "mappings"
ZONE = ZoneInfo("Europe/Paris")
SOURCE = Source()
SECRET = b"a secret of the tests"
EXPIRY = timedelta(days=30)
ALL_CARDS = 1_000_000

# By patient (`Patient/id`) and rule.
Cards: TypeAlias = Mapping[tuple[str, str], CardState]
Gist: TypeAlias = Mapping[tuple[str, str], Mapping[str, Any]]


@cache
def tables() -> Tables:
    return load_tables(MAPPINGS)


@cache
def rulebook() -> Rulebook:
    return load_rulebook(MAPPINGS)


def reader() -> Reader:
    return Reader(tables(), Site(ZONE))


def journey(coverage: Coverage = WHOLE, book: Rulebook | None = None) -> Journey:
    return Journey(
        book=book or rulebook(),
        also=tables().also,
        coverage=coverage,
        zone=ZONE,
        secret=SECRET,
        public_url="https://cryovigil.example.org",
    )


class Desk(Struct, frozen=True):
    """Handles records as the service does, without Kafka: a transaction each slice."""

    store: AnyStore
    casework: Casework

    @classmethod
    async def at(cls, store: AnyStore, journey: Journey) -> Desk:
        """A desk at a store that was just opened."""
        needs = journey.book.needs
        await store.align(needs)
        expiry = {rule.id: EXPIRY for rule in journey.book.rules}
        announcing = Announcing("urn:test", expiry)
        casework = Casework(
            reader(), journey, needs, {"": SOURCE}, announcing=announcing, now=lambda: NOW
        )
        return cls(store, casework)

    async def handle(self, records: Iterable[Delivered], at: datetime = NOW) -> None:
        """One slice."""
        updates = [update for record in records for update in self.read(record)]
        async with self.store.transaction() as tx:
            await self.casework.handle(tx, updates, (), at)

    def read(self, record: Delivered) -> Iterator[Update]:
        """What a record says; each one here is readable."""
        event = record.event
        for read in self.casework.read(
            event.value, event.key, (), "t", record.partition, record.offset
        ):
            assert isinstance(read, Update)
            yield read

    async def drain(self, at: datetime) -> int:
        """Whoever is due by then is asked again, until nobody is; how many were."""
        total = 0
        for _ in range(20):
            async with self.store.transaction() as tx:
                asked = await self.casework.drain(tx, at, 100)
            total += asked
            if not asked:
                return total
        raise AssertionError("somebody is due for ever")

    async def open_cards(self) -> Cards:
        """The cards that are open in the store."""
        since = datetime(1970, 1, 1, tzinfo=UTC)
        return {
            (card.patient.reference, card.state.rule): card.state
            for card in await self.store.cards_since(since, ALL_CARDS)
            if card.state.state == "open"
        }


def readings_of(history: History) -> Mapping[str, Sequence[AnyReading]]:
    """What the newest versions alone say, by patient: no store, nothing folded."""
    by_patient: defaultdict[str, list[AnyReading]] = defaultdict(list)
    for event in history.newest:
        for update in reader().read(event.value, event.key, SOURCE, "t/0", 0):
            assert isinstance(update, Update)
            for reading in update.readings:
                by_patient[reading.patient].append(reading)
    return by_patient


def cards_of(history: History, journey: Journey, at: datetime = NOW) -> Cards:
    """What the newest versions alone open."""
    return {
        (patient, change.after.rule): change.after
        for patient, readings in readings_of(history).items()
        for change in journey.changes(
            journey.assess(readings, at), (), f"{SOURCE.key}|{patient}", {}
        )
    }


def gist(cards: Cards) -> Gist:
    """Cards apart from what an order of arrival may change.

    An opening in between raises the episode, and with it uuid and link; revisions count what was
    seen on the way; asOf is the instant at which the card last had something new to say.
    """
    return {where: _gist(state) for where, state in cards.items()}


def _gist(state: CardState) -> Mapping[str, Any]:
    card = {name: value for name, value in state.card.items() if name not in ("uuid", "links")}
    basis = dict(card["extension"]["org.cryovigil.basis"])
    del basis["asOf"]
    return {
        "indicator": state.indicator,
        "criteria": tuple(state.criteria),
        "missing": tuple(state.missing),
        "anchors": tuple(state.anchors),
        "card": {**card, "extension": basis},
    }


def rules_in(cards: Iterable[Cards]) -> Counter[str]:
    """How often each rule has a card."""
    return Counter(rule for one in cards for _, rule in one)


def slices_of(history: History, size: int) -> Sequence[list[Delivered]]:
    """The history as it was written, so many records a slice."""
    records = [Delivered(0, offset, event) for offset, event in enumerate(history.events)]
    return [records[start : start + size] for start in range(0, len(records), size)]
