"""Cards: the newest revision of each, all revisions behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime

from cryovigil.adapters.ports import PatientKey, SourcePatient, StoredCard
from cryovigil.adapters.store import rows
from cryovigil.adapters.store.session import Row, Session
from cryovigil.lifecycle import CardState

_PUT = """INSERT INTO card
    (card_uuid, patient_key, rule, episode, revision, state, reason, changed_at, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (card_uuid) DO UPDATE SET episode = excluded.episode,
        revision = excluded.revision, state = excluded.state, reason = excluded.reason,
        changed_at = excluded.changed_at, body = excluded.body"""
_REMEMBER = """INSERT INTO card_revision (card_uuid, revision, state, reason, changed_at, body)
    VALUES ($1, $2, $3, $4, $5, $6)"""
_OF_PATIENTS = """SELECT patient_key, rule, body FROM card
    WHERE patient_key = ANY($1::bigint[]) ORDER BY patient_key, rule, episode"""
_SHOWN = """SELECT card.body, patient.identity, card.changed_at, card.reason
    FROM card JOIN patient ON patient.patient_key = card.patient_key"""
_ONE = f"{_SHOWN} WHERE card.card_uuid = $1"
_SINCE = f"""{_SHOWN} WHERE (card.changed_at, card.card_uuid) > ($1, $2)
    AND card.state IN ('open', 'retracted')
    ORDER BY card.changed_at, card.card_uuid LIMIT $3"""


class Cards:
    """The part of a transaction that keeps cards."""

    _session: Session

    async def cards(
        self, patients: Collection[PatientKey]
    ) -> Mapping[PatientKey, tuple[CardState, ...]]:
        return await read_cards(self._session, patients)

    async def put_card(
        self, patient: PatientKey, state: CardState, reason: str | None, at: datetime
    ) -> None:
        await put_card(self._session, patient, state, reason, at)


async def read_cards(
    session: Session, patients: Collection[PatientKey]
) -> Mapping[PatientKey, tuple[CardState, ...]]:
    """The newest card of each rule, by patient; patients without any are left out."""
    newest: defaultdict[PatientKey, dict[str, bytes]] = defaultdict(dict)
    for patient, rule, body in await session.fetch(_OF_PATIENTS, sorted(patients)):
        newest[patient][rule] = body
    return {
        patient: tuple(rows.decode_card(body) for body in by_rule.values())
        for patient, by_rule in newest.items()
    }


async def put_card(
    session: Session, patient: PatientKey, state: CardState, reason: str | None, at: datetime
) -> None:
    """Keeps a card's new state, and its revision in the history."""
    changed, body = rows.micros(at), rows.encode(state)
    await session.execute(
        _PUT,
        state.uuid,
        patient,
        state.rule,
        state.episode,
        state.revision,
        state.state,
        reason,
        changed,
        body,
    )
    await session.execute(_REMEMBER, state.uuid, state.revision, state.state, reason, changed, body)


async def read_card(session: Session, card_uuid: str) -> StoredCard | None:
    """A card as it stands, whatever its state."""
    found = await session.fetch(_ONE, card_uuid)
    return _stored(found[0]) if found else None


async def read_cards_since(
    session: Session, since: datetime, limit: int, after: str
) -> list[StoredCard]:
    """The next open and retracted cards after a place in time and a uuid."""
    found = await session.fetch(_SINCE, rows.micros(since), after, limit)
    return [_stored(row) for row in found]


def _stored(row: Row) -> StoredCard:
    body, identity, changed, reason = row
    return StoredCard(
        state=rows.decode_card(body),
        patient=SourcePatient.named(identity),
        changed_at=rows.moment(changed),
        reason=reason,
    )
