"""The dead letters of one record: its bytes once, however many of its entries cannot be read."""

from __future__ import annotations

from msgspec.structs import replace

from cryovigil.adapters.ports import DeadLetter, PatientKey
from cryovigil.errors import Unreadable
from cryovigil.normalize.readings import key_of

ANONYMOUS = 100
REST = "more-unreadable"


class Letters:
    """A letter for each entry, the first of which keeps the record.

    Each patient who can be told has one, since their data are incomplete. Beyond `ANONYMOUS`
    letters the other entries are only counted: see `rest`.
    """

    def __init__(self, record: DeadLetter) -> None:
        self._first = record
        self._next = replace(record, key=None, value=None, headers=())
        self._written = 0
        self._counted = 0
        self._told: set[PatientKey] = set()

    def add(self, error: Unreadable, source: str) -> DeadLetter | None:
        """The letter of an entry, None where it is only counted. source: Source.key."""
        patient = key_of(f"{source}|{error.patient}") if error.patient else None
        if self._written >= ANONYMOUS and (patient is None or patient in self._told):
            self._counted += 1
            return None
        if patient is not None:
            self._told.add(patient)
        record = self._next if self._written else self._first
        resource = f"{source}|{error.resource}" if error.resource else None
        letter = replace(
            record, reason=error.reason, patient=patient, resource=resource, part=self._written
        )
        self._written += 1
        return letter

    @property
    def rest(self) -> DeadLetter | None:
        """One letter for all entries that were only counted."""
        if not self._counted:
            return None
        return replace(self._next, reason=REST, entries=self._counted, part=self._written)
