"""What the EHR simulator received: CloudEvents in, cards by patient and rule."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["created", "updated", "retracted"]


class _Event(Struct):
    """The members of a CloudEvent that an EHR needs (adapters/sinks)."""

    id: str
    type: str
    subject: str
    data: dict[str, Any]


class Received(Struct):
    """A card as the EHR holds it. kinds: every event of it, in order; reason: of a retraction."""

    patient: str
    rule: str
    card: dict[str, Any]
    kinds: list[str]
    state: Literal["open", "retracted"] = "open"
    reason: str = ""


class Inbox:
    """Takes events once each, keeps cards by uuid, and tells whoever watches."""

    def __init__(self) -> None:
        self.cards: dict[str, Received] = {}
        self.counts: Counter[str] = Counter()
        self.strays: list[str] = []
        self._seen: set[str] = set()
        self._watchers: set[asyncio.Queue[Received | None]] = set()

    def take(self, body: bytes) -> None:
        """Raises msgspec.ValidationError or DecodeError for what is no such event."""
        event = msgspec.json.decode(body, type=_Event)
        kind = event.type.removeprefix("org.cryovigil.card.").removesuffix(".v1")
        if event.id in self._seen:
            self.counts["repeated"] += 1
            return
        self._seen.add(event.id)
        self.counts[kind] += 1
        card = self._retract(event) if kind == "retracted" else self._show(event, kind)
        if card is None:
            self.strays.append(f"{event.subject}: {kind} of a card that never came")
            return
        for watcher in self._watchers:
            watcher.put_nowait(card)

    def of(self, patient: str, rule: str) -> Received | None:
        """The newest card of a patient and rule."""
        found = [c for c in self.cards.values() if (c.patient, c.rule) == (patient, rule)]
        return found[-1] if found else None

    async def stream(self) -> AsyncIterator[Received]:
        """What is held, then what comes, until `close`."""
        with self._watching() as queue:
            for card in list(self.cards.values()):
                yield card
            while (card_or_end := await queue.get()) is not None:
                yield card_or_end

    def close(self) -> None:
        """Ends every stream."""
        for watcher in self._watchers:
            watcher.put_nowait(None)

    @contextmanager
    def _watching(self) -> Iterator[asyncio.Queue[Received | None]]:
        queue: asyncio.Queue[Received | None] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    def _show(self, event: _Event, kind: str) -> Received | None:
        (card,) = event.data["cards"]
        known = self.cards.get(card["uuid"])
        if known is None and kind == "updated":
            return None
        if known is None:
            rule = card["source"]["topic"]["code"]
            known = Received(event.subject.removeprefix("Patient/"), rule, card, [])
            self.cards[card["uuid"]] = known
        known.card, known.state, known.reason = card, "open", ""
        known.kinds.append(kind)
        return known

    def _retract(self, event: _Event) -> Received | None:
        gone = event.data["extension"]["org.cryovigil.retracted"]
        known = self.cards.get(gone["uuid"])
        if known is not None:
            known.state, known.reason = "retracted", gone["reason"]
            known.kinds.append("retracted")
        return known
