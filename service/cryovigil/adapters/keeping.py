"""Which versions of a slice are kept, and whose answers that concerns.

In one order everywhere: owners are read, patients created and locked in key order,
owners read again, then the newest versions are kept. All patients that the slice may touch, those
of what could not be read among them, are locked at once: two slices never wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from cryovigil.adapters.ports import DeadLetter, PatientKey, SourcePatient, Transaction
from cryovigil.adapters.versions import Kept, Known, Tied
from cryovigil.errors import Unavailable
from cryovigil.normalize.readings import AnyReading, Update, Version, key_of
from cryovigil.timeline import fold, head_of, replaces, tied

# By patient and reference, why an update of it may fell a card.
Causes = dict[PatientKey, dict[str, str]]
_encode = msgspec.msgpack.Encoder().encode


async def keep(
    tx: Transaction, updates: Sequence[Update], letters: Sequence[DeadLetter], at: datetime
) -> Causes:
    """Keeps a slice's versions and letters; who has to be asked again. Raises Unavailable."""
    unread = {key_of(letter.resource) for letter in letters if letter.resource}
    known = await tx.known({update.key for update in updates} | unread)
    # What is irrelevant and known neither from the store nor from this slice says nothing.
    watched = known.keys() | {u.identity for u in updates if u.watched}
    told = [u for u in updates if u.identity in watched]
    replaced = await _replaced(tx, told, known)
    owners = {k.patient for k in known.values() if k.patient is not None}
    harmed = {letter.patient for letter in letters if letter.patient is not None}
    people = {p for u in told if (p := _source_patient(u))}
    locked = await tx.lock(people, owners | harmed | set(replaced.values()))
    keys = {patient: row.key for patient, row in locked.items()}
    owned = [_owned(letter, told, keys, known) for letter in letters]
    causes: Causes = {letter.patient: {} for letter in owned if letter.patient is not None}
    if known or told:
        again = await tx.known({u.key for u in told} | unread)
        if _owners(again) != _owners({i: k for i, k in known.items() if i in again}):
            raise Unavailable("a resource moved to another patient meanwhile")
        fold_of = _Fold(again, keys, causes)
        for update in told:
            fold_of.add(update)
        _answer(causes, told, replaced)
        await tx.keep(fold_of.kept, at, fold_of.ties)
    if owned:
        await tx.add_dead_letters(owned)
    return causes


class _Fold:
    """The newest version of each resource of a slice, and what that means for whom."""

    def __init__(
        self,
        known: Mapping[str, Known],
        patients: Mapping[SourcePatient, PatientKey],
        causes: Causes,
    ) -> None:
        self._known = dict(known)
        self._before = {identity: entry.patient for identity, entry in known.items()}
        self._patients = patients
        self._causes = causes
        self._kept: dict[str, Kept] = {}
        self._ties: dict[str, Tied] = {}

    @property
    def kept(self) -> Sequence[Kept]:
        return list(self._kept.values())

    @property
    def ties(self) -> Sequence[Tied]:
        return list(self._ties.values())

    def add(self, update: Update) -> None:
        """Takes the next version, in the order of arrival."""
        entry = self._known.get(update.identity)
        content = _content(update.readings)
        undecided = entry is not None and tied(entry.head, update, content)
        taken = fold(entry.head if entry else None, update)
        if taken is not None:
            self._take(taken, entry, content, undecided=undecided)
        elif undecided and entry is not None:
            self._doubt(update, entry)

    def _take(self, update: Update, entry: Known | None, content: int, *, undecided: bool) -> None:
        # A tie lasts until a version says that it is newer.
        # A deletion ends it too: nothing is left that could be the older body.
        lasting = entry is not None and entry.tie and not update.deletion
        tie = undecided or (
            lasting and entry is not None and _alike(entry.head.version, update.version)
        )
        owner = self._owner(update)
        if owner is None and tie and entry is not None:
            owner = entry.patient
        identity = update.identity
        self._kept[identity] = Kept(update, owner, content, tie)
        self._ties.pop(identity, None)
        self._known[identity] = Known(head_of(update, content), owner, tie)
        for key in (owner, self._before.get(identity)):
            if key is not None:
                self._causes.setdefault(key, {})[_reference(identity)] = update.cause

    def _doubt(self, update: Update, entry: Known) -> None:
        """What is known stays, and its patient is told that it may not be the newest."""
        identity = update.identity
        owner = self._owner(update) if entry.patient is None else entry.patient
        self._known[identity] = Known(entry.head, owner, tie=True)
        if identity in self._kept:
            self._kept[identity] = replace(self._kept[identity], patient=owner, tie=True)
        else:
            self._ties[identity] = Tied(update.key, identity, owner)
        if owner is not None:
            self._causes.setdefault(owner, {})

    def _owner(self, update: Update) -> PatientKey | None:
        patient = _source_patient(update)
        return self._patients[patient] if patient else None


async def _replaced(
    tx: Transaction, told: Sequence[Update], known: Mapping[str, Known]
) -> Mapping[str, PatientKey]:
    """The patients of the results that these updates replace, or replace no longer."""
    if not told:
        return {}
    stored = {u.key for u in told if u.identity in known}
    return await tx.replaced_by({r for u in told for r in u.replaces}, stored)


def _answer(causes: Causes, told: Iterable[Update], replaced: Mapping[str, PatientKey]) -> None:
    """The patients of replaced results are asked as well."""
    corrected = {r for u in told if replaces(u) for r in u.replaces}
    for identity, patient in replaced.items():
        cause = "corrected" if identity in corrected else "answered"
        causes.setdefault(patient, {})[_reference(identity)] = cause


def _owned(
    letter: DeadLetter,
    told: Sequence[Update],
    patients: Mapping[SourcePatient, PatientKey],
    known: Mapping[str, Known],
) -> DeadLetter:
    """A letter that names no patient belongs to the patient of its resource as known before it."""
    if letter.patient is not None or letter.resource is None:
        return letter
    entry = known.get(letter.resource)
    owner = entry.patient if entry else None
    for update in told:
        earlier = update.identity == letter.resource and update.version.offset < letter.offset
        if earlier and (patient := _source_patient(update)):
            owner = patients[patient]
    return replace(letter, patient=owner)


def _alike(one: Version, other: Version) -> bool:
    return (one.number, one.updated) == (other.number, other.updated)


def _owners(known: Mapping[str, Known]) -> dict[str, PatientKey | None]:
    return {identity: entry.patient for identity, entry in known.items()}


def _content(readings: Collection[AnyReading]) -> int:
    return key_of(_encode(readings).hex()) if readings else 0


def _source_patient(update: Update) -> SourcePatient | None:
    if update.patient is None:
        return None
    return SourcePatient(update.identity.rpartition("|")[0], update.patient)


def _reference(identity: str) -> str:
    return identity.rpartition("|")[2]
