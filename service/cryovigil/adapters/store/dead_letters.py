"""Events that could not be read: the record byte for byte with the first letter of it."""

from __future__ import annotations

from collections.abc import Sequence

from cryovigil.adapters.ports import DeadLetter, DeadLetterRow
from cryovigil.adapters.store import rows
from cryovigil.adapters.store.session import Session

_ADD = """INSERT INTO dead_letter
    (topic, partition, "offset", reason, key, value, headers, patient_key, at, part,
        entries)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""
_LIST = """SELECT topic, partition, "offset", reason, at, entries FROM dead_letter
    WHERE state = 'open' ORDER BY id"""


class DeadLetters:
    """The part of a transaction that keeps what could not be read."""

    _session: Session

    async def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        await self._session.many(
            _ADD,
            [
                (
                    letter.topic,
                    letter.partition,
                    letter.offset,
                    letter.reason,
                    letter.key,
                    letter.value,
                    rows.encode(letter.headers),
                    letter.patient,
                    rows.micros(letter.at),
                    letter.part,
                    letter.entries,
                )
                for letter in letters
            ],
        )


async def list_dead_letters(session: Session) -> list[DeadLetterRow]:
    """All that nobody has dealt with, oldest first."""
    found = await session.fetch(_LIST)
    return [
        DeadLetterRow(topic, partition, offset, reason, rows.moment(at), entries)
        for topic, partition, offset, reason, at, entries in found
    ]
